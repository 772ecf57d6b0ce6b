"""Videos that an exported file is compared with its model on."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from yt8m_compact import readers
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.run import config as config_lib

_NUM_RECORDS = 64
_NUM_DRAWN = 16


def take(
    config: config_lib.Config,
    specs: Mapping[str, tf.TensorSpec],
    data_pattern: str | None,
) -> dict[str, np.ndarray]:
    """Reads the first records of files, or draws inputs.

    Args:
        config: the configuration of the run, whose reader it is.
        specs: what the exported function takes, by name.
        data_pattern: the files; None draws inputs at random.

    Returns:
        Inputs by name, of up to 64 records or 16 that are drawn.

    Raises:
        DataError: if the data is missing, broken or of another kind.
    """
    if not data_pattern:
        return portable_function.draw_inputs(specs, _NUM_DRAWN)
    reader = config.prediction_reader()
    files = readers.expand_patterns(data_pattern)
    readers.check_format(files, reader)
    dataset = readers.make_dataset(reader, files, batch_size=_NUM_RECORDS)
    with readers.readable_errors():
        batch = next(iter(dataset.rebatch(_NUM_RECORDS)), None)
    if batch is None:
        raise readers.DataError(
            f"{files[0]}: expected at least one record to compare the export "
            "on. Received: none"
        )
    inputs = {}
    for name, spec in specs.items():
        value = batch[name].numpy().astype(spec.dtype.as_numpy_dtype)
        if value.ndim == 3:  # As many frames as the file takes.
            missing = spec.shape[1] - value.shape[1]
            value = np.pad(value, [(0, 0), (0, missing), (0, 0)])
        inputs[name] = value
    return inputs
