"""The best classes of every video: all that GAP, Hit@1 and PERR look at."""

import dataclasses

import numpy as np

from yt8m_compact.eval import growing_array


@dataclasses.dataclass(frozen=True)
class RankedVideos:
    """The best classes of some videos, and which of them are labels.

    About 150 bytes a video with 20 classes, where all scores are 15 kB. It is
    all that is needed to compare predictions by GAP, Hit@1 and PERR, so that a
    file of the 20 best classes is compared like a model.

    Attributes:
        scores: float `[videos, k]`, falling; -inf where a video has fewer.
        classes: int `[videos, k]`, the classes of these scores.
        hits: bool `[videos, k]`, which of them are labels.
        num_labels: int `[videos]`, all labels of the video.
        num_found: int `[videos]`, the labels among its first `num_labels`
            classes, which may be more than `k`.
        losses: float64 `[videos]`, None where there are none.

    Raises:
        ValueError: If the shapes do not fit, or scores are no numbers or do not
            fall.
    """

    scores: np.ndarray
    classes: np.ndarray
    hits: np.ndarray
    num_labels: np.ndarray
    num_found: np.ndarray
    losses: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Checks that the arrays fit."""
        number = self.scores.shape[:1]
        shapes = {
            "classes": (self.classes, self.scores.shape),
            "hits": (self.hits, self.scores.shape),
            "num_labels": (self.num_labels, number),
            "num_found": (self.num_found, number),
        }
        if self.losses is not None:
            shapes["losses"] = self.losses, number
        for name, (array, expected) in shapes.items():
            if array.shape != expected or self.scores.ndim != 2:
                raise ValueError(
                    f"expected scores [videos, k] and {name} of the shape "
                    f"{expected}. Received: scores.shape={self.scores.shape}, "
                    f"{name}.shape={array.shape}"
                )
        # A comparison with NaN is false.
        falls = self.scores[:, 1:] <= self.scores[:, :-1]
        if not falls.all() or np.isnan(self.scores[:, :1]).any():
            wrong = ~falls.all(axis=1) | np.isnan(self.scores[:, :1]).any(1)
            video = int(np.argmax(wrong))
            raise ValueError(
                "expected the scores of a video to be numbers that fall. "
                f"Received: scores[{video}]={self.scores[video][:5]}"
            )

    def __len__(self) -> int:
        """Returns the number of videos."""
        return len(self.scores)

    def take(self, places: np.ndarray) -> "RankedVideos":
        """Takes some videos.

        Args:
            places: int `[n]`, their places here.

        Returns:
            These, in that order.
        """
        values = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
        }
        return RankedVideos(
            **{
                name: None if array is None else array[places]
                for name, array in values.items()
            }
        )

    @property
    def hit_at_1(self) -> np.ndarray:
        """Whether the first class is a label, bool `[videos]`."""
        return self.hits[:, 0]

    @property
    def precision(self) -> np.ndarray:
        """Precision at the number of labels, float64 `[videos]`; PERR's mean.

        0 of a video without labels.
        """
        return self.num_found / np.maximum(self.num_labels, 1)


@dataclasses.dataclass(frozen=True)
class Ranking:
    """How deep a batch was ranked, for what looks at labels that were missed.

    Attributes:
        classes: int `[videos, depth]`, the best first; at least as deep as the
            video with the most labels has labels.
        hits: bool `[videos, depth]`, which of them are labels.
        is_label: bool `[videos, num_classes]`.
        num_labels: int `[videos]`.
    """

    classes: np.ndarray
    hits: np.ndarray
    is_label: np.ndarray
    num_labels: np.ndarray


class GrowingRankedVideos:
    """Ranked videos to which batches are appended, with little spare memory."""

    def __init__(self) -> None:
        self._columns: dict[str, growing_array.GrowingArray] = {}
        self._missing: set[str] = set()
        self._whole: RankedVideos | None = None

    def append(self, batch: RankedVideos) -> None:
        """Adds videos.

        Args:
            batch: Them, with the same `k` and types each time.
        """
        # Arrays that nobody looks at grow where they are.
        self._whole = None
        for field in dataclasses.fields(RankedVideos):
            values = getattr(batch, field.name)
            if values is None:
                self._missing.add(field.name)
            elif field.name not in self._missing:
                column = self._columns.setdefault(
                    field.name, growing_array.GrowingArray()
                )
                column.append(values)

    def get(self) -> RankedVideos:
        """Returns all videos, of one batch or more; they stay as they are.

        `losses` is None where a batch had none.
        """
        if self._whole is None:
            self._whole = RankedVideos(
                **{
                    name: column.get()
                    for name, column in self._columns.items()
                    if name not in self._missing
                }
            )
        return self._whole
