"""Constants of LiteRT files in fewer bits, as few as scores bear."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Collection, Mapping
import contextlib
import dataclasses
import enum
import importlib
import importlib.util
import io
import math
import re
import types
import warnings

import numpy as np

from yt8m_compact import structures
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import packed_constants

# Fewer bytes are not worth an operator.
_LEAST_BYTES = 1024
# From so many values on, a matrix is multiplied by in whole numbers: its floats
# would have to come from memory. Measured for one row, see docs/export.md.
_LEAST_INTEGER_PRODUCT = 2**16

# By how much the largest difference of a score may grow on the sample that the
# constants are chosen by. Scores are from 0 to 1.
BUDGETS = {
    export_precision.ExportPrecision.FLOAT16: 1e-3,
    export_precision.ExportPrecision.INT8: 1e-2,
    export_precision.ExportPrecision.INT4: 5e-2,
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
_PRODUCTS = {Level.INT4_PRODUCT: 4, Level.INT8_PRODUCT: 8}
_PRECISIONS = {Level.INT4: structures.Int4, Level.INT8: structures.Int8}


@dataclasses.dataclass(frozen=True)
class Choice:
    """How the constants of a file are stored.

    Attributes:
        levels: by constant.
        constants: all that there are to store.
    """

    levels: Mapping[litert_constants.Key, Level]
    constants: Mapping[litert_constants.Key, litert_constants.Constant]

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
    content: bytes,
    precision: export_precision.ExportPrecision,
    measure: Callable[[bytes], float],
    fixed: Collection[litert_constants.Key] = (),
) -> tuple[bytes, Choice]:
    """Stores as much as can be in a precision.

    All is, if scores bear it. If not, constants are measured one by one, and
    those whose rounding changes scores most for the bytes that it saves are
    stored in more bits, until the scores are within `BUDGETS`.

    Args:
        content: a file with constants in float32.
        precision: in what to store them.
        measure: from a file to the largest difference of a score of a sample.
        fixed: constants that are left alone.

    Returns:
        The file, and how its constants are stored.

    Raises:
        ValueError: if ai-edge-quantizer is needed and not installed.
    """
    file = _File(content)
    constants, chains = file.chains(precision, fixed)
    places = dict.fromkeys(constants, 0)
    budget = BUDGETS[precision]
    alone: dict[tuple[litert_constants.Key, Level], float] = {}

    def loss_of(key: litert_constants.Key, place: int) -> float:
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


def store_all(
    content: bytes, precision: export_precision.ExportPrecision
) -> bytes:
    """Stores all constants in a precision, whatever it does to scores.

    Args:
        content: a file with constants in float32.
        precision: in what to store them.

    Returns:
        The file.

    Raises:
        ValueError: if ai-edge-quantizer is needed and not installed.
    """
    file = _File(content)
    _, chains = file.chains(precision)
    return file.store({key: chain[0] for key, chain in chains.items()})


class _File:
    """A file whose constants are stored in this way and that.

    Args:
        content: the file, with constants in float32.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        graph = litert_constants.LiteRtGraph(content)
        self.constants = graph.constants()
        self._offsets = graph.offsets()
        self._stored: dict[
            tuple[litert_constants.Key, Level], litert_constants.Stored
        ] = {}

    def chains(
        self,
        precision: export_precision.ExportPrecision,
        fixed: Collection[litert_constants.Key] = (),
    ) -> tuple[
        dict[litert_constants.Key, litert_constants.Constant],
        dict[litert_constants.Key, list[Level]],
    ]:
        """Lists constants to store, and their levels, the fewest bits first.

        Args:
            precision: in what to store them.
            fixed: constants that are left alone.
        """
        constants = {
            key: constant
            for key, constant in self.constants.items()
            if key not in fixed and constant.values.nbytes >= _LEAST_BYTES
        }
        levels = (*_LEVELS[precision], Level.FLOAT32)
        chains = {
            key: [
                level
                for level in levels
                if level not in _PRODUCTS or _is_large_product(constant)
            ]
            for key, constant in constants.items()
        }
        return constants, chains

    def store(self, levels: Mapping[litert_constants.Key, Level]) -> bytes:
        """Returns the file with constants of some levels.

        Args:
            levels: by constant.

        Raises:
            ValueError: if ai-edge-quantizer is needed and not installed.
        """
        graph = litert_constants.LiteRtGraph(self._content)
        graph.store_all(self._stored_as(levels))
        return self._with_products(graph.to_bytes(), levels)

    def rounded(self, levels: Mapping[litert_constants.Key, Level]) -> bytes:
        """Returns a file that predicts what that of `store` does.

        With floats, rounded, in the places of floats: in milliseconds.

        Args:
            levels: by constant.

        Raises:
            ValueError: if ai-edge-quantizer is needed and not installed.
        """
        content = bytearray(self._content)
        for key, stored in self._stored_as(levels).items():
            data = stored.decode().tobytes()
            start = self._offsets[key]
            content[start : start + len(data)] = data
        return self._with_products(bytes(content), levels)

    def _stored_as(
        self, levels: Mapping[litert_constants.Key, Level]
    ) -> dict[litert_constants.Key, litert_constants.Stored]:
        found = {}
        for key, level in levels.items():
            if level in _PRODUCTS or level is Level.FLOAT32:
                continue
            if (key, level) not in self._stored:
                values = self.constants[key].values
                self._stored[key, level] = _stored_as(values, level)
            found[key] = self._stored[key, level]
        return found

    def _with_products(
        self, content: bytes, levels: Mapping[litert_constants.Key, Level]
    ) -> bytes:
        products = {
            use.output: _PRODUCTS[level]
            for key, level in levels.items()
            if level in _PRODUCTS
            for use in self.constants[key].uses
        }
        return _with_integer_products(content, products)


def _stored_as(values: np.ndarray, level: Level) -> litert_constants.Stored:
    if level is Level.FLOAT16:
        largest = np.finfo(np.float16).max
        return litert_constants.Halves(
            values.clip(-largest, largest).astype(np.float16)
        )
    return quantize(values, _PRECISIONS[level]())


def quantize(
    values: np.ndarray, precision: structures.Precision
) -> litert_constants.Codes:
    """Rounds a constant to whole numbers, with scales of least squares.

    Args:
        values: float32. Rows of a matrix have a scale each, if they are long
            enough to be worth it.
        precision: `structures.Int8` or `structures.Int4`.

    Returns:
        The codes.
    """
    rows = math.prod(values.shape[:-1])
    if values.ndim < 2 or values.shape[-1] < 32:
        rows = 1
    spec = structures.WeightSpec("constant", (rows, values.size // rows))
    coded = precision.coded(
        precision.pack(values.reshape(spec.shape), spec), spec
    )
    return packed_constants.lay_out(
        coded.codes.reshape(values.shape), coded.scales.reshape(values.shape)
    )


def _is_large_product(constant: litert_constants.Constant) -> bool:
    """Whether a constant is a matrix that is only ever multiplied by."""
    return constant.values.size >= _LEAST_INTEGER_PRODUCT and all(
        (use.operator, use.position) == ("FULLY_CONNECTED", 1)
        for use in constant.uses
    )


def _bits(level: Level | None) -> int:
    return {
        Level.INT4_PRODUCT: 4,
        Level.INT4: 4,
        Level.INT8_PRODUCT: 8,
        Level.INT8: 8,
        Level.FLOAT16: 16,
        Level.FLOAT32: 32,
    }.get(level, 0)


def _added_bytes(
    constant: litert_constants.Constant, chain: list[Level], place: int
) -> float:
    """Counts the bytes that the next level takes more."""
    bits = _bits(chain[place + 1]) - _bits(chain[place])
    return bits * constant.values.size / 8


def _with_integer_products(
    content: bytes, products: Mapping[str, int]
) -> bytes:
    """Lets products be of whole numbers, by the names of their outputs."""
    if not products:
        return content
    quantizer_lib = _import_quantizer()
    quantizer = quantizer_lib.Quantizer(content)
    for name, bits in products.items():
        quantizer.add_dynamic_config(
            # Names of outputs, each ended by a semicolon.
            regex=f"^{re.escape(name)};?$",
            operation_name="FULLY_CONNECTED",
            num_bits=bits,
            algorithm_key=quantizer_lib.AlgorithmName.OCTAV
            if bits < 8
            else quantizer_lib.AlgorithmName.MIN_MAX_UNIFORM_QUANT,
        )
    with (
        contextlib.redirect_stdout(io.StringIO()),  # It prints sizes.
        warnings.catch_warnings(),
    ):
        # Of constants that are stored in few bits before.
        warnings.simplefilter("ignore")
        return bytes(quantizer.quantize().quantized_model)


def is_possible() -> bool:
    """Says whether what makes products of whole numbers is installed."""
    return importlib.util.find_spec("ai_edge_quantizer") is not None


def _import_quantizer() -> types.ModuleType:
    try:
        return importlib.import_module("ai_edge_quantizer.quantizer")
    except ImportError as error:
        raise ValueError(
            "expected ai-edge-quantizer for products of whole numbers: "
            'pip install "yt8m-compact[export]". Received: '
            f"{type(error).__name__}: {error}"
        ) from error
