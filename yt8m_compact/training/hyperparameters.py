"""The settings of a run, for TensorBoard's table of runs (HParams)."""

from collections.abc import Iterator
import contextlib
import logging
import os
from typing import Any

from tensorboard.plugins.hparams import api
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams import summary
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

_LOGGER = logging.getLogger(__name__)


@contextlib.contextmanager
def writing(
    config: config_lib.Config, run: train_dir_lib.TrainDir
) -> Iterator[None]:
    """Writes the settings to the events of a run as a whole, and how it ended.

    There, and not beside the curves, so that the table has the last value of
    `train` and of `validation` of each metric. Where they can't be written,
    training goes on without them.

    Args:
        config: the run's configuration.
        run: its folder.

    Yields:
        While the run goes on.
    """
    path = run.events_path()
    # A run that continues stays the same one.
    name = os.path.abspath(path) if files.is_local(path) else path
    _write(path, api.hparams_pb(flatten(config), trial_id=name))
    status = api_pb2.STATUS_FAILURE
    try:
        yield
        status = api_pb2.STATUS_SUCCESS
    finally:
        _write(path, summary.session_end_pb(status))


def _write(path: str, settings: Any) -> None:
    try:
        writer = tf.summary.create_file_writer(
            path, filename_suffix=train_dir_lib.HPARAMS_SUFFIX
        )
        with writer.as_default(step=0):
            tf.summary.experimental.write_raw_pb(settings.SerializeToString())
        writer.close()
    except (tf.errors.OpError, OSError) as error:
        _LOGGER.warning(
            "%s: TensorBoard's events can't be written, training goes on "
            "without them: %s",
            path,
            tensorflow_errors.first_line(str(error)),
        )


def flatten(config: config_lib.Config) -> dict[str, bool | float | str]:
    """Lists all settings by `part.name`, as the table can show them.

    Args:
        config: the run's configuration.

    Returns:
        Numbers, booleans and texts; what is not set is an empty text.
    """
    values = config.to_dict()
    return {
        f"{part}.{name}": _to_cell(value)
        for part in ("data", "model", "training")
        for name, value in values[part].items()
    }


def _to_cell(value: Any) -> bool | float | str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return value
