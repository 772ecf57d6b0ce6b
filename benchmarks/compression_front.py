r"""Accuracy against the bytes of the shipped files, on real data.

    python -m benchmarks.compression_front --data_dir=DATA --work_dir=WORK \
      --cases='budget|low_rank' --seeds=0,1,2
    python -m benchmarks.compression_front --plot --table

DATA is as in benchmarks/accuracy.py. Each case is a model of some structure and
some precision, and learns from what the same dense teachers say, for the same
number of steps; int8 and int4 are the floats rounded, ternary and binary start
from the floats and are trained straight through. What is measured is the packed
model as it is shipped, its `weights.safetensors` and `config.json`; the bytes
of deep_compression@coded are counted, since no file has that code.

The cases come one after the other, and each ends with a row of the CSV file;
what is there is skipped, so that the program may be stopped at any time, and
several may run beside each other with other cases. `--split=validation` is for
choices (YouTube-8M: trains on 0000 to 0069, evaluates on 0070 to 0079), `test`
for the final figures (trains on 0000 to 0079, evaluates on 0080 to 0099;
AudioSet: a tenth of the videos, by a hash). One thread computes all, and so the
times of one row; a case takes one to four minutes.
"""

import argparse
import pathlib
import re

import tensorflow as tf
import tqdm

from benchmarks.front import cases as cases_lib
from benchmarks.front import data_sets
from benchmarks.front import experiment as experiment_lib
from benchmarks.front import picture
from benchmarks.front import results
from benchmarks.front import summary

_CSV = pathlib.Path("benchmarks/results/compression_front.csv")
_PICTURE = pathlib.Path("docs/images/compression_front.png")
_DATA_SETS = (cases_lib.YT8M, cases_lib.AUDIOSET)


def _choose(args: argparse.Namespace) -> list[cases_lib.Case]:
    return [
        case
        for case in cases_lib.all_cases()
        if case.data in args.data
        and (case.is_aimed or not args.budget_cases)
        and re.search(args.cases, case.name)
    ]


def _measure(args: argparse.Namespace) -> None:
    """Measures the cases that are not in the file."""
    experiments = {
        data: experiment_lib.Experiment(
            data_sets.make(
                data, args.split, args.data_dir, args.work_dir, args.num_steps
            ),
            args.work_dir,
            cases_lib.teachers(data),
        )
        for data in args.data
    }
    todo = [
        (case, seed)
        for case in _choose(args)
        for seed in args.seeds
        # Everybody learns from those of one seed.
        if case.family != "teacher" or seed == 0
    ]
    for case, seed in tqdm.tqdm(todo, desc="cases"):
        # Read again each time: another process may have added some.
        done = {row.key for row in results.read(args.output_csv)}
        if (case.data, args.split, case.name, seed) in done:
            continue
        row = experiments[case.data].measure(case, seed)
        results.append(args.output_csv, row)
        tqdm.tqdm.write(
            f"{row.case}, seed {seed}: {row.metric} {row.value:.4f}, "
            f"{row.bytes / 1e6:.4f} MB, {row.row_ms:.2f} ms a video"
        )


def _show(args: argparse.Namespace) -> None:
    """Draws and writes what is in the file."""
    rows = results.read(args.output_csv)
    points = {
        data: found
        for data in args.data
        if (found := summary.points(rows, data, args.split))
    }
    if args.plot is not None:
        picture.draw(points, args.plot)
    if args.table:
        for data, found in points.items():
            if data == cases_lib.YT8M:
                print(summary.format_aims(found), end="\n\n")
            print(summary.format_points(found), end="\n\n")


def main(arguments: list[str] | None = None) -> None:
    """Measures cases, or shows what was measured.

    Args:
        arguments: the command line; None is that of the process.
    """
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", help="measures cases on this data")
    parser.add_argument("--work_dir", help="folder of the models")
    parser.add_argument(
        "--data",
        type=lambda text: text.split(","),
        default=_DATA_SETS,
        help="data sets, comma-separated: yt8m,audioset",
    )
    parser.add_argument("--split", choices=data_sets.SPLITS, default="test")
    parser.add_argument(
        "--cases", default="", help="regular expression of names of cases"
    )
    parser.add_argument(
        "--budget_cases",
        action="store_true",
        help="only those of the table of aims",
    )
    parser.add_argument(
        "--seeds",
        type=lambda text: [int(seed) for seed in text.split(",")],
        default=(0,),
        help="comma-separated",
    )
    parser.add_argument("--num_steps", type=int, default=None)
    parser.add_argument("--output_csv", type=pathlib.Path, default=_CSV)
    parser.add_argument(
        "--plot", nargs="?", type=pathlib.Path, const=_PICTURE, default=None
    )
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args(arguments)
    if unknown := sorted(set(args.data) - set(_DATA_SETS)):
        parser.error(
            f"expected --data among {', '.join(_DATA_SETS)}. Received: "
            f"{', '.join(unknown)}"
        )
    if bool(args.data_dir) != bool(args.work_dir):
        parser.error(
            "expected both of --data_dir and --work_dir, or none. Received: "
            f"data_dir={args.data_dir!r}, work_dir={args.work_dir!r}"
        )
    if args.data_dir:
        _measure(args)
    _show(args)


if __name__ == "__main__":
    # Before TensorFlow's first operation: a row's time is that of one thread.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    main()
