r"""Time in which programs answer what needs no TensorFlow, beside its import.

    python -m benchmarks.startup

Each command is a process of its own, as a user starts it: help, the version,
a wrong flag, a value that is refused, of each program and verb. They run in
turn with `import tensorflow`, several times over; the median of each counts.
"""

import argparse
import json
import os
import pathlib
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
    "yt8m-demo": "yt8m_compact.programs.demo",
    "yt8m-data": "yt8m_compact.programs.data.main",
}
_FLAGS = ("--help", "--helpfull", "--version", "--wrong_flag")
_IMPORT = "import tensorflow"
# Values that are refused by the flag or by the settings it is for.
_REFUSED = (
    "yt8m-train --train_dir=a --train_data_pattern=b --batch_size=0",
    "yt8m-train --train_dir=a --train_data_pattern=b --fc_projection=rank",
    "yt8m-eval --top_k=0",
    "yt8m-eval --train_dir=missing --eval_data_pattern=b",
    "yt8m-demo --num_epochs=0",
    "yt8m-data synthesize --output_dir=a --num_classes=0",
)


def _commands() -> dict[str, list[str]]:
    """Lists what is run, by what it is called."""
    verbs = [f"yt8m-data {verb}" for verb in data.VERBS]
    lines = [
        *(f"{name} {flag}" for name in [*_MODULES, *verbs] for flag in _FLAGS),
        *_REFUSED,
    ]
    commands = {"python -c pass": ["-c", "pass"], _IMPORT: ["-c", _IMPORT]}
    for line in lines:
        name, *arguments = line.split()
        # As the console script of pip does.
        code = f"from {_MODULES[name]} import run; run()"
        commands[line] = ["-c", code, *arguments]
    return commands


def _seconds(arguments: list[str], folder: str) -> float:
    """Measures one process, in a folder without data."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
    )
    return time.perf_counter() - start


def main() -> None:
    """Times all commands and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--output_json", default="")
    args = parser.parse_args()
    commands = _commands()
    times: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.repeats):
            for name, arguments in commands.items():
                times[name].append(_seconds(arguments, folder))
    medians = {name: statistics.median(times[name]) for name in commands}
    rows = [
        {
            "command": name,
            "seconds": seconds,
            "slowest": max(times[name]),
            "of import tensorflow": seconds / medians[_IMPORT],
        }
        for name, seconds in medians.items()
    ]
    print(tabulate.tabulate(rows, "keys", floatfmt=".2f", tablefmt="github"))
    if args.output_json:
        pathlib.Path(args.output_json).write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
