"""LiteRT files of a function, without what travels with an export."""

from typing import Any

import keras

from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import packed_constants


def write(path: str, function: Any, model: keras.Model | None = None) -> int:
    """Writes a file; with a model, by the bits of its weights of a precision.

    Returns:
        The number of its bytes.
    """
    content = litert.convert(function)
    if model is not None:
        graph = litert_constants.LiteRtGraph(content)
        packed = packed_constants.find(model, graph)
        if packed:
            graph.store_all(packed)
            content = graph.to_bytes()
    with open(path, "wb") as file:
        file.write(content)
    return len(content)
