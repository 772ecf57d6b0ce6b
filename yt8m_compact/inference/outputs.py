"""What is written of predictions, and how: a sink for each format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
from typing import Protocol

import numpy as np

from yt8m_compact import ops
from yt8m_compact import predictions as predictions_lib
from yt8m_compact import readers
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.predictions import segment_csv
from yt8m_compact.predictions import top_segments
from yt8m_compact.predictions import writing
from yt8m_compact.readers import score_files

_Format = predictions_lib.Format
# 40 bytes a video of YouTube-8M: 0.25 GB for the 6.1 million of 2018.
_TEACHER_TOP_K = 10
_TOP_K = 20


class Sink(Protocol):
    """Takes what was chosen of blocks of predictions, and writes it."""

    def add(self, ids: Sequence[bytes], *values: np.ndarray) -> None:
        """Takes a block: ids, and what `Output.choose` returned."""


@dataclasses.dataclass(frozen=True)
class Output:
    """What is written of predictions.

    Attributes:
        format: the format of the file.
        top_k: number of classes of a video; at most all. None is 20, and 10 of
            TEACHER. Not of SEGMENTS.
        min_probability: the least probability of a class that is written.
        class_names: the name of each class, of JSONL and PARQUET.
        embeddings: whether embeddings are written in the place of classes.
        classes: of SEGMENTS, the classes to write, None for all.
        segment_max_pred: of SEGMENTS, how many segments of each.
    """

    format: predictions_lib.Format = _Format.CSV
    top_k: int | None = None
    min_probability: float = 0.0
    class_names: Sequence[str] | None = None
    embeddings: bool = False
    classes: Sequence[int] | None = None
    segment_max_pred: int = segment_csv.TOP_SEGMENTS

    def __post_init__(self) -> None:
        writing.expect_holds(
            self.format,
            class_names=self.class_names is not None,
            embeddings=self.embeddings,
        )
        if not 0 <= self.min_probability <= 1:
            raise ValueError(
                "expected min_probability from 0 to 1. Received: "
                f"min_probability={self.min_probability}"
            )
        ranks = self.format in (_Format.SEGMENTS, _Format.TEACHER)
        if self.min_probability and (ranks or self.embeddings):
            what = "embeddings" if self.embeddings else self.format.value
            raise ValueError(
                "expected min_probability of a csv, jsonl or parquet of "
                f"classes. Received: min_probability={self.min_probability}, "
                f"with {what}"
            )
        if self.classes is not None and self.format is not _Format.SEGMENTS:
            raise ValueError(
                "expected a choice of classes for the format segments. "
                f"Received: format={self.format.value}"
            )

    def choose(self, values: np.ndarray) -> tuple[np.ndarray, ...]:
        """Chooses what is kept of a block, to be given to a sink.

        Args:
            values: float32 `[rows, num_classes]`, or the embeddings.

        Returns:
            Classes and scores `[rows, top_k]`; of SEGMENTS the scores of its
            classes; embeddings as they are.
        """
        if self.embeddings:
            return (values,)
        if self.format is _Format.SEGMENTS:
            return (
                values if self.classes is None else values[:, self.classes],
            )
        top_k = min(self._top_k, values.shape[1])
        classes = ops.top_k_classes(values, top_k)
        return classes, np.take_along_axis(values, classes, axis=1)

    @property
    def _top_k(self) -> int:
        if self.top_k is not None:
            return self.top_k
        return _TEACHER_TOP_K if self.format is _Format.TEACHER else _TOP_K

    def describe(self) -> dict[str, object]:
        """Says what `choose` depends on, as JSON can hold it."""
        classes = self.classes
        return {
            "embeddings": self.embeddings,
            "segments": self.format is _Format.SEGMENTS,
            "top_k": self._top_k,
            "classes": None if classes is None else [*map(int, classes)],
        }

    @contextlib.contextmanager
    def writing(
        self, path: str, model_name: str, num_classes: int
    ) -> Iterator[Sink]:
        """Opens a file that appears when it is complete and was read again.

        Args:
            path: the file.
            model_name: the name of the model.
            num_classes: the number of its classes.

        Yields:
            What takes the blocks.

        Raises:
            ValueError: if a score is not in [0, 1], or the format can't be
                written there.
            OSError: if the file can't be written, or read again.
        """
        if self.format is _Format.TEACHER:
            top_k = min(self._top_k, num_classes)
            header = readers.ScoreHeader(model_name, num_classes, top_k)
            with readers.writing_scores(path, header) as scores:
                yield _Scores(scores)
        elif self.embeddings:
            with contextlib.ExitStack() as stack:
                embeddings = _Embeddings(path, self.format, stack)
                yield embeddings
                embeddings.finish()
        elif self.format is _Format.SEGMENTS:
            classes = range(num_classes)
            if self.classes is not None:
                classes = self.classes
            best = top_segments.TopSegments(
                range(len(classes)), self.segment_max_pred
            )
            with predictions_lib.writing_rows(path, self.format) as writer:
                yield _Segments(best)
                for index, segments in best.best():
                    writer.write_class(classes[index], segments)
        else:
            with predictions_lib.writing_rows(
                path, self.format, self.class_names
            ) as writer:
                yield _Classes(writer, self.min_probability)


@dataclasses.dataclass(frozen=True)
class _Classes:
    writer: predictions_lib.RowWriter
    min_probability: float

    def add(self, ids: Sequence[bytes], *values: np.ndarray) -> None:
        classes, scores = values
        wrong = ~((scores >= 0) & (scores <= 1))
        if wrong.any():
            row = int(np.argmax(wrong.any(axis=1)))
            raise ValueError(
                "expected predictions from 0 to 1. Received: "
                f"{scores[row][wrong[row]][0]} of {bytes(ids[row]).decode()}"
            )
        self.writer.write(
            rows_lib.from_arrays(ids, classes, scores, self.min_probability)
        )


@dataclasses.dataclass(frozen=True)
class _Scores:
    writer: score_files.ScoreWriter

    def add(self, ids: Sequence[bytes], *values: np.ndarray) -> None:
        self.writer.write(ids, *values)


@dataclasses.dataclass(frozen=True)
class _Segments:
    best: top_segments.TopSegments

    def add(self, ids: Sequence[bytes], *values: np.ndarray) -> None:
        (scores,) = values
        self.best.add([*ids], scores)


class _Embeddings:
    """Opens the file when the size of the embeddings is known."""

    def __init__(
        self,
        path: str,
        kind: predictions_lib.Format,
        stack: contextlib.ExitStack,
    ) -> None:
        self._path, self._kind, self._stack = path, kind, stack
        self._writer: predictions_lib.RowWriter | None = None

    def add(self, ids: Sequence[bytes], *values: np.ndarray) -> None:
        (embeddings,) = values
        if self._writer is None:
            self._writer = self._stack.enter_context(
                predictions_lib.writing_rows(
                    self._path, self._kind, embedding_size=embeddings.shape[1]
                )
            )
        self._writer.write_embeddings(ids, embeddings)

    def finish(self) -> None:
        """Refuses that nothing was written."""
        if self._writer is None:
            raise ValueError(
                f"{self._path}: expected a video to write the embedding of. "
                "Received: none"
            )
