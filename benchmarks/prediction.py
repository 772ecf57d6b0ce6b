r"""Times predictions: of one video, and of files of video-level records.

    python -m benchmarks.prediction --rounds=10
    python -m benchmarks.prediction --train_dir=runs/logistic \
      --input_data_pattern='data/validate*.tfrecord'

The first is the paper's network (see benchmarks/training_step.py), dense and
with D·C everywhere, for one video of 30 frames: the Keras model called eagerly;
the same as a `tf.function`; the function of `yt8m-predict`, whose weights are
frozen; and the signature of the SavedModel that `yt8m-export` writes. They take
turns in one process, and the best of each counts. The floor is what the weights
take to be read, by the measured bandwidth, the products of several frames by
the measured rate of such, and the transforms of D·C.

The second says where the processor's time goes in `yt8m-predict` and
`yt8m-eval` of a run, beside that of the model's matrix products alone.
"""

import argparse
from collections.abc import Callable
import dataclasses
import functools
import os
import tempfile
import time

import keras
import numpy as np
import tabulate
import tensorflow as tf
import tqdm

from benchmarks import training_step
from benchmarks.steps import cases
from benchmarks.steps import floor
from benchmarks.steps import network as network_lib
from benchmarks.steps import our_step
from yt8m_compact import layers
from yt8m_compact import readers
from yt8m_compact.eval import evaluation
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.run import train_dir as train_dir_lib

_CASES = ("dense", "everywhere", "everywhere_shared")
_CALLS = 10


def _ways_to_predict(
    case: str, network: network_lib.Network, folder: str
) -> dict[str, Callable[[], tf.Tensor]]:
    """Makes functions that predict one video."""
    config = our_step.make_config(network, cases.CASES[case].structures, None)
    keras.utils.set_random_seed(0)
    model = train_dir_lib.build_model(config)
    batch = network_lib.make_batch(network)
    inputs = {name: batch[name] for name in ("frames", "num_frames")}
    module = serving.ServingModule(config, model, top_k=1)
    path = os.path.join(folder, case)
    serving.save(module, path)
    _, served = serving.load(path)
    eager = functools.partial(model, inputs, training=False)
    compiled = tf.function(
        lambda **inputs: model(inputs, training=False), autograph=False
    )
    frozen = predictors.predictor_from_module(module).predict
    ways = {
        "Keras, eager": eager,
        "compiled": lambda: compiled(**inputs),
        "yt8m-predict": lambda: frozen(**inputs)["predictions"],
        "SavedModel": lambda: served(**inputs)["predictions"],
    }
    expected = eager()
    for predict in ways.values():
        np.testing.assert_allclose(predict(), expected, atol=1e-5)
    return ways


def _floor_ms(rates: floor.Rates, products: list[network_lib.Product]) -> float:
    """Computes what a prediction takes at least."""
    seconds = 0.0
    for product in products:
        seconds += 4 * product.weights / rates.bytes_per_second
        if product.structure != network_lib.DENSE:
            inputs = product.blocks
            if product.structure == network_lib.SHARED:
                inputs = 1
            number = product.rows * (inputs + product.blocks)
            seconds += number * rates.transform_seconds[product.inputs]
        elif product.rows > 1:
            size = product.rows * product.inputs * product.units
            seconds += 2 * size / rates.operations_per_second
    return 1000 * seconds


def measure_one_video(names: list[str], network: str, rounds: int) -> str:
    """Times predictions of one video, and writes a table.

    Args:
        names: the cases.
        network: the name of the network.
        rounds: how often each has its turn.
    """
    sizes = dataclasses.replace(network_lib.NETWORKS[network], batch_size=1)
    products = {name: cases.CASES[name].products(sizes) for name in names}
    rates = floor.Rates(p for some in products.values() for p in some)
    best: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        ways = {
            (name, way): predict
            for name in names
            for way, predict in _ways_to_predict(name, sizes, folder).items()
        }
        for _ in tqdm.trange(rounds, desc="rounds"):
            rates.measure()
            for key, predict in ways.items():
                for _ in range(_CALLS):
                    start = time.perf_counter()
                    predict().numpy()
                    seconds = time.perf_counter() - start
                    best[key] = min(best.get(key, np.inf), seconds)
    labels = list(dict.fromkeys(way for _, way in best))
    rows = []
    for name in names:
        times = [1000 * best[name, way] for way in labels]
        least = _floor_ms(rates, products[name])
        rows.append([name, *times, least])
    table = tabulate.tabulate(
        rows,
        ["one video, ms", *labels, "floor"],
        tablefmt="github",
        floatfmt=".2f",
    )
    machine = training_step.format_machine(
        {
            "gflops": rates.operations_per_second / 1e9,
            "gigabytes_per_second": rates.bytes_per_second / 1e9,
            "transform_microseconds": {
                length: 1e6 * seconds
                for length, seconds in rates.transform_seconds.items()
            },
        }
    )
    return f"{table}\n\n{machine}"


def _processor_seconds(function: Callable[[], object], repeats: int) -> float:
    """Measures the time of the processor, the least of some runs."""
    best = np.inf
    function()
    for _ in range(repeats):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return best


def measure_records(train_dir: str, pattern: str, repeats: int) -> str:
    """Says where the time of predictions of video-level records goes.

    Args:
        train_dir: the folder of the run.
        pattern: the files.
        repeats: how often each part is run; the least time counts.
    """
    run = train_dir_lib.TrainDir(train_dir)
    _, model, _ = run.restore_model()
    predictor = predictors.predictor_from_train_dir(train_dir)
    evaluator = evaluation.Evaluator(train_dir, pattern)
    files = readers.expand_patterns(pattern)
    dataset = readers.make_dataset(predictor.reader, files, batch_size=256)
    blocks = list(dataset.rebatch(64))
    shapes = [
        (layer.input_dim, layer.units)
        for layer in model.layers
        if isinstance(layer, layers.Projection)
    ]
    kernels = [tf.random.normal(shape) for shape in shapes]
    rows = [tf.random.normal([64, shape[0]]) for shape in shapes]

    @tf.function(autograph=False)
    def multiply():
        return [x @ w for x, w in zip(rows, kernels, strict=True)]

    def for_blocks(function):
        return lambda: [function(block) for block in blocks]

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.csv")
        parts = {
            "products of the sizes of the model's layers": for_blocks(
                lambda block: multiply()
            ),
            "reading": lambda: [None for _ in dataset],
            "the model": for_blocks(
                lambda block: predictor.predict(features=block["features"])
            ),
            "yt8m-predict": lambda: predictors.write_csv(
                predictor, pattern, path
            ),
            "yt8m-eval": evaluator.evaluate,
        }
        measured = [
            [name, _processor_seconds(function, repeats)]
            for name, function in parts.items()
        ]
    number = sum(len(block["id"]) for block in blocks)
    return tabulate.tabulate(
        measured,
        [f"{number:,} videos", "seconds of the processor"],
        tablefmt="github",
        floatfmt=".2f",
    )


def main(arguments: list[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--network", choices=tuple(network_lib.NETWORKS), default="paper"
    )
    parser.add_argument("--cases", default=",".join(_CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--train_dir", default=None)
    parser.add_argument("--input_data_pattern", default=None)
    args = parser.parse_args(arguments)
    if bool(args.train_dir) != bool(args.input_data_pattern):
        parser.error(
            "expected both of --train_dir and --input_data_pattern, or none. "
            f"Received: train_dir={args.train_dir!r}, "
            f"input_data_pattern={args.input_data_pattern!r}"
        )
    if args.train_dir:
        print(
            measure_records(
                args.train_dir, args.input_data_pattern, args.rounds
            )
        )
        return
    print(measure_one_video(args.cases.split(","), args.network, args.rounds))


if __name__ == "__main__":
    main()
