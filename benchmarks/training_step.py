r"""Time of a training step: dense and compact, without and with XLA.

    python -m benchmarks.training_step
    python -m benchmarks.training_step --model=AttentionModel \
      --feature_sizes=128 --frames=10 --batch_size=128 --classes=527

Random frames stand for data; the step is that of yt8m-train. All four run in
turn in one process, several times over; the best time of each counts.
"""

import argparse
import time

import keras
import numpy as np
import tabulate
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import ops


def _make_config(kind: str, args: argparse.Namespace) -> models.ModelConfig:
    """Makes a model all of whose projections are of a kind."""
    if args.model == "AttentionModel":
        return models.AttentionConfig(
            iterations=args.frames,
            embedding_projection=kind,
            attention_projection=kind,
            classifier_projection=kind,
        )
    return models.DbofConfig(
        iterations=args.frames,
        dbof_cluster_size=args.clusters,
        dbof_hidden_size=args.hidden,
        embedding_projection=kind,
        fc_projection=kind,
        classifier_projection=kind,
    )


def _make_step(kind: str, jit_compile: bool, args: argparse.Namespace):
    """Makes a function that trains one step, on the same batch each time."""
    sizes = [int(size) for size in args.feature_sizes.split(",")]
    keras.utils.set_random_seed(0)
    model = _make_config(kind, args).build(
        feature_sizes=sizes, num_classes=args.classes
    )
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=ops.LOSSES["CrossEntropyLoss"],
        jit_compile=jit_compile,
    )
    rng = np.random.default_rng(0)
    shape = (args.batch_size, args.frames, sum(sizes))
    inputs = {
        "frames": tf.constant(rng.integers(0, 256, shape, np.uint8)),
        "num_frames": tf.fill([args.batch_size], args.frames),
    }
    labels = tf.constant(
        rng.random((args.batch_size, args.classes)) < 3 / args.classes,
        tf.float32,
    )
    dataset = tf.data.Dataset.from_tensors((inputs, labels))

    def step() -> float:
        start = time.perf_counter()
        model.fit(dataset.repeat(args.steps), verbose=0, shuffle=False)
        return (time.perf_counter() - start) / args.steps

    return step


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", choices=("DbofModel", "AttentionModel"), default="DbofModel"
    )
    parser.add_argument("--feature_sizes", default="1024,128")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--clusters", type=int, default=2304)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--classes", type=int, default=500)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=4)
    args = parser.parse_args()
    cases = {
        (kind, jit): _make_step(kind, jit, args)
        for kind in ("dense", "diagonal_circulant")
        for jit in (False, True)
    }
    for step in cases.values():
        step()  # builds and compiles
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(args.repeats):
        for case, step in cases.items():
            best[case] = min(best[case], step())
    slowest = best["dense", False]
    rows = [
        [kind, "yes" if jit else "no", f"{1000 * seconds:.0f}"]
        + [f"{slowest / seconds:.2f}"]
        for (kind, jit), seconds in best.items()
    ]
    print(
        tabulate.tabulate(
            rows,
            [args.model, "XLA", "ms a step", "speed against dense without XLA"],
            tablefmt="github",
            disable_numparse=True,
            colalign=["left", "left", "right", "right"],
        )
    )


if __name__ == "__main__":
    main()
