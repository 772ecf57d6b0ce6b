"""Predictions: of runs and of what was exported."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference import exports
    from yt8m_compact.inference import predictors
    from yt8m_compact.inference import serving

__all__ = ["artefacts", "exports", "predictors", "serving"]
