"""The runs of a study as tables: text for people, CSV for programs."""

from collections.abc import Mapping, Sequence
import csv
import dataclasses
import io
import json
import statistics

from yt8m_compact import tables
from yt8m_compact.eval import report
from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run

_MAX_ERROR = 300


@dataclasses.dataclass(frozen=True)
class Combination:
    """The runs of one combination, which differ in their seeds.

    Attributes:
        values: the flags that differ between combinations.
        scores: of the runs that are done, at least one.
    """

    values: Mapping[str, study_file.Value]
    scores: tuple[study_run.Score, ...]

    @property
    def num_bytes(self) -> int:
        """Size of the weights of each run."""
        return self.scores[0].num_bytes

    def mean(self, metric: str) -> float:
        """The mean of a metric over the runs."""
        return statistics.fmean(score.metrics[metric] for score in self.scores)

    def deviation(self, metric: str) -> float | None:
        """The standard deviation of a metric between runs; None of one."""
        if len(self.scores) < 2:
            return None
        return statistics.stdev(score.metrics[metric] for score in self.scores)


def combine(
    runs: Sequence[study_run.StudyRun], metric: str
) -> list[Combination]:
    """Puts the runs together that differ in their seeds alone.

    Args:
        runs: runs; those that are not done, or failed, are left out.
        metric: what they are compared by.

    Returns:
        The combinations, the best one first.
    """
    groups: dict[str, list[study_run.StudyRun]] = {}
    for run in runs:
        if run.score is not None:
            key = json.dumps(run.values, sort_keys=True)
            groups.setdefault(key, []).append(run)
    combined = [
        Combination(group[0].values, tuple(run.score for run in group))
        for group in groups.values()
    ]
    return sorted(combined, key=lambda one: -one.mean(metric))


def metric_name(metric: str) -> str:
    """Names a metric as the tables of yt8m-eval do."""
    return report.METRIC_NAMES[metric].format(top_k=20)


def to_text(
    study: study_file.Study,
    runs: Sequence[study_run.StudyRun],
    max_columns: int | None = None,
) -> str:
    r"""Writes a table of the combinations, the best one first.

    Args:
        study: the study.
        runs: its runs.
        max_columns: how wide it may be; None for as wide as it is.

    Returns:
        Text: the table, then what failed and what is left to do.

    Example:
        >>> from yt8m_compact.studies import study_run
        >>> study = yt8m.studies.Study(
        ...     score_data_pattern="validate*.tfrecord", grid={"rank": (8, 64)}
        ... )
        >>> score = study_run.Score(
        ...     {"gap": 0.75, "hit_at_1": 0.8, "perr": 0.7, "map": 0.4},
        ...     step=100,
        ...     weights=20_000,
        ...     dense_equivalent=80_000,
        ...     num_bytes=80_000,
        ... )
        >>> runs = [
        ...     study_run.StudyRun("rank=8", {"rank": 8}, None, None, score),
        ...     study_run.StudyRun("rank=64", {"rank": 64}, None, None),
        ... ]
        >>> lines = yt8m.studies.to_text(study, runs).splitlines()
        >>> print(lines[0], lines[2], lines[-1], sep="\n")
        rank  GAP@20   Hit@1    PERR     MAP  parameters  % of dense   bytes
        8     0.7500  0.8000  0.7000  0.4000      20,000       25.00  80,000
        left to do: 1 of 2 runs
    """
    combined = combine(runs, study.metric)
    columns = [
        tables.Column(
            name,
            [study_file.value_text(one.values[name]) for one in combined],
            is_name=True,
        )
        for name in study.varied
    ]
    if len(study.seeds) > 1:
        cells = [str(len(one.scores)) for one in combined]
        columns.append(tables.Column("runs", cells))
    others = [name for name in study_file.METRICS if name != study.metric]
    columns += [
        tables.Column(
            metric_name(metric),
            [_spread(one, metric) for one in combined],
            rank=rank,
        )
        for rank, metric in enumerate([study.metric, *others])
    ]
    most = len(others)
    scores = [one.scores[0] for one in combined]
    columns += [
        tables.Column("parameters", [f"{one.weights:,}" for one in scores]),
        tables.Column(
            "% of dense",
            [f"{one.percent_of_dense:.2f}" for one in scores],
            rank=most + 1,
        ),
        tables.Column("bytes", [f"{one.num_bytes:,}" for one in combined]),
    ]
    parts = []
    if combined:
        parts.append(tables.to_text(columns, max_columns))
    failed = [run for run in runs if run.error is not None]
    if failed:
        lines = (f"  {run.name}: {run.error:.{_MAX_ERROR}}" for run in failed)
        parts.append("\n".join(["failed:", *lines]))
    total = len(runs)
    if study.search is not None:  # What it has not suggested is no run yet.
        total = study.search.num_trials * (len(study.seeds) or 1)
    left = total - sum(run.is_done for run in runs)
    if left:
        parts.append(f"left to do: {left} of {total} runs")
    return "\n\n".join(parts)


def _spread(one: Combination, metric: str) -> str:
    deviation = one.deviation(metric)
    text = f"{one.mean(metric):.4f}"
    return text if deviation is None else f"{text} ± {deviation:.4f}"


def to_csv(study: study_file.Study, runs: Sequence[study_run.StudyRun]) -> str:
    """Writes a table of the runs that are done or failed, in their order.

    Args:
        study: the study.
        runs: its runs.

    Returns:
        CSV with a line of names; a run that failed has an error and no score.

    Example:
        >>> from yt8m_compact.studies import study_run
        >>> study = yt8m.studies.Study(
        ...     score_data_pattern="validate*.tfrecord", grid={"rank": (8, 64)}
        ... )
        >>> run = study_run.StudyRun(
        ...     "rank=8", {"rank": 8}, None, None, error="out of memory"
        ... )
        >>> yt8m.studies.to_csv(study, [run]).splitlines()[1]
        'rank=8,8,,,,,,,,,,,,out of memory'
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    seed = ["seed"] if study.seeds else []
    writer.writerow(
        [
            "run",
            *study.varied,
            *seed,
            *report.METRIC_NAMES,
            "step",
            "weights",
            "dense_equivalent",
            "bytes",
            "error",
        ]
    )
    for run in runs:
        if run.is_done:
            writer.writerow(_csv_row(study, run))
    return text.getvalue()


def _csv_row(study: study_file.Study, run: study_run.StudyRun) -> list:
    row: list = [run.name]
    row += [study_file.value_text(run.values[name]) for name in study.varied]
    if run.seed is not None:
        row.append(run.seed)
    score = run.score
    if score is None:
        return [*row, *[""] * (len(report.METRIC_NAMES) + 4), run.error]
    row += [score.metrics[name] for name in report.METRIC_NAMES]
    return [
        *row,
        score.step,
        score.weights,
        score.dense_equivalent,
        score.num_bytes,
        "",
    ]
