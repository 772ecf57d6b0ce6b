"""What a run found while it trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
import dataclasses
import functools
import io
import os
from typing import TYPE_CHECKING

import tensorflow as tf

from yt8m_compact import files
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import evaluations_file
from yt8m_compact.run import event_tags
from yt8m_compact.run import train_dir as train_dir_lib

if TYPE_CHECKING:
    from matplotlib import figure as figure_lib

# Steps and the values there.
Curve = tuple[tuple[int, float], ...]

_TITLES = {
    "loss": "loss",
    "gap": "GAP@20",
    "hit_at_1": "Hit@1",
    "perr": "PERR",
    "map": "MAP",
}


@dataclasses.dataclass(frozen=True, repr=False)
class History:
    """The metrics of a run, step by step.

    Example:
        >>> from yt8m_compact import api
        >>> history = api.History(
        ...     training={"loss": ((1, 4.0), (2, 3.0))},
        ...     validation={"loss": ((2, 3.5),), "gap": ((2, 0.25),)},
        ... )
        >>> history.best("gap")
        (2, 0.25)

    Attributes:
        training: steps and values of `loss`, `gap` and `hit_at_1`, means over
            the batches between two of them, which the model was just learning.
        validation: of `loss`, `gap`, `hit_at_1`, `perr` and `map` on
            `validation_data` or `--eval_data_pattern`, exact.
    """

    training: Mapping[str, Curve]
    validation: Mapping[str, Curve]

    def __repr__(self) -> str:
        """Says what there is, not all of its numbers."""
        texts = []
        for name, curves in (
            ("training", self.training),
            ("validation", self.validation),
        ):
            if curves:
                points = max(curves.values(), key=len)
                number = f"{len(points)} step{'s' if len(points) > 1 else ''}"
                texts.append(
                    f"{name}: {', '.join(curves)} at {number} up to "
                    f"{points[-1][0]:,}"
                )
        return f"<History of {'; '.join(texts) or 'nothing'}>"

    def best(self, metric: str = "gap") -> tuple[int, float]:
        """Finds the best evaluation.

        Args:
            metric: by which metric.

        Returns:
            The step and the value, of equal ones the first.

        Raises:
            ValueError: if there is none of this metric.
        """
        curve = self.validation.get(metric, ())
        if not curve:
            raise ValueError(
                "expected a metric of the evaluations while the run trained, "
                f"one of {', '.join(self.validation) or 'none: it had none'}. "
                f"Received: {metric=}"
            )
        sign = -1 if config_lib.BETTER[metric] else 1
        return min(curve, key=lambda point: sign * point[1])

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        metrics: Sequence[str] = ("loss", "gap"),
    ) -> figure_lib.Figure:
        """Draws the metrics against the steps.

        Args:
            path: a file to write, PNG or SVG by its ending; None for none.
            metrics: which, a panel each.

        Returns:
            The figure of matplotlib, which notebooks show.

        Raises:
            ValueError: if matplotlib is not installed, or there is nothing to
                draw of a metric.
        """
        try:
            from matplotlib import figure as figure_lib
        except ModuleNotFoundError:
            raise ValueError(
                "expected matplotlib, which draws the plot: pip install "
                '"yt8m-compact[plot]". Received: matplotlib is not installed'
            ) from None
        known = {**self.training, **self.validation}
        for name in metrics:
            if not known.get(name):
                raise ValueError(
                    "expected metrics that the run has, of "
                    f"{', '.join(known) or 'none'}. Received: metrics={name!r}"
                )
        figure = figure_lib.Figure(
            figsize=(4.5 * len(metrics), 3.4), layout="constrained"
        )
        axes = figure.subplots(1, len(metrics), squeeze=False)[0]
        for axis, name in zip(axes, metrics, strict=True):
            for label, curves in (
                ("training", self.training),
                ("validation", self.validation),
            ):
                curve = curves.get(name)
                if curve:
                    style = ".-" if len(curve) < 50 else "-"
                    axis.plot(*zip(*curve, strict=True), style, label=label)
            axis.set_xlabel("step")
            axis.set_title(_TITLES.get(name, name))
            axis.grid(alpha=0.3)
            axis.legend()
        if path is not None:
            ending = os.path.splitext(os.fspath(path))[1].lstrip(".").lower()
            with files.writing(os.fspath(path), "wb") as file:
                figure.savefig(file, format=ending, dpi=110)
        # What notebooks ask for; pyplot, which they know, keeps its figures.
        figure._repr_png_ = functools.partial(_to_png, figure)
        return figure


def _to_png(figure: figure_lib.Figure) -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=90)
    return content.getvalue()


def read_history(run: train_dir_lib.TrainDir) -> History:
    """Reads what a run has in its folder.

    Args:
        run: the folder of the run.

    Returns:
        The metrics; none of what the folder has not.

    Raises:
        ValueError: if the file of evaluations is broken.
    """
    return History(_training_curves(run), _validation_curves(run))


def _training_curves(run: train_dir_lib.TrainDir) -> dict[str, Curve]:
    """Reads TensorBoard's points; those of a step that was taken again win."""
    points: dict[str, dict[int, float]] = {}
    folder = run.events_path("train")
    paths = tf.io.gfile.glob(os.path.join(folder, "events.out.tfevents.*"))
    for path in sorted(paths):
        for event in _read_events(path):
            for value in event.summary.value:
                name = event_tags.metric_of(value.tag)
                if name in _TITLES:
                    number = tf.make_ndarray(value.tensor).item()
                    points.setdefault(name, {})[event.step] = float(number)
    return {
        name: tuple(sorted(points[name].items()))
        for name in _TITLES
        if name in points
    }


def _read_events(path: str) -> Iterator[tf.compat.v1.Event]:
    """Reads a file up to where it ends, or was cut by a kill."""
    try:
        for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
            yield tf.compat.v1.Event.FromString(record)
    except tf.errors.DataLossError:
        pass


def _validation_curves(run: train_dir_lib.TrainDir) -> dict[str, Curve]:
    """Reads the evaluations of the weights and on the data of the last one."""
    if not tf.io.gfile.exists(run.evaluations_path):
        return {}
    found = evaluations_file.read(run.evaluations_path)
    return {
        name: tuple(
            (one.step, one.metrics[name])
            for one in found
            if (one.data, one.weights) == (found[-1].data, found[-1].weights)
        )
        for name in _TITLES
        if found
    }
