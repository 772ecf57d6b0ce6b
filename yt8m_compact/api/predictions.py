"""The likeliest classes of videos, with their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import dataclasses
import operator
from typing import overload

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Predictions(Sequence[list[tuple[str, float]]]):
    """The likeliest classes of each video, the likeliest first.

    A sequence over the videos: of each, names of classes and probabilities.

    Example:
        >>> import numpy as np
        >>> from yt8m_compact import api
        >>> found = api.Predictions(
        ...     ids=("a", "b"),
        ...     classes=np.array([[2, 0], [1, 2]]),
        ...     scores=np.array([[0.75, 0.5], [0.5, 0.25]], np.float32),
        ...     class_names=("Game", "Car", "Cat"),
        ... )
        >>> found[0]
        [('Cat', 0.75), ('Game', 0.5)]
        >>> print(found)
        a  Cat 0.750, Game 0.500
        b  Car 0.500, Cat 0.250

    Attributes:
        ids: of the videos; the numbers of those that were given as arrays.
        classes: int64 `[videos, top_k]`, the lower class first among equals.
        scores: float32 `[videos, top_k]`, their probabilities.
        class_names: the name of each class; None where they have none.
    """

    ids: tuple[str, ...]
    classes: np.ndarray
    scores: np.ndarray
    class_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        """The number of videos."""
        return len(self.ids)

    @overload
    def __getitem__(self, video: int) -> list[tuple[str, float]]: ...

    @overload
    def __getitem__(self, video: slice) -> Predictions: ...

    def __getitem__(
        self, video: int | slice
    ) -> list[tuple[str, float]] | Predictions:
        """Returns names and probabilities of the classes of a video.

        Args:
            video: its place; or a slice of videos.

        Returns:
            A pair a class; or the predictions of the slice.
        """
        if isinstance(video, slice):
            return Predictions(
                self.ids[video],
                self.classes[video],
                self.scores[video],
                self.class_names,
            )
        place = operator.index(video)
        return [
            (self.name_of(index), float(score))
            for index, score in zip(
                self.classes[place], self.scores[place], strict=True
            )
        ]

    def __iter__(self) -> Iterator[list[tuple[str, float]]]:
        """Goes through the videos."""
        return (self[video] for video in range(len(self)))

    def name_of(self, index: int) -> str:
        """Returns the name of a class; its number where it has none."""
        if self.class_names is None:
            return f"class {index}"
        return self.class_names[index]

    def __str__(self) -> str:
        """Writes a line for each video."""
        width = max(map(len, self.ids), default=0)
        return "\n".join(
            f"{video:{width}}  "
            + ", ".join(f"{name} {score:.3f}" for name, score in row)
            for video, row in zip(self.ids, self, strict=True)
        )
