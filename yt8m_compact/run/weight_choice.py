"""Which weights of a run are meant: the last ones, or an average."""

from __future__ import annotations

import dataclasses
from typing import Literal

# The share of the average in the weights that gradients are taken at.
SCHEDULE_FREE_BETA = 0.9
_RAW, _EMA, _AVERAGE = "raw", "ema", "average"


@dataclasses.dataclass(frozen=True)
class WeightChoice:
    """Which weights to read from the checkpoints of a run.

    Attributes:
        ema: whether they are the moving average of the training's, which
            `ema_momentum` keeps.
        num_checkpoints: of how many checkpoints they are the mean.
    """

    ema: bool = False
    num_checkpoints: int = 1

    def __str__(self) -> str:
        """Writes the choice as `parse` reads it."""
        if self.ema:
            return _EMA
        if self.num_checkpoints > 1:
            return f"{_AVERAGE}:{self.num_checkpoints}"
        return _RAW


RAW = WeightChoice()


@dataclasses.dataclass(frozen=True)
class RunWeights:
    """Which weights of which checkpoint of a run.

    Attributes:
        step: the step of the checkpoint, "best", or None for the newest one.
        choice: which weights.
    """

    step: int | Literal["best"] | None = None
    choice: WeightChoice = RAW


NEWEST = RunWeights()


def parse(text: str | WeightChoice) -> WeightChoice:
    """Reads a choice.

    Args:
        text: `raw`, `ema`, or `average:5` say; or a choice, returned as it is.

    Returns:
        The choice.

    Raises:
        ValueError: if it is anything else.
    """
    if isinstance(text, WeightChoice):
        return text
    if text == _RAW:
        return RAW
    if text == _EMA:
        return WeightChoice(ema=True)
    kind, _, count = text.partition(":")
    # No more digits than a number of checkpoints has.
    if kind == _AVERAGE and count.isdecimal() and 2 <= int(count[:9]):
        return WeightChoice(num_checkpoints=int(count[:9]))
    raise ValueError(
        "expected weights to be raw, ema, or average:N with N checkpoints, 2 "
        f"or more. Received: weights={text!r:.80}"
    )
