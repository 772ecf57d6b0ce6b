"""How long the prediction of one video takes."""

from collections.abc import Callable, Mapping
import time

import keras
import tensorflow as tf

from yt8m_compact.inference import artefacts
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
    return _measure(lambda: predict(**inputs)["predictions"].numpy())


def measure_artefact(
    model: artefacts.Artefact, batch: Mapping[str, tf.Tensor]
) -> float:
    """Measures what yt8m-export wrote, by its own runtime, on one video.

    Args:
        model: The artefact.
        batch: A batch of videos, of which the first is predicted.

    Returns:
        The fastest of many calls, in milliseconds.
    """
    (inputs,) = model.split(
        {name: batch[name][:1].numpy() for name in model.input_shapes}
    )
    return _measure(lambda: model(inputs))


def _measure(call: Callable[[], object]) -> float:
    """Returns the milliseconds of the fastest of many calls."""
    call()
    times: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(times) < _LEAST_CALLS or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)
