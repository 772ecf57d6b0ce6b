"""Studies: many runs of one program, compared by score and by size."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.studies.plan import make_plan
    from yt8m_compact.studies.plot import can_plot
    from yt8m_compact.studies.plot import plot_study
    from yt8m_compact.studies.runner import run_study
    from yt8m_compact.studies.study_file import Study
    from yt8m_compact.studies.study_file import load_study
    from yt8m_compact.studies.table import to_csv
    from yt8m_compact.studies.table import to_text

__all__ = [
    "Study",
    "can_plot",
    "load_study",
    "make_plan",
    "plot_study",
    "run_study",
    "to_csv",
    "to_text",
]
