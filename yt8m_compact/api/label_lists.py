"""Labels of videos, as a matrix or as lists of classes."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

# A matrix of 0 and 1, or the classes of each video.
Labels = npt.ArrayLike | Sequence[Sequence[int]]

_FORMS = (
    "an array of 0 and 1, [videos, num_classes], or for each video the list of"
    " its classes"
)


@dataclasses.dataclass(frozen=True)
class LabelLists:
    """The classes of each video, one after the other.

    Attributes:
        classes: int64 `[labels]`, rising for each video.
        splits: int64 `[videos + 1]`, where the classes of each video begin, and
            where the last ones end.
        num_classes: how many classes there are.
    """

    classes: np.ndarray
    splits: np.ndarray
    num_classes: int

    def __len__(self) -> int:
        """The number of videos."""
        return len(self.splits) - 1

    def of_video(self, video: int) -> np.ndarray:
        """Returns the classes of a video."""
        return self.classes[self.splits[video] : self.splits[video + 1]]

    def to_dense(self, start: int, stop: int) -> np.ndarray:
        """Writes the labels of some videos as a matrix.

        Args:
            start: the first video.
            stop: the one behind the last.

        Returns:
            bool `[videos, num_classes]`.
        """
        stop = min(stop, len(self))
        dense = np.zeros([stop - start, self.num_classes], bool)
        counts = np.diff(self.splits[start : stop + 1])
        videos = np.repeat(np.arange(stop - start), counts)
        dense[videos, self.classes[self.splits[start] : self.splits[stop]]] = 1
        return dense


def read_labels(
    labels: Labels,
    *,
    num_classes: int | None = None,
    num_videos: int | None = None,
    name: str = "labels",
) -> LabelLists:
    """Reads labels in either form.

    Args:
        labels: an array or tensor of 0 and 1, `[videos, num_classes]`; or a
            list, or a ragged tensor, of the classes of each video. A video may
            have none.
        num_classes: how many classes there are; None is the number of columns,
            or of lists as many as the highest class needs.
        num_videos: how many videos there are, if that is known.
        name: what to call them in errors.

    Returns:
        The classes of each video.

    Raises:
        ValueError: if they are in no such form, of another number of videos or
            classes, or a class is out of range or named twice.
    """
    if hasattr(labels, "to_list"):  # A ragged tensor.
        labels = labels.to_list()
    if hasattr(labels, "toarray"):  # A sparse matrix of SciPy.
        labels = labels.toarray()
    if isinstance(labels, (str, bytes)) or not hasattr(labels, "__len__"):
        raise ValueError(
            f"expected {name} to be {_FORMS}. Received: {name}={labels!r:.80}"
        )
    if num_videos is not None and len(labels) != num_videos:
        raise ValueError(
            f"expected {name} of {num_videos} videos, as many as there are. "
            f"Received: len({name})={len(labels)}"
        )
    if hasattr(labels, "dtype") and np.asarray(labels).dtype != object:
        return _from_dense(np.asarray(labels), num_classes, name)
    return _from_lists(labels, num_classes, name)


def _from_dense(
    labels: np.ndarray, num_classes: int | None, name: str
) -> LabelLists:
    wanted = "num_classes" if num_classes is None else str(num_classes)
    if labels.ndim != 2 or num_classes not in (None, labels.shape[1]):
        raise ValueError(
            f"expected {name} to be an array of 0 and 1, [videos, {wanted}], "
            "or for each video the list of its classes. Received: "
            f"{name}.shape={list(labels.shape)}"
        )
    if labels.dtype.kind not in "biuf":
        raise ValueError(
            f"expected {name} of numbers, 0 and 1. Received: "
            f"{name}.dtype={labels.dtype}"
        )
    is_label = labels != 0
    wrong = is_label & (labels != 1)  # NaN among them.
    if wrong.any():
        video, label = np.argwhere(wrong)[0]
        raise ValueError(
            f"expected {name} that are 0 or 1. Received: {name}[{video}, "
            f"{label}]={labels[video, label]}"
        )
    videos, classes = np.nonzero(is_label)
    counts = np.bincount(videos, minlength=len(labels))
    return LabelLists(classes, _splits(counts), labels.shape[1])


def _from_lists(
    labels: Sequence[Any], num_classes: int | None, name: str
) -> LabelLists:
    rows = [
        _read_row(row, f"{name}[{video}]", num_classes)
        for video, row in enumerate(labels)
    ]
    counts = np.array([len(row) for row in rows], np.int64)
    classes = np.concatenate([np.zeros(0, np.int64), *rows])
    if num_classes is None:
        num_classes = int(classes.max(initial=-1)) + 1
    return LabelLists(classes, _splits(counts), num_classes)


def _read_row(row: Any, name: str, num_classes: int | None) -> np.ndarray:
    try:
        classes = np.asarray(row)
    except ValueError:  # A list of lists of several lengths.
        classes = np.zeros([0, 0])
    if classes.size == 0 and classes.ndim == 1:
        return np.zeros(0, np.int64)
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise ValueError(
            f"expected {name} to be a list of classes, whole numbers. Received:"
            f" {row!r:.80}"
        )
    found = np.unique(classes)
    if len(found) < len(classes):
        raise ValueError(
            f"expected each class once in {name}; a matrix of 0 and 1 is given "
            f"as an array, by np.array. Received: {row!r:.80}"
        )
    highest = np.iinfo(np.int64).max if num_classes is None else num_classes
    if found[0] < 0 or found[-1] >= highest:
        wanted = "0 on" if num_classes is None else f"0 to {num_classes - 1}"
        raise ValueError(
            f"expected classes from {wanted} in {name}. Received: {row!r:.80}"
        )
    return found.astype(np.int64)


def _splits(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])
