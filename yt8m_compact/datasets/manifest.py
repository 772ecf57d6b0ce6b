"""How many records each file of a data set should have."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
import dataclasses
import os

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import untrusted

with lazy.imports():
    import tensorflow as tf

    from yt8m_compact.readers import tfds_files

MANIFEST_NAME = "yt8m_manifest.json"
REPAIR_NAME = "yt8m_repair.json"
# What `yt8m-data` and TensorFlow Datasets write next to files; read without
# being asked.
_NAMES = (MANIFEST_NAME, REPAIR_NAME, "synthetic.json", "dataset_info.json")
_FORMS = (
    'JSON such as {"train00.tfrecord": 1012}, what yt8m-data writes, or CSV '
    "with lines such as train00.tfrecord,1012"
)
_HEADERS = {"file", "filename", "name", "shard"}
_MAX_DIGITS = 18

# Videos of a whole split, as published: 2016 by the paper (arXiv 1609.08675),
# 2017 by arXiv 1706.09274, 2018 by the TensorFlow Model Garden and the starter
# code. The 2018 records are also those of 2019's `2/` folders.
OFFICIAL_COUNTS = {
    "2016/train": 5_786_881,
    "2016/validate": 1_652_167,
    "2016/test": 825_602,
    "2017/train": 4_906_660,
    "2017/validate": 1_401_828,
    "2017/test": 700_640,
    "2018/train": 3_888_919,
    "2018/validate": 1_112_356,
    "2018/test": 1_133_323,
}


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a file should hold.

    Attributes:
        num_videos: How many records, None if not known.
        num_bytes: How many bytes, None if not known.

    Example:
        >>> yt8m.datasets.write_manifest(
        ...     "counts.json", {"a.tfrecord": yt8m.datasets.Expected(1012)}
        ... )
        >>> yt8m.datasets.read_manifest("counts.json")["a.tfrecord"].num_videos
        1012
    """

    num_videos: int | None = None
    num_bytes: int | None = None


def read_manifest(path: str) -> dict[str, Expected]:
    """Reads what files should hold.

    Args:
        path: JSON, `{"files": {name: {"num_videos": n, "num_bytes": n}}}` as
            `yt8m-data` writes it or simply `{name: n}`; or CSV, `name,n` in
            every line. Names are paths relative to the manifest's folder, or
            absolute.

    Returns:
        What is expected, by these names.

    Raises:
        ValueError: If the file is missing, holds anything else, or a name
            twice.

    Example:
        >>> import pathlib
        >>> _ = pathlib.Path("counts.csv").write_text("a.tfrecord,1012")
        >>> yt8m.datasets.read_manifest("counts.csv")
        {'a.tfrecord': Expected(num_videos=1012, num_bytes=None)}
    """
    text = untrusted.read_text(path, "a manifest, JSON or CSV")
    if text.lstrip().startswith("{"):
        entries = _from_json(untrusted.parse_json(text, path, _FORMS))
    else:
        entries = _from_csv(untrusted.parse_csv(text, path, _FORMS))
    try:
        manifest = _unite(entries)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected {_FORMS}. Received: {error!s:.200}"
        ) from None
    if not manifest:
        raise ValueError(
            f"{path}: expected the name of at least one file. Received: none"
        )
    return manifest


def find_manifests(files: Sequence[str]) -> list[str]:
    """Lists the manifests that lie next to files."""
    folders = dict.fromkeys(os.path.dirname(file) for file in files)
    paths = [os.path.join(folder, n) for folder in folders for n in _NAMES]
    return [path for path in paths if tf.io.gfile.exists(path)]


def write_manifest(path: str, files: Mapping[str, Expected]) -> None:
    """Writes what files hold, whole or not at all.

    Args:
        path: The file to write.
        files: What they hold, by their names as `name_in_manifest` gives them.

    Raises:
        OSError: If it can't be written.

    Example:
        >>> expected = {"a.tfrecord": yt8m.datasets.Expected(num_videos=1012)}
        >>> yt8m.datasets.write_manifest("counts.json", expected)
        >>> yt8m.datasets.read_manifest("counts.json") == expected
        True
    """
    entries = {
        name: dataclasses.asdict(entry) for name, entry in sorted(files.items())
    }
    files_lib.write_json(path, {"files": entries})


def name_in_manifest(file: str, path: str) -> str:
    """Returns what a manifest calls a file: its path from there.

    Args:
        file: The file.
        path: The manifest.

    Example:
        >>> yt8m.datasets.name_in_manifest("data/new/0.tfrecord", "data/m.csv")
        'new/0.tfrecord'
    """
    file, folder = absolute(file), os.path.dirname(absolute(path))
    if files_lib.is_local(file) and files_lib.is_local(folder):
        return os.path.relpath(file, folder)
    return file.removeprefix(f"{folder}/")


def match_files(
    path: str,
    entries: Mapping[str, Expected],
    files: Sequence[str],
    *,
    moved: bool = False,
) -> tuple[dict[str, Expected], dict[str, str]]:
    """Finds the files that a manifest speaks of.

    Args:
        path: The manifest.
        entries: What it holds, as `read_manifest` returns it.
        files: Names of files.
        moved: Whether the manifest may lie somewhere else than where it was
            written: a name that leads to none of the files is then that of the
            file whose path ends so.

    Returns:
        What is expected, by those of the files that it names; and what it names
        beside: where that should be, by name.

    Raises:
        ValueError: If a name may be that of several files.
    """
    left = {absolute(file): file for file in files}
    matched, missing = {}, {}
    for name, entry in entries.items():
        full_path = absolute(
            os.path.join(os.path.dirname(absolute(path)), name)
        )
        file = left.pop(full_path, None)
        if file is None:
            missing[name] = full_path
        else:
            matched[file] = entry
    if not moved or not missing:
        return matched, missing
    ends = collections.defaultdict(list)
    for full_path, file in left.items():
        ends[os.path.basename(full_path)].append((full_path, file))
    # The longer of two names is the one that fits better.
    for name in sorted(
        missing, key=lambda name: (-len(_components(name)), name)
    ):
        components = _components(name)
        candidates = [
            (full_path, file)
            for full_path, file in ends.get(components[-1], ())
            if _components(full_path)[-len(components) :] == components
        ]
        if len(candidates) > 1:
            raise ValueError(
                f"{path}: expected names that tell files apart: their paths "
                "from the manifest's folder, as write_manifest writes them. "
                f"Received: {name!r}, which may be {candidates[0][1]} or "
                f"{candidates[1][1]}"
            )
        if candidates:
            ends[components[-1]].remove(candidates[0])
            matched[candidates[0][1]] = entries[name]
            del missing[name]
    return matched, missing


def absolute(path: str) -> str:
    """Returns a path, or a pattern, in one form, without following links."""
    if files_lib.is_local(path):
        return os.path.abspath(path)
    scheme, _, rest = path.rpartition("://")
    return f"{scheme.rpartition('/')[2]}://{os.path.normpath(rest)}"


def _components(path: str) -> list[str]:
    """Returns the parts of a path, without the way up to their folder."""
    components = [component for component in path.split("/") if component]
    return [component for component in components if component != ".."] or [
        path
    ]


def _unite(entries: Iterable[tuple[str, Expected]]) -> dict[str, Expected]:
    """Refuses names that are those of one file."""
    by_name = {}
    for name, entry in entries:
        name = name.strip()
        if files_lib.is_local(name):
            name = os.path.normpath(name)
        if name in by_name:
            raise ValueError(f"{name[:80]!r} twice")
        by_name[name] = entry
    return by_name


def _from_json(values: dict) -> Iterable[tuple[str, Expected]]:
    if "splits" in values and "fileFormat" in values:
        for split in values["splits"]:
            for name, length in tfds_files.shard_names(values, split).items():
                yield name, Expected(_count(length))
        return
    entries = values["files"] if "files" in values else values
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            entry = {"num_videos": entry}
        yield (
            name,
            Expected(
                _count(entry.get("num_videos")), _count(entry.get("num_bytes"))
            ),
        )


def _from_csv(
    rows: Sequence[tuple[int, list[str]]],
) -> Iterable[tuple[str, Expected]]:
    for number, (line, row) in enumerate(rows):
        if number == 0 and row[0].strip().lower() in _HEADERS:
            continue
        count = row[-1].strip()
        if len(row) != 2 or not count.isdecimal() or len(count) > _MAX_DIGITS:
            raise ValueError(
                f"line {line}, {','.join(row)[:80]!r}, which "
                "is not one name and one count with a comma between them"
            )
        yield row[0], Expected(int(count))


def _count(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r}, which is no count")
    return value
