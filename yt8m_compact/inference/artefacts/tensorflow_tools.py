"""What the artefacts that TensorFlow opens have in common."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


def use_threads(num_threads: int | None) -> None:
    """Has TensorFlow compute with so many threads.

    Args:
        num_threads: the number; None leaves it as it is.

    Raises:
        ValueError: if TensorFlow, whose threads are those of the process, has
            started them.
    """
    if num_threads is None:
        return
    threading = tf.config.threading
    try:
        threading.set_intra_op_parallelism_threads(num_threads)
        threading.set_inter_op_parallelism_threads(num_threads)
    except RuntimeError:
        raise ValueError(
            "expected the number of threads before TensorFlow computes for the "
            f"first time in a process. Received: num_threads={num_threads}; "
            "open the model in a process of its own"
        ) from None


def shapes_of(
    specs: Mapping[str, tf.TensorSpec],
) -> dict[str, list[int | None]]:
    """Writes shapes as lists; None is any size.

    Args:
        specs: what has them, by name.
    """
    return {name: list(spec.shape) for name, spec in specs.items()}


def tensors_of(inputs: Mapping[str, np.ndarray]) -> dict[str, tf.Tensor]:
    """Makes tensors of arrays, by name."""
    return {name: tf.constant(value) for name, value in inputs.items()}
