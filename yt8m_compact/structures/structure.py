"""What every structure of a matrix can do."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
import dataclasses
import re
from typing import Any, ClassVar, TypeAlias

from yt8m_compact import lazy
from yt8m_compact.structures import arguments
from yt8m_compact.structures import coded_weight
from yt8m_compact.structures import fitting
from yt8m_compact.structures import precisions
from yt8m_compact.structures import product_form
from yt8m_compact.structures import second_moments as moments_lib
from yt8m_compact.structures import weight_spec

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact import ops

Weights: TypeAlias = "Mapping[str, tf.Tensor]"
Arrays: TypeAlias = "Mapping[str, np.ndarray]"

# Rows of a product of several factors that are written out at a time.
_ROWS = 512
# A sweep writes out and multiplies matrices of the kernel's size some ten times
# a weight, each by the moments.
_MAX_WEIGHTED_SWEEPS = 15


@dataclasses.dataclass(frozen=True)
class Structure(abc.ABC):
    """How a matrix `[input_dim, units]` is made of fewer weights: a value.

    It holds no weights: every method is a pure function of them. `str` writes
    it as text that `structures.get` reads, and `+` makes a sum. Arguments are
    ints above 0, floats above 0 and at most 1, None where that is the default,
    and bools.

    A subclass is a frozen dataclass of its arguments, with the weights it is
    made of (`weights`), the product (`_multiply`), the dense matrix
    (`as_dense`), the nearest member to a dense matrix (`_nearest`) and a count
    of multiply-adds. Its name in text is that of the class in snake case.

    Example:
        >>> structure = yt8m.structures.get("circulant")
        >>> weights = structure.nearest(np.array([[1.0, 3.0], [5.0, 1.0]]))
        >>> weights["kernel"].tolist()
        [[1.0, 4.0]]
        >>> structure.as_array(weights, input_dim=2, units=2).tolist()
        [[1.0, 4.0], [4.0, 1.0]]

    Raises:
        ValueError: if an argument is wrong.
    """

    # Whether it multiplies by transforms, which take float32 and float64 only:
    # a 16-bit product is then computed in float32 and rounded once.
    uses_transforms: ClassVar[bool] = False
    # Whether XLA multiplies faster in training by a matrix that is large and
    # much wider than high.
    gains_by_xla: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Checks every argument, by its type."""
        arguments.check(self)

    @classmethod
    def kind(cls) -> str:
        """Returns the name of this kind of structure, as in text."""
        return re.sub("(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    def __str__(self) -> str:
        """Writes the structure as text, without arguments at their default."""
        return arguments.to_text(self.kind(), self)

    def __add__(self, other: Any) -> Structure:
        """Makes the structure of sums of matrices of both."""
        if not isinstance(other, Structure):
            return NotImplemented
        # A sum is a structure itself, in a file that imports this one.
        from yt8m_compact.structures import sum_structure

        return sum_structure.Sum((self, other))

    def __matmul__(self, other: Any) -> Structure:
        """Makes the structure with weights of a precision."""
        if not isinstance(other, precisions.Precision):
            return NotImplemented
        if isinstance(other, precisions.Float32):
            return self
        from yt8m_compact.structures import quantized

        return quantized.Quantized(self, other)

    @property
    def base(self) -> Structure:
        """The structure whose weights are the floats of `decode`: itself."""
        return self

    def decode(self, weights: Weights, input_dim: int, units: int) -> Weights:
        """Computes the floats that a product multiplies by.

        Args:
            weights: the weights by name.
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            The weights of `base`, by name: here they are what is given.
        """
        del input_dim, units
        return weights

    def packed(self) -> Structure:
        """Returns the structure whose weights are the bits of this one's.

        That is the structure itself, where weights have no precision.
        """
        return self

    def pack(
        self, weights: Arrays, input_dim: int, units: int
    ) -> dict[str, np.ndarray]:
        """Packs weights into those of `packed`.

        Args:
            weights: the weights by name.
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            The packed weights by name.

        Raises:
            ValueError: if a value can't be stored.
        """
        del input_dim, units
        return dict(weights)

    def num_bytes(self, input_dim: int, units: int) -> int:
        """Counts the bytes of a matrix, packed; 4 for each float32.

        Args:
            input_dim: its number of rows.
            units: its number of columns.

        Returns:
            The number of bytes.
        """
        specs = self.packed().weights(input_dim, units)
        return sum(spec.num_bytes for spec in specs)

    @abc.abstractmethod
    def weights(
        self, input_dim: int, units: int
    ) -> tuple[weight_spec.WeightSpec, ...]:
        """Lists the weights of a matrix.

        Args:
            input_dim: its number of rows.
            units: its number of columns.

        Returns:
            What each weight is, in the order in which they are made.

        Raises:
            ValueError: if there is no such matrix of these sizes.
        """

    def num_weights(self, input_dim: int, units: int) -> int:
        """Counts the weights of a matrix, those that are not trained too.

        Args:
            input_dim: its number of rows.
            units: its number of columns.

        Returns:
            The number of values that are stored, in however many bits.
        """
        return sum(spec.size for spec in self.base.weights(input_dim, units))

    def multiply(self, weights: Weights, x: tf.Tensor, units: int) -> tf.Tensor:
        """Multiplies rows by the matrix, in the form that is asked for.

        That is by Fourier transforms where it has any, but inside of
        `structures.product_forms`.

        Args:
            weights: the weights by name, of any float dtype, or of their own.
            x: `[..., input_dim]`, any float dtype. Structures with transforms
                take 16 bits to float32 and round the result.
            units: columns of the matrix.

        Returns:
            `[..., units]`, of the dtype of `x`.
        """
        wide = self.uses_transforms and x.dtype.size < 4
        inner = tf.cast(x, tf.float32) if wide else x
        weights = _cast(weights, inner.dtype)
        form = product_form.form_of(self, inner.shape[-1], units)
        if form is product_form.ProductForm.DENSE:
            dense = self._as_dense(weights, inner.shape[-1], units)
            product = matmul(inner, dense)
        elif form is product_form.ProductForm.DFT:
            with ops.portable_operators():
                product = self._multiply(weights, inner, units)
        else:
            product = self._multiply(weights, inner, units)
        return tf.cast(product, x.dtype)

    def faults(
        self, weights: Arrays, input_dim: int, units: int
    ) -> dict[str, str]:
        """Says what is wrong with weights that anyone may have written.

        Args:
            weights: the weights by name, of their shapes and dtypes.
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            By the name of a weight the codes, positions or numbers that it can
            not hold; floats that are not finite are left to the caller.
        """
        return {
            spec.name: fault
            for spec in self.weights(input_dim, units)
            if (fault := spec.fault(weights[spec.name]))
        }

    def coded(
        self, weights: Arrays, input_dim: int, units: int
    ) -> dict[str, coded_weight.CodedWeight]:
        """Says of which codes the floats of `decode` are made.

        Args:
            weights: the weights by name, as a layer holds them: floats, or the
                bits of a packed structure.
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            By name those that are kept in fewer bits than float32; none unless
            the structure has a precision.
        """
        del weights, input_dim, units
        return {}

    def block_widths(self, input_dim: int, units: int) -> tuple[int, ...]:
        """Says which columns can be computed apart, at no cost.

        Args:
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            The number of columns of each block, from the left; their sum is
            `units`. All at once unless the structure says otherwise.
        """
        del input_dim
        return (units,)

    @property
    def shares_weights(self) -> bool:
        """Whether several blocks of columns share weights, those in `split`."""
        return False

    def split(
        self, weights: Weights, x: tf.Tensor, units: int
    ) -> tuple[tf.Tensor, list[Weights]]:
        """Computes what all blocks of columns need of rows, and splits weights.

        Args:
            weights: the weights by name.
            x: `[..., input_dim]`, any float dtype.
            units: columns of the matrix.

        Returns:
            What `multiply_block` takes in place of `x`: `x` itself, unless the
            structure says otherwise; and the weights of each block.
        """
        del units
        return x, [weights]

    def multiply_block(
        self, weights: Weights, x: tf.Tensor, width: int
    ) -> tf.Tensor:
        """Multiplies rows by a block of columns.

        Args:
            weights: those of the block, or all of a matrix that is not split.
            x: from `split`, or the rows of one that is not.
            width: columns of the block, or of the matrix.

        Returns:
            `[..., width]`, of the dtype of `x`, real where that is complex.
        """
        return self.multiply(weights, x, width)

    @abc.abstractmethod
    def _multiply(
        self, weights: Weights, x: tf.Tensor, units: int
    ) -> tf.Tensor:
        """Multiplies, with floats of one dtype, one that it can."""

    def as_dense(
        self, weights: Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        """Writes out the matrix.

        Args:
            weights: the weights by name; all floats of one dtype, or bits.
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            `[input_dim, units]`, of the dtype of the weights.
        """
        weights = self.decode(weights, input_dim, units)
        dtype = next(w.dtype for w in weights.values() if w.dtype.is_floating)
        inner = tf.float32 if self.uses_transforms and dtype.size < 4 else dtype
        dense = self.base._as_dense(_cast(weights, inner), input_dim, units)
        return tf.cast(dense, dtype)

    def as_array(
        self, weights: Arrays, input_dim: int, units: int
    ) -> np.ndarray:
        """Writes out the matrix, as `as_dense`, of arrays.

        Args:
            weights: the weights by name; all floats of one dtype.
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            `[input_dim, units]`, of the dtype of the weights.
        """
        tensors = {name: tf.constant(value) for name, value in weights.items()}
        return self.as_dense(tensors, input_dim, units).numpy()

    @abc.abstractmethod
    def _as_dense(
        self, weights: Weights, input_dim: int, units: int
    ) -> tf.Tensor:
        """Writes out the matrix, from floats of one dtype that it can take."""

    def nearest(
        self,
        kernel: np.ndarray,
        current: Arrays | None = None,
        second_moments: Any = None,
    ) -> dict[str, np.ndarray]:
        """Finds the weights of the nearest matrix to a dense one.

        Nearest in Frobenius norm: `sum (W - kernel)^2` is smallest. With second
        moments M of the inputs x it is the error of the outputs that is
        smallest, `E |x (W - kernel)|^2 = trace((W - kernel)^T M (W - kernel))`,
        which is never larger than that of the nearest in Frobenius norm. Each
        structure says whether it is exact or a local minimum, and if nothing
        else, that goes for both.

        With moments it takes a few seconds at most for `dense`, `low_rank`,
        circulants and `toeplitz` of a thousand inputs and some thousand units,
        and minutes for others that large: there each step multiplies M by a
        matrix of the kernel's size.

        Args:
            kernel: `[input_dim, units]`, float64.
            current: weights by name: those that are not trained are kept, but
                for positions, and a search may start from the others. None
                draws them.
            second_moments: M, `[input_dim, input_dim]`, symmetric and positive
                semi-definite, of any scale. None weights all alike. A ridge of
                a millionth of their mean is added: where the outputs do not
                depend on a weight, that of the kernel counts.

        Returns:
            All weights by name, float64, or of their own dtype.

        Raises:
            ValueError: if the moments are of another shape, not finite, not
                symmetric, or have negative eigenvalues.
        """
        if current is None:
            rng = np.random.default_rng(0)
            specs = self.weights(*kernel.shape)
            current = {spec.name: spec.draw(rng) for spec in specs}
        metric = None
        if second_moments is not None:
            metric = moments_lib.as_metric(
                moments_lib.check(second_moments, len(kernel))
            )
        if metric is None:
            return self._nearest(kernel, current)
        return self._nearest_weighted(kernel, current, metric)

    @abc.abstractmethod
    def _nearest(
        self, kernel: np.ndarray, current: Arrays
    ) -> dict[str, np.ndarray]:
        """Finds the weights, from current ones."""

    def _nearest_weighted(
        self, kernel: np.ndarray, current: Arrays, moments: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Finds the weights of the smallest weighted error.

        For any structure whose matrix is linear in each of its weights:
        alternating least squares, from the nearest in Frobenius norm. One that
        is linear in all of them is solved for exactly.

        Args:
            kernel: `[input_dim, units]`.
            current: all weights by name.
            moments: as `second_moments.as_metric` makes them.

        Returns:
            All weights by name.
        """
        start = self._nearest(kernel, current)
        if not kernel.any():
            return start
        specs = [spec for spec in self.weights(*kernel.shape) if spec.trained]
        pieces = [
            piece
            for spec in specs
            for piece in np.split(start[spec.name], spec.num_factors)
        ]

        def by_name(pieces, join):
            pieces, named = iter(pieces), dict(start)
            for spec in specs:
                some = [next(pieces) for _ in range(spec.num_factors)]
                named[spec.name] = join(some, axis=0)
            return named

        def build(*pieces):
            named = by_name(pieces, tf.concat)
            tensors = {k: tf.convert_to_tensor(v) for k, v in named.items()}
            return self.as_dense(tensors, *kernel.shape)

        if len(pieces) == 1:
            fitted = [fitting.least_squares(build, pieces[0], kernel, moments)]
        else:
            fitted = fitting.alternating_least_squares(
                build,
                pieces,
                kernel,
                moments=moments,
                max_sweeps=_MAX_WEIGHTED_SWEEPS,
            )
        return min(
            [start, by_name(fitted, np.concatenate)],
            key=lambda weights: fitting.weighted_error(
                self.as_array(weights, *kernel.shape) - kernel, moments
            ),
        )

    @abc.abstractmethod
    def multiply_adds(self, input_dim: int, units: int) -> int:
        """Counts the real multiply-adds of a row, of the algorithm used.

        Args:
            input_dim: rows of the matrix.
            units: columns of the matrix.

        Returns:
            The number.
        """


def matmul(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Multiplies rows by a matrix.

    Args:
        x: `[..., n]`.
        kernel: `[n, m]`, of the dtype of `x`.

    Returns:
        `[..., m]`.
    """
    if x.shape.rank != 2:
        return tf.tensordot(x, kernel, axes=1)
    if product_form.are_chosen():  # Other runtimes have no gradients.
        return tf.matmul(x, kernel)
    return ops.dense_matmul(x, kernel)


def dense_by_rows(
    multiply: Callable[[tf.Tensor], tf.Tensor],
    input_dim: int,
    dtype: tf.DType,
) -> tf.Tensor:
    """Writes out a matrix, as its product with rows of the identity.

    For a product of factors that may be far larger than it is: some rows at a
    time.

    Args:
        multiply: from `[rows, input_dim]` to `[rows, units]`.
        input_dim: rows of the matrix.
        dtype: the dtype of the rows.

    Returns:
        `[input_dim, units]`.
    """
    row_blocks = [
        multiply(tf.one_hot(part, input_dim, dtype=dtype))
        for part in np.array_split(np.arange(input_dim), -(-input_dim // _ROWS))
    ]
    return tf.concat(row_blocks, axis=0)


def _cast(weights: Weights, dtype: tf.DType) -> dict[str, tf.Tensor]:
    return {
        name: tf.cast(weight, dtype) if weight.dtype.is_floating else weight
        for name, weight in weights.items()
    }
