"""How many records each file of a data set should have."""

from collections.abc import Mapping, Sequence
import csv
import dataclasses
import io
import json
import os

import tensorflow as tf

from yt8m_compact.readers import tfds_files

MANIFEST_NAME = "yt8m_manifest.json"
# What `yt8m-data` and TensorFlow Datasets write next to files; read without
# being asked.
_NAMES = (MANIFEST_NAME, "synthetic.json", "dataset_info.json")
_HEADERS = {"file", "filename", "name", "shard"}

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
    """

    num_videos: int | None = None
    num_bytes: int | None = None


def read_manifest(path: str) -> dict[str, Expected]:
    """Reads what files should hold.

    Args:
        path: JSON, `{"files": {name: {"num_videos": n, "num_bytes": n}}}` as
            `yt8m-data` writes it or simply `{name: n}`; or CSV, `name,n` in
            every line.

    Returns:
        What is expected, by the names of files, without folders.

    Raises:
        ValueError: If the file is missing or holds anything else.
    """
    if not tf.io.gfile.exists(path):
        raise ValueError(
            f"{path}: expected a manifest, JSON or CSV. Received: no such file"
        )
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode("utf-8")
        if text.lstrip().startswith("{"):
            found = _from_json(json.loads(text))
        else:
            found = _from_csv(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f'{path}: expected JSON such as {{"train00.tfrecord": 1012}}, what '
            "yt8m-data writes, or CSV with lines such as "
            f"train00.tfrecord,1012. Received: {error}"
        ) from None
    if not found:
        raise ValueError(
            f"{path}: expected the name of at least one file. Received: none"
        )
    return found


def find_manifests(files: Sequence[str]) -> list[str]:
    """Lists the manifests that lie next to files."""
    folders = dict.fromkeys(os.path.dirname(file) for file in files)
    paths = [os.path.join(folder, n) for folder in folders for n in _NAMES]
    return [path for path in paths if tf.io.gfile.exists(path)]


def write_manifest(path: str, files: Mapping[str, Expected]) -> None:
    """Writes what files hold, whole or not at all.

    Args:
        path: The file to write.
        files: What they hold, by name without folder.
    """
    entries = {
        os.path.basename(name): dataclasses.asdict(entry)
        for name, entry in sorted(files.items())
    }
    partial = f"{path}.partial"
    with tf.io.gfile.GFile(partial, "w") as file:
        file.write(json.dumps({"files": entries}, indent=2) + "\n")
    tf.io.gfile.rename(partial, path, overwrite=True)


def _from_json(values: dict) -> dict[str, Expected]:
    if "splits" in values and "fileFormat" in values:
        values = {
            name: length
            for split in values["splits"]
            for name, length in tfds_files.shard_names(values, split).items()
        }
    entries = values["files"] if "files" in values else values
    found = {}
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            entry = {"num_videos": entry}
        found[os.path.basename(name)] = Expected(
            _count(entry.get("num_videos")), _count(entry.get("num_bytes"))
        )
    return found


def _from_csv(text: str) -> dict[str, Expected]:
    found = {}
    reader = csv.reader(io.StringIO(text))
    for number, row in enumerate(reader):
        if not row:
            continue
        if number == 0 and row[0].strip().lower() in _HEADERS:
            continue
        if len(row) != 2 or not row[1].strip().isdecimal():
            raise ValueError(
                f"line {reader.line_num}, {','.join(row)[:80]!r}, which "
                "is not one name and one count with a comma between them"
            )
        name, count = row
        found[os.path.basename(name.strip())] = Expected(int(count))
    return found


def _count(value: object) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise ValueError(f"expected a count of records, found {value!r}")
    return value
