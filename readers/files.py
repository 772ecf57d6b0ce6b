"""Patterns of file names to lists of files."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
import os
import re
import stat

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact.readers import errors
from yt8m_compact.readers import tfds_files

with lazy.imports():
    import tensorflow as tf

_MAGIC = "*?[\\"
# Commas of one name; each costs a look at the file system for every name.
_MAX_COMMAS = 16


@dataclasses.dataclass(frozen=True)
class FileKind:
    """What files are to be, for errors about those that are not there.

    Attributes:
        one: What one is called, without "a".
        several: What several are called.
        ending: How the name of one ends, for an example.
    """

    one: str = "TFRecord file"
    several: str = "TFRecord files"
    ending: str = ".tfrecord"


RECORDS = FileKind()
SCORES = FileKind(
    one="file of scores of yt8m-predict --format=teacher, or the folder of a "
    "run or of a SavedModel",
    several="files of scores",
    ending=".scores",
)


def expand_patterns(
    patterns: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    kind: FileKind = RECORDS,
) -> list[str]:
    """Lists the files that patterns match.

    A name that exists is that file, whatever is in it; what has no such name is
    a pattern. Several in one string are separated by commas, where the longest
    name that exists counts: `a,b/0.tfrecord,c*` is a file in the folder `a,b`
    and a pattern if there is that file.

    Args:
        patterns: File names or glob patterns, local or of any file system that
            TensorFlow knows (`gs://...`): one, several in a list, or several
            separated by commas in a string that is not in a list. `~` is the
            home folder. `tfds:NAME/CONFIG/SPLIT` names the files of a data set
            that TensorFlow Datasets prepared; see `tfds_files`.
        kind: What the files are to be.

    Returns:
        The files, sorted within each pattern, the patterns in their order, and
        no file twice.

    Raises:
        DataError: If a pattern matches no file; the message names the pattern
            and says what its folder holds.

    Example:
        >>> import pathlib
        >>> for name in ("b.tfrecord", "a.tfrecord", "test.tfrecord"):
        ...     pathlib.Path(name).touch()
        >>> yt8m.readers.expand_patterns("test.tfrecord,?.tfrecord")
        ['test.tfrecord', 'a.tfrecord', 'b.tfrecord']
    """
    if isinstance(patterns, str):
        lists = [files for _, files in _split(patterns, kind)]
    else:
        if isinstance(patterns, os.PathLike):
            patterns = [patterns]
        names = [os.fspath(pattern) for pattern in patterns]
        lists = [_expand(name, kind) for name in names if name.strip()]
    if not lists:
        raise errors.DataError(
            "expected a file name or a pattern such as "
            "'data/train*.tfrecord', or several separated by commas. "
            f"Received: patterns={patterns!r}"
        )
    return list(dict.fromkeys(file for files in lists for file in files))


def expect_local_files(patterns: str, kind: FileKind = RECORDS) -> None:
    """Refuses patterns of this system that match no file.

    Programs ask this before they import TensorFlow, which takes seconds.

    Args:
        patterns: As of `expand_patterns`; patterns of other systems, which may
            be slow to answer, are not looked at.
        kind: As of `expand_patterns`.

    Raises:
        DataError: If a pattern matches no file.

    Example:
        >>> yt8m.readers.expect_local_files("gs://bucket/*.tfrecord")
        >>> try:
        ...     yt8m.readers.expect_local_files("none/*.tfrecord")
        ... except yt8m.readers.DataError as error:
        ...     print(error)
        no file matches the pattern 'none/*.tfrecord': expected at least one
        TFRecord file. The folder 'none' does not exist: check the path.
    """
    if files_lib.is_local(patterns):
        expand_patterns(patterns, kind)


def split_patterns(
    patterns: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
) -> list[str]:
    """Lists the names and patterns that `expand_patterns` takes apart.

    Args:
        patterns: As there.

    Returns:
        The names and patterns, without spaces around them.

    Raises:
        DataError: As there.

    Example:
        >>> import pathlib
        >>> for name in ("a.tfrecord", "b.tfrecord"):
        ...     pathlib.Path(name).touch()
        >>> yt8m.readers.split_patterns("a.tfrecord, b*")
        ['a.tfrecord', 'b*']
    """
    if isinstance(patterns, str):
        listed = [pattern for pattern, _ in _split(patterns, RECORDS)]
    elif isinstance(patterns, os.PathLike):
        listed = [os.fspath(patterns)]
    else:
        listed = [os.fspath(pattern) for pattern in patterns]
    return [files_lib.expand_user(pattern.strip()) for pattern in listed]


def _split(text: str, kind: FileKind) -> list[tuple[str, list[str]]]:
    """Expands the names and patterns of a text that commas separate."""
    pieces = text.split(",")
    expanded = []
    while pieces:
        if not pieces[0].strip():
            pieces.pop(0)
            continue
        number, files = _expand_first(pieces, kind)
        expanded.append((",".join(pieces[:number]), files))
        del pieces[:number]
    return expanded


def _expand_first(
    pieces: Sequence[str], kind: FileKind
) -> tuple[int, list[str]]:
    """Expands what comes first; returns how many pieces that is, and its files.

    Raises:
        DataError: If there is no such file, alone or with the pieces after it.
    """
    joined = [
        (number, ",".join(pieces[:number]))
        for number in range(min(len(pieces), _MAX_COMMAS + 1), 0, -1)
    ]
    # Who looks at what is not local waits for a network.
    if files_lib.is_local(pieces[0]):
        for number, name in joined:
            file = _find_file(name, kind)
            if file is not None:
                return number, [file]
    try:
        return 1, _expand(pieces[0], kind)
    except errors.DataError:
        for number, name in joined[:-1]:
            files = _match(name, kind)
            if files:
                return number, files
        for _, name in joined[:-1]:
            name = files_lib.expand_user(name.strip())
            folder = os.path.dirname(name)
            if files_lib.is_folder(name) or (
                "," in folder and files_lib.is_folder(folder)
            ):
                raise errors.DataError(_describe_missing(name, kind)) from None
        raise


def _expand(pattern: str, kind: FileKind) -> list[str]:
    """Lists the files of one name or pattern."""
    if pattern.strip().startswith(tfds_files.PREFIX):
        return tfds_files.list_files(pattern.strip())
    files = _match(pattern, kind)
    if not files:
        raise errors.DataError(
            _describe_missing(files_lib.expand_user(pattern.strip()), kind)
        )
    return files


def _match(pattern: str, kind: FileKind) -> list[str]:
    """Returns the file of this name, or else the files of this pattern."""
    file = _find_file(pattern, kind)
    if file is not None:
        return [file]
    return [
        name
        for name in _glob(files_lib.expand_user(pattern.strip()))
        if not files_lib.is_folder(name)
    ]


def _find_file(name: str, kind: FileKind) -> str | None:
    """Returns the name of a file that exists, with or without spaces."""
    for path in dict.fromkeys([name, name.strip()]):
        path = files_lib.expand_user(path)
        try:
            if files_lib.exists(path) and not files_lib.is_folder(path):
                _expect_no_pipe(path, kind)
                return path
        except tf.errors.OpError:
            continue  # Opening it, as a pattern or a file, says why.
    return None


def _expect_no_pipe(file: str, kind: FileKind) -> None:
    """Refuses what can be read once and in order, and waits for a writer."""
    if files_lib.is_local(file) and stat.S_ISFIFO(os.stat(file).st_mode):
        raise errors.DataError(
            f"{file}: expected a {kind.one}, which is read several times "
            "and from any place on. Received: a pipe; write it to a file first"
        )


def _glob(pattern: str) -> list[str]:
    if not _may_match(pattern):
        return []
    try:
        names = sorted(tf.io.gfile.glob(_escape_folder(pattern)))
    except tf.errors.NotFoundError:
        return []
    if pattern.startswith("./"):
        return names
    # TensorFlow puts it before names of a pattern that names no folder.
    return [name.removeprefix("./") for name in names]


def _may_match(pattern: str) -> bool:
    """Whether there may be such a file, told without TensorFlow where it can.

    False only if no name in the folder begins as the pattern does.
    """
    folder, name = os.path.split(pattern)
    if not files_lib.is_local(pattern) or any(
        sign in folder for sign in _MAGIC
    ):
        return True
    start = re.split(r"[*?\[\\]", name)[0]
    try:
        return any(
            entry.startswith(start) for entry in os.listdir(folder or ".")
        )
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def _escape_folder(pattern: str) -> str:
    """Escapes what is a folder's name, as far as there is such a folder."""
    folder = os.path.dirname(pattern)
    while any(sign in folder for sign in _MAGIC):
        if files_lib.is_folder(folder):
            rest = pattern[len(folder) :]
            return re.sub(r"([*?\[\\])", r"\\\1", folder) + rest
        folder = os.path.dirname(folder)
    return pattern


def _describe_missing(pattern: str, kind: FileKind) -> str:
    matches = [pattern] if files_lib.is_folder(pattern) else _glob(pattern)
    if matches:  # all of them folders
        folder = matches[0].rstrip("/") or "/"
        return (
            f"'{matches[0]}' is a folder: expected {kind.several}. Name the "
            f"files in it, such as '{os.path.join(folder, '*' + kind.ending)}'."
            f" {_describe_folder(folder)}"
        )
    message = (
        f"no file matches the pattern '{pattern}': expected at least one "
        f"{kind.one}."
    )
    folder = os.path.dirname(pattern)
    while any(sign in folder for sign in _MAGIC) and not files_lib.is_folder(
        folder
    ):
        folder = os.path.dirname(folder)
    folder = folder or "."
    if not files_lib.is_folder(folder):
        return (
            f"{message} The folder '{folder}' does not exist: check the path."
        )
    if not files_lib.list_folder(folder):
        return f"{message} {_describe_folder(folder)}"
    return (
        f"{message} {_describe_folder(folder)} "
        "Correct the pattern (and quote it, so that the shell leaves it alone)."
    )


def _describe_folder(folder: str) -> str:
    names = sorted(files_lib.list_folder(folder))
    if not names:
        return f"The folder '{folder}' is empty."
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"The folder '{folder}' holds {len(names)} name(s): {shown}."
