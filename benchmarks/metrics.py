"""Times the exact metrics against the starter code's way and scikit-learn.

    python -m benchmarks.metrics
    python -m benchmarks.metrics --stream_videos=1112356

The first command checks that the values agree, and prints one table for GAP@20,
one for MAP, and one for all metrics together. The second also puts as many
videos as the validation split has through `EvaluationMetrics`: 17 GB of
predictions, most of them in the temporary file.

Predictions are drawn at random with 3 labels a video in a long tail, as in
YouTube-8M. A baseline's time is the best of `--repeats` runs, as is ours; a run
starts from the same arrays in memory, in batches of 1,024 videos, and does not
include the making of the predictions. Seconds of these tables are of processor
time, so that others on the machine count little.
"""

import argparse
from collections.abc import Callable
import datetime
import heapq
import os
import platform
import random
import resource
import sys
import time

import numpy as np
import sklearn.metrics
import tabulate

from yt8m_compact import ops
from yt8m_compact.eval import average_precision
from yt8m_compact.eval import metrics

_BATCH_SIZE = 1024
_TOP_K = 20


def make_data(
    num_videos: int, num_classes: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draws predictions of a mediocre model and about 3 labels a video."""
    rng = np.random.default_rng(seed)
    frequencies = 1 / (np.arange(num_classes) + 8.0)
    frequencies *= 3 / frequencies.sum()
    shape = (num_videos, num_classes)
    labels = rng.random(shape, np.float32) < frequencies
    logits = 1.5 * rng.standard_normal(shape, np.float32)
    logits += np.log(frequencies).astype(np.float32) + 4 * labels
    return 1 / (1 + np.exp(-logits)), labels.astype(np.float32)


def batches(*arrays: np.ndarray):
    for start in range(0, len(arrays[0]), _BATCH_SIZE):
        yield [array[start : start + _BATCH_SIZE] for array in arrays]


class HeapGap:
    """GAP in the manner of the starter code, written from its description.

    The first k predictions of every video become (class, prediction, label)
    triplets, are regrouped by class, and pushed one by one onto a heap. At the
    end the heap is shuffled, sorted, and gone through by a loop in Python.
    """

    def __init__(self, k: int):
        self._k = k
        self._heap: list[tuple[float, float]] = []
        self._num_positives = 0.0

    def accumulate(self, predictions: np.ndarray, labels: np.ndarray) -> None:
        """Adds a batch."""
        num_classes = predictions.shape[1]
        triplets = []
        for scores, row in zip(predictions, labels, strict=True):
            first = np.argpartition(scores, -self._k)[-self._k :]
            triplets.extend((c, scores[c], row[c]) for c in first)
        by_class: list[list[tuple[float, float]]]
        by_class = [[] for _ in range(num_classes)]
        for class_index, score, label in triplets:
            by_class[class_index].append((score, label))
        # To Python's float: in NumPy's float32 the sum would be 1e-6 off.
        self._num_positives += sum(
            float(np.sum(labels[:, c])) for c in range(num_classes)
        )
        for entries in by_class:
            for entry in entries:
                heapq.heappush(self._heap, entry)

    def result(self) -> float:
        """Computes GAP of all batches added."""
        return _heap_average_precision(self._heap, self._num_positives)


def _heap_average_precision(
    heap: list[tuple[float, float]], num_positives: float
) -> float:
    """Shuffles and sorts a heap, and goes through it by a loop."""
    entries = np.array(heap, np.float64)
    shuffled = random.Random(0).sample(range(len(entries)), len(entries))
    scores, labels = entries[shuffled].T
    order = sorted(range(len(scores)), key=lambda i: scores[i], reverse=True)
    total, found = 0.0, 0.0
    for rank, index in enumerate(order, start=1):
        if labels[index] > 0:
            found += 1
            total += found / rank / num_positives
    return total


class HeapMetrics:
    """All metrics in the manner of the starter code, from its description.

    A heap for GAP and one for each class, which hold what is among the first k
    predictions of a video; a loop over videos for PERR.
    """

    def __init__(self, num_classes: int, k: int):
        self._k = k
        self._heap: list[tuple[float, float]] = []
        self._heaps: list[list[tuple[float, float]]]
        self._heaps = [[] for _ in range(num_classes)]
        self._num_positives = [0.0] * num_classes
        self._num_hits = 0.0
        self._sum_of_precisions = 0.0
        self._num_videos = 0

    def accumulate(self, predictions: np.ndarray, labels: np.ndarray) -> None:
        """Adds a batch."""
        rows = np.arange(len(predictions))
        self._num_hits += labels[rows, np.argmax(predictions, axis=1)].sum()
        for scores, row in zip(predictions, labels, strict=True):
            self._sum_of_precisions += _loop_precision(scores, row)
        by_class: list[list[tuple[float, float]]]
        by_class = [[] for _ in self._heaps]
        for scores, row in zip(predictions, labels, strict=True):
            for c in np.argpartition(scores, -self._k)[-self._k :]:
                by_class[c].append((scores[c], row[c]))
        for c, entries in enumerate(by_class):
            self._num_positives[c] += float(np.sum(labels[:, c]))
            for entry in entries:
                heapq.heappush(self._heap, entry)
                heapq.heappush(self._heaps[c], entry)
        self._num_videos += len(predictions)

    def result(self) -> dict[str, float]:
        """Computes the metrics of all batches added."""
        precisions = [
            _heap_average_precision(heap, number) if heap else 0.0
            for heap, number in zip(
                self._heaps, self._num_positives, strict=True
            )
            if number
        ]
        return {
            "gap": _heap_average_precision(
                self._heap, sum(self._num_positives)
            ),
            "hit_at_1": self._num_hits / self._num_videos,
            "perr": self._sum_of_precisions / self._num_videos,
            "map": sum(precisions) / len(precisions),
        }


def _loop_precision(scores: np.ndarray, row: np.ndarray) -> float:
    """Computes the precision at the number of labels of a video."""
    number = int(np.sum(row))
    first = np.argpartition(scores, -number)[-number:]
    found = 0.0
    for c in first:
        if scores[c] > 0:
            found += row[c]
    return found / first.size


def heap_metrics(
    predictions: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    calculator = HeapMetrics(predictions.shape[1], _TOP_K)
    for batch in batches(predictions, labels):
        calculator.accumulate(*batch)
    return calculator.result()


def heap_gap(predictions: np.ndarray, labels: np.ndarray) -> float:
    calculator = HeapGap(_TOP_K)
    for batch in batches(predictions, labels):
        calculator.accumulate(*batch)
    return calculator.result()


def our_gap(predictions: np.ndarray, labels: np.ndarray) -> float:
    """GAP alone, by the functions that `EvaluationMetrics` uses."""
    pool, positives = [], []
    num_positives = 0
    for scores, rows in batches(predictions, labels):
        first = ops.top_k_classes(scores, _TOP_K)
        pooled = np.take_along_axis(scores, first, axis=1)
        pool.append(pooled.ravel())
        hits = np.take_along_axis(rows, first, axis=1) > 0
        positives.append(pooled[hits])
        num_positives += np.count_nonzero(rows)
    return average_precision.average_precision(
        np.concatenate(pool), np.concatenate(positives), num_positives
    )


def sklearn_map(predictions: np.ndarray, labels: np.ndarray) -> float:
    return float(
        np.mean(
            [
                sklearn.metrics.average_precision_score(
                    labels[:, c], predictions[:, c]
                )
                for c in np.flatnonzero(labels.any(axis=0))
            ]
        )
    )


def our_result(
    predictions: np.ndarray, labels: np.ndarray, **kwargs: int
) -> dict[str, float | int | None]:
    num_classes = predictions.shape[1]
    with metrics.EvaluationMetrics(num_classes, _TOP_K, **kwargs) as ours:
        for batch in batches(predictions, labels):
            ours.update(*batch)
        return ours.result()


def timed(function: Callable, *args, repeats: int, **kwargs):
    """Returns the result and the seconds of the fastest run."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        result = function(*args, **kwargs)
        seconds.append(time.process_time() - start)
    return result, min(seconds)


def print_table(title: str, num_videos: int, rows: list[tuple]) -> None:
    """Prints (what, value, seconds) rows; the first is the baseline."""
    baseline = rows[0][2]
    table = [
        (
            what,
            f"{value:.12f}",
            f"{seconds:.3f}",
            f"{num_videos / seconds:,.0f}",
            f"{baseline / seconds:.1f}x",
        )
        for what, value, seconds in rows
    ]
    print(
        tabulate.tabulate(
            table,
            [title, "value", "s", "videos/s", "speed"],
            colalign=("left", "right", "right", "right", "right"),
            disable_numparse=True,
        )
    )
    difference = max(abs(value - rows[0][1]) for _, value, _ in rows)
    print(f"largest difference of the values: {difference:.1e}\n")


def compare(num_videos: int, num_classes: int, repeats: int) -> None:
    data = make_data(num_videos, num_classes)
    gap_heap, gap_heap_s = timed(heap_gap, *data, repeats=repeats)
    gap, gap_s = timed(our_gap, *data, repeats=repeats)
    map_sklearn, map_sklearn_s = timed(sklearn_map, *data, repeats=repeats)
    result, result_s = timed(our_result, *data, repeats=repeats)
    spilled, spilled_s = timed(
        our_result, *data, repeats=repeats, memory_limit_bytes=0
    )
    print_table(
        "GAP@20",
        num_videos,
        [
            ("heap, as the starter code", gap_heap, gap_heap_s),
            ("selection and one sort (ours)", gap, gap_s),
        ],
    )
    heaps, heaps_s = timed(heap_metrics, *data, repeats=repeats)
    print_table(
        "all metrics, PERR",
        num_videos,
        [
            ("heaps and loops, as the starter code", heaps["perr"], heaps_s),
            ("EvaluationMetrics", result["perr"], result_s),
        ],
    )
    print_table(
        "MAP",
        num_videos,
        [
            ("scikit-learn, class by class", map_sklearn, map_sklearn_s),
            ("EvaluationMetrics, all metrics", result["map"], result_s),
            ("the same, spilled to disk", spilled["map"], spilled_s),
        ],
    )
    # Equal float32 scores are one threshold for us, and come in a random
    # order in the starter code, which moves the value by some 1e-8. Without
    # ties there is no such difference.
    predictions, labels = data
    jitter = np.random.default_rng(2).uniform(0, 1e-9, predictions.shape)
    distinct = predictions + jitter
    without_ties = abs(heap_gap(distinct, labels) - our_gap(distinct, labels))
    print(f"GAP@20 without ties, difference: {without_ties:.1e}")
    if not (
        without_ties < 1e-12
        and abs(gap - gap_heap) < 1e-6
        and gap == result["gap"]
        and abs(result["map"] - map_sklearn) < 1e-9
        and result == spilled
    ):
        raise AssertionError("expected the values above to agree")


def time_update(num_classes: int) -> None:
    """Prints the cost of one update, which sits in the evaluation loop."""
    rows = []
    for batch_size in (1, 64, 256, 1024):
        batch = make_data(batch_size, num_classes)
        with metrics.EvaluationMetrics(num_classes, _TOP_K) as ours:
            seconds = []
            for _ in range(20):
                start = time.perf_counter()
                ours.update(*batch)
                seconds.append(time.perf_counter() - start)
        median = float(np.median(seconds))
        rows.append(
            (batch_size, f"{1e3 * median:.2f}", f"{batch_size / median:,.0f}")
        )
    print(
        tabulate.tabulate(
            rows,
            ["videos an update", "median ms", "videos/s"],
            colalign=("right", "right", "right"),
            disable_numparse=True,
        ),
        end="\n\n",
    )


def stream(num_videos: int, num_classes: int) -> None:
    """Evaluates more videos than memory holds, each with its own scores."""
    rng = np.random.default_rng(1)
    predictions, labels = make_data(_BATCH_SIZE, num_classes)
    update_s = 0.0
    with metrics.EvaluationMetrics(num_classes, _TOP_K) as ours:
        while ours.num_examples < num_videos:
            count = min(_BATCH_SIZE, num_videos - ours.num_examples)
            scale = rng.uniform(0.5, 1.0, (count, 1)).astype(np.float32)
            batch = predictions[:count] * scale, labels[:count]
            start = time.perf_counter()
            ours.update(*batch)
            update_s += time.perf_counter() - start
        spilled_bytes = ours.spilled_bytes
        start = time.perf_counter()
        ours.result()
        result_s = time.perf_counter() - start
    # Linux gives kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    rows = [
        ("videos", f"{num_videos:,}"),
        ("updates, s", f"{update_s:.1f}"),
        ("result, s", f"{result_s:.1f}"),
        ("videos/s", f"{num_videos / (update_s + result_s):,.0f}"),
        ("temporary file, GB", f"{spilled_bytes / 1e9:.2f}"),
        ("peak memory of the process, GB", f"{peak / 1e9:.2f}"),
    ]
    print(
        tabulate.tabulate(
            rows, colalign=("left", "right"), disable_numparse=True
        ),
        end="\n\n",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_videos", type=int, default=4000)
    parser.add_argument("--num_classes", type=int, default=3862)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--stream_videos", type=int, default=0, help="0 leaves this part out"
    )
    args = parser.parse_args()
    print(
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} CPUs"
        f", "
        f"NumPy {np.__version__}, {args.num_videos:,} videos x "
        f"{args.num_classes:,} classes\n"
    )
    if args.stream_videos:
        stream(args.stream_videos, args.num_classes)
    time_update(args.num_classes)
    compare(args.num_videos, args.num_classes, args.repeats)


if __name__ == "__main__":
    main()
