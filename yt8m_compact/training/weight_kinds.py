"""What the weights of a model are, for optimisers that treat them apart.

It is the layers that know, not names: a projection's structure says which of
its weights are diagonals and which are matrices.
"""

from collections.abc import Iterator

import keras

from yt8m_compact import layers
from yt8m_compact import structures

# Attributes of Keras's own layers, by its conventions.
_KERNELS = ("kernel", "recurrent_kernel")


def kernels(model: keras.Model) -> list[keras.Variable]:
    """Lists the trained weights that inputs are multiplied by.

    Of a projection's matrix, all but the diagonals that start at signs, whose
    size is 1 and not that of the matrix. Not biases, gamma and beta of
    normalisation, cluster centres and their deviations: these are places and
    scales, and nothing says that they should be small.

    Args:
        model: a model that was built.

    Returns:
        The variables, in the order of the layers.
    """
    found = []
    for layer in _all_layers(model):
        found += _kernels_of(layer)
    return [variable for variable in found if variable.trainable]


def hidden_matrices(model: keras.Model) -> list[keras.Variable]:
    """Lists the trained matrices, but for those that classes come from.

    A matrix is a weight of two axes, one of inputs and one of outputs: a dense
    kernel, the factors of a low-rank or Kronecker one. Vectors side by side, as
    those of circulants or centres, are none, whatever their shape.

    Args:
        model: a functional model.

    Returns:
        The variables, in the order of the layers; not those of the layers that
        come last before the outputs (the classifier, and what gates it).
    """
    last = set(map(id, _last_layers(model)))
    found = []
    for layer in model.layers:
        if id(layer) not in last:
            for part in _all_layers(layer, include_self=True):
                found += _matrices_of(part)
    return [variable for variable in found if variable.trainable]


def _all_layers(
    layer: keras.Layer, *, include_self: bool = False
) -> Iterator[keras.Layer]:
    return layer._flatten_layers(include_self=include_self)


def _kernels_of(layer: keras.Layer) -> list[keras.Variable]:
    if isinstance(layer, layers.Projection):
        return [
            weight
            for spec, weight in _weights_of(layer)
            if spec.start is structures.Start.KERNEL
        ]
    values = (getattr(layer, name, None) for name in _KERNELS)
    return [value for value in values if isinstance(value, keras.Variable)]


def _matrices_of(layer: keras.Layer) -> list[keras.Variable]:
    if isinstance(layer, layers.Projection):
        return [weight for spec, weight in _weights_of(layer) if spec.is_matrix]
    return [kernel for kernel in _kernels_of(layer) if kernel.ndim == 2]


def _weights_of(
    layer: layers.Projection,
) -> list[tuple[structures.WeightSpec, keras.Variable]]:
    specs = layer.structure.weights(layer.input_dim, layer.units)
    return [(spec, getattr(layer, spec.name)) for spec in specs]


def _last_layers(model: keras.Model) -> list[keras.Layer]:
    """Finds the layers with kernels that no other one is after."""
    found, seen = [], set()
    left = [output._keras_history.operation for output in model.outputs]
    while left:
        operation = left.pop()
        if id(operation) in seen:
            continue
        seen.add(id(operation))
        parts = []
        if isinstance(operation, keras.Layer):
            parts = list(_all_layers(operation, include_self=True))
        if any(_kernels_of(part) for part in parts):
            found.append(operation)
            continue
        for node in operation._inbound_nodes:
            left += [parent.operation for parent in node.parent_nodes]
    return found
