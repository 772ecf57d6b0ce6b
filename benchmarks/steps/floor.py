"""What a step cannot take less than, by this machine's measured rates."""

from collections.abc import Callable, Iterable
import time

import tensorflow as tf

from benchmarks.steps import network as network_lib

_BANDWIDTH_VALUES = 1 << 25  # 134 MB: beyond all caches
# What is computed for the other rates is 16 MB: memory that is fetched from
# the system each time would be most of the time.
_RATE_VALUES = 1 << 22
# Each weight is read forward and backward; its gradient is written and read;
# Adam reads and writes it and its two moments.
_PASSES_A_WEIGHT = 10
# Each output of a projection is written and read, forward, and so is its
# gradient.
_PASSES_AN_OUTPUT = 4


class Rates:
    """The best rates of this machine that were seen.

    Args:
        products: what a step multiplies: the largest product is timed as a
            dense one, and transforms at each of the lengths.
    """

    def __init__(self, products: Iterable[network_lib.Product]) -> None:
        products = list(products)
        largest = max(products, key=lambda p: p.rows * p.inputs * p.units)
        units = min(largest.units, max(_RATE_VALUES // largest.rows, 1))
        self._operations = 2 * largest.rows * largest.inputs * units
        x = tf.random.normal([largest.rows, largest.inputs])
        kernel = tf.random.normal([largest.inputs, units])
        self._multiply = tf.function(lambda: x @ kernel)
        # Of a length, as many as where it is used most.
        numbers: dict[int, int] = {}
        for product in products:
            number = product.rows * product.blocks
            numbers[product.inputs] = max(
                number, numbers.get(product.inputs, 0)
            )
        self._transforms = {
            length: _Transforms(
                length, min(number, max(_RATE_VALUES // length, 1))
            )
            for length, number in numbers.items()
        }
        values = tf.ones([_BANDWIDTH_VALUES])
        sums = tf.Variable(values)

        @tf.function
        def add() -> None:  # reads twice, writes once, allocates nothing
            sums.assign_add(values)

        self._add = add
        self.operations_per_second = 0.0
        self.bytes_per_second = 0.0
        self.transform_seconds: dict[int, float] = {}

    def measure(self) -> None:
        """Times everything; of each, the best is kept."""
        self.operations_per_second = max(
            self.operations_per_second,
            self._operations / _seconds(self._multiply),
        )
        self.bytes_per_second = max(
            self.bytes_per_second,
            3 * 4 * _BANDWIDTH_VALUES / _seconds(self._add),
        )
        for length, transforms in self._transforms.items():
            self.transform_seconds[length] = min(
                self.transform_seconds.get(length, float("inf")),
                transforms.seconds(),
            )

    def floor(
        self, products: Iterable[network_lib.Product]
    ) -> dict[str, float]:
        """Computes the floor of a step.

        Args:
            products: what it multiplies.

        Returns:
            Milliseconds of `products`, `transforms` and `bytes`.
        """
        operations = transforms = numbers = 0.0
        for product in products:
            if product.structure == network_lib.DENSE:
                times = 3 if product.input_gradient else 2
                size = product.rows * product.inputs * product.units
                operations += 2 * times * size
            else:
                transforms += (
                    num_transforms(product)
                    * self.transform_seconds[product.inputs]
                )
            numbers += _PASSES_A_WEIGHT * product.weights
            numbers += _PASSES_AN_OUTPUT * product.rows * product.units
        return {
            "products": 1000 * operations / self.operations_per_second,
            "transforms": 1000 * transforms,
            "bytes": 1000 * 4 * numbers / self.bytes_per_second,
        }


def num_transforms(product: network_lib.Product) -> int:
    """Counts the real transforms of a D·C projection, forward and backward.

    Forward, a transform of the input, by a diagonal or each of them, and one
    of each block of the output; backward the same the other way, for the
    gradients of diagonals and input. Each block's vector is transformed, and
    its gradient.
    """
    inputs = 1 if product.structure == network_lib.SHARED else product.blocks
    return 2 * product.rows * (inputs + product.blocks) + 2 * product.blocks


class _Transforms:
    """Forward and inverse transforms of one length."""

    def __init__(self, length: int, number: int) -> None:
        x = tf.random.normal([number, length])
        spectra = tf.signal.rfft(x)
        self._number = 2 * number
        self._forward = tf.function(lambda: tf.signal.rfft(x))
        self._inverse = tf.function(lambda: tf.signal.irfft(spectra, [length]))

    def seconds(self) -> float:
        """Times one transform, on average."""
        both = _seconds(self._forward) + _seconds(self._inverse)
        return both / self._number


def _seconds(
    function: Callable[[], tf.Tensor | None], repeats: int = 3
) -> float:
    best = float("inf")
    function()
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best
