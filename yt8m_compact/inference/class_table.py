"""The names of the classes, as a table that is served."""

from collections.abc import Sequence
import contextlib
import os
import weakref

import tensorflow as tf

from yt8m_compact import files

FILE_NAME = "class_names.txt"


class ClassTable(tf.Module):
    """Names classes in a graph; a SavedModel carries it as an asset.

    The asset, `class_names.txt`, has a name a line, in the order of the scores.

    Args:
        names: the name of each class.
        num_classes: how many classes there are.

    Raises:
        ValueError: if there are more or fewer names, or one is not a line.
    """

    def __init__(self, names: Sequence[str], num_classes: int) -> None:
        super().__init__(name="class_names")
        if len(names) != num_classes:
            raise ValueError(
                f"expected a name for each of {num_classes} classes. Received: "
                f"{len(names)}"
            )
        for index, name in enumerate(names):
            if not name or len(name.splitlines()) != 1:
                raise ValueError(
                    "expected names of one line. Received: class_names"
                    f"[{index}]={name!r:.80}"
                )
        # TensorFlow copies it when it saves the table.
        closing = contextlib.ExitStack()
        folder = closing.enter_context(files.temporary_folder())
        weakref.finalize(self, closing.close)
        path = os.path.join(folder, FILE_NAME)
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(f"{name}\n" for name in names)
        lookup = tf.lookup
        self._table = lookup.StaticHashTable(
            lookup.TextFileInitializer(
                path,
                tf.int64,
                lookup.TextFileIndex.LINE_NUMBER,
                tf.string,
                lookup.TextFileIndex.WHOLE_LINE,
            ),
            default_value="",
        )

    def lookup(self, classes: tf.Tensor) -> tf.Tensor:
        """Names classes.

        Args:
            classes: int32, any shape.

        Returns:
            string, the same shape.
        """
        return self._table.lookup(tf.cast(classes, tf.int64))
