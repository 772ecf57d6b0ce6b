"""LiteRT files of a function, without what travels with an export."""

from typing import Any

import keras

from yt8m_compact.inference.exports import litert


def write(path: str, function: Any, model: keras.Model | None = None) -> int:
    """Writes a file; with a model, by the bits of its weights of a precision.

    Returns:
        The number of its bytes.
    """
    content = litert.convert(function)
    if model is not None:
        packed = litert.find_packed(model, content)
        if packed:
            content = litert.store_packed(content, packed)
    with open(path, "wb") as file:
        file.write(content)
    return len(content)
