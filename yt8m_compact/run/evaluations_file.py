"""The file in which a run keeps what its evaluations while training found."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

from yt8m_compact import untrusted
from yt8m_compact.run import config as config_lib

_EXPECTED = "the evaluations that yt8m-train wrote"


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What one evaluation found.

    Attributes:
        step: of the checkpoint.
        data: which data it was, from `training.evaluations.describe_data`.
        metrics: each by its name.
        weights: which weights it was, as `run.weight_choice` writes them.
    """

    step: int
    data: str
    metrics: Mapping[str, float]
    weights: str = "raw"


def read(path: str) -> list[Evaluation]:
    """Reads `evaluations.json`.

    Args:
        path: the file.

    Returns:
        The evaluations, in the order in which they were made.

    Raises:
        ValueError: if there is no such file, or it holds anything else.
    """
    return _parse(untrusted.read_json(path, _EXPECTED), path)


def _parse(content: Any, path: str) -> list[Evaluation]:
    try:
        evaluations = [
            Evaluation(
                one["step"],
                one["data"],
                one["metrics"],
                one.get("weights", "raw"),  # Older ones were of no others.
            )
            for one in content["evaluations"]
        ]
        right = all(
            type(one.step) is int
            and isinstance(one.data, str)
            and isinstance(one.weights, str)
            and all(
                math.isfinite(one.metrics[name]) for name in config_lib.BETTER
            )
            for one in evaluations
        )
    except (AttributeError, KeyError, TypeError):
        right = False
    if not right:
        raise ValueError(
            f"{path}: expected {_EXPECTED}. Received: {str(content):.80}; "
            "restore the file, or delete it to start the comparison anew"
        )
    return evaluations
