"""How TensorFlow Serving should put requests together, as a file for it."""

import os

from yt8m_compact import files

# Where --enable_per_model_batching_parameters looks in a SavedModel.
FILE_NAME = "batching_params.pbtxt"
_TIMEOUT_MICROS = 1000
# Requests that wait at once, in batches, before new ones are refused.
_ENQUEUED_BATCHES = 100


def write(folder: str, max_batch: int, *, frames: bool) -> None:
    """Writes the file, in the text form of `BatchingParameters`.

    Args:
        folder: the SavedModel.
        max_batch: videos of a batch, at most.
        frames: whether videos have frames: those of requests that are put
            together are then filled up to the same number.

    Raises:
        ValueError: if there is no batch of that size.
        OSError: if it can't be written.
    """
    if max_batch < 1:
        raise ValueError(
            f"expected at least 1. Received: max_batch={max_batch}"
        )
    values = {
        "max_batch_size": max_batch,
        "batch_timeout_micros": _TIMEOUT_MICROS,
        "max_enqueued_batches": _ENQUEUED_BATCHES,
    }
    lines = [f"{name} {{ value: {value} }}" for name, value in values.items()]
    if frames:
        lines.append("pad_variable_length_inputs: true")
    with files.writing(os.path.join(folder, FILE_NAME)) as file:
        file.write("\n".join(lines) + "\n")
