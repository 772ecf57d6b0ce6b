r"""Times the training step of yt8m-train against those of the released codes.

    python -m benchmarks.training_step --network=paper --output_json=steps.json
    python -m benchmarks.training_step --cases=dense,everywhere --rounds=3

The network is that of the paper: rgb and audio, 8,192 and 4,096 clusters, 30
frames, 80 videos, 512 hidden units a feature, a mixture of 4 experts and
context gating over 3,862 classes. `dense`, `fc`, `embedding_fc`, `everywhere`
and `everywhere_shared` are trained by the loop of yt8m-train, with D·C in these
places; `starter`, `paper_dense` and `paper_everywhere` are graphs in the style
of TensorFlow 1, written from descriptions of the released codes
(`paper_everywhere_ungated` is without context gating, as released).

Each case is a process of its own, for its peak of memory; they take their steps
in turn, a few a round, and the best of each counts. A prediction of one video,
by the function of yt8m-predict, is timed likewise. The floor is what a step
takes at least by the measured rates of matrix products, transforms and memory,
one after the other: `benchmarks/steps/floor.py` says what is counted.
"""

import argparse
from collections.abc import Mapping
import datetime
import json
import os
import platform
from typing import Any

import tabulate
import tqdm

from benchmarks.steps import cases as cases_lib
from benchmarks.steps import network as network_lib
from benchmarks.steps import worker
from yt8m_compact import files

# What is compared, of which measurement, and at least how many times.
_AIMS = (
    ("dense", "paper_dense", "ms", 1.1),
    ("everywhere", "paper_everywhere", "ms", 1.8),
    ("everywhere", "paper_everywhere_ungated", "ms", 1.8),
    ("everywhere_shared", "dense", "ms", 3.5),
    ("everywhere", "paper_everywhere", "peak_mb", 2.0),
    ("everywhere", "dense", "forward_batch_1_ms", 4.0),
)
_WHAT = {
    "ms": "a step",
    "peak_mb": "memory",
    "forward_batch_1_ms": "a prediction",
}


def measure(
    names: list[str],
    network: str,
    *,
    rounds: int,
    steps: int,
    predictions: int,
    jit_compile: bool | None = None,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measures cases, all in turn, each in a process of its own.

    Args:
        names: the cases.
        network: the name of the network.
        rounds: how often each has its turn; the best step counts.
        steps: steps of a turn.
        predictions: predictions of a turn.
        jit_compile: whether XLA compiles our steps; None is yt8m-train's
            choice.

    Returns:
        For each case what is written as JSON; and the machine's rates.
    """
    rates = worker.Worker("rates", worker.RatesRunner, names, network)
    workers = {
        name: worker.Worker(name, worker.CaseRunner, name, network, jit_compile)
        for name in names
    }
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    try:
        # One by one: two that compile at once may not find the memory.
        facts = {}
        for name, one in tqdm.tqdm(workers.items(), "compile"):
            facts[name] = {**one.call("describe"), **one.call("warm_up")}
        for _ in tqdm.trange(rounds, desc="rounds"):
            found = rates.call("measure")
            for name, one in workers.items():
                measured[name].append(one.call("run", steps, predictions))
    finally:
        for one in (rates, *workers.values()):
            one.close()
    batch_size = network_lib.NETWORKS[network].batch_size
    return [
        make_record(name, facts[name], measured[name], found, batch_size)
        for name in names
    ], found


def make_record(
    name: str,
    facts: Mapping[str, Any],
    measured: list[Mapping[str, Any]],
    rates: Mapping[str, Any],
    batch_size: int,
) -> dict[str, Any]:
    """Writes what was measured of a case: the best of each.

    Args:
        name: the case.
        facts: from `CaseRunner.describe` and `warm_up`.
        measured: from `CaseRunner.run`, one a round.
        rates: from `RatesRunner.measure`.
        batch_size: videos of a step.
    """
    ms = min(min(one["ms"]) for one in measured)
    floors = rates["floors"][name]
    floor_ms = sum(floors.values())
    forward = [
        one["forward_batch_1_ms"]
        for one in measured
        if "forward_batch_1_ms" in one
    ]
    return {
        "case": name,
        "ms": ms,
        "round_ms": [sum(one["ms"]) / len(one["ms"]) for one in measured],
        "examples_per_second": 1000 * batch_size / ms,
        "peak_mb": facts["peak_mb"],
        "weights": facts["weights"],
        "compiled": facts["compiled"],
        "forward_batch_1_ms": min(forward, default=None),
        "floor_ms": floor_ms,
        "floor_parts_ms": floors,
        "times_floor": ms / floor_ms,
        "loss": measured[-1]["losses"][-1],
    }


def format_cases(records: list[dict[str, Any]]) -> str:
    """Writes a table of the cases."""
    rows = []
    for one in records:
        parts = one["floor_parts_ms"]
        forward = one["forward_batch_1_ms"]
        rows.append(
            [
                one["case"],
                one["compiled"],
                f"{one['ms']:.0f}",
                f"{one['examples_per_second']:.0f}",
                f"{one['peak_mb']:,.0f}",
                f"{one['weights']:,}",
                "" if forward is None else f"{forward:.2f}",
                f"{one['floor_ms']:.0f}",
                *(
                    f"{parts[part]:.0f}"
                    for part in ("products", "transforms", "bytes")
                ),
                f"{one['times_floor']:.1f}",
            ]
        )
    return _format(
        rows,
        ["case", "how", "ms a step", "videos/s", "peak MB", "parameters"]
        + ["1 video, ms", "floor, ms", "products", "transforms", "bytes"]
        + ["x floor"],
        2,
    )


def format_aims(records: list[dict[str, Any]]) -> str:
    """Writes a table of the ratios that are aimed at."""
    by_name = {one["case"]: one for one in records}
    rows = []
    for name, rival, what, aim in _AIMS:
        if name in by_name and rival in by_name:
            ratio = by_name[rival][what] / by_name[name][what]
            reached = "yes" if ratio >= aim else "no"
            row = [_WHAT[what], name, rival, f"{ratio:.2f}", f"{aim:.1f}"]
            rows.append([*row, reached])
    return _format(
        rows, ["of", "case", "against", "times better", "aim", "reached"], 3
    )


def _format(rows: list[list[str]], headers: list[str], left: int) -> str:
    return tabulate.tabulate(
        rows,
        headers,
        tablefmt="github",
        disable_numparse=True,
        colalign=["left"] * left + ["right"] * (len(headers) - left),
    )


def format_machine(rates: Mapping[str, Any]) -> str:
    """Writes a line or two about the machine and its rates."""
    transforms = ", ".join(
        f"{length} {microseconds:.2f}"
        for length, microseconds in sorted(
            rates["transform_microseconds"].items()
        )
    )
    return (
        f"{datetime.date.today()}, {_processor()}, {os.cpu_count()} CPUs, load "
        f"{os.getloadavg()[0]:.1f}\n{rates['gflops']:.0f} GFLOP/s of matrix "
        f"products, {rates['gigabytes_per_second']:.1f} GB/s of memory, "
        f"microseconds of a real transform by length: {transforms}"
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":")[1].strip()
    except OSError:
        pass  # As on other systems than Linux.
    return platform.machine()


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables and writes the measurements."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--network", choices=tuple(network_lib.NETWORKS), default="paper"
    )
    parser.add_argument("--cases", default=",".join(cases_lib.CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--predictions", type=int, default=20)
    parser.add_argument(
        "--jit_compile",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether XLA compiles our steps; if not given, as in yt8m-train",
    )
    parser.add_argument("--output_json", default=None)
    args = parser.parse_args(arguments)
    names = args.cases.split(",")
    for name in names:
        if name not in cases_lib.CASES:
            parser.error(
                f"expected cases of {', '.join(cases_lib.CASES)}. Received: "
                f"cases={name}"
            )
    for name in ("rounds", "steps", "predictions"):
        if getattr(args, name) < 1:
            parser.error(
                f"expected at least 1. Received: {name}={getattr(args, name)}"
            )
    records, rates = measure(
        names,
        args.network,
        rounds=args.rounds,
        steps=args.steps,
        predictions=args.predictions,
        jit_compile=args.jit_compile,
    )
    print(f"\n{format_machine(rates)}\n")
    print(format_cases(records))
    print(f"\n{format_aims(records)}")
    if args.output_json:
        with files.writing(args.output_json) as file:
            file.write(json.dumps(records, indent=2) + "\n")


if __name__ == "__main__":
    main()
