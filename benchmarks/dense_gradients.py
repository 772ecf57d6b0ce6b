r"""Times gradients of the inputs of dense products, by TensorFlow and by us.

    python -m benchmarks.dense_gradients
    python -m benchmarks.dense_gradients --shapes=80x1024x19310 --rounds=20

Of each shape, `rows x input_dim x units`: the gradient as TensorFlow computes
it, the output's rows by the transposed matrix; and that of `ops.dense_matmul`,
the matrix by the output's transposed rows where there are few. Both take turns
in one process; the best of all rounds counts. `error` is the largest difference
between both, as a share of the largest value.
"""

import argparse
from collections.abc import Callable
import time

import numpy as np
import tabulate
import tensorflow as tf
import tqdm

from yt8m_compact import ops

_SHAPES = (
    "32x1024x3862,80x1024x19310,80x3862x3862,80x8192x512,128x1152x3862,"
    "256x1024x19310,512x1152x1024,1024x1024x3862"
)


class Gradient:
    """The gradient of the input of a product.

    Args:
        multiply: computes the product.
        rows: how many.
        input_dim: of the matrix.
        units: of the matrix.
    """

    def __init__(
        self,
        multiply: Callable[[tf.Tensor, tf.Variable], tf.Tensor],
        rows: int,
        input_dim: int,
        units: int,
    ) -> None:
        random = np.random.default_rng(0)

        def draw(*shape: int) -> tf.Tensor:
            return tf.constant(random.normal(size=shape), tf.float32)

        kernel = tf.Variable(draw(input_dim, units))
        self._arguments = draw(rows, input_dim), draw(rows, units)

        @tf.function(autograph=False)
        def compute(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
            with tf.GradientTape() as tape:
                tape.watch(x)
                outputs = multiply(x, kernel)
            return tape.gradient(outputs, x, upstream)

        self._compute = compute
        self.seconds: list[float] = []
        self.values = compute(*self._arguments).numpy()

    def measure(self) -> None:
        """Times it once."""
        start = time.perf_counter()
        self._compute(*self._arguments)[0].numpy()
        self.seconds.append(time.perf_counter() - start)


def measure(shape: str, rounds: int) -> list[str | float]:
    """Times both, in turn; returns a row."""
    sizes = [int(size) for size in shape.split("x")]
    theirs, ours = (
        Gradient(multiply, *sizes) for multiply in (tf.matmul, ops.dense_matmul)
    )
    for _ in range(rounds):
        theirs.measure()
        ours.measure()
    difference = np.abs(ours.values - theirs.values).max()
    return [
        shape,
        1000 * min(theirs.seconds),
        1000 * min(ours.seconds),
        min(theirs.seconds) / min(ours.seconds),
        difference / np.abs(theirs.values).max(),
    ]


def main(arguments: list[str] | None = None) -> None:
    """Times gradients, and prints a table.

    Args:
        arguments: the command line; None is that of the process.
    """
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shapes", default=_SHAPES, help="comma-separated")
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args(arguments)
    rows = [
        measure(shape, args.rounds)
        for shape in tqdm.tqdm(args.shapes.split(","), desc="products")
    ]
    print(
        tabulate.tabulate(
            rows,
            headers=["shape", "TensorFlow, ms", "ours, ms", "gain", "error"],
            tablefmt="github",
            floatfmt=("", ".2f", ".2f", ".2f", ".0e"),
        )
    )


if __name__ == "__main__":
    main()
