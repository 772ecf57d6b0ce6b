"""Measures files for other runtimes: bytes, and the time of one row.

    python -m benchmarks.exports
    python -m benchmarks.exports --network=paper --folder=/tmp/exports

The first: projections of the paper's sizes in LiteRT, on one thread: D·C by
transforms of small matrices, as `yt8m-export --format=litert` writes them,
beside the dense matrix in float32. They take turns in one process; the best of
each counts.

The second: the paper's network (see benchmarks/training_step.py), dense and
with D·C everywhere, as files of one video of 30 frames, in float32 and in fewer
bits; and what the operators of the compact one take, each alone. Files that are
in the folder already are not made again.
"""

import argparse
import collections
import dataclasses
import os
import tempfile
import time
import warnings

import keras
import numpy as np
import tabulate
import tensorflow as tf

from benchmarks import operator_times
from benchmarks.steps import cases
from benchmarks.steps import network as network_lib
from benchmarks.steps import our_step
from yt8m_compact import files
from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import litert_quantization
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import train_dir as train_dir_lib

_SIZES = ((1024, 8192), (8192, 512))
_STRUCTURES = (
    "diagonal_circulant(shared_diagonal=True)",
    "diagonal_circulant",
    "dense",
)
_CALLS = 20
_TOP = 15


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


@dataclasses.dataclass(frozen=True)
class _Variant:
    """A file of the network."""

    case: str
    precision: export_precision.ExportPrecision


_P = export_precision.ExportPrecision
_VARIANTS = {
    "dense float32": _Variant("dense", _P.FLOAT32),
    "dense int8": _Variant("dense", _P.INT8),
    "dense int4": _Variant("dense", _P.INT4),
    "compact float32": _Variant("everywhere", _P.FLOAT32),
    "compact float16": _Variant("everywhere", _P.FLOAT16),
    "compact int8": _Variant("everywhere", _P.INT8),
    "shared float32": _Variant("everywhere_shared", _P.FLOAT32),
}
# What divided by what, in bytes or time, is at most how much.
_AIMS = (
    ("bytes", "compact float32", "dense float32", 1 / 50),
    ("bytes", "compact float32", "dense int4", 1 / 12),
    ("ms", "compact float32", "dense float32", 1 / 3),
    ("ms", "compact float32", "dense int8", 1.0),
)


def _write_network(network: network_lib.Network, folder: str) -> None:
    """Writes the files that are missing, and scores of the Keras models."""
    for case in dict.fromkeys(v.case for v in _VARIANTS.values()):
        paths = {
            variant.precision: os.path.join(folder, f"{name}.tflite")
            for name, variant in _VARIANTS.items()
            if variant.case == case
        }
        if all(map(os.path.exists, paths.values())):
            continue
        config = our_step.make_config(
            network, cases.CASES[case].structures, None
        )
        keras.utils.set_random_seed(0)
        model = train_dir_lib.build_model(config)
        specs = portable_function.input_specs(model, 1, network.frames)
        inputs = portable_function.draw_inputs(specs)
        scores = model(inputs, training=False).numpy()
        np.save(os.path.join(folder, f"{case}.npy"), scores)
        function = portable_function.make_portable_function(
            model, specs, projection_export.ProjectionExport.AUTO
        )
        content = litert.convert(function)
        for precision, path in paths.items():
            stored = content
            if precision is not _P.FLOAT32:
                stored = litert_quantization.store_all(content, precision)
            with files.writing(path, "wb") as file:
                file.write(stored)
        keras.backend.clear_session()


def _video(network: network_lib.Network) -> dict[str, np.ndarray]:
    """Draws the videos that scores are compared on."""
    size = sum(network.feature_sizes)
    return portable_function.draw_inputs(
        {
            "frames": tf.TensorSpec([1, network.frames, size], tf.uint8),
            "num_frames": tf.TensorSpec([1], tf.int32),
        }
    )


def measure_network(name: str, folder: str, rounds: int) -> None:
    """Prints tables of the files of a network.

    Args:
        name: of `benchmarks.steps.network.NETWORKS`.
        folder: where the files are, or are to be.
        rounds: how often each is timed.
    """
    network = dataclasses.replace(network_lib.NETWORKS[name], batch_size=1)
    os.makedirs(folder, exist_ok=True)
    _write_network(network, folder)
    paths = {key: os.path.join(folder, f"{key}.tflite") for key in _VARIANTS}
    inputs = _video(network)
    opened = {key: artefacts.LiteRtModel(path) for key, path in paths.items()}
    errors = {}
    for key, variant in _VARIANTS.items():
        expected = np.load(os.path.join(folder, f"{variant.case}.npy"))
        scores = opened[key].predict_each(inputs)
        errors[key] = np.abs(scores - expected).max()
    one = {name: value[:1] for name, value in inputs.items()}
    times: dict[str, list[float]] = {key: [] for key in opened}
    for _ in range(rounds):
        for key, model in opened.items():
            model(one)  # What was in the caches is another file's.
            for _ in range(_CALLS):
                start = time.perf_counter()
                model(one)
                times[key].append(1e3 * (time.perf_counter() - start))
    values = {
        "bytes": {key: os.path.getsize(path) for key, path in paths.items()},
        "ms": {key: min(some) for key, some in times.items()},
    }
    dense = {kind: found["dense float32"] for kind, found in values.items()}
    rows = [
        [
            key,
            f"{values['bytes'][key]:,}",
            f"{dense['bytes'] / values['bytes'][key]:.1f}",
            f"{values['ms'][key]:.2f}",
            f"{np.median(times[key]):.2f}",
            f"{dense['ms'] / values['ms'][key]:.1f}",
            f"{errors[key]:.1e}",
        ]
        for key in _VARIANTS
    ]
    header = ["file", "bytes", "x fewer", "ms", "median", "x faster", "error"]
    options = {"disable_numparse": True, "tablefmt": "github"}
    print(tabulate.tabulate(rows, header, **options))
    rows = [
        [
            f"{kind} of {new}",
            f"of {old}",
            f"1/{values[kind][old] / values[kind][new]:.2f}",
            f"1/{1 / most:.0f}",
            "yes" if values[kind][new] <= most * values[kind][old] else "no",
        ]
        for kind, new, old, most in _AIMS
    ]
    print()
    print(tabulate.tabulate(rows, ["", "", "is", "at most", ""], **options))
    with open(paths["compact float32"], "rb") as file:
        found = operator_times.measure(file.read())
    total = sum(found.values())
    rows = [
        [*key, f"{found[key]:.3f}", f"{found[key] / total:.0%}"]
        for key in sorted(found, key=found.get, reverse=True)[:_TOP]
    ]
    print()
    print(tabulate.tabulate(rows, ["layer", "operator", "ms", ""], **options))
    by_type: collections.Counter[str] = collections.Counter()
    for (_, operator), value in found.items():
        by_type[operator] += value
    rows = [
        [operator, f"{value:.3f}", f"{value / total:.0%}"]
        for operator, value in by_type.most_common(_TOP)
    ]
    print()
    print(tabulate.tabulate(rows, ["operator", "ms", ""], **options))
    print(f"{total:.2f} ms of operators, each alone")


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
    parser.add_argument("--network", choices=list(network_lib.NETWORKS))
    parser.add_argument("--folder", default="exports")
    arguments = parser.parse_args()
    if arguments.network:
        measure_network(arguments.network, arguments.folder, arguments.rounds)
    else:
        main(arguments.rounds)
