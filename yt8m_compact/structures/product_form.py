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
    """Says whether this is inside of `product_forms`, for export."""
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
