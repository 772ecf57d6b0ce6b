"""Constants of LiteRT files in fewer bits."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping
import contextlib
import importlib
import importlib.util
import io
import re
import types
import warnings

import numpy as np

from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import few_bits
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import litert_layout

# From so many values on, a matrix is multiplied by in whole numbers: its floats
# would have to come from memory. Measured for one row, see docs/export.md.
_LEAST_INTEGER_PRODUCT = 2**16
# The quantizer's search for scales of few bits calls what NumPy 2 has.
_HAS_OCTAV = hasattr(np, "bool")


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
    file = LiteRtFile(content)
    return file.store(few_bits.lowest(file, precision))


class LiteRtFile:
    """A file whose constants are stored in this way and that.

    Args:
        content: the file, with constants in float32.
    """

    least_bytes = few_bits.LEAST_BYTES

    def __init__(self, content: bytes) -> None:
        self._content = content
        graph = litert_constants.LiteRtGraph(content)
        self.constants = graph.constants()
        self._offsets = graph.offsets()
        self._stored: dict[
            tuple[litert_constants.Key, few_bits.Level], litert_constants.Stored
        ] = {}

    def multiplies_whole_numbers(
        self, constant: litert_constants.Constant
    ) -> bool:
        """Whether a constant is a large matrix that is only multiplied by."""
        return constant.values.size >= _LEAST_INTEGER_PRODUCT and all(
            (use.operator, use.position) == ("FULLY_CONNECTED", 1)
            for use in constant.uses
        )

    def store(
        self, levels: Mapping[litert_constants.Key, few_bits.Level]
    ) -> bytes:
        """Returns the file with constants of some levels.

        Args:
            levels: by constant.

        Raises:
            ValueError: if ai-edge-quantizer is needed and not installed.
        """
        graph = litert_constants.LiteRtGraph(self._content)
        graph.store_all(self._stored_as(levels))
        return self._with_products(graph.to_bytes(), levels)

    def rounded(
        self, levels: Mapping[litert_constants.Key, few_bits.Level]
    ) -> bytes:
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
        self, levels: Mapping[litert_constants.Key, few_bits.Level]
    ) -> dict[litert_constants.Key, litert_constants.Stored]:
        found = {}
        for key, level in levels.items():
            if level in few_bits.PRODUCTS or level is few_bits.Level.FLOAT32:
                continue
            if (key, level) not in self._stored:
                values = self.constants[key].values
                self._stored[key, level] = litert_layout.lay_out(
                    few_bits.at_level(values, level)
                )
            found[key] = self._stored[key, level]
        return found

    def _with_products(
        self,
        content: bytes,
        levels: Mapping[litert_constants.Key, few_bits.Level],
    ) -> bytes:
        products = {
            use.output: few_bits.PRODUCTS[level]
            for key, level in levels.items()
            if level in few_bits.PRODUCTS
            for use in self.constants[key].uses
        }
        return _with_integer_products(content, products)


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
            if bits < 8 and _HAS_OCTAV
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
