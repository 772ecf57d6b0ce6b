"""Time and memory that an artefact takes, in a process of its own.

As a program it measures in the process it is, and prints JSON:

    python -m yt8m_compact.inference.artefacts.measuring PATH INPUTS.npz 1 1.0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import dataclasses
import json
import os
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np

import yt8m_compact
from yt8m_compact import files
from yt8m_compact.inference.artefacts import loading

_WARM_UP = 5
_MIN_CALLS, _MAX_CALLS = 20, 2_000
_KIB = 1 << 10


@dataclasses.dataclass(frozen=True)
class Measurement:
    """What predicting one video at a time took.

    Attributes:
        num_threads: threads that it computed with.
        median_ms: median of the milliseconds of a call.
        percentile_95_ms: and their 95th percentile.
        num_calls: how many calls there were.
        peak_bytes: the most memory that the process had: Python, the runtime
            and the model.

    Example:
        >>> found = yt8m.inference.artefacts.measuring.Measurement(
        ...     num_threads=1,
        ...     median_ms=0.25,
        ...     percentile_95_ms=0.5,
        ...     num_calls=2000,
        ...     peak_bytes=300 << 20,
        ... )
        >>> f"{1000 / found.median_ms:,.0f} videos a second"
        '4,000 videos a second'
    """

    num_threads: int
    median_ms: float
    percentile_95_ms: float
    num_calls: int
    peak_bytes: int


def measure(
    path: str,
    inputs: Mapping[str, np.ndarray],
    num_threads: int,
    seconds: float = 1.0,
) -> Measurement:
    """Measures an artefact in a process of its own.

    The process imports the runtime of the artefact and no other.

    Args:
        path: as of `artefacts.load`.
        inputs: the model's inputs by name, of one video or several, which are
            predicted one by one, in turn.
        num_threads: threads that it computes with.
        seconds: about how long it is called, after a few calls that do not
            count.

    Returns:
        What it took.

    Raises:
        ValueError: if the artefact can't be opened there.

    Example:
        >>> path = yt8m.presets.folder("yt8m_2018_video_100k")
        >>> inputs = {"features": np.ones([1, 1152], np.float32)}
        >>> found = yt8m.inference.artefacts.measuring.measure(
        ...     path, inputs, num_threads=1, seconds=0.1
        ... )
        >>> found.num_threads, found.median_ms > 0, found.peak_bytes > 0
        (1, True, True)
    """
    with files.temporary_folder() as folder:
        inputs_path = os.path.join(folder, "inputs.npz")
        np.savez(inputs_path, **inputs)
        root = pathlib.Path(yt8m_compact.__file__).resolve().parents[1]
        paths = [str(root), os.environ.get("PYTHONPATH", "")]
        path_variable = os.pathsep.join(filter(None, paths))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "yt8m_compact.inference.artefacts.measuring",
                path,
                inputs_path,
                str(num_threads),
                str(seconds),
            ],
            env={**os.environ, "PYTHONPATH": path_variable},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["nothing"]
        raise ValueError(
            f"{path}: expected a model that opens in a process of its own. "
            f"Received: exit status {done.returncode}, {lines[-1]}"
        )
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _measure_here(
    path: str,
    inputs: Mapping[str, np.ndarray],
    num_threads: int,
    seconds: float,
) -> Measurement:
    """Measures an artefact in this process."""
    model = loading.load_model(path, num_threads)
    count = len(next(iter(inputs.values())))
    # Made ready before, since a call of a small model takes microseconds.
    videos = [
        batch
        for i in range(count)
        for batch in model.split({k: v[i : i + 1] for k, v in inputs.items()})
    ]
    for i in range(_WARM_UP):
        model(videos[i % count])
    times: list[int] = []
    end = time.perf_counter_ns() + seconds * 1e9
    while len(times) < _MIN_CALLS or (
        len(times) < _MAX_CALLS and time.perf_counter_ns() < end
    ):
        video = videos[len(times) % count]
        start = time.perf_counter_ns()
        model(video)
        times.append(time.perf_counter_ns() - start)
    median, percentile_95 = np.percentile(times, [50, 95]) / 1e6
    return Measurement(
        num_threads=num_threads,
        median_ms=float(median),
        percentile_95_ms=float(percentile_95),
        num_calls=len(times),
        peak_bytes=_peak_bytes(),
    )


def _peak_bytes() -> int:
    """Returns the most memory that this process had."""
    try:
        with open("/proc/self/status") as file:
            for line in file:
                # Not as below: that of who started this process counts there.
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * _KIB
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB


def main(arguments: Sequence[str]) -> None:
    """Measures, and prints what it took as JSON."""
    path, inputs_path, num_threads, seconds = arguments
    with np.load(inputs_path, allow_pickle=False) as archive:
        inputs = dict(archive)
    found = _measure_here(path, inputs, int(num_threads), float(seconds))
    print(json.dumps(dataclasses.asdict(found)))


if __name__ == "__main__":
    main(sys.argv[1:])
