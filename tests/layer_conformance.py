"""What every kind of projection is held to, written without the layers.

A kind that is registered in `layers.PROJECTIONS` needs one entry in `ORACLES`
here, and then goes through every conformance test by itself.
"""

from collections.abc import Callable
import dataclasses
import math

import numpy as np
import scipy.linalg

from yt8m_compact import layers

KINDS = tuple(layers.PROJECTIONS)

# (input_dim, units): one and two values, odd and even, a large prime and a
# product of small primes; wider, narrower, equal, a multiple and not one.
SIZES = (
    (1, 1),
    (1, 3),
    (2, 1),
    (2, 2),
    (2, 5),
    (7, 3),
    (7, 7),
    (7, 14),
    (7, 17),
    (128, 31),
    (128, 128),
    (128, 300),
    (1152, 512),
    (1152, 1152),
    (1152, 1500),
    (251, 100),
    (251, 251),
    (251, 600),
)
SMALL_SIZES = tuple(size for size in SIZES if size[0] <= 7)


@dataclasses.dataclass(frozen=True)
class Oracle:
    """What a kind of projection should be.

    Attributes:
      weight_shapes: from `input_dim` and `units` to the shapes of the weights
        that the kernel is made of, by name.
      dense_kernel: from these weights by name, and `units`, to the dense
        kernel `[input_dim, units]`.
      transforms: whether it multiplies by transforms, which are float32 in a
        16-bit layer too.
    """

    weight_shapes: Callable[[int, int], dict[str, tuple[int, ...]]]
    dense_kernel: Callable[[dict[str, np.ndarray], int], np.ndarray]
    transforms: bool = False

    def weight_count(self, input_dim: int, units: int) -> int:
        """Counts the weights of the kernel."""
        shapes = self.weight_shapes(input_dim, units).values()
        return sum(math.prod(shape) for shape in shapes)


def _block_shape(input_dim: int, units: int) -> tuple[int, int]:
    return (math.ceil(units / input_dim), input_dim)


def _circulant_kernel(weights: dict[str, np.ndarray], units: int):
    blocks = [scipy.linalg.circulant(column) for column in weights["kernel"]]
    return np.concatenate(blocks, axis=1)[:, :units]


def _diagonal_circulant_kernel(weights: dict[str, np.ndarray], units: int):
    blocks = [
        diagonal[:, np.newaxis] * scipy.linalg.circulant(column)
        for diagonal, column in zip(
            weights["diagonal"], weights["kernel"], strict=True
        )
    ]
    return np.concatenate(blocks, axis=1)[:, :units]


ORACLES = {
    "dense": Oracle(
        weight_shapes=lambda n, units: {"kernel": (n, units)},
        dense_kernel=lambda weights, units: weights["kernel"],
    ),
    "circulant": Oracle(
        weight_shapes=lambda n, units: {"kernel": _block_shape(n, units)},
        dense_kernel=_circulant_kernel,
        transforms=True,
    ),
    "diagonal_circulant": Oracle(
        weight_shapes=lambda n, units: {
            "kernel": _block_shape(n, units),
            "diagonal": _block_shape(n, units),
        },
        dense_kernel=_diagonal_circulant_kernel,
        transforms=True,
    ),
}


def make_layer(
    kind: str, input_dim: int, units: int, *, seed: int = 0, **kwargs
) -> layers.Projection:
    """Makes a built layer, all of whose weights are random."""
    layer = layers.make_projection(kind, units, **kwargs)
    layer.build((None, input_dim))
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.standard_normal(w.shape) for w in layer.weights])
    return layer


def weights_by_name(layer: layers.Projection) -> dict[str, np.ndarray]:
    """Reads the weights of a projection, the bias too if it has one."""
    return {weight.name: weight.numpy() for weight in layer.weights}


def expected_kernel(
    layer: layers.Projection, dtype: type = np.float64
) -> np.ndarray:
    """Writes out the dense kernel from a layer's weights."""
    weights = {
        name: value.astype(dtype)
        for name, value in weights_by_name(layer).items()
    }
    kind = layers.projection_kind(layer)
    return ORACLES[kind].dense_kernel(weights, layer.units)


def random_rows(*shape: int, seed: int = 1) -> np.ndarray:
    """Draws float64 inputs that vary along every axis."""
    return np.random.default_rng(seed).standard_normal(shape)
