"""The order of the training data, to be compared when a run continues."""

from collections.abc import Sequence
import json
import os

from yt8m_compact import files as files_lib
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib

_SHOWN = 3


def num_shards(training: config_lib.TrainingConfig, num_workers: int) -> int:
    """Returns how many shards of the files fill each batch together.

    Args:
        training: how the model is trained.
        num_workers: how many processes train it.

    Raises:
        ValueError: if the workers can't share them, or they the batch.
    """
    number = training.data_shards or num_workers
    if number % num_workers:
        raise ValueError(
            f"expected data_shards that {num_workers} workers can share. "
            f"Received: data_shards={number}"
        )
    if training.batch_size % number:
        raise ValueError(
            f"expected a batch_size, which counts the videos of all workers, "
            f"that {number} shards of the data can fill. Received: "
            f"batch_size={training.batch_size}"
        )
    return number


def check_shards(
    training: config_lib.TrainingConfig, num_workers: int, files: Sequence[str]
) -> None:
    """Checks that there is a file for each shard.

    Args:
        training: how the model is trained.
        num_workers: how many processes train it.
        files: the names of the files.

    Raises:
        ValueError: if there are fewer files, or `num_shards` says so.
    """
    number = num_shards(training, num_workers)
    if len(files) < number:
        raise ValueError(
            f"expected a file for each of {number} shards of the data, one "
            f"or several of each worker. Received: {len(files)} files; give "
            "more files, or use fewer workers and --data_shards"
        )


def describe_order(
    training: config_lib.TrainingConfig,
    files: Sequence[str],
    num_shards: int = 1,
) -> str:
    """Describes all that the order of the records follows from.

    Files count by their place in the list, their size, and their name from the
    folder on that they share: the same files in another folder, on another
    machine or in a bucket have the same order.

    Args:
        training: how the model is trained.
        files: the names of the files.
        num_shards: how many shards of them fill each batch.

    Returns:
        JSON that is equal for equal orders, for `order_changes`.
    """
    order = {
        "seed": training.seed,
        "shuffle_buffer": training.shuffle_buffer,
        "num_readers": training.num_readers,
        "files": describe_files(files),
    }
    if num_shards > 1:  # Left out by checkpoints from before there were any.
        order["num_shards"] = num_shards
    return json.dumps(order)


def describe_files(files: Sequence[str]) -> list[tuple[str, int]]:
    """Describes files in a way that does not change with their folder.

    Args:
        files: their names.

    Returns:
        Name, from the folder on that they share, and size of each.
    """
    sizes = readers.file_sizes(files)
    return list(zip(_names_from_shared(files), sizes, strict=True))


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
    shards = old.get("num_shards", 1), new.get("num_shards", 1)
    if shards[0] != shards[1]:
        found.append(f"num_shards: {shards[0]} -> {shards[1]}")
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
