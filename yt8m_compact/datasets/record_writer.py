"""TFRecord files that get their name when they are complete."""

from collections.abc import Iterator
import contextlib
import os

import tensorflow as tf


@contextlib.contextmanager
def writing(path: str) -> Iterator[tf.io.TFRecordWriter]:
    """Opens a TFRecord file that appears under its name only when it is done.

    Until then it is called `PATH.partial`, and it is deleted if anything fails.

    Args:
        path: The file to write. It is replaced if it exists.

    Yields:
        The writer.

    Raises:
        OSError: If it can't be written, for example on a full disk.
    """
    partial = f"{path}.partial"
    tf.io.gfile.makedirs(os.path.dirname(path) or ".")
    try:
        with tf.io.TFRecordWriter(partial) as writer:
            yield writer
        tf.io.gfile.rename(partial, path, overwrite=True)
    except tf.errors.OpError as error:
        raise OSError(
            f"{path}: expected to write it; free the disk or choose another "
            f"folder. Received: {error.message}"
        ) from None
    finally:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.remove(partial)


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
                f"are the same. Received: {names[name]} and {file}"
            )
        names[name] = file
        output = os.path.join(output_dir, name)
        if os.path.realpath(output) == os.path.realpath(file):
            raise ValueError(
                f"{output_dir}: expected another folder than that of the "
                f"input, which is never replaced. Received: {file}"
            )
