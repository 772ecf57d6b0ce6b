"""In what form a product with a structure is traced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import contextvars
import enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from yt8m_compact.structures import structure as structure_lib


class ProductForm(enum.StrEnum):
    """A form of a product, in which it is computed.

    Example:
        >>> def choose(structure, input_dim, units):  # for `product_forms`
        ...     form = "dense" if input_dim < 200 else "dft"
        ...     return yt8m.structures.ProductForm(form)
        >>> choose(yt8m.structures.Circulant(), 128, 512)
        <ProductForm.DENSE: 'dense'>

    Attributes:
        FFT: Fourier transforms: for TensorFlow, and what is trained.
        DFT: transforms as products of small matrices, in operators that every
            runtime has.
        DENSE: the matrix written out.
    """

    FFT = "fft"
    DFT = "dft"
    DENSE = "dense"


# From a structure, `input_dim` and `units`.
ChooseForm: TypeAlias = (
    "Callable[[structure_lib.Structure, int, int], ProductForm]"
)

_choose: contextvars.ContextVar[ChooseForm | None] = contextvars.ContextVar(
    "choose", default=None
)


@contextlib.contextmanager
def product_forms(choose: ChooseForm | None) -> Iterator[None]:
    """Traces the products inside in the forms that a function chooses.

    Forms other than `FFT` are for inference: they have no gradient of their
    own. It counts in the thread that enters it.

    Example:
        >>> import tensorflow as tf
        >>> x = tf.constant([[1.0, 0.0, 2.0]])
        >>> weights = {"kernel": tf.constant([[1.0, 2.0, 3.0]])}
        >>> dense = yt8m.structures.ProductForm.DENSE
        >>> with yt8m.structures.product_forms(lambda *_: dense):
        ...     y = yt8m.structures.Circulant().multiply(weights, x, units=3)
        >>> y.numpy().tolist()
        [[7.0, 7.0, 4.0]]

    Args:
        choose: from a structure without precisions, `input_dim` and `units`
            to a form, for each part of a sum; None is `FFT` for all.
    """
    token = _choose.set(choose)
    try:
        yield
    finally:
        _choose.reset(token)


def are_chosen() -> bool:
    """Says whether this is inside of `product_forms`, for export.

    Example:
        >>> dft = yt8m.structures.ProductForm.DFT
        >>> with yt8m.structures.product_forms(lambda *_: dft):
        ...     yt8m.structures.are_chosen()
        True
        >>> yt8m.structures.are_chosen()
        False
    """
    return _choose.get() is not None


def form_of(
    structure: structure_lib.Structure, input_dim: int, units: int
) -> ProductForm:
    """Returns the form in which a product is to be traced.

    Args:
        structure: of the matrix.
        input_dim: its number of rows.
        units: its number of columns.
    """
    choose = _choose.get()
    if choose is None:
        return ProductForm.FFT
    return choose(structure, input_dim, units)
