"""A picture of a study: the score of each combination against its bytes."""

from collections.abc import Mapping, Sequence
import os
from typing import Any

from yt8m_compact import files
from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run
from yt8m_compact.studies import table

_MAX_COLORS = 10  # of matplotlib's tab10
_MAX_LABELS = 20
_MAX_TEXT = 40


def can_plot() -> bool:
    """Whether matplotlib is installed, which draws the plot.

    Example:
        >>> yt8m.studies.can_plot()
        True
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def plot_study(
    study: study_file.Study, runs: Sequence[study_run.StudyRun], path: str
) -> None:
    """Draws the score of each combination against its bytes, to a file.

    The line joins the combinations that no other one of as few bytes beats;
    bars are the standard deviation between seeds. It takes matplotlib: see
    `can_plot`.

    Args:
        study: the study.
        runs: its runs, at least one of which has a score.
        path: the file to write; its ending says of what kind it is.

    Raises:
        OSError: if it can't be written.
        ValueError: if matplotlib does not know the ending.

    Example:
        >>> import os
        >>> from yt8m_compact.studies import study_run
        >>> study = yt8m.studies.Study(
        ...     score_data_pattern="validate*.tfrecord", grid={"rank": (8, 64)}
        ... )
        >>> runs = []
        >>> for rank, gap in ((8, 0.75), (64, 0.78)):
        ...     score = study_run.Score(
        ...         {"gap": gap},
        ...         step=100,
        ...         weights=rank * 4886,
        ...         dense_equivalent=1024 * 3862,
        ...         num_bytes=4 * rank * 4886,
        ...     )
        ...     values = {"rank": rank}
        ...     runs.append(study_run.StudyRun("", values, None, None, score))
        >>> yt8m.studies.plot_study(study, runs, "study.svg")
        >>> os.path.exists("study.svg")
        True
    """
    from matplotlib import figure as figure_lib
    from matplotlib import ticker

    combined = table.combine(runs, study.metric)
    figure = figure_lib.Figure(figsize=(8, 5), layout="constrained")
    axis = figure.subplots()
    best = frontier(combined, study.metric)
    largest = max(one.num_bytes for one in combined)
    axis.step(
        [*(one.num_bytes for one in best), largest],
        [one.mean(study.metric) for one in [*best, best[-1]]],
        where="post",
        color="0.7",
        zorder=0,
    )
    colored = _colored_flag(combined, study.varied)
    for text, group in _groups(combined, colored).items():
        deviations = [one.deviation(study.metric) or 0.0 for one in group]
        axis.errorbar(
            [one.num_bytes for one in group],
            [one.mean(study.metric) for one in group],
            yerr=deviations if any(deviations) else None,
            fmt="o",
            label=text,
        )
    names = [name for name in study.varied if name != colored]
    _label(axis, best, names, study.metric)
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(ticker.EngFormatter(unit="B"))
    axis.xaxis.set_minor_locator(ticker.NullLocator())
    axis.set_xlabel("size of the weights")
    axis.set_ylabel(table.metric_name(study.metric))
    axis.grid(alpha=0.3)
    if colored is not None:
        axis.legend(title=colored, fontsize="small")
    ending = os.path.splitext(path)[1].lstrip(".").lower()
    with files.writing(path, "wb") as file:
        figure.savefig(file, format=ending, dpi=110)


def frontier(
    combined: Sequence[table.Combination], metric: str
) -> list[table.Combination]:
    """Finds the combinations that no other one of as few bytes beats.

    Args:
        combined: the combinations.
        metric: what they are compared by.

    Returns:
        Those, the smallest one first.
    """
    best: list[table.Combination] = []
    for one in sorted(
        combined, key=lambda one: (one.num_bytes, -one.mean(metric))
    ):
        if not best or one.mean(metric) > best[-1].mean(metric):
            best.append(one)
    return best


def _colored_flag(
    combined: Sequence[table.Combination], varied: Sequence[str]
) -> str | None:
    """Chooses the flag whose values have colours: of texts, if there is one."""
    suited = []
    for name in varied:
        values = {study_file.value_text(one.values[name]) for one in combined}
        if 1 < len(values) <= _MAX_COLORS:
            suited.append(name)
    texts = [
        name
        for name in suited
        if any(isinstance(one.values[name], str) for one in combined)
    ]
    return next(iter([*texts, *suited]), None)


def _groups(
    combined: Sequence[table.Combination], name: str | None
) -> Mapping[str, list[table.Combination]]:
    groups: dict[str, list[table.Combination]] = {}
    for one in combined:
        text = "" if name is None else study_file.value_text(one.values[name])
        groups.setdefault(text, []).append(one)
    return dict(sorted(groups.items()))


def _label(
    axis: Any,
    best: Sequence[table.Combination],
    names: Sequence[str],
    metric: str,
) -> None:
    """Writes the values of what is on the line beside it."""
    if not names or len(best) > _MAX_LABELS:
        return
    for one in best:
        text = "\n".join(
            f"{name}={study_file.value_text(one.values[name])}"[:_MAX_TEXT]
            for name in names
        )
        axis.annotate(
            text,
            (one.num_bytes, one.mean(metric)),
            xytext=(5, -5),
            textcoords="offset points",
            fontsize="x-small",
            verticalalignment="top",
        )
