"""Makes the dense layers of a trained Keras model compact."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import fnmatch
import tempfile
from typing import Any

import keras

from yt8m_compact import structures
from yt8m_compact.layers import input_moments
from yt8m_compact.layers import projection

_Structure = str | structures.Structure


def compactify(
    model: keras.Model,
    structure: _Structure | Mapping[str, _Structure],
    data: Any = None,
    *,
    layer_names: Sequence[str] | str | None = None,
) -> keras.Model:
    """Copies a model with dense layers replaced by their closest projections.

    Each layer chosen becomes a `Projection` whose `W` is closest to the
    layer's kernel in Frobenius norm (`Projection.from_dense`), with its bias,
    activation, regularisers, constraints, dtype and name. All other weights
    are copied. Train the copy on to win back accuracy.

    With a sample of data, closest is what makes the smallest error of the
    layer's outputs on it, before the activation (`Projection.assign_dense`).
    That keeps much more; some thousand rows do, better more than inputs of a
    layer.

    Layers are `keras.layers.Dense` (not quantised) and `Projection` of a
    `Dense` structure, also in models within the model, not those inside other
    layers (such as attention). It takes as long as `nearest` of the structure:
    seconds a layer for most, minutes for `acdc`, `fastfood`, sums, and several
    factors of thousands of inputs.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input([256]), keras.layers.Dense(128)]
        ... )
        >>> compact = yt8m.layers.compactify(model, "circulant")
        >>> model.count_params(), compact.count_params()
        (32896, 384)

    Args:
        model: a built Functional or Sequential model; it is not changed.
        structure: a structure or its text, `low_rank(rank=64)` say; or a dict
            from the names of layers, or patterns such as `fc_*`, to structures,
            of which the first that matches counts.
        data: a sample of what the model is called with, or None: batches, such
            as a `tf.data.Dataset`, or an array, tensor, tuple or dict of rows
            (`layers.collect_input_moments`).
        layer_names: names of the layers to replace, or one; None is every dense
            layer that becomes smaller or, for a dict, every one that it names.

    Returns:
        The copy, not compiled.

    Raises:
        ValueError: if the model is subclassed or not built, a name is not that
            of a dense layer, there are `layer_names` beside a dict, no layer
            would become smaller, a structure is unknown, or the data do not
            reach a layer; from newer releases of Keras, if a `Lambda` layer
            holds a Python lambda and
            `keras.config.enable_unsafe_deserialization` was not called.
    """
    if isinstance(structure, Mapping):
        if layer_names is not None:
            raise ValueError(
                "expected no layer_names with a dict, whose keys choose the "
                f"layers. Received: layer_names={layer_names!r}"
            )
        by_pattern = {
            pattern: structures.get(each) for pattern, each in structure.items()
        }
    else:
        structure = structures.get(structure)
        if isinstance(layer_names, str):
            layer_names = [layer_names]
    dense = dense_layers(model)
    if isinstance(structure, Mapping):
        replacements = _match(dense, by_pattern)
    elif layer_names is None:
        replacements = {
            id(layer): structure
            for layer in dense
            if _is_smaller(layer, structure)
        }
        if not replacements:
            raise ValueError(
                f"expected a dense layer that becomes smaller as {structure}. "
                f"Received: model={model.name}, dense layers="
                f"{[layer.name for layer in dense]}"
            )
    else:
        _check_names(layer_names, dense)
        replacements = {
            id(layer): structure for layer in dense if layer.name in layer_names
        }

    chosen = [layer for layer in dense if id(layer) in replacements]
    moments = {}
    if data is not None:
        moments = {
            id(layer): of_layer
            for layer, of_layer in zip(
                chosen,
                input_moments.collect_input_moments(model, chosen, data),
                strict=True,
            )
        }

    def copy_layer(layer: keras.Layer) -> keras.Layer:
        if id(layer) in replacements:
            return _make_projection(layer, replacements[id(layer)])
        return type(layer).from_config(layer.get_config())

    copied = _clone(model, copy_layer)
    for old, new in zip(_all_layers(model), _all_layers(copied), strict=True):
        if id(old) in replacements:
            bias = None if old.bias is None else old.bias.numpy()
            kernel = old.kernel
            if isinstance(old, projection.Projection):
                kernel = old.as_dense_kernel()
            new.assign_dense(kernel.numpy(), bias, moments.get(id(old)))
        else:
            _copy_state(old, new)
    return copied


def dense_layers(model: keras.Model) -> list[keras.Layer]:
    """Lists the layers of a model that `compactify` can replace.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input([8]), keras.layers.Dense(4, name="fc")]
        ... )
        >>> [layer.name for layer in yt8m.layers.dense_layers(model)]
        ['fc']

    Args:
        model: a built Functional or Sequential model.

    Returns:
        `keras.layers.Dense` that are not quantised, and `Projection` of a
        `Dense` structure, in order.

    Raises:
        ValueError: if the model is subclassed or not built.
    """
    if not isinstance(model, keras.Sequential) and not _is_functional(model):
        raise ValueError(
            "expected a Functional or Sequential model, whose layers can be "
            f"replaced. Received: model={model.name}, of class "
            f"{type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"expected a built model: call it on an input first. Received: "
            f"model={model.name}"
        )
    return [layer for layer in _all_layers(model) if _is_dense(layer)]


def _check_names(layer_names: Sequence[str], dense: list[keras.Layer]) -> None:
    missing = set(layer_names) - {layer.name for layer in dense}
    if missing or not layer_names:
        raise ValueError(
            "expected names of dense layers, some of "
            f"{[layer.name for layer in dense]}. Received: layer_names="
            f"{list(layer_names)}"
        )


def _match(
    dense: list[keras.Layer], by_pattern: dict[str, structures.Structure]
) -> dict[int, structures.Structure]:
    """Finds the structure of each layer that a pattern matches, by its id."""
    names = [layer.name for layer in dense]
    useless = [
        pattern
        for pattern in by_pattern
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names)
    ]
    if useless or not by_pattern:
        raise ValueError(
            "expected names of dense layers, or patterns that match one, some "
            f"of {names}. Received: {useless}"
        )
    return {
        id(layer): structure
        for layer in dense
        # The first that matches is written last.
        for pattern, structure in reversed(by_pattern.items())
        if fnmatch.fnmatchcase(layer.name, pattern)
    }


def _copy_state(old: keras.Layer, new: keras.Layer) -> None:
    # As in a file: more than weights, such as vocabularies that were adapted.
    if hasattr(old, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
    new.set_weights(old.get_weights())
    if hasattr(new, "finalize_state"):
        new.finalize_state()


def _is_functional(model: keras.Model) -> bool:
    # Keras makes one from inputs and outputs, whatever its class.
    return isinstance(model, keras.Model) and hasattr(model, "operations")


def _all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yields layers in order, those of models within the model in place."""
    for layer in model.layers:
        if isinstance(layer, keras.Sequential) or _is_functional(layer):
            yield from _all_layers(layer)
        else:
            yield layer


def _is_dense(layer: keras.Layer) -> bool:
    # A quantised kernel is made of whole numbers and a scale.
    quantized = getattr(layer, "quantization_mode", None) is not None
    if type(layer) is projection.Projection:
        return isinstance(layer.structure, structures.Dense)
    return not quantized and type(layer) is keras.layers.Dense


def _is_smaller(layer: keras.Layer, structure: structures.Structure) -> bool:
    input_dim, units = layer.kernel.shape
    return structure.num_weights(input_dim, units) < input_dim * units


def _make_projection(
    layer: keras.Layer, structure: structures.Structure
) -> projection.Projection:
    config = layer.get_config()
    shared = (
        "name",
        "trainable",
        "dtype",
        "units",
        "activation",
        "use_bias",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    )
    new = projection.Projection(layer.units, structure, name=layer.name)
    # As a saved layer is made, which knows how to read each of these.
    merged = {
        **new.get_config(),
        **{key: config[key] for key in shared if key in config},
    }
    return projection.Projection.from_config(merged)


def _clone(
    model: keras.Model, copy_layer: Callable[[keras.Layer], keras.Layer]
) -> keras.Model:
    return keras.models.clone_model(
        model, clone_function=copy_layer, recursive=True
    )
