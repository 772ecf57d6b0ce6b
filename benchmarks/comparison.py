"""Times a comparison of as many videos as YouTube-8M has, beside its aims.

    python -m benchmarks.comparison
    python -m benchmarks.comparison --num_classes=500

Puts simulated videos of two models through `EvaluationMetrics`, one after the
other as yt8m-eval does, and prints what intervals, paired differences and the
details of classes cost on top of the metrics, and the memory of the process;
then times all metrics of a few videos against the starter code's way, heaps and
loops.

Scores are drawn at random with 3 labels a video in a long tail; they are 17 GB
a model, most of them in a temporary file. Seconds are of processor time, so
that others on the machine count little. The last table has the aims, which are
for the default arguments.
"""

import argparse
import datetime
import os
import platform
import resource
import sys
import time

import numpy as np
import tabulate

from benchmarks import metrics as simulated
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval.insight import details as details_lib

_BATCH_SIZE = 1024
_HEAP_VIDEOS = 4000


class Clock:
    """Sums the processor time of what is called through it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, function, *args):
        """Calls a function."""
        start = time.process_time()
        result = function(*args)
        self.seconds += time.process_time() - start
        return result


def evaluate(
    noise: float, num_videos: int, num_classes: int, draws: bootstrap.Draws
) -> tuple[dict[str, float], dict[str, np.ndarray], dict[str, float]]:
    """Evaluates simulated videos; returns metrics, draws and seconds."""
    predictions, labels = simulated.make_data(_BATCH_SIZE, num_classes)
    rng = np.random.default_rng(1)
    metrics_time, draws_time, details_time = Clock(), Clock(), Clock()
    details = details_lib.Details(num_classes)
    map_draws = bootstrap.MapDraws(draws)
    with metrics_lib.EvaluationMetrics(num_classes) as metrics:
        while metrics.num_examples < num_videos:
            count = min(_BATCH_SIZE, num_videos - metrics.num_examples)
            scale = rng.uniform(1 - noise, 1.0, (count, 1)).astype(np.float32)
            ranking = metrics_time(
                metrics.update, predictions[:count] * scale, labels[:count]
            )
            details_time(details.on_ranking, ranking)

        def on_class(ranking):
            draws_time(map_draws.on_class, ranking)
            details_time(details.on_class, ranking)

        values = metrics_time(metrics.result, on_class)
        metrics_time.seconds -= draws_time.seconds
        best = metrics.best_classes()
        found = {
            "gap": draws_time(draws.gap, best),
            "hit_at_1": draws_time(draws.means, best.hit_at_1),
            "perr": draws_time(draws.means, best.precision),
            "map": map_draws.result(),
        }
        details_time(details.finish, best)
    metrics_time.seconds -= details_time.seconds
    return (
        values,
        found,
        {
            "metrics": metrics_time.seconds,
            "intervals": draws_time.seconds,
            "details": details_time.seconds,
        },
    )


def _peak_memory() -> float:
    # Linux gives kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_videos", type=int, default=1_112_356)
    parser.add_argument("--num_classes", type=int, default=3862)
    args = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs"
        f", NumPy {np.__version__}, {args.num_videos:,} videos x "
        f"{args.num_classes:,} classes, {bootstrap.NUM_DRAWS} draws\n"
    )
    imported = _peak_memory()
    drawing = Clock()
    draws = drawing(bootstrap.Draws, args.num_videos)
    rows = [("drawing the videos, s", drawing.seconds)]
    found = []
    metrics_s, intervals_s = 0.0, drawing.seconds
    for name, noise in (("A", 0.5), ("B", 0.3)):
        values, of_draws, seconds = evaluate(
            noise, args.num_videos, args.num_classes, draws
        )
        found.append((values, of_draws))
        rows += [(f"{name}: {key}, s", s) for key, s in seconds.items()]
        metrics_s = max(metrics_s, seconds["metrics"])
        intervals_s += seconds["intervals"]
    peak = _peak_memory()
    rows.append(("peak memory of the process, GB", peak))
    rows.append(("of that, what was imported, GB", imported))
    print(tabulate.tabulate(rows, floatfmt=".2f"), end="\n\n")
    (a, draws_a), (b, draws_b) = found
    for metric in draws_a:
        half = bootstrap.half_width(draws_b[metric] - draws_a[metric])
        alone = bootstrap.half_width(draws_a[metric])
        difference = b[metric] - a[metric]
        print(
            f"{metric}: A {a[metric]:.5f} +- {alone:.5f}, B - A "
            f"{difference:+.5f} +- {half:.5f}"
        )
    # Last, since its lists of Python's numbers take memory.
    data = simulated.make_data(_HEAP_VIDEOS, args.num_classes)
    _, ours_s = simulated.timed(simulated.our_result, *data, repeats=3)
    _, heap_s = simulated.timed(simulated.heap_metrics, *data, repeats=3)
    aims = [
        (
            f"all metrics of {_HEAP_VIDEOS:,} videos, times as fast as by "
            "heaps and loops",
            f"{heap_s / ours_s:.1f}",
            "9 or more",
        ),
        ("all metrics of a model, s", f"{metrics_s:.1f}", "below 60"),
        ("intervals of both models, s", f"{intervals_s:.1f}", "below 60"),
        ("memory of all that, GiB", f"{peak * 1e9 / 2**30:.2f}", "below 1"),
    ]
    print()
    print(
        tabulate.tabulate(
            aims,
            ["what", "found", "aim"],
            colalign=("left", "right", "right"),
            disable_numparse=True,
        )
    )


if __name__ == "__main__":
    main()
