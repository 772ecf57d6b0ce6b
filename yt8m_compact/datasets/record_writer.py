"""TFRecord files that get their name when they are complete."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import os

import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import tensorflow_errors


@contextlib.contextmanager
def writing(
    path: str, *, before: Callable[[], None] | None = None
) -> Iterator["Writer"]:
    """Opens a TFRecord file that appears under its name only when it is done.

    Args:
        path: The file to write, as in `files.writing`. Its folder is made.
        before: As of `writing_all`.

    Yields:
        The writer.

    Raises:
        OSError: If it can't be written, for example on a full disk.
    """
    with writing_all([path], before=before) as (writer,):
        yield writer


@contextlib.contextmanager
def writing_all(
    paths: Sequence[str], *, before: Callable[[], None] | None = None
) -> Iterator[list["Writer"]]:
    """Opens TFRecord files that appear together when all of them are done.

    Args:
        paths: The files to write, as in `writing`.
        before: Called when all are on the disk and none has its name yet, such
            as to say beside them what they hold.

    Yields:
        Their writers.

    Raises:
        OSError: If one can't be written: then none appears.
    """
    paths = [files_lib.expand_user(path) for path in paths]
    with contextlib.ExitStack() as stack:
        partials = []
        for path in paths:
            try:
                tf.io.gfile.makedirs(os.path.dirname(path) or ".")
            except tf.errors.OpError as error:
                raise _named(error, path) from None
            partials.append(stack.enter_context(files_lib.writing_path(path)))
        writers = []
        try:
            for path, partial in zip(paths, partials, strict=True):
                writers.append(Writer(path, partial))
            yield writers
        except BaseException:
            for writer in writers:
                # A full disk is full for what is still in memory, too.
                with contextlib.suppress(OSError):
                    writer.close()
            raise
        # All are on the disk before any gets its name.
        for writer in writers:
            writer.close()
        if before is not None:
            before()


class Writer:
    """A `tf.io.TFRecordWriter` whose errors name the file that is to appear."""

    def __init__(self, path: str, partial: str):
        """Opens a file.

        Args:
            path: The file that is to appear.
            partial: The file to write to.

        Raises:
            OSError: If it can't be opened.
        """
        self._path = path
        try:
            self._writer = tf.io.TFRecordWriter(partial)
        except tf.errors.OpError as error:
            raise _named(error, path) from None

    def write(self, record: bytes) -> None:
        """Writes a record.

        Args:
            record: What it holds.

        Raises:
            OSError: If it can't be written.
        """
        try:
            self._writer.write(record)
        except tf.errors.OpError as error:
            raise _named(error, self._path) from None

    def close(self) -> None:
        """Writes what is still in memory.

        Raises:
            OSError: If it can't be written.
        """
        try:
            self._writer.close()
        except tf.errors.OpError as error:
            raise _named(error, self._path) from None


def _named(error: tf.errors.OpError, path: str) -> OSError:
    return OSError(
        f"{path}: expected to write it; free the disk or choose another "
        f"folder. Received: {tensorflow_errors.first_line(error.message)}"
    )


def expect_other_folder(files: list[str], output_dir: str) -> None:
    """Refuses a folder in which an output would take the name of an input.

    Args:
        files: What is read.
        output_dir: Where files of the same names are written.

    Raises:
        ValueError: If two of the files have the same name, or lie there.
    """
    names = {}
    for file in files:
        name = os.path.basename(file)
        if name in names:
            raise ValueError(
                "expected files of different names, since those of the output "
                "are the same; take one folder at a time, each with a folder "
                f"of its own to write to. Received: {names[name]} and {file}"
            )
        names[name] = file
        output = os.path.join(output_dir, name)
        if os.path.realpath(output) == os.path.realpath(file):
            raise ValueError(
                f"{output_dir}: expected another folder than that of the "
                f"input, which is never replaced. Received: {file}"
            )
