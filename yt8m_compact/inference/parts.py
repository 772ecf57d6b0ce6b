"""Parts of a prediction on disk, so that one that was killed goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
import contextlib
import io
import json
import logging
import os
import shutil
from typing import Any
import zipfile

import numpy as np
import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import readers
from yt8m_compact.predictions import binary_files

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None

_JOURNAL = "journal.json"
_LOCK = "lock"
_IDS = "ids"
_SKIPPED = "skipped"
_VALUES = "values{}"
_PART_SIZE = "num_readers"
_DAMAGES = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    zipfile.BadZipFile,
    tf.errors.OpError,
)

_LOGGER = logging.getLogger(__name__)


class PartFiles:
    """What was predicted of some files each, kept in a folder.

    A part is there when all of it is; one that is damaged counts as none.

    Args:
        folder: the folder, local or of any file system that TensorFlow knows.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def save(
        self,
        number: int,
        blocks: Sequence[tuple[np.ndarray, ...]],
        skipped: readers.SkippedData | None,
    ) -> None:
        """Writes a part, whole or not at all.

        Args:
            number: of the part.
            blocks: ids and values, which blocks have in the same number.
            skipped: what was left out of the files of the part, or None.
        """
        left_out = json.dumps(skipped.to_dict() if skipped else {})
        arrays = {_SKIPPED: np.frombuffer(left_out.encode(), np.uint8)}
        if blocks:
            ids, *values = zip(*blocks, strict=True)
            # NumPy takes bytes of zero at an end for none; ids have none.
            arrays[_IDS] = np.concatenate(ids).astype(np.bytes_)
            for index, parts in enumerate(values):
                arrays[_VALUES.format(index)] = np.concatenate(parts)
        # In memory first: file systems of others write in one go.
        data = io.BytesIO()
        np.savez(data, **arrays)
        with files_lib.writing(self._path(number), "wb") as file:
            file.write(data.getvalue())

    def load(self, number: int) -> tuple[np.ndarray, ...] | None:
        """Reads a part again.

        Args:
            number: of the part.

        Returns:
            Ids and values; nothing where all was left out; None if there is no
            such part, or it is damaged.
        """
        arrays = self._read(number)
        if arrays is None:
            return None
        if _IDS not in arrays:
            return ()
        values = [arrays[_VALUES.format(i)] for i in range(len(arrays) - 2)]
        return arrays[_IDS].astype(object), *values

    def iterate(
        self, numbers: Iterable[int]
    ) -> Iterator[tuple[np.ndarray, ...]]:
        """Yields ids and values of parts that are there.

        Args:
            numbers: of the parts.

        Raises:
            OSError: if one is damaged now.
        """
        for number in numbers:
            block = self.load(number)
            if block is None:
                raise OSError(
                    f"{self._path(number)}: expected to read again what was "
                    "predicted. Received: a damaged part; check the disk, and "
                    "go on"
                )
            if block:
                yield block

    def load_skipped(self, number: int) -> dict[str, Any]:
        """Reads again what was left out of the files of a part that is there.

        Args:
            number: of the part.

        Returns:
            What `save` was given, as a dict.
        """
        return json.loads((self._read(number) or {})[_SKIPPED].tobytes())

    def _read(self, number: int) -> dict[str, np.ndarray] | None:
        try:
            with (
                binary_files.open_binary(self._path(number)) as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                # Checksums are looked at here.
                return {name: arrays[name] for name in arrays.files}
        except _DAMAGES:
            return None

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, f"{number:05d}.npz")


class Parts(PartFiles):
    """Parts that another process may go on with.

    The journal says what is predicted, so that nothing else goes on with it.

    Args:
        folder: the folder; made if need be.
        task: what is predicted, as JSON can hold it: the same parts follow
            from the same task.

    Raises:
        ValueError: if the folder holds parts of another task, or another
            process predicts there.
        OSError: if it can't be written.
    """

    def __init__(self, folder: str, task: Mapping[str, Any]) -> None:
        super().__init__(folder)
        os.makedirs(folder, exist_ok=True)
        self._lock = open(os.path.join(folder, _LOCK), "a")
        try:
            self._take(folder, json.loads(json.dumps(task)))
        except BaseException:
            self._lock.close()
            raise

    def _take(self, folder: str, task: dict[str, Any]) -> None:
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(
                    f"{folder}: expected one process that predicts there. "
                    "Received: another one, which is still at it"
                ) from None
        path = os.path.join(folder, _JOURNAL)
        if not os.path.exists(path):
            with files_lib.writing(path) as file:
                file.write(json.dumps(task))
            return
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
        changed = [key for key in task if found.get(key) != task[key]]
        if changed or found.keys() != task.keys():
            raise ValueError(
                f"{folder}: expected the parts of this prediction, to go on "
                "with. Received: those of another, which differs in "
                f"{', '.join(changed) or 'its version'}; give the flags of "
                "then, or remove the folder"
            )

    def close(self) -> None:
        """Lets others predict there."""
        self._lock.close()

    def remove(self) -> None:
        """Removes the folder, and all parts."""
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def keeping(output_file: str, task: Mapping[str, Any]) -> Iterator[Parts]:
    """Keeps parts beside the file that they will make, until it is there.

    Args:
        output_file: the file.
        task: as of `Parts`.

    Yields:
        The parts. They are removed at the end, but not after an error.

    Raises:
        ValueError: as of `Parts`, or if the file is none of this system.
    """
    folder = _folder_of(output_file)
    if folder is None:
        raise ValueError(
            "expected a file of this system to resume. Received: "
            f"output_file={output_file}"
        )
    parts = Parts(folder, task)
    try:
        yield parts
        parts.remove()
    finally:
        parts.close()


def remove_needless(
    output_file: str, make_task: Callable[[], Mapping[str, Any]]
) -> None:
    """Removes the parts of a file that was written without them.

    Args:
        output_file: the file.
        make_task: says what was predicted, as of `Parts`. How many files are a
            part counts for nothing. Parts of something else are kept, and those
            that another process is at.
    """
    folder = _folder_of(output_file)
    if folder is None or not os.path.exists(os.path.join(folder, _JOURNAL)):
        return
    task = json.loads(json.dumps(make_task()))
    try:
        with open(os.path.join(folder, _JOURNAL), encoding="utf-8") as file:
            found = json.load(file)
        parts = Parts(folder, {**task, _PART_SIZE: found.get(_PART_SIZE)})
    except (ValueError, AttributeError, OSError):
        _LOGGER.info(
            "%s: parts of another prediction are kept; remove the folder if "
            "you don't go on with it",
            folder,
        )
        return
    parts.close()
    parts.remove()


def _folder_of(output_file: str) -> str | None:
    """Names the folder of a file's parts; None where there can be none."""
    path = files_lib.expand_user(output_file)
    if not files_lib.is_local(path) or path.startswith(("/dev/", "/proc/")):
        return None
    if os.path.exists(path) and not os.path.isfile(path):
        return None
    return f"{path}.parts"
