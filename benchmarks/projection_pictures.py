"""Draws the pictures of docs/projections.md.

    python -m benchmarks.projection_pictures --output_dir=docs/images

`dense_twins.png`: the dense kernels that projections of 12 values to 24 stand
for. `projection_time.png`: time of forward and backward against size, square
projections of 256 rows, all measured in turn in this process. Needs
matplotlib: `pip install -e ".[plot]"`.
"""

import argparse
from collections.abc import Callable
import pathlib
import time

import keras
from matplotlib import pyplot
import numpy as np
import tensorflow as tf
import tqdm

from yt8m_compact import layers

_DRAWN = (
    "dense",
    "circulant",
    "diagonal_circulant",
    "sign_circulant",
    "block_circulant(block_size=4)",
    "low_rank(rank=2)",
    "toeplitz",
    "acdc",
    "fastfood",
    "hashed(num_buckets=24)",
    "monarch",
    "kronecker",
    "leading_columns(columns=8)",
    "toeplitz_like(displacement_rank=1)",
    "sparse(density=0.2)",
    "low_rank(rank=1) + diagonal_circulant",
)
_TIMED = (
    "dense",
    "circulant",
    "diagonal_circulant",
    "block_circulant",
    "low_rank",
    "toeplitz",
    "acdc",
    "fastfood",
)


def draw_twins(path: pathlib.Path) -> None:
    """Draws the dense equivalent of one projection of each structure."""
    figure, axes = pyplot.subplots(
        4, 4, figsize=(12, 8.2), layout="constrained"
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, structure in zip(axes.flat, _DRAWN, strict=False):
        keras.utils.set_random_seed(1)
        layer = layers.Projection(24, structure, use_bias=False)
        layer.build((None, 12))
        kernel = layer.as_dense_kernel().numpy()
        limit = np.abs(kernel).max()
        axis.imshow(kernel, cmap="RdBu", vmin=-limit, vmax=limit)
        count = sum(np.prod(w.shape) for w in layer.trainable_weights)
        axis.set_title(f"{structure}\n{count} parameters", fontsize=9)
    figure.savefig(path, dpi=100)


def _timed(structure: str, size: int, rows: int) -> Callable[[], None]:
    layer = layers.Projection(size, structure, use_bias=False)
    x, upstream = tf.random.normal([2, rows, size])
    layer.build((None, size))

    @tf.function(jit_compile=True)
    def both(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        weights = [weight.value for weight in layer.trainable_weights]
        return y, tape.gradient(y, [x, *weights], upstream)

    def run() -> float:
        start = time.perf_counter()
        y, gradients = both(x, upstream)
        y[0, 0].numpy(), gradients[0][0, 0].numpy()
        return time.perf_counter() - start

    run()
    return run


def draw_times(path: pathlib.Path, sizes: list[int], rows: int) -> None:
    """Measures and draws time against size."""
    times: dict[str, list[float]] = {kind: [] for kind in _TIMED}
    for size in tqdm.tqdm(sizes):
        runs = {kind: _timed(kind, size, rows) for kind in _TIMED}
        best = dict.fromkeys(_TIMED, np.inf)
        for _ in range(7):
            for kind, run in runs.items():
                best[kind] = min(best[kind], run())
        for kind, seconds in best.items():
            times[kind].append(1000 * seconds)
    figure, axis = pyplot.subplots(figsize=(8, 5), layout="constrained")
    for kind, values in times.items():
        axis.loglog(
            sizes,
            values,
            marker="o",
            linewidth=3 if kind == "dense" else 1.5,
            color="black" if kind == "dense" else None,
            label=kind,
        )
    axis.set_xticks(sizes, [str(size) for size in sizes])
    axis.minorticks_off()
    axis.set_xlabel("inputs = outputs")
    axis.set_ylabel("forward and backward, ms")
    axis.set_title(f"{rows} rows, 2 cores, with XLA")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=100)
    for kind, values in times.items():
        print(kind, " ".join(f"{value:.2f}" for value in values))


def main() -> None:
    """Draws both."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output_dir", type=pathlib.Path, required=True)
    parser.add_argument("--sizes", default="64,128,256,512,1024,2048,4096")
    parser.add_argument("--batch_size", type=int, default=256)
    args = parser.parse_args()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    draw_twins(args.output_dir / "dense_twins.png")
    draw_times(
        args.output_dir / "projection_time.png",
        [int(size) for size in args.sizes.split(",")],
        args.batch_size,
    )


if __name__ == "__main__":
    main()
