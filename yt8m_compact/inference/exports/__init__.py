"""What yt8m-export writes: a module a format."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.inference.exports import keras_file
    from yt8m_compact.inference.exports import litert
    from yt8m_compact.inference.exports import onnx
    from yt8m_compact.inference.exports import openvino
    from yt8m_compact.inference.exports import packed
    from yt8m_compact.inference.exports import saved_model

__all__ = ["keras_file", "litert", "onnx", "openvino", "packed", "saved_model"]
