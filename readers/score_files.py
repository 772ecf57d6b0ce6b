"""Files of a teacher's scores: of each video, the classes with the highest.

A TFRecord file of `tf.train.Example` records. The first says what the scores
are: `format`, `model`, `num_classes` and `top_k`. Each of the next holds some
videos: `id`, a bytes value of each; `classes`, `top_k` int64 values of each, by
falling score; and `scores`, one bytes value, as many 16-bit floats, the lower
byte first. The last has `num_videos`: a file that was cut lacks it. A video of
YouTube-8M takes 4 bytes a class and 6 more.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import dataclasses
import os

import numpy as np
import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import tensorflow_errors
from yt8m_compact.readers import errors
from yt8m_compact.readers import id_index
from yt8m_compact.readers import messages
from yt8m_compact.readers import records
from yt8m_compact.readers import score_table

FORMAT = "yt8m_compact teacher scores 1"
_FILE = (
    "a file of a teacher's scores, which yt8m-predict --format=teacher writes"
)
_SCORE = np.dtype("<f2")
_BATCH = 64


@dataclasses.dataclass(frozen=True)
class ScoreHeader:
    """What the scores of a file are.

    Attributes:
        model: the name of the model that predicted.
        num_classes: the number of its classes.
        top_k: how many of them a video has scores of.

    Example:
        >>> str(yt8m.readers.ScoreHeader("mine", num_classes=3862, top_k=20))
        'the 20 best of 3,862 classes by mine'
    """

    model: str
    num_classes: int
    top_k: int

    def __str__(self) -> str:
        return (
            f"the {self.top_k} best of {self.num_classes:,} classes by "
            f"{self.model}"
        )


class ScoreWriter:
    """Writes a file of scores; see `writing_scores`.

    Args:
        path: The file to write to.
        header: What the scores are.
    """

    def __init__(self, path: str, header: ScoreHeader) -> None:
        self.num_videos = 0
        self._writer = tf.io.TFRecordWriter(path)
        self._write(
            format=[FORMAT.encode()],
            model=[header.model.encode()],
            num_classes=[header.num_classes],
            top_k=[header.top_k],
        )

    def write(
        self, ids: Sequence[bytes], classes: np.ndarray, scores: np.ndarray
    ) -> None:
        """Writes the scores of some videos.

        Args:
            ids: Of the videos.
            classes: int `[videos, top_k]`.
            scores: float `[videos, top_k]`, their scores.

        Raises:
            ValueError: If a score is not in [0, 1].
        """
        halves = scores.astype(_SCORE)
        wrong = _describe_first(~_are_scores(halves), ids, scores)
        if wrong:
            raise ValueError(
                f"expected predictions from 0 to 1. Received: {wrong}"
            )
        self.num_videos += len(ids)
        self._write(
            id=list(ids),
            classes=classes.ravel().tolist(),
            scores=[halves.tobytes()],
        )

    def close(self) -> None:
        """Writes what is still in memory."""
        self._writer.close()

    def finish(self) -> None:
        """Writes how many videos there are."""
        self._write(num_videos=[self.num_videos])

    def _write(self, **features: list[bytes] | list[int]) -> None:
        example = tf.train.Example()
        for name, values in features.items():
            feature = example.features.feature[name]
            if isinstance(values[0], bytes):
                feature.bytes_list.value.extend(values)
            else:
                feature.int64_list.value.extend(values)
        self._writer.write(example.SerializeToString(deterministic=True))


@contextlib.contextmanager
def writing_scores(path: str, header: ScoreHeader) -> Iterator[ScoreWriter]:
    """Opens a file of scores that appears when it is complete and was read.

    Args:
        path: The file; local, or of any file system that TensorFlow knows.
        header: What the scores are.

    Yields:
        The writer.

    Raises:
        ValueError: If the path leads to what can't be read again.
        OSError: If it can't be written, or is not what was written to it.

    Example:
        >>> header = yt8m.readers.ScoreHeader("mine", num_classes=10, top_k=2)
        >>> classes, scores = np.array([[7, 3]]), np.array([[0.75, 0.5]])
        >>> with yt8m.readers.writing_scores("b.tfrecord", header) as writer:
        ...     writer.write([b"abcd"], classes, scores)
        >>> yt8m.readers.read_scores(["b.tfrecord"])[0] == header
        True
    """
    path = files_lib.expand_user(path)
    if files_lib.is_local(path) and os.path.exists(path):
        if not os.path.isfile(path) or path.startswith(("/dev/", "/proc/")):
            raise ValueError(
                "expected a file to write scores to: they are read again at "
                f"the end. Received: {path}, a folder, a device or a pipe"
            )
    with files_lib.writing_path(path) as partial:
        try:
            writer = ScoreWriter(partial, header)
            try:
                yield writer
                writer.finish()
            finally:
                writer.close()
        except tf.errors.OpError as error:
            raise OSError(
                f"{path}: expected to write it; free the disk or choose "
                "another folder. Received: "
                f"{tensorflow_errors.first_line(error.message)}"
            ) from None
        _check_written(path, partial, header, writer.num_videos)


def _check_written(
    path: str, partial: str, header: ScoreHeader, num_videos: int
) -> None:
    """Reads a file again, which a full or broken disk may have changed."""
    try:
        number = -1
        blocks = _read_file(partial)
        found = next(blocks)
        number = sum(len(ids) for ids, _, _ in blocks)
        problem = "" if (found, number) == (header, num_videos) else "others"
    except errors.DataError as error:
        problem = files_lib.show_whole_names(str(error))
    if problem:
        raise OSError(
            f"{path}: expected to read the {num_videos:,} videos that were "
            f"written. Received: {problem}; check the disk, and write it again"
        )


def read_scores(
    files: Sequence[str],
) -> tuple[ScoreHeader, score_table.ScoreTable]:
    """Reads a teacher's scores into memory.

    A video takes 4 bytes a class and those of its id, at most 16; twice as much
    while they are read.

    Args:
        files: Names of files that together hold the scores of one teacher.

    Returns:
        What the scores are, and the scores.

    Raises:
        DataError: If one is no such file, was cut or damaged, holds what no
            teacher writes, or is of another teacher than the first.

    Example:
        >>> header = yt8m.readers.ScoreHeader("mine", num_classes=10, top_k=2)
        >>> classes, scores = np.array([[7, 3]]), np.array([[0.75, 0.5]])
        >>> with yt8m.readers.writing_scores("a.tfrecord", header) as writer:
        ...     writer.write([b"abcd"], classes, scores)
        >>> header, table = yt8m.readers.read_scores(["a.tfrecord"])
        >>> classes, scores, known = table.look_up([b"abcd"])
        >>> classes.tolist(), scores.tolist(), known.tolist()
        ([[7, 3]], [[0.75, 0.5]], [True])
    """
    first, blocks = None, []
    for file in files:
        reading = _read_file(file)
        header = next(reading)
        first = first or header
        if header != first:
            raise errors.DataError(
                f"{file}: expected the scores of one teacher in files that are "
                f"named together, {first} as in {files[0]}. Received: {header};"
                " separate teachers by commas"
            )
        blocks += (
            (id_index.keys_of(ids), classes, scores)
            for ids, classes, scores in reading
        )
    if first is None or not blocks:
        raise errors.DataError(
            f"{', '.join(files) or 'no file'}: expected the scores of one "
            "video or more. Received: none"
        )
    ids, classes, scores = zip(*blocks, strict=True)
    table = score_table.ScoreTable(
        np.concatenate(ids),
        np.concatenate(classes),
        np.concatenate(scores),
        where=files[0] if len(files) == 1 else f"{files[0]}, ...",
    )
    return first, table


def read_blocks(
    file: str,
) -> Iterator[tuple[list[bytes], np.ndarray, np.ndarray]]:
    """Reads one file of scores, without keeping what was read.

    Args:
        file: The name of the file.

    Yields:
        Ids, classes and scores of some videos each, as of `ScoreWriter.write`.

    Raises:
        DataError: As of `read_scores`.
    """
    reading = _read_file(file)
    next(reading)
    yield from reading


def _read_file(file: str) -> Iterator:
    """Yields the header, and ids, classes and scores of some videos each."""
    number, end, header = 0, None, None
    for index, data in _numbered_records(file):
        where = f"{file}: record {index}"
        message = messages.parse(data)
        feature = message.context.feature if message else {}
        if header is None:
            header = _parse_header(feature, where)
            yield header
            continue
        if end is not None:
            raise errors.DataError(
                f"{where}: expected {_FILE}, without anything after its end. "
                "Received: more records; write it again"
            )
        if "num_videos" in feature:
            end = _numbers(feature, "num_videos")
            continue
        block = _parse_block(feature, header, where)
        number += len(block[0])
        yield block
    if header is None:
        raise errors.DataError(f"{file}: expected {_FILE}. Received: no record")
    if end != [number]:
        told = (
            "no last record, which says how many videos there are"
            if end is None
            else f"{end} announced"
        )
        raise errors.DataError(
            f"{file}: expected {_FILE}, to its end. Received: {number:,} "
            f"videos and {told}; the file was cut: copy or write it again"
        )


def _numbered_records(file: str) -> Iterator[tuple[int, bytes]]:
    with errors.readable_errors():
        dataset = records.read_records([file], num_readers=1)
        for _, indices, batch in dataset.batch(_BATCH).as_numpy_iterator():
            yield from zip(indices.tolist(), batch.tolist(), strict=True)


def _texts(feature: Mapping[str, tf.train.Feature], key: str) -> list[bytes]:
    return list(feature[key].bytes_list.value) if key in feature else []


def _numbers(feature: Mapping[str, tf.train.Feature], key: str) -> list[int]:
    return list(feature[key].int64_list.value) if key in feature else []


def _parse_header(
    feature: Mapping[str, tf.train.Feature], where: str
) -> ScoreHeader:
    kind = _texts(feature, "format")
    if kind != [FORMAT.encode()]:
        raise errors.DataError(
            f"{where}: expected {_FILE}. Received: "
            + (
                f"format={kind[0]!r:.80}, of another version"
                if kind
                else "records of another kind"
            )
        )
    names = _texts(feature, "model")
    num_classes = _numbers(feature, "num_classes")
    top_k = _numbers(feature, "top_k")
    try:
        (name,), (num_classes,), (top_k,) = names, num_classes, top_k
        if not 1 <= top_k <= num_classes:
            raise ValueError
        return ScoreHeader(name.decode(), num_classes, top_k)
    except ValueError:
        raise errors.DataError(
            f"{where}: expected {_FILE}. Received: model={names}, "
            f"num_classes={num_classes}, top_k={top_k}"
        ) from None


def _parse_block(
    feature: Mapping[str, tf.train.Feature], header: ScoreHeader, where: str
) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    """Returns ids, classes and scores."""
    ids = _texts(feature, "id")
    classes = np.array(_numbers(feature, "classes"), np.int64)
    stored = _texts(feature, "scores")
    shape = len(ids), header.top_k
    number = shape[0] * shape[1]
    if (
        not all(ids)
        or not number
        or len(classes) != number
        or [len(value) for value in stored] != [number * _SCORE.itemsize]
    ):
        raise errors.DataError(
            f"{where}: expected the ids of some videos, and {header.top_k} "
            f"classes and 16-bit scores of each. Received: {len(ids)} ids, "
            f"{len(classes)} classes, {sum(map(len, stored))} bytes of scores; "
            "write the file again"
        )
    scores = np.frombuffer(stored[0], _SCORE).reshape(shape)
    classes = classes.reshape(shape)
    wrong = _describe_first(~_are_scores(scores), ids, scores)
    if wrong:
        raise errors.DataError(
            f"{where}: expected scores from 0 to 1. Received: {wrong}; predict "
            "it again with a model whose training has not diverged"
        )
    outside = (classes < 0) | (classes >= header.num_classes)
    wrong = _describe_first(outside, ids, classes)
    if wrong:
        raise errors.DataError(
            f"{where}: expected classes from 0 to {header.num_classes - 1}. "
            f"Received: {wrong}; write the file again"
        )
    small = np.uint16 if header.num_classes <= 1 << 16 else np.int32
    return ids, classes.astype(small), scores


def _are_scores(values: np.ndarray) -> np.ndarray:
    return (values >= 0) & (values <= 1)  # Not NaN either.


def _describe_first(
    wrong: np.ndarray, ids: Sequence[bytes], values: np.ndarray
) -> str:
    """Names the first wrong value of `[videos, k]`, "" if there is none."""
    if not wrong.any():
        return ""
    row, column = np.argwhere(wrong)[0]
    name = ids[row].decode(errors="replace")
    return f"{values[row, column]} of video {name}"
