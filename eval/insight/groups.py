"""Metrics of some of the classes: frequent ones, rare ones, a vertical."""

from collections.abc import Mapping, Sequence
import dataclasses

import numpy as np

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import ranked_videos

FREQUENCIES = ("head", "middle", "tail")


@dataclasses.dataclass(frozen=True)
class Group:
    """The metrics of a group of classes.

    Attributes:
        name: What it is called.
        num_classes: Its classes that have labels.
        num_labels: Their labels.
        gap: GAP of the predictions and labels of its classes alone: those that
            are among the best of all classes in their videos. NaN without
            labels.
        map: The mean average precision of its classes; NaN without any.
    """

    name: str
    num_classes: int
    num_labels: int
    gap: float
    map: float


def by_frequency(support: np.ndarray) -> dict[str, np.ndarray]:
    """Divides classes into head, middle and tail, by a third of all labels.

    The head are the most frequent classes that have a third of all labels
    together, or as few more as classes allow; the middle are the next ones up
    to two thirds, and the tail the rest. Of equally frequent classes the lower
    one comes first. So each has about as many labels to be right about.

    Args:
        support: int `[num_classes]`, the labels of each class.

    Returns:
        bool `[num_classes]` by name; classes without a label are in none.
    """
    order = np.argsort(-support, kind="stable")
    before = np.cumsum(support[order]) - support[order]
    thirds = np.full(len(support), -1)
    # Whole numbers: a third as a fraction would be rounded.
    thirds[order] = 3 * before // max(support.sum(), 1)
    thirds[support == 0] = -1
    return {name: thirds == third for third, name in enumerate(FREQUENCIES)}


def by_vertical(
    verticals: Mapping[str, Sequence[int]], num_classes: int
) -> dict[str, np.ndarray]:
    """Makes groups of the classes of each vertical.

    Args:
        verticals: The classes of each; a class may have several.
        num_classes: The number of classes.

    Returns:
        bool `[num_classes]` by name.
    """
    groups = {}
    for name, classes in verticals.items():
        groups[name] = np.zeros(num_classes, bool)
        groups[name][np.asarray(classes, np.int64)] = True
    return groups


def evaluate(
    groups: Mapping[str, np.ndarray],
    best: ranked_videos.RankedVideos,
    support: np.ndarray,
    class_average_precisions: np.ndarray,
) -> list[Group]:
    """Computes the metrics of groups of classes.

    Args:
        groups: bool `[num_classes]` by name.
        best: The best classes of all videos.
        support: int `[num_classes]`, the labels of each class.
        class_average_precisions: float `[num_classes]`, NaN for classes without
            labels.

    Returns:
        The metrics of each group.
    """
    found = []
    for name, members in groups.items():
        num_labels = int(support[members].sum())
        gap = mean = np.nan
        if num_labels:
            pooled = members[best.classes]
            gap = average_precision.average_precision(
                best.scores[pooled],
                best.scores[pooled & best.hits],
                num_labels,
            )
            mean = float(np.nanmean(class_average_precisions[members]))
        num_classes = int(np.count_nonzero(support[members]))
        found.append(Group(name, num_classes, num_labels, gap, mean))
    return found
