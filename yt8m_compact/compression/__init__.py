"""Models of few bytes: chosen to a budget, and what weights are coded to."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.compression.budget import Budget
    from yt8m_compact.compression.budget import Unit
    from yt8m_compact.compression.budget import parse as parse_budget
    from yt8m_compact.compression.model_compression import CompressedModel
    from yt8m_compact.compression.model_compression import compress
    from yt8m_compact.compression.run_compression import RunCompression
    from yt8m_compact.compression.settings import Settings

__all__ = [
    "Budget",
    "CompressedModel",
    "RunCompression",
    "Settings",
    "Unit",
    "compress",
    "parse_budget",
]
