"""Measures files for other runtimes: the paper's network, bytes and times.

    python -m benchmarks.exports --folder=EXPORTS

The network (see benchmarks/training_step.py), dense and with D·C everywhere,
as files of one video of 30 frames, on one thread: of LiteRT in float32 and in
fewer bits, of ONNX Runtime and OpenVINO in float32. All take turns in one
process; the best of each counts. Then what the operators of the compact LiteRT
file take, each alone. Files that are in the folder already are not made again.
benchmarks/export_runtimes.py measures single projections.
"""

import argparse
import collections
import dataclasses
import os
import time

import keras
import numpy as np
import tabulate
import tensorflow as tf

from benchmarks import operator_times
from benchmarks.steps import cases
from benchmarks.steps import network as network_lib
from benchmarks.steps import our_step
from yt8m_compact import files
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import litert_quantization
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import train_dir as train_dir_lib

_CALLS = 20
_TOP = 15
_RUNTIMES = {
    "LiteRT": ("model.tflite", artefacts.LiteRtModel),
    "ONNX Runtime": ("model.onnx", artefacts.OnnxModel),
    "OpenVINO": ("model.xml", artefacts.OpenVinoModel),
}


@dataclasses.dataclass(frozen=True)
class _Variant:
    """A file of the network."""

    case: str
    precision: export_precision.ExportPrecision
    runtime: str = "LiteRT"


_P = export_precision.ExportPrecision
_VARIANTS = {
    "dense float32": _Variant("dense", _P.FLOAT32),
    "dense int8": _Variant("dense", _P.INT8),
    "dense int4": _Variant("dense", _P.INT4),
    "compact float32": _Variant("everywhere", _P.FLOAT32),
    "compact float16": _Variant("everywhere", _P.FLOAT16),
    "compact int8": _Variant("everywhere", _P.INT8),
    "shared float32": _Variant("everywhere_shared", _P.FLOAT32),
    **{
        f"{name}, {runtime}": _Variant(case, _P.FLOAT32, runtime)
        for runtime in ("ONNX Runtime", "OpenVINO")
        for name, case in (("dense", "dense"), ("compact", "everywhere"))
    },
}
# What divided by what, in bytes or time, is at most how much.
_AIMS = (
    ("bytes", "compact float32", "dense float32", 1 / 50),
    ("bytes", "compact float32", "dense int4", 1 / 12),
    ("ms", "compact float32", "dense float32", 1 / 3),
    ("ms", "compact float32", "dense int8", 1.0),
)


def _path(folder: str, key: str) -> str:
    """Returns the file of a variant, each in a folder of its own."""
    name, _ = _RUNTIMES[_VARIANTS[key].runtime]
    return os.path.join(folder, key, name)


def _num_bytes(path: str) -> int:
    """Returns the bytes of a file, and of those that belong to it."""
    return sum(
        entry.stat().st_size for entry in os.scandir(os.path.dirname(path))
    )


def _write_network(network: network_lib.Network, folder: str) -> None:
    """Writes the files that are missing, and scores of the Keras models."""
    for case in dict.fromkeys(v.case for v in _VARIANTS.values()):
        keys = [key for key, v in _VARIANTS.items() if v.case == case]
        if all(os.path.exists(_path(folder, key)) for key in keys):
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
        for key in keys:
            variant = _VARIANTS[key]
            if variant.runtime == "LiteRT":
                stored = content
                if variant.precision is not _P.FLOAT32:
                    stored = litert_quantization.store_all(
                        content, variant.precision
                    )
                contents = {litert.FILE_NAME: stored}
            else:
                contents = {onnx.FILE_NAME: onnx.convert(function)}
                if variant.runtime == "OpenVINO":
                    contents = openvino.convert(contents[onnx.FILE_NAME])
            with files.writing_folder(
                os.path.join(folder, key), replace=True
            ) as partial:
                for name, value in contents.items():
                    with open(os.path.join(partial, name), "wb") as file:
                        file.write(value)
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
    paths = {key: _path(folder, key) for key in _VARIANTS}
    inputs = _video(network)
    opened = {
        key: _RUNTIMES[variant.runtime][1](paths[key], num_threads=1)
        for key, variant in _VARIANTS.items()
    }
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
        "bytes": {key: _num_bytes(path) for key, path in paths.items()},
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--network", choices=list(network_lib.NETWORKS), default="paper"
    )
    parser.add_argument("--folder", default="exports")
    arguments = parser.parse_args()
    measure_network(arguments.network, arguments.folder, arguments.rounds)
