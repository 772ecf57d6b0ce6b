"""How long the prediction of one video takes."""

from collections.abc import Mapping
import time

import keras
import tensorflow as tf

from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib

_SECONDS = 0.3
_LEAST_CALLS = 10


def measure(
    config: config_lib.Config,
    model: keras.Model,
    batch: Mapping[str, tf.Tensor],
) -> float:
    """Measures the compiled model on one video.

    Args:
        config: The configuration of its run.
        model: The model.
        batch: A batch of videos, of which the first is predicted.

    Returns:
        The fastest of many calls, in milliseconds.
    """
    predict = serving.ServingModule(config, model, top_k=1).make_predict()
    inputs = {
        name: batch[name][:1] for name in serving.input_specs(config.data)
    }
    predict(**inputs)["predictions"].numpy()
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _LEAST_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        predict(**inputs)["predictions"].numpy()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)
