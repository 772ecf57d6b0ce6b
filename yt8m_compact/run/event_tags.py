"""The charts that TensorBoard shows of a run: names and descriptions."""

from __future__ import annotations

from yt8m_compact import lazy

with lazy.imports():
    import tensorflow as tf

_METRICS = "metrics/"
# By the name of the chart, or of the group of charts that one a layer is in.
_DESCRIPTIONS = {
    "metrics/gap": "Global average precision of the 20 best classes of each "
    "video. Training: of each batch, averaged since the last point. "
    "Validation: of all videos together, which is less.",
    "metrics/hit_at_1": "Share of the videos whose best class is a label.",
    "metrics/perr": "Precision at equal recall rate: of the best classes of a "
    "video, as many as it has labels, the share that are.",
    "metrics/map": "Average precision of each class, averaged over classes.",
    "metrics/loss": "What training makes smaller, a video. Training: with "
    "penalties and what is dropped. Validation: without.",
    "norms_of_gradients": "Euclidean norm of the gradient of a layer's weights "
    "in the last batch, before it is clipped.",
    "norms_of_weights": "Euclidean norm of what a layer trains.",
    "optimizer/learning_rate": "That of the next step.",
    "skipped/files": "Files of which something was left out.",
    "skipped/records": "Records that were left out.",
    "skipped/bytes": "Bytes of files that were left out.",
    "speed/examples_per_second": "Videos that the steps trained on a second, "
    "without checkpoints, evaluations, and the first and last step of an "
    "epoch, which may compile.",
    "speed/input_wait": "Share of the steps' time in which they waited for "
    "their batches: near 0 where the device sets the pace, near 1 where "
    "reading does.",
    "weights": "All values of a weight.",
}


def metric_tag(name: str) -> str:
    """Names the chart of a metric, for training and evaluations alike.

    Args:
        name: of the metric, such as `gap`.

    Returns:
        The tag.
    """
    return _METRICS + name


def metric_of(tag: str) -> str:
    """Reads the name of a metric from its tag, also as older versions wrote it.

    Args:
        tag: of TensorBoard.

    Returns:
        The name of the metric; of other tags the tag.
    """
    return tag.removeprefix(_METRICS)


def describe(tag: str) -> str:
    """Says what a chart shows.

    Args:
        tag: that of the chart.

    Returns:
        A sentence or some.
    """
    group = tag.partition("/")[0]
    return _DESCRIPTIONS[tag if tag in _DESCRIPTIONS else group]


def write_scalar(tag: str, value: float) -> None:
    """Writes a point of a chart to the summary writer in use.

    Args:
        tag: that of the chart.
        value: the value.
    """
    tf.summary.scalar(tag, value, description=describe(tag))


def write_skipped(files: int, records: int, num_bytes: int) -> None:
    """Writes what was left out of the data; nothing where nothing was.

    Args:
        files: of which something was left out.
        records: that were left out.
        num_bytes: that were left out.
    """
    if not (files or records or num_bytes):
        return
    write_scalar("skipped/files", files)
    write_scalar("skipped/records", records)
    write_scalar("skipped/bytes", num_bytes)
