"""What was left out of damaged data: counted by file, said, never silent."""

from collections.abc import Iterable, Mapping
import dataclasses
import logging
import threading

from yt8m_compact import tables

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SkippedFile:
    """What was left out of a file.

    Attributes:
        file: Name of the file.
        num_records: Records that were left out one by one.
        num_bytes: Bytes of the file's end in which no record can be told from
            the next, 0 if it was read to its end.
        reason: What was wrong first, in a sentence.

    Example:
        >>> skipped = yt8m.readers.SkippedData()
        >>> skipped.add_record("a.tfrecord", 7, "Its checksum differs.")
        >>> skipped.files()
        [SkippedFile(file='a.tfrecord', num_records=1, num_bytes=0, reason='Its
        checksum differs.')]
    """

    file: str
    num_records: int
    num_bytes: int
    reason: str


class SkippedData:
    """Counts what a run leaves out, each record once, however often it is met.

    Give it to `make_dataset` or `read_records`, which then go on where they
    would stop: a record whose data is corrupt, that does not parse or does not
    fit the reader is left out alone; where the length of a record is corrupt,
    or a file is cut off, the rest of the file is left out, since nothing says
    where the next record starts. The first time each is met it is logged.

    Example:
        >>> import tensorflow as tf
        >>> with tf.io.TFRecordWriter("a.tfrecord") as file:
        ...     file.write(b"no video")
        >>> skipped = yt8m.readers.SkippedData()
        >>> dataset = yt8m.readers.make_dataset(
        ...     yt8m.readers.VideoLevelReader(),
        ...     ["a.tfrecord"],
        ...     batch_size=64,
        ...     skipped=skipped,
        ... )
        >>> len(list(dataset)), skipped.num_records
        (0, 1)

    Args:
        tells: Whether it is logged; if not, another one is given it, and does.
    """

    def __init__(self, *, tells: bool = True) -> None:
        self._tells = tells
        self._lock = threading.Lock()
        self._records: dict[str, dict[int, str]] = {}
        self._rests: dict[str, tuple[int, int, str]] = {}

    @property
    def num_records(self) -> int:
        """Records that were left out one by one."""
        with self._lock:
            return sum(map(len, self._records.values()))

    @property
    def num_bytes(self) -> int:
        """Bytes of the ends of files that were left out."""
        with self._lock:
            return sum(size for _, size, _ in self._rests.values())

    @property
    def num_files(self) -> int:
        """Files of which something was left out, empty ones too."""
        with self._lock:
            return len({*self._records, *self._rests})

    def __bool__(self) -> bool:
        """Whether anything was left out."""
        return bool(self._records or self._rests)

    def add_record(self, file: str, index: int, reason: str) -> None:
        """Counts a record.

        Args:
            file: Name of its file.
            index: Its number in the file.
            reason: What is wrong with it, in a sentence.
        """
        with self._lock:
            records = self._records.setdefault(file, {})
            is_new = index not in records
            records.setdefault(index, reason)
        if is_new and self._tells:
            _LOGGER.warning("skipped %s: record %d: %s", file, index, reason)

    def add_rest(
        self, file: str, index: int, num_bytes: int, reason: str
    ) -> None:
        """Counts the rest of a file.

        Args:
            file: Name of the file.
            index: The number of the first record that is lost.
            num_bytes: The bytes from there to the file's end.
            reason: What is wrong, in a sentence.
        """
        with self._lock:
            is_new = file not in self._rests
            self._rests[file] = (index, num_bytes, reason)
        if is_new and self._tells:
            _LOGGER.warning(
                "skipped %s: from record %d to the end, %d bytes: %s",
                file,
                index,
                num_bytes,
                reason,
            )

    def files(self) -> list[SkippedFile]:
        """Lists the files of which something was left out, sorted by name."""
        with self._lock:
            listed = []
            for file in sorted({*self._records, *self._rests}):
                records = self._records.get(file, {})
                rest = self._rests.get(file)
                first = min(records, default=None)
                if rest and (first is None or rest[0] < first):
                    reason = rest[2]
                else:
                    reason = records[first]
                listed.append(
                    SkippedFile(
                        file=file,
                        num_records=len(records),
                        num_bytes=rest[1] if rest else 0,
                        reason=reason,
                    )
                )
            return listed

    def to_dict(self) -> dict[str, dict]:
        """Writes all of it as a dict that JSON can hold."""
        with self._lock:
            return {
                "records": {
                    file: {str(index): text for index, text in found.items()}
                    for file, found in self._records.items()
                },
                "rests": {file: [*rest] for file, rest in self._rests.items()},
            }

    def add_dict(self, values: Mapping[str, Mapping]) -> None:
        """Counts what another has counted.

        Args:
            values: What its `to_dict` returned.
        """
        for file, found in values.get("records", {}).items():
            for index, reason in found.items():
                self.add_record(file, int(index), reason)
        for file, rest in values.get("rests", {}).items():
            self.add_rest(file, *rest)

    def to_text(self, max_columns: int | None = None) -> str:
        """Writes a table, a line for each file; see `to_text`."""
        return to_text(self.files(), max_columns)


def to_text(
    files: Iterable[SkippedFile], max_columns: int | None = None
) -> str:
    """Writes a table, a line for each file, and below what was wrong first.

    Args:
        files: What was left out of each.
        max_columns: How wide the table may be; None for as wide as it is.
    """
    files = [*files]
    records = [f"{one.num_records:,}" for one in files]
    num_bytes = [f"{one.num_bytes:,}" for one in files]
    table = tables.to_text(
        [
            tables.Column("file", [one.file for one in files], is_name=True),
            tables.Column("records skipped", records),
            tables.Column("bytes of its end", num_bytes),
        ],
        max_columns,
    )
    reasons = (f"{one.file}: {one.reason}" for one in files)
    return "\n".join([table, "first reasons:", *reasons])
