"""The metrics of evaluation, of arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from yt8m_compact.api import label_lists
from yt8m_compact.eval import metrics as metrics_lib

# The labels of as many videos are written out at a time.
_BLOCK = 4096


def metrics(
    labels: label_lists.Labels, scores: npt.ArrayLike, *, top_k: int = 20
) -> dict[str, float]:
    """Computes GAP@20, Hit@1, PERR and MAP, as yt8m-eval does.

    Exactly, and with equal scores taken as one threshold: see
    `evaluation.EvaluationMetrics`, which takes batches.

    Example:
        >>> import numpy as np
        >>> import yt8m_compact as yt8m
        >>> scores = np.array([[0.9, 0.2, 0.6], [0.8, 0.1, 0.4]])
        >>> found = yt8m.metrics([[0], [2]], scores)  # classes of each video
        >>> {name: round(value, 3) for name, value in found.items()}
        {'gap': 0.75, 'hit_at_1': 0.5, 'perr': 0.5, 'map': 0.75}
        >>> found == yt8m.metrics(np.array([[1, 0, 0], [0, 0, 1]]), scores)
        True

    Args:
        labels: the classes of each video, or an array of 0 and 1, `[videos,
            num_classes]`. A video may have none.
        scores: float `[videos, num_classes]`.
        top_k: how many scores of a video GAP counts.

    Returns:
        `gap`, `hit_at_1`, `perr` and `map`.

    Raises:
        ValueError: if a shape or type is wrong, a score is not finite, a class
            is out of range, or there is no video or no label at all.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(
            "expected scores of shape [videos, num_classes], of at least one "
            f"video. Received: scores.shape={list(scores.shape)}"
        )
    num_videos, num_classes = scores.shape
    lists = label_lists.read_labels(
        labels, num_classes=num_classes, num_videos=num_videos
    )
    with metrics_lib.EvaluationMetrics(num_classes, top_k) as collected:
        for start in range(0, num_videos, _BLOCK):
            stop = start + _BLOCK
            collected.update(scores[start:stop], lists.to_dense(start, stop))
        values = collected.result()
    return {name: values[name] for name in ("gap", "hit_at_1", "perr", "map")}
