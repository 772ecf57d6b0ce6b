"""How the constants of a model's file are stored: bits of their own, or few."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Mapping
import dataclasses
from typing import Any

import keras
import numpy as np

from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import few_bits
from yt8m_compact.inference.exports import prepared


@dataclasses.dataclass(frozen=True)
class Tools:
    """What a format does with the constants of its files.

    Attributes:
        find_packed: from a model and its file to the constants that are
            weights of a precision, by `packed_constants.find`.
        store_packed: from a file and those to the file with their bits.
        make_file: from a file to what stores its other constants.
        open_content: opens a file to predict.
    """

    find_packed: Callable[[keras.Model, bytes], Mapping[Any, Any]]
    store_packed: Callable[[bytes, Mapping[Any, Any]], bytes]
    make_file: Callable[[bytes], few_bits.File]
    open_content: Callable[[bytes], artefact.Artefact]


def store(
    content: bytes,
    made: prepared.Prepared,
    precision: export_precision.ExportPrecision,
    tools: Tools,
) -> tuple[bytes, tuple[str, ...]]:
    """Stores the constants of a file, and says how.

    Args:
        content: the file, with constants in float32.
        made: the model, and a sample: every second video chooses.
        precision: of what is no weight of a precision of its own.
        tools: those of the format.

    Returns:
        The file, and lines of text.

    Raises:
        ValueError: if a package is missing.
    """
    lines = []
    packed = tools.find_packed(made.model, content)
    if precision is not export_precision.ExportPrecision.FLOAT32:
        choosing = slice(0, None, 2)
        some = {name: value[choosing] for name, value in made.inputs.items()}

        def measure(content: bytes) -> float:
            scores = tools.open_content(content).predict_each(some)
            return float(np.abs(scores - made.expected[choosing]).max())

        content, choice = few_bits.choose(
            tools.make_file(content), precision, measure, packed
        )
        lines = choice.to_lines()
    if packed:
        content = tools.store_packed(content, packed)
        count = sum(stored.decode().size for stored in packed.values())
        lines.append(f"bits of their own: {count:,} values")
    return content, tuple(lines)
