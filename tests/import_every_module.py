"""Imports every module of the package and checks where each came from.

    python3 tests/import_every_module.py FOLDER...

imports, in the interpreter that runs it, all modules of the checkout this file
is in, and fails unless each of them was read from one of the folders: the
site-packages of a wheel, the checkout of an editable install. Each must be the
checkout's, byte by byte, so that what tests say of one is true of the other.
The console scripts of an installed package are loaded too.
"""

import importlib
import importlib.metadata
import json
import pathlib
import sys

import build_file

# This script's folder, whose tests/yt8m_compact would hide an editable install.
sys.path.pop(0)

EXTRAS = {"tensorflow_datasets": "tfds"}


def main(folders: list[str]) -> int:
    """Imports all modules; prints a JSON summary and returns the exit status.

    Args:
        folders: where the modules may come from.
    """
    roots = [pathlib.Path(folder).resolve() for folder in folders]
    imported, need_extra, wrong, other_bytes = [], {}, [], []
    for name in build_file.modules():
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            need_extra[name] = EXTRAS[error.name]
            continue
        file = pathlib.Path(module.__file__).resolve()
        if any(root in file.parents for root in roots):
            imported.append(name)
        else:
            wrong.append(f"{name} from {file}")
        if file.read_bytes() != build_file.source(name).read_bytes():
            other_bytes.append(f"{name} from {file}")
    try:
        distribution = importlib.metadata.distribution("yt8m-compact")
        scripts = {
            script.name: callable(script.load())
            for script in distribution.entry_points
            if script.group == "console_scripts"
        }
    except importlib.metadata.PackageNotFoundError:
        scripts = {}
    summary = {
        "imported": imported,
        "need_extra": need_extra,
        "not_from_these_folders": wrong,
        "not_as_in_the_checkout": other_bytes,
        "scripts": scripts,
    }
    print(json.dumps(summary))
    return 1 if wrong or other_bytes or not all(scripts.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
