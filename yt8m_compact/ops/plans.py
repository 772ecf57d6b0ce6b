"""How to multiply by a circulant or Toeplitz matrix of given sizes.

The same product has several exact algorithms: transforms of the size of the
blocks, transforms of a longer length that is faster or of a shorter one for
parts of a long input, and a dense product with the matrix written out. Which
is fastest depends on the sizes alone here, so that a model computes the same
on every machine.
"""

from collections.abc import Iterator
import dataclasses
import functools
import math

from yt8m_compact.ops import portable_products
from yt8m_compact.ops import transforms

# What a value of a transform costs beside it, in multiply-adds of a
# transform: products of spectra, and passes through memory.
_PASSES = 20.0
# How many multiply-adds a dense product makes in the time of one of a
# transform. Measured on 2 cores with 2,400 rows, forward and backward: dense
# and transforms take the same time at 256 -> 256.
_DENSE_ADVANTAGE = 8.0
# Estimates are rough: an algorithm other than the plain one, transforms of the
# size of the blocks, has to promise this share of its time.
_WORTH_IT = 0.7
# Up to so many values of a result, all blocks are computed in one operation,
# whose start counts then, not its passes through memory: a video of 30 frames
# and 8,192 clusters has half of that.
_FEW_VALUES = 2**19


@dataclasses.dataclass(frozen=True)
class Plan:
    """One algorithm for a product of `input_dim` values to `units`.

    Attributes:
        input_dim: size of the input.
        units: size of the output.
        input_block: values of each block of the input, the last one padded.
        output_block: values of each block of the output, the last one cut.
        length: length of the transforms; 0 is a dense product.
    """

    input_dim: int
    units: int
    input_block: int
    output_block: int
    length: int

    @property
    def dense(self) -> bool:
        """Whether the matrix is written out."""
        return self.length == 0

    @property
    def input_blocks(self) -> int:
        """Counts the blocks of the input."""
        return -(-self.input_dim // self.input_block)

    @property
    def output_blocks(self) -> int:
        """Counts the blocks of the output."""
        return -(-self.units // self.output_block)

    @property
    def multiply_adds(self) -> int:
        """Counts the real multiply-adds of a row.

        A transform of n values counts `1.25 n log2 n`, see
        `transforms.transform_multiply_adds`, and a product of half spectra 4 a
        complex value. The transforms of the weights do not depend on the
        number of rows, and are left out.
        """
        if self.dense:
            return self.input_dim * self.units
        count = self.input_blocks + self.output_blocks
        products = self.input_blocks * self.output_blocks
        return math.ceil(
            count * transforms.transform_multiply_adds(self.length)
            + products * 4 * (self.length // 2 + 1)
        )

    @property
    def cost(self) -> float:
        """Estimates the time of a row, in multiply-adds of a transform."""
        if self.dense:
            return self.input_dim * self.units / _DENSE_ADVANTAGE
        count = self.input_blocks + self.output_blocks
        transformed = count * (
            transforms.transform_multiply_adds(self.length)
            + _PASSES * self.length
        )
        if min(self.input_blocks, self.output_blocks) == 1:
            return transformed
        # Then the products of spectra are those of real matrices.
        products = self.input_blocks * self.output_blocks * 2 * self.length
        return 2 * transformed + products / _DENSE_ADVANTAGE

    @property
    def portable_cost(self) -> float:
        """Weighs bytes and time of a product in portable operators."""
        return portable_products.cost(
            self.length,
            self.input_block,
            self.output_block,
            (self.input_blocks, self.output_blocks),
        )


def _choose(plain: Plan, others: Iterator[Plan], portable: bool) -> Plan:
    if portable:
        plans = [plain, *(plan for plan in others if not plan.dense)]
        return min(plans, key=lambda plan: plan.portable_cost)
    best = min(others, key=lambda plan: plan.cost)
    return best if best.cost < _WORTH_IT * plain.cost else plain


def _toeplitz_plans(input_dim: int, units: int) -> Iterator[Plan]:
    """Yields plans with parts of the longer side."""
    short, long = sorted((input_dim, units))
    block = long
    while block >= max(short, 1):
        length = transforms.fast_length(block + short - 1)
        # As long as the transform allows.
        longest = min(length - short + 1, long)
        if units < input_dim:
            yield Plan(input_dim, units, longest, units, length)
        else:
            yield Plan(input_dim, units, input_dim, longest, length)
        block //= 2


def few_values(rows: int | None, units: int) -> bool:
    """Says whether a result is small enough for all blocks at once.

    Example:
        >>> [yt8m.ops.few_values(rows, units=8192) for rows in (30, 2400, None)]
        [True, False, False]

    Args:
        rows: the number of rows; None where it is not known before they come,
            which counts as many.
        units: columns of the matrix.

    Returns:
        Whether it is; the result has `rows * units` values.
    """
    return rows is not None and rows * units <= _FEW_VALUES


@functools.cache
def plan_toeplitz(input_dim: int, units: int, portable: bool = False) -> Plan:
    """Chooses the algorithm for a Toeplitz matrix.

    Example:
        >>> plan = yt8m.ops.plan_toeplitz(1024, units=1024)
        >>> plan.dense, plan.length, plan.multiply_adds, 1024 * 1024
        (False, 2048, 60420, 1048576)
        >>> yt8m.ops.plan_toeplitz(128, units=128).dense
        True

    Args:
        input_dim: rows of the matrix.
        units: columns of the matrix.
        portable: whether the product is one of `portable_products`: then the
            plan is the best of those without a matrix written out.

    Returns:
        The plan; parts of the longer side are at least as long as the other.
    """
    plain, *others = _toeplitz_plans(input_dim, units)
    dense = Plan(input_dim, units, input_dim, units, 0)
    return _choose(plain, iter([*others, dense]), portable)


@functools.cache
def plan_circulant(
    input_dim: int, units: int, size: int, portable: bool = False
) -> Plan:
    """Chooses the algorithm for a block row of circulants.

    Example:
        >>> plan = yt8m.ops.plan_circulant(1024, units=8192, size=1024)
        >>> plan.length, plan.output_blocks, plan.multiply_adds, 1024 * 8192
        (1024, 8, 131616, 8388608)

    Args:
        input_dim: size of the input.
        units: size of the output.
        size: size of the circulants, at least `input_dim`.
        portable: whether the product is one of `portable_products`: then the
            plan is the best of those without a matrix written out.

    Returns:
        The plan. One whose `length` is not `size` is for the blocks as Toeplitz
        matrices.
    """
    output_block = min(units, size)
    plain = Plan(input_dim, units, input_dim, output_block, size)
    others = [Plan(input_dim, units, input_dim, units, 0)]
    if units <= size:
        others.append(plan_toeplitz(input_dim, units, portable))
    else:
        length = transforms.fast_length(input_dim + output_block - 1)
        others.append(Plan(input_dim, units, input_dim, output_block, length))
    return _choose(plain, iter(others), portable)


@functools.cache
def plan_block_circulant(
    input_dim: int, units: int, block_size: int, portable: bool = False
) -> Plan:
    """Chooses the algorithm for a matrix of circulant blocks.

    Example:
        >>> [
        ...     yt8m.ops.plan_block_circulant(1152, 512, block_size=size).dense
        ...     for size in (4, 128)
        ... ]
        [True, False]

    Args:
        input_dim: rows of the matrix.
        units: columns of the matrix.
        block_size: size of the blocks.
        portable: whether the product is one of `portable_products`: then the
            plan is the best of those without a matrix written out.

    Returns:
        The plan: transforms of the size of the blocks, or a dense product.
    """
    plain = Plan(input_dim, units, block_size, block_size, block_size)
    dense = Plan(input_dim, units, input_dim, units, 0)
    return _choose(plain, iter([dense]), portable)


@functools.cache
def plan_toeplitz_like(
    size: int, units: int, rank: int, portable: bool = False
) -> Plan:
    """Chooses the algorithm for the sum of several products with skews.

    Args:
        size: rows of each skew-circulant.
        units: columns of them that are kept.
        rank: the number of skew-circulants, whose products are summed.
        portable: whether the product is one of `portable_products`: then the
            plan is the best of those without a matrix written out.

    Returns:
        The plan: as Toeplitz matrices, or one dense product.
    """
    length = transforms.fast_length(size + units - 1)
    plain = Plan(rank * size, units, size, units, length)
    dense = Plan(rank * size, units, rank * size, units, 0)
    return _choose(plain, iter([dense]), portable)


@functools.cache
def plan_diagonal_circulant(
    input_dim: int,
    units: int,
    size: int,
    factors: int,
    diagonals: int,
    portable: bool = False,
) -> Plan:
    """Chooses the algorithm for a block row of products of D C factors.

    Args:
        input_dim: size of the input.
        units: size of the output.
        size: size of the circulants, at least `input_dim`.
        factors: number of D C factors of each block.
        diagonals: number of diagonals of each factor, 1 if blocks share them.
        portable: whether the product is one of `portable_products`: then the
            plan is the best of those without a matrix written out.

    Returns:
        The plan: transforms of the size of the blocks, or a dense product.
    """
    output_block = min(units, size)
    blocks = -(-units // size)
    plain = Plan(input_dim, units, input_dim, output_block, size)
    dense = Plan(input_dim, units, input_dim, units, 0)
    value = transforms.transform_multiply_adds(size) + _PASSES * size
    cost = value * (2 * blocks * factors - blocks + diagonals)
    # With several factors, the matrix is a product of matrices itself.
    worth_it = not portable and factors == 1 and dense.cost < _WORTH_IT * cost
    return dense if worth_it else plain


def diagonal_circulant_multiply_adds(
    input_dim: int, units: int, size: int, factors: int, diagonals: int
) -> int:
    """Counts the real multiply-adds of a row, as `Plan.multiply_adds`.

    Example:
        >>> sizes = {"input_dim": 1024, "units": 8192, "size": 1024}
        >>> [
        ...     yt8m.ops.diagonal_circulant_multiply_adds(
        ...         **sizes, factors=1, diagonals=diagonals
        ...     )
        ...     for diagonals in (1, 8)
        ... ]
        [132640, 229408]

    Args:
        input_dim: size of the input.
        units: size of the output.
        size: size of the circulants, at least `input_dim`.
        factors: number of D C factors of each block.
        diagonals: number of diagonals of each factor, 1 if blocks share them.

    Returns:
        The count.
    """
    if factors == diagonals == 1:
        return plan_circulant(input_dim, units, size).multiply_adds + input_dim
    plan = plan_diagonal_circulant(input_dim, units, size, factors, diagonals)
    if plan.dense:
        return plan.multiply_adds
    blocks = plan.output_blocks
    pair = 2 * transforms.transform_multiply_adds(size)
    pair += 4 * (size // 2 + 1) + size
    # All but the first transform and diagonal are those of each block.
    shared = (blocks - diagonals) * (
        transforms.transform_multiply_adds(size) + size
    )
    return math.ceil(blocks * factors * pair - shared)
