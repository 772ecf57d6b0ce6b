"""Measures files for other runtimes: bytes, and the time of one row.

    python -m benchmarks.exports

Projections of the paper's sizes in LiteRT, on one thread: D·C by transforms of
small matrices, as `yt8m-export --format=litert` writes them, beside the dense
matrix in float32. They take turns in one process; the best of each counts.
"""

import argparse
import os
import tempfile
import time
import warnings

import keras
import numpy as np
import tabulate
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

_SIZES = ((1024, 8192), (8192, 512))
_STRUCTURES = (
    "diagonal_circulant(shared_diagonal=True)",
    "diagonal_circulant",
    "dense",
)
_CALLS = 20


def _write(path: str, structure: str, input_dim: int, units: int) -> int:
    """Writes a projection without a bias; returns the bytes of its file."""
    features = keras.Input([input_dim], name="features")
    projection = layers.Projection(units, structure, use_bias=False)
    model = keras.Model({"features": features}, projection(features))
    function = portable_function.make_portable_function(
        model,
        portable_function.input_specs(model, 1, None),
        projection_export.ProjectionExport.AUTO,
    )
    size = litert.write(path, function)
    rows = np.random.default_rng(0).standard_normal((3, input_dim))
    inputs = {"features": rows.astype("float32")}
    expected = model(inputs).numpy()
    error = artefacts.LiteRtModel(path).predict_each(inputs) - expected
    assert np.abs(error).max() < 1e-5 * np.abs(expected).max()
    return size


def _open(path: str) -> tf.lite.Interpreter:
    """Opens a file, with an input in place, and runs it once."""
    with warnings.catch_warnings():
        # Of the same interpreter in a package of its own.
        warnings.simplefilter("ignore")
        model = tf.lite.Interpreter(path, num_threads=1)
    model.allocate_tensors()
    (details,) = model.get_input_details()
    row = np.random.default_rng(1).standard_normal(details["shape"])
    model.set_tensor(details["index"], row.astype("float32"))
    model.invoke()
    return model


def _milliseconds(model: tf.lite.Interpreter) -> float:
    start = time.perf_counter()
    for _ in range(_CALLS):
        model.invoke()
    return (time.perf_counter() - start) / _CALLS * 1e3


def main(rounds: int) -> None:
    """Prints a table.

    Args:
        rounds: how often each is timed.
    """
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for input_dim, units in _SIZES:
            sizes, opened = {}, {}
            for structure in _STRUCTURES:
                path = os.path.join(folder, structure)
                sizes[structure] = _write(path, structure, input_dim, units)
                opened[structure] = _open(path)
            times = {structure: [] for structure in _STRUCTURES}
            for _ in range(rounds):
                for structure, model in opened.items():
                    times[structure].append(_milliseconds(model))
            rows += [
                [
                    f"{input_dim} -> {units}",
                    structure,
                    f"{sizes[structure]:,}",
                    f"{sizes['dense'] / sizes[structure]:.0f}",
                    f"{min(times[structure]):.3f}",
                    f"{min(times['dense']) / min(times[structure]):.1f}",
                ]
                for structure in _STRUCTURES
            ]
    header = ["size", "structure", "bytes", "x fewer", "ms", "x faster"]
    print(tabulate.tabulate(rows, header, disable_numparse=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    main(**vars(parser.parse_args()))
