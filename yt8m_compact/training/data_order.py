"""The order of the training data, to be compared when a run continues."""

from collections.abc import Sequence
import json
import os

from yt8m_compact import files as files_lib
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib

_SHOWN = 3


def describe_order(
    training: config_lib.TrainingConfig, files: Sequence[str]
) -> str:
    """Describes all that the order of the records follows from.

    Files count by their place in the list, their size, and their name from the
    folder on that they share: the same files in another folder, on another
    machine or in a bucket have the same order.

    Args:
        training: how the model is trained.
        files: the names of the files.

    Returns:
        JSON that is equal for equal orders, for `order_changes`.
    """
    sizes = readers.file_sizes(files)
    return json.dumps(
        {
            "seed": training.seed,
            "shuffle_buffer": training.shuffle_buffer,
            "num_readers": training.num_readers,
            "files": list(zip(_names_from_shared(files), sizes, strict=True)),
        }
    )


def _names_from_shared(files: Sequence[str]) -> list[str]:
    parts = [
        (os.path.abspath(file) if files_lib.is_local(file) else file).split("/")
        for file in files
    ]
    # The common start of lists, and not of a list of one file's own name.
    shared = len(os.path.commonprefix([part[:-1] for part in parts]))
    return ["/".join(part[shared:]) for part in parts]


def order_changes(before: str, now: str) -> list[str]:
    """Says in what two orders differ.

    Args:
        before: what `describe_order` returned, or a version before it.
        now: what it returns now.

    Returns:
        The differences, in words; none if the orders are the same.
    """
    if before == now:
        return []
    try:
        old = json.loads(before)
        names = {name: size for name, size in old["files"]}
    except (AttributeError, ValueError, TypeError, KeyError):
        return ["the checkpoint is of a version that described it otherwise"]
    new = json.loads(now)
    found = [
        f"{name}: {old.get(name)} -> {new[name]}"
        for name in ("seed", "shuffle_buffer", "num_readers")
        if old.get(name) != new[name]
    ]
    sizes = dict(new["files"])
    changed = [f"{name} is gone" for name in names if name not in sizes]
    for name, size in sizes.items():
        if name not in names:
            changed.append(f"{name} is new")
        elif size != names[name]:
            changed.append(f"{name} had {names[name]} bytes, now {size}")
    if not changed and old["files"] != new["files"]:
        changed = ["the files are listed in another order"]
    more = len(changed) - _SHOWN
    if more > 0:
        changed[_SHOWN:] = [f"and {more} more"]
    return found + changed
