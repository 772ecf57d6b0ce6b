"""Python in a few lines: `fit`, `load_run`, `load_preset`, `load`..."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.api.array_metrics import metrics
    from yt8m_compact.api.classifier import Classifier
    from yt8m_compact.api.exported_model import ExportedModel
    from yt8m_compact.api.fitting import fit
    from yt8m_compact.api.history import History
    from yt8m_compact.api.opening import load
    from yt8m_compact.api.opening import load_preset
    from yt8m_compact.api.opening import load_run
    from yt8m_compact.api.predictions import Predictions
    from yt8m_compact.api.trained_model import TrainedModel

__all__ = [
    "Classifier",
    "ExportedModel",
    "History",
    "Predictions",
    "TrainedModel",
    "fit",
    "load",
    "load_preset",
    "load_run",
    "metrics",
]
