r"""Times products in training, compiled by XLA and not: what is compiled, why.

    python -m benchmarks.compiled_products
    python -m benchmarks.compiled_products --structures=circulant,toeplitz \
      --shapes=80x1024x19310 --rounds=12

A `Projection` of each structure and each shape, `rows x input_dim x units`: its
output, and the gradients of its input and its weights, by a `tf.function`. The
layer compiles the product, or not, and both take turns in one process; the best
of all rounds counts. `error` is the largest difference between both, as a share
of the largest value of that output or gradient; `chosen` is whether the layer
compiles the product in training.
"""

import argparse
import statistics
import time
from unittest import mock

import keras
import numpy as np
import tabulate
import tensorflow as tf
import tqdm

from yt8m_compact import layers
from yt8m_compact.layers import projection

_STRUCTURES = (
    "circulant",
    "diagonal_circulant",
    "diagonal_circulant(shared_diagonal=True)",
    "block_circulant(block_size=256)",
    "toeplitz",
    "toeplitz_like",
    "acdc",
    "fastfood",
)
_SHAPES = "80x8192x512,80x1024x8192,80x1024x19310,1024x1152x19310"


class Step:
    """A product and its gradients.

    Args:
        structure: of the projection.
        rows: how many.
        input_dim: of the projection.
        units: of the projection.
        compiled: whether XLA compiles the product.
    """

    def __init__(
        self,
        structure: str,
        rows: int,
        input_dim: int,
        units: int,
        compiled: bool,
    ) -> None:
        layer = layers.Projection(units, structure=structure)
        layer.build((None, input_dim))
        self.chosen = layer.is_compiled
        self._arguments = (
            tf.random.normal([rows, input_dim]),
            tf.random.normal([rows, units]),
        )

        @tf.function(autograph=False)
        def step(x: tf.Tensor, upstream: tf.Tensor) -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = layer(x, training=True)
            weights = [weight.value for weight in layer.trainable_variables]
            return [outputs, *tape.gradient(outputs, [x, *weights], upstream)]

        self._step = step
        self.seconds: list[float] = []
        start = time.perf_counter()
        with mock.patch.object(
            projection.Projection, "is_compiled", new=compiled
        ):
            self.outputs = [x.numpy() for x in step(*self._arguments)]
        self.first_seconds = time.perf_counter() - start

    def measure(self) -> None:
        """Times a step, after one that is not counted."""
        for _ in range(2):
            start = time.perf_counter()
            self._step(*self._arguments)[-1].numpy()
        self.seconds.append(time.perf_counter() - start)


def error(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """Returns the largest difference, as a share of the largest value."""
    return max(
        np.abs(mine - other).max() / np.abs(other).max()
        for mine, other in zip(ours, theirs, strict=True)
    )


def measure(structure: str, shape: str, rounds: int) -> list[str | float]:
    """Times a product, compiled and not, in turn; returns a row."""
    sizes = [int(size) for size in shape.split("x")]
    steps = []
    for compiled in (False, True):
        keras.utils.set_random_seed(0)
        steps.append(Step(structure, *sizes, compiled=compiled))
    for _ in range(rounds):
        for step in steps:
            step.measure()
    plain, compiled = steps
    return [
        shape,
        structure,
        1000 * min(plain.seconds),
        1000 * min(compiled.seconds),
        min(plain.seconds) / min(compiled.seconds),
        statistics.median(plain.seconds) / statistics.median(compiled.seconds),
        plain.first_seconds,
        compiled.first_seconds,
        error(compiled.outputs, plain.outputs),
        "yes" if plain.chosen else "no",
    ]


def main(arguments: list[str] | None = None) -> None:
    """Times products, and prints a table.

    Args:
        arguments: the command line; None is that of the process.
    """
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--structures",
        type=lambda text: text.split(","),
        default=_STRUCTURES,
        help="comma-separated",
    )
    parser.add_argument("--shapes", default=_SHAPES, help="comma-separated")
    parser.add_argument("--rounds", type=int, default=10)
    args = parser.parse_args(arguments)
    cases = [
        (structure, shape)
        for shape in args.shapes.split(",")
        for structure in args.structures
    ]
    rows = [
        measure(structure, shape, args.rounds)
        for structure, shape in tqdm.tqdm(cases, desc="products")
    ]
    print(
        tabulate.tabulate(
            rows,
            headers=[
                "shape",
                "structure",
                "ms",
                "XLA, ms",
                "gain",
                "of medians",
                "first, s",
                "XLA, first, s",
                "error",
                "chosen",
            ],
            tablefmt="github",
            floatfmt=("", "", *[".2f"] * 4, ".1f", ".1f", ".0e", ""),
        )
    )


if __name__ == "__main__":
    main()
