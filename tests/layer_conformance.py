"""What every structure is held to, written without the structures.

One that is registered in `structures.STRUCTURES` needs one entry in `ORACLES`
here, and then goes through every conformance test by itself: no test names the
structures one by one, and arguments are those of the dataclass. More entries
are the same with other arguments, and sums.
"""

from collections.abc import Callable
import dataclasses
import functools
import math

import numpy as np
import scipy.fft
import scipy.linalg

from yt8m_compact import layers
from yt8m_compact import structures

# (input_dim, units): one and two values, odd and even, a large prime and a
# product of small primes; wider, narrower, equal, a multiple and not one. Those
# of less than about 200 values are multiplied as dense matrices by most kinds.
SIZES = (
    (1, 1),
    (1, 3),
    (2, 1),
    (2, 5),
    (7, 3),
    (7, 7),
    (7, 17),
    (128, 300),
    (251, 100),
    (251, 600),
    (1152, 512),
)
SMALL_SIZES = tuple(size for size in SIZES if size[0] <= 7)


@dataclasses.dataclass(frozen=True)
class Oracle:
    """What a structure should be.

    Attributes:
        structure: the structure.
        weight_shapes: from `input_dim` and `units` to the shapes of the weights
            that the kernel is made of, by name.
        dense_kernel: from these weights by name, `input_dim` and `units`, to
            the dense kernel `[input_dim, units]`.
        initialized: the weights that `kernel_initializer` fills.
        fixed: the weights that are not trained.
        chosen: those of them that `nearest` chooses all the same.
        transforms: whether it multiplies by transforms, which are float32 in a
            16-bit layer too.
        is_exact: from `input_dim` and `units` to whether `nearest` finds the
            closest kernel of these sizes, and not just a local minimum.
        closest: from a kernel to the closest one there is, where it is exact;
            None where the kernel is linear in all trained weights at once, so
            that NumPy's least squares find it.
        comes_back: from the sizes to whether `nearest` finds a kernel of its
            own kind again, where it is not exact.
        simpler: structures, as text, whose kernels are of this kind too, so
            that it is never further away than they are.
        num_factors: the number of factors of a product, which the first axis of
            each weight counts.
    """

    structure: structures.Structure
    weight_shapes: Callable[[int, int], dict[str, tuple[int, ...]]]
    dense_kernel: Callable[[dict[str, np.ndarray], int, int], np.ndarray]
    initialized: tuple[str, ...] = ("kernel",)
    fixed: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    transforms: bool = False
    is_exact: Callable[[int, int], bool] = lambda n, units: True
    closest: Callable[[np.ndarray], np.ndarray] | None = None
    comes_back: Callable[[int, int], bool] = lambda n, units: False
    simpler: tuple[str, ...] = ()
    num_factors: int = 1

    def trained(self, input_dim: int, units: int) -> tuple[str, ...]:
        """Names the weights of the kernel that are trained."""
        names = self.weight_shapes(input_dim, units)
        return tuple(name for name in names if name not in self.fixed)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names the weights that `nearest` leaves as they are."""
        return tuple(name for name in self.fixed if name not in self.chosen)

    def finds_its_own(self, input_dim: int, units: int) -> bool:
        """Tells whether `nearest` finds a kernel of its own kind again."""
        sizes = (input_dim, units)
        return self.is_exact(*sizes) or self.comes_back(*sizes)

    def weight_count(self, input_dim: int, units: int) -> int:
        """Counts the weights of the kernel."""
        shapes = self.weight_shapes(input_dim, units).values()
        return sum(math.prod(shape) for shape in shapes)


def _never(input_dim: int, units: int) -> bool:
    return False


def _in_whole_blocks(input_dim: int, units: int) -> bool:
    return units % input_dim == 0


def _blocks(input_dim: int, units: int) -> tuple[int, int]:
    return (math.ceil(units / input_dim), input_dim)


def _padded_block(input_dim: int, units: int) -> tuple[int, int]:
    return (1, max(input_dim, units))


def _circulant_kernel(weights, input_dim, units):
    blocks = [scipy.linalg.circulant(column) for column in weights["kernel"]]
    return np.concatenate(blocks, axis=1)[:input_dim, :units]


def _diagonal_circulant_kernel(weights, input_dim, units):
    kernel = weights["kernel"]
    diagonal = np.broadcast_to(weights["diagonal"], kernel.shape)
    blocks = []
    for block in range(kernel.shape[1]):
        factors = [
            scipy.linalg.circulant(kernel[factor, block])
            * diagonal[factor, block][:, np.newaxis]
            for factor in range(kernel.shape[0])
        ]
        blocks.append(functools.reduce(np.matmul, factors))
    return np.concatenate(blocks, axis=1)[:input_dim, :units]


def _block_circulant_kernel(weights, input_dim, units):
    rows = [
        np.concatenate([scipy.linalg.circulant(c) for c in row], axis=1)
        for row in weights["kernel"]
    ]
    return np.concatenate(rows)[:input_dim, :units]


def _factors(num_factors, kernel_blocks, diagonal_blocks):
    """Shapes of `num_factors` factors, with the blocks of two functions."""
    return lambda n, units: {
        "kernel": (num_factors, *kernel_blocks(n, units)),
        "diagonal": (num_factors, *diagonal_blocks(n, units)),
    }


def _rank_one(matrix):
    left, values, right = np.linalg.svd(matrix)
    return values[0] * np.outer(left[:, 0], right[0])


def _closest_diagonal_circulant(kernel):
    """Entries by wrapped diagonal: diag(d) circ(c) is d times c there."""
    size = kernel.shape[0]
    rows, diagonals = np.indices([size, size])
    blocks = []
    for block in np.split(kernel, kernel.shape[1] // size, axis=1):
        closest = np.zeros([size, size])
        entries = _rank_one(block[rows, (rows - diagonals) % size])
        closest[rows, (rows - diagonals) % size] = entries
        blocks.append(closest)
    return np.concatenate(blocks, axis=1)


def _closest_shared_diagonal_circulant(kernel):
    """The same, for entries of all blocks side by side."""
    size = kernel.shape[0]
    rows, diagonals = np.indices([size, size])
    columns = (rows - diagonals) % size
    columns = np.concatenate(
        [columns + start for start in range(0, kernel.shape[1], size)], axis=1
    )
    rows = np.arange(size)[:, np.newaxis]
    closest = np.zeros(kernel.shape)
    closest[rows, columns] = _rank_one(kernel[rows, columns])
    return closest


_DIAGONAL_CIRCULANT = Oracle(
    structure=structures.DiagonalCirculant(),
    weight_shapes=_factors(1, _blocks, _blocks),
    dense_kernel=_diagonal_circulant_kernel,
    transforms=True,
    is_exact=_in_whole_blocks,
    closest=_closest_diagonal_circulant,
    simpler=("circulant",),
)
_SHARED_DIAGONAL_CIRCULANT = dataclasses.replace(
    _DIAGONAL_CIRCULANT,
    structure=structures.DiagonalCirculant(shared_diagonal=True),
    weight_shapes=_factors(1, _blocks, lambda n, units: (1, n)),
    closest=_closest_shared_diagonal_circulant,
)


def _toeplitz_kernel(weights, input_dim, units):
    upper = weights["kernel"][:units][::-1]
    return scipy.linalg.toeplitz(weights["kernel"][units - 1 :], upper)


def _acdc_kernel(weights, input_dim, units):
    transform = scipy.fft.dct(np.eye(input_dim), norm="ortho")
    kernel, diagonal = weights["kernel"], weights["diagonal"]
    blocks = []
    for block in range(kernel.shape[1]):
        product = np.eye(input_dim)
        for factor in range(kernel.shape[0]):
            product = (product * diagonal[factor, block]) @ transform
            product = (product * kernel[factor, block]) @ transform.T
        blocks.append(product)
    return np.concatenate(blocks, axis=1)[:, :units]


def _fastfood_kernel(weights, input_dim, units):
    size = weights["kernel"].shape[1]
    hadamard = scipy.linalg.hadamard(size) / np.sqrt(size)
    blocks = []
    for before, order, inner, after in zip(
        weights["input_diagonal"],
        weights["permutation"],
        weights["kernel"],
        weights["output_diagonal"],
        strict=True,
    ):
        product = (before[:, np.newaxis] * hadamard)[:, order] * inner
        blocks.append(product @ hadamard * after)
    return np.concatenate(blocks, axis=1)[:input_dim, :units]


def _fastfood_shapes(input_dim, units):
    size = 2 ** math.ceil(math.log2(input_dim))
    names = ("input_diagonal", "permutation", "kernel", "output_diagonal")
    return dict.fromkeys(names, (math.ceil(units / size), size))


def _mix(count, factors):
    """Hashes 1, 2, ..., count in Python's whole numbers."""
    hashes = []
    for number in range(1, count + 1):
        for factor in factors:
            number = number * factor % 2**31
            number ^= number >> 15
        hashes.append(number)
    return np.array(hashes)


@functools.cache
def hashed_entries(
    input_dim: int, units: int, num_buckets: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hashes the entries of a matrix to buckets and signs."""
    bits = np.bitwise_xor.outer(
        _mix(input_dim, (1640531527, 1181783497, 1573292053)),
        _mix(units, (1403630843, 2024237689, 1825111157)),
    )
    bits = bits * 1779033703
    bits = (bits ^ (bits >> 31)) % 2**31 * 1952505347 % 2**32
    negative, buckets = np.divmod(bits * 2 * num_buckets >> 32, num_buckets)
    return buckets, 1 - 2 * negative


def _hashed_kernel(weights, input_dim, units):
    kernel = weights["kernel"]
    buckets, signs = hashed_entries(input_dim, units, kernel.shape[0])
    return signs * kernel[buckets]


def _closest_low_rank(rank):
    def closest(kernel):
        left, values, right = np.linalg.svd(kernel, full_matrices=False)
        return left[:, :rank] * values[:rank] @ right[:rank]

    return closest


def _low_rank_shapes(rank):
    return lambda n, units: {
        "left": (n, min(rank, n, units)),
        "right": (min(rank, n, units), units),
    }


def _divisor_near(size, target):
    """Finds the divisor within a factor of 1.5, or rounds the target."""
    near = [
        divisor
        for divisor in range(1, size + 1)
        if size % divisor == 0 and 2 * target <= 3 * divisor <= 4.5 * target
    ]
    # Rounded, so that of two that are as near the first, smaller one is taken.
    ratios = {d: round(abs(math.log(d / target)), 9) for d in near}
    return min(ratios, key=ratios.get, default=round(target))


def _monarch_shapes(num_blocks=None):
    def shapes(n, units):
        target = max(1, n / math.sqrt(max(n, units)))
        rows = math.ceil(n / (num_blocks or _divisor_near(n, target)))
        blocks = math.ceil(n / rows)
        inner = math.ceil(min(n, units) / blocks)
        return {
            "left": (blocks, rows, inner),
            "right": (inner, blocks, math.ceil(units / inner)),
        }

    return shapes


def _turned(rows, columns):
    """The permutation matrix that reads rows as columns."""
    size = rows * columns
    return np.eye(size)[:, np.arange(size).reshape(rows, columns).T.ravel()]


def _monarch_kernel(weights, input_dim, units):
    blocks, _, inner = weights["left"].shape
    kernel = scipy.linalg.block_diag(*weights["left"]) @ _turned(blocks, inner)
    kernel = kernel @ scipy.linalg.block_diag(*weights["right"])
    kernel = kernel @ _turned(inner, weights["right"].shape[2])
    return kernel[:input_dim, :units]


def _closest_monarch(num_blocks=None):
    def closest(kernel):
        shapes = _monarch_shapes(num_blocks)(*kernel.shape)
        _, rows, inner = shapes["left"]
        result = np.zeros(kernel.shape)
        for start in range(0, kernel.shape[0], rows):
            for value in range(inner):
                entries = (
                    slice(start, start + rows),
                    slice(value, None, inner),
                )
                result[entries] = _rank_one(kernel[entries])
        return result

    return closest


def _kronecker_shapes(left_rows=None, left_columns=None):
    def split(size, count):
        block = math.ceil(size / (count or _divisor_near(size, size**0.5)))
        return math.ceil(size / block), block

    def shapes(n, units):
        sides = split(n, left_rows), split(units, left_columns)
        return dict(
            zip(("left", "right"), zip(*sides, strict=True), strict=True)
        )

    return shapes


def _closest_kronecker(left_rows=None, left_columns=None):
    """Van Loan's rearrangement: a row of each block."""

    def closest(kernel):
        shapes = _kronecker_shapes(left_rows, left_columns)(*kernel.shape)
        blocks = [
            block.ravel()
            for row in np.split(kernel, shapes["left"][0])
            for block in np.split(row, shapes["left"][1], axis=1)
        ]
        left, values, right = np.linalg.svd(np.stack(blocks))
        return values[0] * np.kron(
            left[:, 0].reshape(shapes["left"]),
            right[0].reshape(shapes["right"]),
        )

    return closest


def _kronecker(**sizes):
    shapes = _kronecker_shapes(**sizes)

    def is_exact(n, units):
        (rows, columns), (p, q) = shapes(n, units).values()
        return (rows * p, columns * q) == (n, units)

    return Oracle(
        structure=structures.Kronecker(**sizes),
        weight_shapes=shapes,
        dense_kernel=lambda weights, n, units: np.kron(
            weights["left"], weights["right"]
        )[:n, :units],
        initialized=("left", "right"),
        is_exact=is_exact,
        closest=_closest_kronecker(**sizes),
    )


def _leading_columns(count, **arguments):
    """Oracle of matrices whose columns are 0 after `count` of them."""

    def dense_kernel(weights, input_dim, units):
        missing = np.zeros([input_dim, units - count(units)])
        return np.concatenate([weights["kernel"], missing], axis=1)

    return Oracle(
        structure=structures.LeadingColumns(**arguments),
        weight_shapes=lambda n, units: {"kernel": (n, count(units))},
        dense_kernel=dense_kernel,
    )


def _toeplitz_like_kernel(weights, input_dim, units):
    kernel = sum(
        scipy.linalg.circulant(left)
        # The first row is right[0], and the first column from below, negative.
        @ scipy.linalg.toeplitz(right, np.r_[right[0], -right[:0:-1]])
        for left, right in zip(weights["left"], weights["right"], strict=True)
    )
    return kernel[:input_dim, :units]


def _toeplitz_like(displacement_rank, **what):
    return Oracle(
        structure=structures.ToeplitzLike(displacement_rank),
        weight_shapes=lambda n, units: dict.fromkeys(
            ("left", "right"), (displacement_rank, max(n, units))
        ),
        dense_kernel=_toeplitz_like_kernel,
        initialized=("left", "right"),
        transforms=True,
        is_exact=_never,
        comes_back=lambda n, units: n == units,
        **what,
    )


def _sparse_kernel(weights, input_dim, units):
    kernel = np.zeros([units, input_dim], weights["kernel"].dtype)
    for position, value in zip(
        weights["positions"], weights["kernel"], strict=True
    ):
        kernel[divmod(position, input_dim)] = value
    return kernel.T


def _closest_sparse(density):
    """All but the largest magnitudes become 0."""

    def closest(kernel):
        kept = max(1, round(density * kernel.size))
        least = np.sort(np.abs(kernel), axis=None)[-kept]
        return np.where(np.abs(kernel) >= least, kernel, 0)

    return closest


def _closest_by_group(kept, group):
    """The same, for each group of inputs of each column."""

    def closest(kernel):
        result = np.zeros(kernel.shape)
        for start in range(0, kernel.shape[0], group):
            for column in range(kernel.shape[1]):
                values = kernel[start : start + group, column]
                for row in np.argsort(-np.abs(values))[:kept]:
                    result[start + row, column] = values[row]
        return result

    return closest


def _sparse(count, closest, **arguments):
    return Oracle(
        structure=structures.Sparse(**arguments),
        weight_shapes=lambda n, units: dict.fromkeys(
            ("kernel", "positions"), (count(n, units),)
        ),
        dense_kernel=_sparse_kernel,
        fixed=("positions",),
        chosen=("positions",),
        closest=closest,
    )


def _sum_of(**parts):
    """Oracle of a sum of others, by the names that its weights start with."""

    def weight_shapes(n, units):
        return {
            f"{part}_{name}": shape
            for part, oracle in parts.items()
            for name, shape in oracle.weight_shapes(n, units).items()
        }

    def dense_kernel(weights, n, units):
        return sum(
            oracle.dense_kernel(
                {
                    name: weights[f"{part}_{name}"]
                    for name in oracle.weight_shapes(n, units)
                },
                n,
                units,
            )
            for part, oracle in parts.items()
        )

    def named(attribute):
        return tuple(
            f"{part}_{name}"
            for part, oracle in parts.items()
            for name in getattr(oracle, attribute)
        )

    return Oracle(
        structure=structures.Sum(
            tuple(oracle.structure for oracle in parts.values())
        ),
        weight_shapes=weight_shapes,
        dense_kernel=dense_kernel,
        initialized=named("initialized"),
        fixed=named("fixed"),
        chosen=named("chosen"),
        is_exact=_never,
        simpler=tuple(
            str(oracle.structure)
            for oracle in parts.values()
            if not oracle.kept
        ),
    )


_LOW_RANK = Oracle(
    structure=structures.LowRank(rank=3),
    weight_shapes=_low_rank_shapes(3),
    dense_kernel=lambda weights, n, units: weights["left"] @ weights["right"],
    initialized=("left", "right"),
    closest=_closest_low_rank(3),
)
_ACDC = Oracle(
    structure=structures.Acdc(),
    weight_shapes=_factors(1, _blocks, _blocks),
    dense_kernel=_acdc_kernel,
    transforms=True,
    is_exact=_never,
    comes_back=_in_whole_blocks,
)
_TOEPLITZ = Oracle(
    structure=structures.Toeplitz(),
    weight_shapes=lambda n, units: {"kernel": (n + units - 1,)},
    dense_kernel=_toeplitz_kernel,
    transforms=True,
)
_SIGN_CIRCULANT = Oracle(
    structure=structures.DiagonalCirculant(shared_diagonal=True, learned=False),
    weight_shapes=_factors(1, _blocks, lambda n, units: (1, n)),
    dense_kernel=_diagonal_circulant_kernel,
    fixed=("diagonal",),
    transforms=True,
)

_SPARSE = _sparse(
    lambda n, units: max(1, round(n * units / 10)), _closest_sparse(0.1)
)


ORACLES = {
    "dense": Oracle(
        structure=structures.Dense(),
        weight_shapes=lambda n, units: {"kernel": (n, units)},
        dense_kernel=lambda weights, n, units: weights["kernel"],
    ),
    "circulant": Oracle(
        structure=structures.Circulant(),
        weight_shapes=lambda n, units: {"kernel": _blocks(n, units)},
        dense_kernel=_circulant_kernel,
        transforms=True,
    ),
    "circulant, padded": Oracle(
        structure=structures.Circulant(pad_input=True),
        weight_shapes=lambda n, units: {"kernel": _padded_block(n, units)},
        dense_kernel=_circulant_kernel,
        transforms=True,
    ),
    "diagonal_circulant": _DIAGONAL_CIRCULANT,
    "diagonal_circulant, shared": _SHARED_DIAGONAL_CIRCULANT,
    "diagonal_circulant, 3 factors": dataclasses.replace(
        _DIAGONAL_CIRCULANT,
        structure=structures.DiagonalCirculant(num_factors=3),
        num_factors=3,
        weight_shapes=_factors(3, _blocks, _blocks),
        is_exact=_never,
        simpler=("diagonal_circulant",),
    ),
    "diagonal_circulant, padded, 2 factors": dataclasses.replace(
        _DIAGONAL_CIRCULANT,
        structure=structures.DiagonalCirculant(num_factors=2, pad_input=True),
        num_factors=2,
        weight_shapes=_factors(2, _padded_block, _padded_block),
        is_exact=_never,
        simpler=(
            "circulant(pad_input=True)",
            "diagonal_circulant(pad_input=True)",
        ),
    ),
    "sign_circulant": _SIGN_CIRCULANT,
    "sign_circulant, 2 factors": Oracle(
        structure=structures.DiagonalCirculant(num_factors=2, learned=False),
        num_factors=2,
        weight_shapes=_factors(2, _blocks, _blocks),
        dense_kernel=_diagonal_circulant_kernel,
        fixed=("diagonal",),
        transforms=True,
        is_exact=_never,
    ),
    "block_circulant": Oracle(
        structure=structures.BlockCirculant(block_size=5),
        weight_shapes=lambda n, units: {
            "kernel": (math.ceil(n / 5), math.ceil(units / 5), 5)
        },
        dense_kernel=_block_circulant_kernel,
        transforms=True,
    ),
    "block_circulant, large": Oracle(
        structure=structures.BlockCirculant(block_size=256),
        weight_shapes=lambda n, units: {
            "kernel": (math.ceil(n / 256), math.ceil(units / 256), 256)
        },
        dense_kernel=_block_circulant_kernel,
        transforms=True,
    ),
    "low_rank": _LOW_RANK,
    "low_rank, 32": dataclasses.replace(
        _LOW_RANK,
        structure=structures.LowRank(),
        weight_shapes=_low_rank_shapes(32),
        closest=_closest_low_rank(32),
    ),
    "toeplitz": _TOEPLITZ,
    "acdc": _ACDC,
    "acdc, 2 factors": dataclasses.replace(
        _ACDC,
        structure=structures.Acdc(num_factors=2),
        num_factors=2,
        weight_shapes=_factors(2, _blocks, _blocks),
        comes_back=_never,
        simpler=("acdc",),
    ),
    "fastfood": Oracle(
        structure=structures.Fastfood(),
        weight_shapes=_fastfood_shapes,
        dense_kernel=_fastfood_kernel,
        fixed=("permutation",),
        transforms=True,
        is_exact=_never,
    ),
    "hashed": Oracle(
        structure=structures.Hashed(),
        weight_shapes=lambda n, units: {"kernel": (math.ceil(n * units / 64),)},
        dense_kernel=_hashed_kernel,
    ),
    "hashed, 50": Oracle(
        structure=structures.Hashed(num_buckets=50),
        weight_shapes=lambda n, units: {"kernel": (50,)},
        dense_kernel=_hashed_kernel,
    ),
    "monarch": Oracle(
        structure=structures.Monarch(),
        weight_shapes=_monarch_shapes(),
        dense_kernel=_monarch_kernel,
        initialized=("left", "right"),
        closest=_closest_monarch(),
    ),
    "monarch, 3 blocks": Oracle(
        structure=structures.Monarch(num_blocks=3),
        weight_shapes=_monarch_shapes(3),
        dense_kernel=_monarch_kernel,
        initialized=("left", "right"),
        closest=_closest_monarch(3),
    ),
    "kronecker": _kronecker(),
    # Few weights of a factor would vary much from one draw to another.
    "kronecker, 3 x 40": _kronecker(left_rows=3, left_columns=40),
    "leading_columns": _leading_columns(lambda units: math.ceil(units / 2)),
    "leading_columns, 5": _leading_columns(
        lambda units: min(5, units), columns=5
    ),
    "toeplitz_like": _toeplitz_like(2, simpler=("toeplitz",)),
    "toeplitz_like, 1 term": _toeplitz_like(
        1, simpler=("circulant(pad_input=True)",)
    ),
    "sparse": _SPARSE,
    # 2 of each 4 inputs, and of fewer at the end of a column.
    "sparse, 2:4": _sparse(
        lambda n, units: units * (n // 4 * 2 + min(n % 4, 2)),
        _closest_by_group(2, 4),
        density=0.5,
        group=4,
    ),
    "low_rank + sparse": _sum_of(low_rank=_LOW_RANK, sparse=_SPARSE),
    "low_rank + diagonal_circulant": _sum_of(
        low_rank=_LOW_RANK,
        diagonal_circulant=_SHARED_DIAGONAL_CIRCULANT,
    ),
    # Two parts of one kind, and fixed weights in a part.
    "toeplitz + low_rank + sign_circulant + low_rank": _sum_of(
        toeplitz=_TOEPLITZ,
        low_rank=_LOW_RANK,
        diagonal_circulant=_SIGN_CIRCULANT,
        low_rank_2=dataclasses.replace(
            _LOW_RANK,
            structure=structures.LowRank(rank=2),
            weight_shapes=_low_rank_shapes(2),
        ),
    ),
}
CASES = tuple(ORACLES)
# One of each structure, for tests in which arguments change little.
FIRST_CASES = tuple(
    case
    for number, case in enumerate(CASES)
    if type(ORACLES[case].structure)
    not in {type(ORACLES[earlier].structure) for earlier in CASES[:number]}
)


def make_projection(case: str, units: int, **kwargs) -> layers.Projection:
    """Makes a layer of a case, not built."""
    return layers.Projection(units, ORACLES[case].structure, **kwargs)


def make_layer(
    case: str, input_dim: int, units: int, *, seed: int = 0, **kwargs
) -> layers.Projection:
    """Makes a built layer, all of whose weights are random.

    They have the size that they start with, so that outputs are about as large
    as inputs; the bias is that large too.
    """
    layer = make_projection(case, units, **kwargs)
    layer.build((None, input_dim))
    rng = np.random.default_rng(seed)
    specs = {s.name: s for s in layer.structure.weights(input_dim, units)}
    layer.set_weights(
        [random_values(rng, w, specs.get(w.name)) for w in layer.weights]
    )
    return layer


def random_values(rng: np.random.Generator, weight, spec=None) -> np.ndarray:
    """Draws values; those of permutations are in another order."""
    if spec is not None and spec.start is structures.Start.POSITIONS:
        return spec.draw(rng)
    start = weight.numpy()
    if start.dtype.kind == "i":
        return rng.permutation(start)
    scale = np.sqrt(np.mean(start.astype(np.float64) ** 2)) or 1.0
    return scale * rng.standard_normal(start.shape)


def weights_by_name(layer: layers.Projection) -> dict[str, np.ndarray]:
    """Reads the weights of a projection, the bias too if it has one."""
    return {weight.name: weight.numpy() for weight in layer.weights}


def expected_kernel(
    case: str, layer: layers.Projection, dtype: type = np.float64
) -> np.ndarray:
    """Writes out the dense kernel from a layer's weights."""
    weights = {
        name: value.astype(dtype) if value.dtype.kind == "f" else value
        for name, value in weights_by_name(layer).items()
    }
    return ORACLES[case].dense_kernel(weights, layer.input_dim, layer.units)


def random_rows(*shape: int, seed: int = 1) -> np.ndarray:
    """Draws float64 inputs that vary along every axis."""
    return np.random.default_rng(seed).standard_normal(shape)


def design(
    case: str,
    weights: dict[str, np.ndarray],
    names: tuple[str, ...],
    size: tuple[int, int],
    rows: slice = slice(None),
) -> np.ndarray:
    """Writes out a kernel's part in each value of some weights.

    Args:
        case: the case.
        weights: all weights by name; the others keep their values.
        names: weights in which the kernel is linear.
        size: `input_dim` and `units`.
        rows: which of their first axis; the kernel is linear in those.

    Returns:
        `[input_dim * units, values]`.
    """
    columns, start = [], dict(weights)
    for name in names:
        start[name] = weights[name].astype(np.float64)
        start[name][rows] = 0
    for name in names:
        for index in np.ndindex(weights[name][rows].shape):
            unit = {k: np.array(v) for k, v in start.items()}
            unit[name][rows][index] = 1
            kernel = ORACLES[case].dense_kernel(unit, *size)
            columns.append(kernel.ravel())
    return np.stack(columns, axis=1)
