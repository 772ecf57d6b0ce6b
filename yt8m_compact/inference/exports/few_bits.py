"""In how few bits the constants of a file can be, by its scores."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Collection, Hashable, Mapping
import dataclasses
import enum
import math
from typing import Any, Protocol

import numpy as np

from yt8m_compact import structures
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import same_scores

# A constant of fewer bytes is not worth what says how it is decoded.
LEAST_BYTES = 1024
# Rows of fewer values are not worth a scale each.
_LEAST_ROW = 32

# By how much the largest difference of a score may grow on the sample that the
# constants are chosen by. Scores are from 0 to 1.
BUDGETS = {
    export_precision.ExportPrecision.FLOAT16: 1e-3,
    export_precision.ExportPrecision.INT8: 1e-2,
    export_precision.ExportPrecision.INT4: 5e-2,
}
# Beyond these differences of scores a file is useless.
TOLERANCES = {
    export_precision.ExportPrecision.FLOAT32: same_scores.TOLERANCE,
    export_precision.ExportPrecision.FLOAT16: 5e-3,
    export_precision.ExportPrecision.INT8: 0.05,
    export_precision.ExportPrecision.INT4: 0.2,
}


class Level(enum.StrEnum):
    """How a constant is stored, and multiplied by.

    Attributes:
        INT4_PRODUCT: 4 bits, and inputs of 8 bits, rounded on the way.
        INT4: 4 bits, which an interpreter makes floats of once.
        INT8_PRODUCT: 8 bits, and inputs of 8 bits, rounded on the way.
        INT8: 8 bits, which an interpreter makes floats of once.
        FLOAT16: 16 bits, which an interpreter makes floats of once.
        FLOAT32: as it is.
    """

    INT4_PRODUCT = "int4 product"
    INT4 = "int4"
    INT8_PRODUCT = "int8 product"
    INT8 = "int8"
    FLOAT16 = "float16"
    FLOAT32 = "float32"


_LEVELS = {
    export_precision.ExportPrecision.FLOAT16: (Level.FLOAT16,),
    export_precision.ExportPrecision.INT8: (
        Level.INT8_PRODUCT,
        Level.INT8,
        Level.FLOAT16,
    ),
    export_precision.ExportPrecision.INT4: (
        Level.INT4_PRODUCT,
        Level.INT4,
        Level.INT8_PRODUCT,
        Level.INT8,
        Level.FLOAT16,
    ),
}
PRODUCTS = {Level.INT4_PRODUCT: 4, Level.INT8_PRODUCT: 8}
_PRECISIONS = {Level.INT4: structures.Int4, Level.INT8: structures.Int8}


class Constant(Protocol):
    """A float32 constant of a file."""

    @property
    def values(self) -> np.ndarray:
        """Its values."""

    @property
    def layer(self) -> str:
        """The layer that takes it."""


class File(Protocol):
    """A file whose constants can be stored in this way and that."""

    @property
    def constants(self) -> Mapping[Any, Constant]:
        """The float32 constants."""

    @property
    def least_bytes(self) -> int:
        """Of how many bytes a constant is worth operators that decode it."""

    def multiplies_whole_numbers(self, constant: Constant) -> bool:
        """Whether a constant can be of a level of `PRODUCTS`."""

    def store(self, levels: Mapping[Any, Level]) -> bytes:
        """Returns the file with constants of some levels."""

    def rounded(self, levels: Mapping[Any, Level]) -> bytes:
        """Returns a file that predicts what that of `store` does."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """How the constants of a file are stored.

    Attributes:
        levels: by constant.
        constants: all that there are to store.
    """

    levels: Mapping[Hashable, Level]
    constants: Mapping[Hashable, Constant]

    def to_lines(self) -> list[str]:
        """Says how many values are stored in what, and which in floats."""
        counts: dict[Level, int] = {}
        for key, level in self.levels.items():
            size = self.constants[key].values.size
            counts[level] = counts.get(level, 0) + size
        total = sum(counts.values())
        lines = [
            f"{level}: {counts[level] / total:.1%} of {total:,} values"
            for level in Level
            if level in counts
        ]
        lowest = min(counts, key=list(Level).index, default=None)
        kept: dict[str, set[Level]] = {}
        for key, level in self.levels.items():
            if _bits(level) > _bits(lowest):
                kept.setdefault(self.constants[key].layer, set()).add(level)
        lines += [
            f"{', '.join(sorted(levels))} in {layer or 'the input'}"
            for layer, levels in sorted(kept.items())
        ]
        return lines


def choose(
    file: File,
    precision: export_precision.ExportPrecision,
    measure: Callable[[bytes], float],
    fixed: Collection[Hashable] = (),
) -> tuple[bytes, Choice]:
    """Stores as much as can be in a precision.

    All is, if scores bear it. If not, constants are measured one by one, and
    those whose rounding changes scores most for the bytes that it saves are
    stored in more bits, until the scores are within `BUDGETS`.

    Args:
        file: the file.
        precision: in what to store them.
        measure: from a file to the largest difference of a score of a sample.
        fixed: constants that are left alone.

    Returns:
        The file, and how its constants are stored.

    Raises:
        ValueError: if ai-edge-quantizer is needed and not installed.
    """
    constants, chains = _chains(file, precision, fixed)
    places = dict.fromkeys(constants, 0)
    budget = BUDGETS[precision]
    alone: dict[tuple[Hashable, Level], float] = {}

    def loss_of(key: Hashable, place: int) -> float:
        level = chains[key][place]
        if level is Level.FLOAT32:
            return 0.0
        if (key, level) not in alone:
            alone[key, level] = measure(file.rounded({key: level}))
        return alone[key, level]

    while True:
        levels = {key: chains[key][place] for key, place in places.items()}
        loss = measure(file.rounded(levels))
        # If it is so with all as it was, that is not for us to mend.
        unchanged = all(level is Level.FLOAT32 for level in levels.values())
        if loss <= budget or unchanged:
            return file.store(levels), Choice(levels, constants)
        squares = {key: loss_of(key, at) ** 2 for key, at in places.items()}
        # As if errors were independent, and as far off as they are now.
        target = sum(squares.values()) * (budget / loss) ** 2
        raised = False
        while not raised or sum(squares.values()) > target:
            raisable = [key for key in places if squares[key] > 0]
            if not raisable:
                break
            worst = max(
                raisable,
                key=lambda key: (
                    squares[key]
                    / (
                        1
                        + _added_bytes(constants[key], chains[key], places[key])
                    )
                ),
            )
            places[worst] += 1
            squares[worst] = loss_of(worst, places[worst]) ** 2
            raised = True
        if not raised:
            # None alone, and yet all together: all of them.
            places = {key: len(chain) - 1 for key, chain in chains.items()}


def lowest(
    file: File, precision: export_precision.ExportPrecision
) -> dict[Hashable, Level]:
    """Says how all constants are in a precision, whatever scores bear.

    Args:
        file: the file.
        precision: in what to store them.
    """
    _, chains = _chains(file, precision, ())
    return {key: chain[0] for key, chain in chains.items()}


def coded(
    values: np.ndarray, precision: structures.Precision
) -> structures.CodedWeight:
    """Rounds a constant to whole numbers, with scales of least squares.

    Args:
        values: float32. Rows, along the last axis, have a scale each, if they
            are long enough to be worth it.
        precision: `structures.Int8` or `structures.Int4`.

    Returns:
        The codes.
    """
    rows = math.prod(values.shape[:-1])
    if values.ndim < 2 or values.shape[-1] < _LEAST_ROW:
        rows = 1
    spec = structures.WeightSpec("constant", (rows, values.size // rows))
    found = precision.coded(
        precision.pack(values.reshape(spec.shape), spec), spec
    )
    return structures.CodedWeight(
        found.codes.reshape(values.shape), found.scales.reshape(values.shape)
    )


def halves(values: np.ndarray) -> structures.CodedWeight:
    """Rounds a constant to floats of 16 bits.

    Args:
        values: float32; what is beyond their range is the largest of them.
    """
    largest = np.finfo(np.float16).max
    return structures.CodedWeight(
        values.clip(-largest, largest).astype(np.float16),
        np.ones_like(values),
    )


def at_level(values: np.ndarray, level: Level) -> structures.CodedWeight:
    """Rounds a constant to a level that is no product of whole numbers.

    Args:
        values: float32.
        level: `INT4`, `INT8` or `FLOAT16`.
    """
    if level is Level.FLOAT16:
        return halves(values)
    return coded(values, _PRECISIONS[level]())


def _chains(
    file: File,
    precision: export_precision.ExportPrecision,
    fixed: Collection[Hashable],
) -> tuple[dict[Hashable, Constant], dict[Hashable, list[Level]]]:
    """Lists constants to store, and their levels, the fewest bits first."""
    constants = {
        key: constant
        for key, constant in file.constants.items()
        if key not in fixed and constant.values.nbytes >= file.least_bytes
    }
    levels = (*_LEVELS[precision], Level.FLOAT32)
    chains = {
        key: [
            level
            for level in levels
            if level not in PRODUCTS or file.multiplies_whole_numbers(constant)
        ]
        for key, constant in constants.items()
    }
    return constants, chains


def _bits(level: Level | None) -> int:
    return {
        Level.INT4_PRODUCT: 4,
        Level.INT4: 4,
        Level.INT8_PRODUCT: 8,
        Level.INT8: 8,
        Level.FLOAT16: 16,
        Level.FLOAT32: 32,
    }.get(level, 0)


def _added_bytes(constant: Constant, chain: list[Level], place: int) -> float:
    """Counts the bytes that the next level takes more."""
    bits = _bits(chain[place + 1]) - _bits(chain[place])
    return bits * constant.values.size / 8
