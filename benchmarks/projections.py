"""Times circulant projections against Dense and against other formulations.

    python -m benchmarks.projections
    python -m benchmarks.projections --shapes=2400x1024x8192 --repeats=5
    python -m benchmarks.projections --output_json=projections.json
    python -m benchmarks.projections --memory

For each shape, batch x inputs x outputs, all run in turn in one process:
`keras.layers.Dense`; the formulation of the paper's released code and that of
PEFT's C3A, written from their descriptions; our layers, without and with XLA.
Forward, and forward and backward (to the input and to all weights), the best
time of `--repeats` rounds. `error` is the largest difference of outputs and
gradients from those of the dense equivalent in float64, as a share of the
largest value, on the first rows.

`--memory` measures, in place of times, the most memory that forward and
backward take with all rows beyond what they take with one row: each in a
process of its own, since TensorFlow keeps what it has freed.

Before the tables: what transforms alone take, which is the floor for the
projection with a diagonal per block.
"""

import argparse
from collections.abc import Callable
import dataclasses
import datetime
import json
import multiprocessing
import os
import platform
import resource
import time

import keras
import numpy as np
import tabulate
import tensorflow as tf
import tqdm

from yt8m_compact import files
from yt8m_compact import layers
from yt8m_compact import ops
from yt8m_compact import structures

_SHAPES = (
    "2400x1024x8192,2400x128x4096,256x8192x512,64x65536x512,256x1024x19310,"
    "256x1152x1152,1x1024x8192,1x8192x512"
)
_BLOCK_SIZE = 256
_CHECKED_ROWS = 8


def paper_block(x: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    """Multiplies by one circulant as the released code of the paper does.

    A real transform of the input and of the reversed vector, their product, an
    inverse transform, a roll by one.
    """
    spectrum = tf.signal.rfft(x) * tf.signal.rfft(column[..., ::-1])
    product = tf.signal.irfft(spectrum, fft_length=[column.shape[-1]])
    return tf.roll(product, 1, axis=-1)


def paper_circulant(x: tf.Tensor, kernel: tf.Tensor, units: int) -> tf.Tensor:
    """Multiplies by blocks as the released code does, without diagonals."""
    blocks = [paper_block(x, column) for column in tf.unstack(kernel)]
    return tf.concat(blocks, axis=-1)[:, :units]


def paper_diagonal_circulant(
    x: tf.Tensor, diagonal: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """As `paper_circulant`, with the block's diagonal before each."""
    blocks = [
        paper_block(x * signs, column)
        for signs, column in zip(
            tf.unstack(diagonal), tf.unstack(kernel), strict=True
        )
    ]
    return tf.concat(blocks, axis=-1)[:, :units]


def complex_block_circulant(
    x: tf.Tensor, kernel: tf.Tensor, units: int
) -> tf.Tensor:
    """Multiplies as C3A of PEFT does: by full complex transforms of blocks.

    Transforms of the input's blocks and of the kernel, a sum over the input's
    blocks of products of spectra (an einsum), an inverse transform, its real
    part.
    """
    in_blocks, out_blocks, size = kernel.shape
    padding = in_blocks * size - x.shape[-1]
    blocks = tf.reshape(
        tf.pad(x, [[0, 0], [0, padding]]), [-1, in_blocks, size]
    )
    spectra = tf.signal.fft(tf.cast(blocks, tf.complex64))
    filters = tf.math.conj(tf.signal.fft(tf.cast(kernel, tf.complex64)))
    products = tf.einsum("rpf,pqf->rqf", spectra, filters)
    y = tf.math.real(tf.signal.ifft(products))
    return tf.reshape(y, [-1, out_blocks * size])[:, :units]


@dataclasses.dataclass
class Case:
    """One way to compute one structure.

    Attributes:
        structure: what it computes.
        method: how.
        multiply: from rows and weights to the outputs.
        weights: by name.
        dense_kernel: from the weights to the dense equivalent's kernel.
    """

    structure: str
    method: str
    multiply: Callable[..., tf.Tensor]
    weights: dict[str, tf.Tensor]
    dense_kernel: Callable[..., tf.Tensor]
    jit_compile: bool = False
    forward_ms: float = np.inf
    both_ms: float = np.inf
    error: float = 0.0

    def compile(self) -> None:
        """Makes the two functions that are timed."""

        def forward(x, weights):
            return self.multiply(x, **weights)

        def both(x, weights, upstream):
            with tf.GradientTape() as tape:
                tape.watch([x, weights])
                y = self.multiply(x, **weights)
            with tf.control_dependencies([y]):  # as in training
                upstream = tf.identity(upstream)
            return y, tape.gradient(y, [x, weights], upstream)

        self.forward = tf.function(forward, jit_compile=self.jit_compile)
        self.both = tf.function(both, jit_compile=self.jit_compile)


def _layer_case(
    kind: str, input_dim: int, units: int, jit_compile: bool, **options
) -> Case:
    layer = layers.Projection(
        units, structures.STRUCTURES[kind](**options), use_bias=False
    )
    layer.build((None, input_dim))
    names = [variable.name for variable in layer.weights]

    def multiply(x, **weights):
        values = [weights[name] for name in names]
        return layer.stateless_call(values, [], x)[0]

    def dense_kernel(**weights):
        return {
            "dense": lambda kernel: kernel,
            "circulant": lambda kernel: ops.circulant_kernel(kernel, units),
            "block_circulant": lambda kernel: ops.block_circulant_kernel(
                kernel, input_dim, units
            ),
            "diagonal_circulant": lambda kernel, diagonal: (
                ops.diagonal_circulant_kernel(diagonal, kernel, units)
            ),
        }[kind](**weights)

    structure = kind
    if kind == "diagonal_circulant":
        shared = options.get("shared_diagonal", False)
        structure = f"diagonal_circulant, {'shared' if shared else 'per block'}"
    if kind == "block_circulant":
        structure = f"block_circulant, {options['block_size']}"
    return Case(
        structure,
        "ours, XLA" if jit_compile else "ours",
        multiply,
        {name: layer.weights[i].value for i, name in enumerate(names)},
        dense_kernel,
        jit_compile,
    )


def make_cases(input_dim: int, units: int) -> list[Case]:
    """Lists everything that is timed for a shape, Dense first."""
    dense = keras.layers.Dense(units, use_bias=False)
    dense.build((None, input_dim))
    cases = [
        Case(
            "dense",
            "keras.layers.Dense",
            lambda x, kernel: dense.stateless_call([kernel], [], x)[0],
            {"kernel": dense.kernel.value},
            lambda kernel: kernel,
        )
    ]

    def add(kind: str, baselines, **options) -> None:
        ours = _layer_case(kind, input_dim, units, False, **options)
        cases.extend(
            Case(ours.structure, name, f, ours.weights, ours.dense_kernel, jit)
            for name, f, jit in baselines
        )
        compiled = _layer_case(kind, input_dim, units, True, **options)
        compiled.weights = ours.weights
        cases.extend([ours, compiled])

    def paper(x, kernel):
        return paper_circulant(x, kernel, units)

    def paper_diagonal(x, kernel, diagonal):
        # Where a diagonal is shared, the paper's code has it in each block.
        diagonal = tf.broadcast_to(diagonal[0], kernel.shape[1:])
        return paper_diagonal_circulant(x, diagonal, kernel[0], units)

    def c3a(x, kernel):
        kernel = kernel if kernel.shape.rank == 3 else kernel[tf.newaxis]
        return complex_block_circulant(x, kernel, units)

    add("circulant", [("paper", paper, False), ("C3A", c3a, False)])
    for shared in (True, False):
        baselines = [("paper", paper_diagonal, False)]
        if not shared:
            baselines.append(("paper, XLA", paper_diagonal, True))
        add("diagonal_circulant", baselines, shared_diagonal=shared)
    add("block_circulant", [("C3A", c3a, False)], block_size=_BLOCK_SIZE)
    return cases


def check(case: Case, x: tf.Tensor, upstream: tf.Tensor) -> None:
    """Compares outputs and gradients with the dense equivalent's in float64."""
    x, upstream = x[:_CHECKED_ROWS], upstream[:_CHECKED_ROWS]
    y, (of_x, of_weights) = case.both(x, case.weights, upstream)
    wide = {k: tf.cast(v, tf.float64) for k, v in case.weights.items()}
    x, upstream = tf.cast(x, tf.float64), tf.cast(upstream, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch([x, wide])
        expected = x @ case.dense_kernel(**wide)
    gradients = tape.gradient(expected, [x, wide], upstream)
    pairs = [(y, expected), (of_x, gradients[0])]
    pairs += [(of_weights[k], gradients[1][k]) for k in wide]
    case.error = max(
        float(
            tf.reduce_max(tf.abs(tf.cast(ours, tf.float64) - theirs))
            / tf.reduce_max(tf.abs(theirs))
        )
        for ours, theirs in pairs
    )


def _seconds(function: Callable, *args) -> float:
    start = time.perf_counter()
    # Whatever has to be computed for one value of the outputs is all of it.
    tf.nest.map_structure(lambda t: t[..., 0].numpy(), function(*args))
    return time.perf_counter() - start


def _peak_megabytes(shape: str, index: int) -> float:
    """Measures the memory of a case that grows with the rows."""
    rows, input_dim, units = (int(size) for size in shape.split("x"))
    # Before TensorFlow has started its threads, a process may be forked.
    context = multiprocessing.get_context("fork")
    peaks = []
    for some_rows in (1, rows):
        queue = context.Queue()
        child = context.Process(
            target=_run_alone, args=(some_rows, input_dim, units, index, queue)
        )
        child.start()
        peaks.append(queue.get(timeout=600))
        child.join()
    return peaks[1] - peaks[0]


def _run_alone(rows, input_dim, units, index, queue) -> None:
    case = make_cases(input_dim, units)[index]
    case.compile()
    x = tf.random.normal([rows, input_dim])
    upstream = tf.random.normal([rows, units])
    for _ in range(2):
        case.both(x, case.weights, upstream)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    queue.put(kilobytes / 1024)


def run_shape(shape: str, args: argparse.Namespace) -> list[Case]:
    """Checks, measures and prints all cases of a shape."""
    rows, input_dim, units = (int(size) for size in shape.split("x"))
    print(f"\n{shape}\n")
    keras.utils.set_random_seed(0)
    x = tf.random.normal([rows, input_dim])
    upstream = tf.random.normal([rows, units])
    cases = make_cases(input_dim, units)
    for case in cases:
        case.compile()
        check(case, x, upstream)
        case.forward(x, case.weights)
        case.both(x, case.weights, upstream)
    for _ in range(args.repeats):
        for case in cases:
            forward = _seconds(case.forward, x, case.weights)
            both = _seconds(case.both, x, case.weights, upstream)
            case.forward_ms = min(case.forward_ms, 1000 * forward)
            case.both_ms = min(case.both_ms, 1000 * both)
    print(_table(cases), flush=True)
    return cases


def _table(cases: list[Case]) -> str:
    dense = cases[0]
    table = []
    for case in cases:
        first = next(c for c in cases if c.structure == case.structure)
        table.append(
            [
                case.structure if case is first else "",
                case.method,
                f"{case.forward_ms:.2f}",
                f"{dense.forward_ms / case.forward_ms:.2f}",
                f"{first.forward_ms / case.forward_ms:.2f}",
                f"{case.both_ms:.2f}",
                f"{dense.both_ms / case.both_ms:.2f}",
                f"{first.both_ms / case.both_ms:.2f}",
                f"{case.error:.0e}",
            ]
        )
    times = ["forward ms", "x Dense", "x first"]
    times += ["f + b ms", "x Dense", "x first", "error"]
    return _format(table, times)


def _format(table: list[list[str]], headers: list[str]) -> str:
    return tabulate.tabulate(
        table,
        ["structure", "method", *headers],
        tablefmt="github",
        disable_numparse=True,
        colalign=["left", "left"] + ["right"] * len(headers),
    )


def print_memory(shapes: list[str]) -> None:
    """Prints the memory of all cases, one column a shape."""
    names = _names()
    columns = [
        [f"{_peak_megabytes(shape, index):.0f}" for index in range(len(names))]
        for shape in tqdm.tqdm(shapes)
    ]
    rows = [
        [*name, *values] for name, *values in zip(names, *columns, strict=True)
    ]
    print(_format(rows, [f"{shape}, MB" for shape in shapes]))


def _names() -> list[tuple[str, str]]:
    """Lists structures and methods, without starting TensorFlow here."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(_names_of_cases)


def _names_of_cases() -> list[tuple[str, str]]:
    return [(case.structure, case.method) for case in make_cases(8, 8)]


def print_floor(repeats: int) -> dict[str, float]:
    """Times the transforms alone of 2400 x 1024 -> 8192."""
    x = tf.random.normal([2400, 8, 1024])
    spectrum = tf.signal.rfft(x)
    forward = tf.function(lambda x: tf.signal.rfft(x))
    inverse = tf.function(lambda s: tf.signal.irfft(s, [1024]))
    times = {"rfft": np.inf, "irfft": np.inf}
    for _ in range(repeats + 2):
        times["rfft"] = min(times["rfft"], 1000 * _seconds(forward, x))
        times["irfft"] = min(times["irfft"], 1000 * _seconds(inverse, spectrum))
    work = 2400 * 8 * 2.5 * 1024 * np.log2(1024) / 1e6
    both = times["rfft"] + times["irfft"]
    print(
        "19,200 real transforms of 1,024 values, 2.5 n log2 n operations each:"
        f" forward {times['rfft']:.1f} ms ({work / times['rfft']:.0f} GFLOP/s),"
        f" inverse {times['irfft']:.1f} ms "
        f"({work / times['irfft']:.0f} GFLOP/s).\n"
        "2400 x 1024 -> 8192, forward and backward, transforms alone: "
        f"{both * 9 / 8:.1f} ms with one diagonal or none, {2 * both:.1f} ms "
        "with a diagonal per block."
    )
    return times


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--shapes", default=_SHAPES)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--output_json", default=None)
    parser.add_argument("--memory", action="store_true")
    args = parser.parse_args()
    machine = {
        "date": str(datetime.date.today()),
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    if args.memory:
        print_memory(args.shapes.split(","))
        return
    results = {"machine": machine}
    results["transforms_ms"] = print_floor(args.repeats)
    results["shapes"] = {
        shape: [
            {
                field.name: getattr(case, field.name)
                for field in dataclasses.fields(case)
                if field.name not in ("multiply", "weights", "dense_kernel")
            }
            for case in run_shape(shape, args)
        ]
        for shape in args.shapes.split(",")
    }
    if args.output_json:
        with files.writing(args.output_json) as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
