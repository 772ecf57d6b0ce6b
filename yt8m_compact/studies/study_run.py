"""A run of a study, what became of it, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
import json
import os
from typing import Any

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import untrusted
from yt8m_compact.run import config as config_lib
from yt8m_compact.studies import study_file

with lazy.imports():
    import tensorflow as tf

FILE = "study_run.json"
_FORMAT_VERSION = 1
_EXPECTED = "what yt8m-train --study keeps of a run"
_MAX_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Score:
    """What the evaluation of a run found.

    Attributes:
        metrics: the value of each metric.
        step: the step of the checkpoint.
        weights: how many weights there are.
        dense_equivalent: how many if every projection were dense.
        num_bytes: size of all weights as they are stored.
    """

    metrics: Mapping[str, float]
    step: int
    weights: int
    dense_equivalent: int
    num_bytes: int

    @property
    def percent_of_dense(self) -> float:
        """`weights` in percent of `dense_equivalent`."""
        return 100.0 * self.weights / self.dense_equivalent


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """A run of a study, and what became of it.

    Attributes:
        name: the name of its folder.
        values: the flags that differ between combinations.
        seed: its seed where the study has several, or None.
        config: its configuration; None where the values allow none.
        score: what its evaluation found; None while it is not done, and where
            it failed.
        error: why it failed, or None.
    """

    name: str
    values: Mapping[str, study_file.Value]
    seed: int | None
    config: config_lib.Config | None
    score: Score | None = None
    error: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.score is not None or self.error is not None


def save(run: StudyRun, path: str) -> None:
    """Writes a run to its folder, which is made if need be.

    Args:
        run: the run.
        path: its folder.
    """
    content = {
        "format_version": _FORMAT_VERSION,
        "values": dict(run.values),
        "seed": run.seed,
        "config": run.config and run.config.to_dict(),
        "score": run.score and dataclasses.asdict(run.score),
        "error": run.error,
    }
    tf.io.gfile.makedirs(path)
    files.write_json(os.path.join(path, FILE), content)


def load(path: str) -> StudyRun | None:
    """Reads a run from its folder.

    Args:
        path: its folder.

    Returns:
        The run, None if there is none yet.

    Raises:
        ValueError: if the file is broken, or of another version.
    """
    file = os.path.join(path, FILE)
    if not files.exists(file):
        return None
    content = untrusted.read_json(file, _EXPECTED, _MAX_BYTES)
    try:
        if content["format_version"] != _FORMAT_VERSION:
            raise ValueError(f"format_version={content['format_version']!r}")
        config, score = content["config"], content["score"]
        return StudyRun(
            name=os.path.basename(path),
            values=dict(content["values"]),
            seed=content["seed"],
            config=config
            and config_lib.Config.from_json(json.dumps(config), file),
            score=score and Score(**score),
            error=content["error"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{file}: expected {_EXPECTED}. Received: {_reason(error)}; remove "
            "the folder to train the run again"
        ) from error


def _reason(error: Exception) -> Any:
    return f"no {error}" if isinstance(error, KeyError) else error
