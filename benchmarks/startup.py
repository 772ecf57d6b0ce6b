r"""Time in which programs answer what computes nothing, beside imports.

    python -m benchmarks.startup

Each command is a process of its own, as a user starts it: help, the version,
a wrong flag, a value that is refused, of each program and verb, and the weights
of a model, which need Keras. They run in turn with `import tensorflow`, several
times over; the median of each counts.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import tabulate

from yt8m_compact.programs.data import main as data

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_MODULES = {
    "yt8m-train": "yt8m_compact.programs.train",
    "yt8m-eval": "yt8m_compact.eval.evaluate",
    "yt8m-export": "yt8m_compact.programs.export",
    "yt8m-predict": "yt8m_compact.programs.predict",
    "yt8m-compress": "yt8m_compact.programs.compress",
    "yt8m-demo": "yt8m_compact.programs.demo",
    "yt8m-data": "yt8m_compact.programs.data.main",
}
_FLAGS = ("--help", "--helpfull", "--version", "--lr=1")
_IMPORT = "import tensorflow"
_NOTHING = "pass"
# Values that are refused by the flag or by the settings it is for.
_REFUSED = (
    "yt8m-train --train_dir=a --train_data_pattern=b --batch_size=0",
    "yt8m-train --train_dir=a --train_data_pattern=b --fc_projection=rank",
    "yt8m-eval --top_k=0",
    "yt8m-eval --train_dir=missing --eval_data_pattern=b",
    "yt8m-demo --num_epochs=0",
    "yt8m-data synthesize --output_dir=a --num_classes=0",
)
# Answers about one model; those with _KERAS import it.
_OF_A_MODEL = (
    "yt8m-train --help --model=DbofModel",
    "yt8m-eval --parameters_only",
    "yt8m-eval --parameters_only --model=DbofModel --frame_features "
    "--feature_names=rgb,audio --feature_sizes=1024,128",
)
_KERAS = "--parameters_only"


def _commands() -> dict[str, list[str]]:
    """Lists what is run, by what it is called."""
    lines = [
        *(f"{name} {flag}" for name in _names() for flag in _FLAGS),
        *_REFUSED,
        *_OF_A_MODEL,
    ]
    commands = {_NOTHING: ["-c", "pass"], _IMPORT: ["-c", _IMPORT]}
    for line in lines:
        name, *arguments = line.split()
        # As the console script of pip does.
        code = f"from {_MODULES[name]} import run; run()"
        commands[line] = ["-c", code, *arguments]
    return commands


def _names() -> list[str]:
    return [*_MODULES, *(f"yt8m-data {verb}" for verb in data.VERBS)]


def _measure(arguments: list[str], folder: str) -> tuple[float, float]:
    """Runs a process in a folder without data.

    Returns:
        The seconds it took, and those of the processor, which count less of
        what else the machine does.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime
    return seconds, processor - before.ru_utime - before.ru_stime


def main() -> None:
    """Times all commands and prints tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output_json", default="")
    args = parser.parse_args()
    commands = _commands()
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.repeats):
            for name, arguments in commands.items():
                times = _measure(arguments, folder)
                found.setdefault(name, []).append(times)
    rows = []
    for name, times in found.items():
        seconds, processor = map(statistics.median, zip(*times, strict=True))
        rows.append(
            {"command": name, "seconds": seconds, "processor": processor}
        )
    whole = next(row for row in rows if row["command"] == _IMPORT)
    for row in rows:
        row["of import tensorflow"] = row["processor"] / whole["processor"]
    seconds = {row["command"]: row["seconds"] for row in rows}
    answers = [
        [name, *(seconds[f"{name} {flag}"] for flag in _FLAGS)]
        for name in _names()
    ]
    others = [
        row
        for row in rows
        if row["command"] in {_NOTHING, _IMPORT, *_REFUSED, *_OF_A_MODEL}
    ]
    style = {"floatfmt": ".2f", "tablefmt": "github"}
    print(tabulate.tabulate(answers, ["seconds", *_FLAGS], **style))
    print()
    print(tabulate.tabulate(others, "keys", **style))
    highest = max(
        (
            row
            for row in rows
            if row["command"] != _IMPORT and _KERAS not in row["command"]
        ),
        key=lambda row: row["processor"],
    )
    print(
        f"\nThe most processor time has `{highest['command']}`: "
        f"{highest['processor']:.2f} s, {highest['of import tensorflow']:.3f} "
        f"of `{_IMPORT}`."
    )
    if args.output_json:
        pathlib.Path(args.output_json).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
