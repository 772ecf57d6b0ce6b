"""Measures files for other runtimes: bytes, and the time of one row.

    python -m benchmarks.export_runtimes

Projections of the paper's sizes in LiteRT, ONNX Runtime and OpenVINO, on one
thread and in float32: D·C by transforms of small matrices, as `yt8m-export`
writes them, beside the dense matrix. All take turns in one process; the best of
each counts.
"""

import argparse
from collections.abc import Mapping
import os
import tempfile
import time

import keras
import numpy as np
import tabulate

from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

_SIZES = ((1024, 8192), (8192, 512))
_STRUCTURES = (
    "diagonal_circulant(shared_diagonal=True)",
    "diagonal_circulant",
    "dense",
)
_RUNTIMES = {
    "LiteRT": artefacts.LiteRtModel,
    "ONNX Runtime": artefacts.OnnxModel,
    "OpenVINO": artefacts.OpenVinoModel,
}
_CALLS = 20


def _contents(structure: str, input_dim: int, units: int) -> Mapping[str, dict]:
    """Makes the files of a projection without a bias, by runtime and name."""
    features = keras.Input([input_dim], name="features")
    projection = layers.Projection(units, structure, use_bias=False)
    model = keras.Model({"features": features}, projection(features))
    function = portable_function.make_portable_function(
        model,
        portable_function.input_specs(model, 1, None),
        projection_export.ProjectionExport.AUTO,
    )
    content = onnx.convert(function)
    made = {
        "LiteRT": {litert.FILE_NAME: litert.convert(function)},
        "ONNX Runtime": {onnx.FILE_NAME: content},
        "OpenVINO": openvino.convert(content),
    }
    rows = np.random.default_rng(0).standard_normal((3, input_dim))
    inputs = {"features": rows.astype("float32")}
    expected = model(inputs).numpy()
    for runtime, contents in made.items():
        error = _open(runtime, contents).predict_each(inputs) - expected
        assert np.abs(error).max() < 1e-5 * np.abs(expected).max(), runtime
    return made


def _open(runtime: str, contents: Mapping[str, bytes]) -> artefact.Artefact:
    """Opens files; they are gone when this returns, and stay open."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents.items():
            with open(os.path.join(folder, name), "wb") as file:
                file.write(content)
        path = os.path.join(folder, next(iter(contents)))
        return _RUNTIMES[runtime](path, num_threads=1)


def _milliseconds(
    model: artefact.Artefact, inputs: Mapping[str, np.ndarray]
) -> float:
    start = time.perf_counter()
    for _ in range(_CALLS):
        model(inputs)
    return (time.perf_counter() - start) / _CALLS * 1e3


def _measure(input_dim: int, units: int, rounds: int) -> list[list[str]]:
    """Makes the rows of a size."""
    row = np.random.default_rng(1).standard_normal((1, input_dim))
    inputs = {"features": row.astype("float32")}
    sizes, opened = {}, {}
    for structure in _STRUCTURES:
        made = _contents(structure, input_dim, units)
        for runtime, contents in made.items():
            key = (runtime, structure)
            sizes[key] = sum(map(len, contents.values()))
            opened[key] = _open(runtime, contents)
            opened[key](inputs)
    times = {key: [] for key in opened}
    for _ in range(rounds):
        for key, model in opened.items():
            times[key].append(_milliseconds(model, inputs))
    best = {key: min(values) for key, values in times.items()}
    return [
        [
            f"{input_dim} -> {units}",
            runtime,
            structure,
            f"{sizes[runtime, structure]:,}",
            f"{sizes[runtime, 'dense'] / sizes[runtime, structure]:.0f}",
            f"{best[runtime, structure]:.3f}",
            f"{best[runtime, 'dense'] / best[runtime, structure]:.1f}",
        ]
        for runtime in _RUNTIMES
        for structure in _STRUCTURES
    ]


def main(rounds: int) -> None:
    """Prints a table.

    Args:
        rounds: how often each is timed.
    """
    rows = [row for sizes in _SIZES for row in _measure(*sizes, rounds)]
    header = ["size", "runtime", "structure", "bytes", "x fewer", "ms"]
    header.append("x faster")
    print(tabulate.tabulate(rows, header, disable_numparse=True))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    main(**vars(parser.parse_args()))
