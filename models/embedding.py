"""What a model knows of a video before it is classified."""

from __future__ import annotations

import re

from yt8m_compact import lazy

with lazy.imports():
    import keras

# The projections of `classifiers`, those of MixNeXtVladModel's branches, and
# those of the classifiers of a chain.
_CLASSIFIERS = re.compile(r"classifier|gates|branch_\d+_classifier")
_CHAINED = re.compile(r"chain_(\d+)_gates")


def find_embedding(model: keras.Model) -> keras.KerasTensor | None:
    """Finds what the classifier of a model is given: a vector for each video.

    That of a chain of classifiers is what the last one is given; those of
    classifiers that are mixed are put side by side.

    Example:
        >>> config = yt8m.models.MlpConfig(mlp_hidden_size=64)
        >>> model = config.build(feature_sizes=[128], num_classes=10)
        >>> embedding = yt8m.models.find_embedding(model)
        >>> keras.Model(model.input, embedding).output_shape
        (None, 64)

    Args:
        model: a model that a config built.

    Returns:
        `[batch, size]`, a tensor of the model; None where there is no layer
        before the classifier, which looks at the features themselves, or where
        frames are classified one by one.
    """
    names = [layer.name for layer in model.layers]
    ends = [name for name in names if _CLASSIFIERS.fullmatch(name)]
    chain = [match for match in map(_CHAINED.fullmatch, names) if match]
    if chain:
        ends = [max(chain, key=lambda match: int(match[1])).string]
    found = [model.get_layer(name).input for name in ends]
    inputs = [*model.input.values()]
    if "l2_normalize" in names:
        inputs.append(model.get_layer("l2_normalize").output)
    for tensor in found:
        if len(tensor.shape) != 2 or any(tensor is other for other in inputs):
            return None
    if not found:
        return None
    return keras.ops.concatenate(found, axis=-1) if len(found) > 1 else found[0]
