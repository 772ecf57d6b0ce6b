"""What a place may become: structures, in precisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import dataclasses

from yt8m_compact import structures
from yt8m_compact.compression import budget as budget_lib

# From the largest to the smallest of a usual matrix. Sums and others whose
# nearest member takes minutes are few.
STRUCTURES = (
    "dense",
    "low_rank(rank=256)",
    "low_rank(rank=192)",
    "low_rank(rank=128)",
    "low_rank(rank=96)",
    "low_rank(rank=64)",
    "low_rank(rank=48)",
    "low_rank(rank=32)",
    "low_rank(rank=16)",
    "low_rank(rank=8)",
    "low_rank(rank=96) + diagonal_circulant",
    "low_rank(rank=24) + diagonal_circulant",
    "block_circulant(block_size=8)",
    "block_circulant(block_size=64)",
    "monarch",
    "diagonal_circulant",
)
FLOAT = "float32"
# Where bytes count; those of all of a channel, and of blocks of it.
PRECISIONS = (
    "float16",
    "int8",
    "int4(block_size=32)",
    "int4",
    "int2(block_size=32)",
    "ternary(block_size=64)",
    "ternary",
    "binary(block_size=64)",
    "binary",
)


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A structure in a precision.

    Attributes:
        base: The structure, of floats, whose nearest member is looked for.
        structure: It in the precision.
    """

    base: structures.Structure
    structure: structures.Structure


def make(
    structure_texts: Iterable[str] = STRUCTURES,
    precisions: Iterable[str] = (FLOAT, *PRECISIONS),
) -> tuple[Candidate, ...]:
    """Makes all candidates.

    Args:
        structure_texts: Structures as text. One that names a precision itself,
            `low_rank(rank=64)@int4 + diagonal_circulant@int8` say, is a
            candidate as it is, in no other.
        precisions: Precisions as text, `int4(block_size=32)` say; `float32` is
            the structure itself.

    Returns:
        Each structure in each precision, none twice.

    Raises:
        ValueError: If a text is no structure or no precision, or there is none.
    """
    texts, precisions = list(structure_texts), list(precisions)
    for name, values in (("structures", texts), ("precisions", precisions)):
        if not values:
            raise ValueError(
                f"expected {name}, comma-separated. Received: {name}=''"
            )
    found = {}
    for text in texts:
        structure = structures.get(text)
        if "@" in text:
            found[str(structure)] = Candidate(structure.base, structure)
            continue
        for precision in precisions:
            made = _in_precision(structure, precision)
            found[str(made)] = Candidate(structure, made)
    return tuple(found.values())


def default_precisions(unit: budget_lib.Unit) -> tuple[str, ...]:
    """Lists the precisions that a budget asks for.

    Args:
        unit: Of the budget.

    Returns:
        Those of few bits where bytes count; a number of weights and the time of
        a product are the same in each.
    """
    return PRECISIONS if unit is budget_lib.Unit.BYTES else (FLOAT,)


def split(text: str) -> list[str]:
    """Splits a list of structures or precisions at the commas between them.

    Args:
        text: `low_rank(rank=8), diagonal_circulant(num_factors=2,
            pad_input=True)` say: commas within brackets are theirs.

    Returns:
        The texts, without spaces around them.
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def fits(
    structure: structures.Structure, sizes: Sequence[tuple[int, int]]
) -> bool:
    """Whether a structure has matrices of some sizes.

    Args:
        structure: The structure.
        sizes: Rows and columns of each.

    Returns:
        Whether it has all.
    """
    try:
        for size in sizes:
            structure.weights(*size)
    except ValueError:
        return False
    return True


def _in_precision(
    structure: structures.Structure, precision: str
) -> structures.Structure:
    if precision == FLOAT:
        return structure
    parts = [structure]
    if isinstance(structure, structures.Sum):
        parts = structure.parts
    return structures.get(" + ".join(f"{part}@{precision}" for part in parts))
