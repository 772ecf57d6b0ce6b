"""The checkpoints of a run that goes on, as they come."""

from collections.abc import Iterator
import time

import tensorflow as tf

from yt8m_compact.run import train_dir as train_dir_lib

_POLL_SECONDS = 1.0


def follow_checkpoints(
    run: train_dir_lib.TrainDir, interval: float, timeout: float
) -> Iterator[str]:
    """Yields the newest checkpoint of a run whenever there is a new one.

    Those that come while the caller works with one are left out but for the
    newest. A new run in the same folder (`start_new_model`) is followed from
    then on.

    Args:
        run: the run; it may not have started yet.
        interval: the least seconds between two checkpoints.
        timeout: how many seconds to wait for one; then it ends.

    Yields:
        The paths.

    Raises:
        ValueError: if there is none at all in that time.
    """
    last = None
    started = waiting_since = time.monotonic()
    while True:
        newest = _newest(run)
        if newest is not None and _is_new(newest, last):
            started = time.monotonic()
            last = newest
            yield newest[0]
            waiting_since = time.monotonic()
            time.sleep(max(0.0, started + interval - waiting_since))
            continue
        if time.monotonic() - waiting_since > timeout:
            break
        time.sleep(min(_POLL_SECONDS, timeout))
    if last is None:
        raise ValueError(
            f"{run.checkpoints_path}: expected a checkpoint. Received: none "
            f"for {timeout:g} s; is train_dir that of a run?"
        )


def _newest(run: train_dir_lib.TrainDir) -> tuple[str, int, int] | None:
    """Returns path and time of the newest checkpoint and of config.json."""
    try:
        checkpoints = run.checkpoints()
    except tf.errors.NotFoundError:  # It was just moved away.
        return None
    written = _time(run.config_path)
    if not checkpoints or not written:
        return None
    path = checkpoints[max(checkpoints)]
    return path, _time(f"{path}.index"), written


def _time(path: str) -> int:
    try:
        return tf.io.gfile.stat(path).mtime_nsec
    except tf.errors.NotFoundError:
        return 0


def _is_new(
    newest: tuple[str, int, int], last: tuple[str, int, int] | None
) -> bool:
    """Whether a checkpoint is another one than the last one.

    A new run may have one of the same step. The end of an epoch writes that of
    its last step again, with the same weights and the same config.json.
    """
    if last is None or newest[0] != last[0]:
        return True
    return newest[1] != last[1] and newest[2] != last[2]
