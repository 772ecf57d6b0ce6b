"""What an evaluation says beside its metrics: classes, groups, calibration."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.eval.insight import calibration
    from yt8m_compact.eval.insight import class_file
    from yt8m_compact.eval.insight import confusions
    from yt8m_compact.eval.insight import curve
    from yt8m_compact.eval.insight import details
    from yt8m_compact.eval.insight import groups
    from yt8m_compact.eval.insight import page
    from yt8m_compact.eval.insight import plots
    from yt8m_compact.eval.insight import report_folder

__all__ = [
    "calibration",
    "class_file",
    "confusions",
    "curve",
    "details",
    "groups",
    "page",
    "plots",
    "report_folder",
]
