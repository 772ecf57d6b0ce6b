"""The weights of a model as one small file: its bits, and little else."""

from collections.abc import Mapping, Sequence
import json
import math

import keras
import numpy as np
import safetensors
from safetensors import numpy as arrays_lib
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import layers
from yt8m_compact import tensorflow_errors
from yt8m_compact.run import checkpoint
from yt8m_compact.run import export_manifest

# What the name of such a file ends with.
SUFFIX = ".safetensors"
_FORMAT = "yt8m_compact packed weights"
_VERSION = "1"
_SHOWN = 5
# What is counted before it is written has places of so many digits.
_LARGE_OFFSET = 10**9
# Headers are filled up to a multiple.
_ALIGNMENT = 8


def write(model: keras.Model, path: str, step: int = 0) -> int:
    """Packs a model, and writes its weights.

    Projections with a precision are packed in place (`layers.pack`), and
    written as their bits. Of the other weights, vectors (biases, those of batch
    norm) are written in float16 where they are within its range, matrices as
    they are. The file is one of safetensors: arrays by the paths of weights,
    and nothing that runs. It is read again, and has to hold what was written.

    Args:
        model: a built model.
        path: the file, which is replaced.
        step: how many steps it was trained for.

    Returns:
        The bytes of the file.

    Raises:
        ValueError: if a weight is not finite or can't be stored; nothing is
            written then.
        OSError: if it can't be written, or is not read as it was written.
    """
    layers.pack(model)
    arrays = {
        name: _stored(name, np.asarray(weight))
        for name, weight in checkpoint.by_path(model.weights).items()
    }
    data = arrays_lib.save(
        arrays, {"format": _FORMAT, "version": _VERSION, "step": str(step)}
    )
    with files.writing(path, "wb") as file:
        file.write(data)
    again, _ = _load(path)
    same = again.keys() == arrays.keys() and all(
        np.array_equal(again[name], array) for name, array in arrays.items()
    )
    if not same:
        raise OSError(
            f"{path}: expected to read the weights that were written. Received:"
            " others; check the disk, and write them again"
        )
    return len(data)


def read(model: keras.Model, path: str) -> int:
    """Reads weights that `write` wrote into a model of the same configuration.

    Args:
        model: a built model, whose projections are packed in place.
        path: the file.

    Returns:
        How many steps it was trained for.

    Raises:
        ValueError: if the file is missing, broken or none of `write`, holds the
            weights of another model, or values that `write` never writes, such
            as floats that are not finite or bytes that no codes make, or is not
            what the manifest beside it says.
    """
    export_manifest.verify_file(path)
    arrays, metadata = _load(path)
    received = (metadata.get("format"), metadata.get("version"))
    if received != (_FORMAT, _VERSION):
        raise ValueError(
            f"{path}: expected {_FORMAT}, version {_VERSION}. Received: format="
            f"{received[0]!r}, version={received[1]!r}"
        )
    layers.pack(model)
    weights = checkpoint.by_path(model.weights)
    wanted = {name: tuple(weight.shape) for name, weight in weights.items()}
    found = {name: array.shape for name, array in arrays.items()}
    if wanted != found:
        differing = sorted(
            name
            for name in wanted.keys() | found.keys()
            if wanted.get(name) != found.get(name)
        )
        shown = ", ".join(
            f"{name} {wanted.get(name, 'none')} in the model, "
            f"{found.get(name, 'none')} in the file"
            for name in differing[:_SHOWN]
        )
        raise ValueError(
            f"{path}: expected the weights of the model that config.json "
            f"describes. Received: {len(differing)} others: {shown}"
        )
    step = metadata.get("step", "0")
    if not (step.isascii() and step.isdecimal()):
        raise ValueError(
            f"{path}: expected a whole number of steps. Received: step={step!r}"
        )
    faults = _faults(model, weights, arrays)
    if faults:
        shown = "; ".join(
            f"{name}: {fault}" for name, fault in list(faults.items())[:_SHOWN]
        )
        raise ValueError(
            f"{path}: expected weights as they were written. Received: in "
            f"{len(faults)} of {len(weights)} others: {shown}; copy the file "
            "again, or export again"
        )
    for name, weight in weights.items():
        weight.assign(arrays[name].astype(weight.dtype.as_numpy_dtype))
    return int(step)


def _faults(
    model: keras.Model,
    weights: Mapping[str, tf.Variable],
    arrays: Mapping[str, np.ndarray],
) -> dict[str, str]:
    """Says which arrays hold what `write` never writes."""
    faults = {}
    for name, weight in weights.items():
        array, dtype = arrays[name], weight.dtype.as_numpy_dtype
        if not np.issubdtype(dtype, np.floating):
            if array.dtype != dtype:
                faults[name] = f"{array.dtype}, not {np.dtype(dtype)}"
        elif not np.issubdtype(array.dtype, np.floating):
            faults[name] = f"{array.dtype}, not a float"
        elif not np.isfinite(array).all():
            number = np.count_nonzero(~np.isfinite(array))
            faults[name] = f"not finite: {number}"
    if faults:
        return faults  # What is of another dtype has no codes.
    for layer in layers.projections(model):
        paths = {
            name: variable.path
            for name, variable in layer.structure_weights.items()
        }
        found = layer.structure.faults(
            {name: arrays[path] for name, path in paths.items()}, *layer.sizes
        )
        faults.update({paths[name]: text for name, text in found.items()})
    return faults


def num_bytes(weights: Mapping[str, tuple[Sequence[int], str]]) -> int:
    """Counts the bytes that weights take in a file, a few at most too many.

    Args:
        weights: the shape and the dtype of each by its path, as a packed model
            has them.

    Returns:
        The bytes of their values and of their entries in the header.
    """
    total = 0
    for name, (shape, dtype) in weights.items():
        is_float = tf.as_dtype(dtype).is_floating
        width = tf.as_dtype(dtype).size
        if is_float and len(shape) <= 1:
            width = min(width, 2)
        total += width * math.prod(shape)
        entry = {
            "dtype": "BF16",
            "shape": list(shape),
            "data_offsets": [_LARGE_OFFSET, _LARGE_OFFSET],
        }
        total += len(json.dumps({name: entry}, separators=(",", ":")))
    return total


def num_bytes_of_empty() -> int:
    """Counts the bytes of a file without weights, and of its alignment."""
    metadata = {
        "format": _FORMAT,
        "version": _VERSION,
        "step": str(_LARGE_OFFSET),
    }
    return len(arrays_lib.save({}, metadata)) + _ALIGNMENT


def _stored(name: str, weight: np.ndarray) -> np.ndarray:
    if not np.issubdtype(weight.dtype, np.floating):
        return weight
    if not np.isfinite(weight).all():
        raise ValueError(
            f"expected finite weights to write. Received: {name}, not finite: "
            f"{np.count_nonzero(~np.isfinite(weight))}"
        )
    if weight.ndim > 1 or np.abs(weight).max() > np.finfo(np.float16).max:
        return weight
    return weight.astype(np.float16)


def _load(path: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        with tf.io.gfile.GFile(files.expand_user(path), "rb") as file:
            data = file.read()
        arrays = arrays_lib.load(data)
    except (tf.errors.OpError, safetensors.SafetensorError) as error:
        raise ValueError(
            f"{path}: expected packed weights. Received: "
            f"{tensorflow_errors.first_line(str(error))}"
        ) from error
    # The header that was just checked: 8 bytes of its size, then JSON.
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    return arrays, header.get("__metadata__", {})
