"""Frames of features whose rates differ, one of each for each of the first."""

import enum

import numpy as np


class Align(enum.StrEnum):
    """How the frames of other features are put beside those of the first.

    Attributes:
        CUT: Frame by frame, whatever their rates, to the shortest one's end.
        NEAREST: The one at the middle of each frame of the first.
        MEAN: The mean over the time of each frame of the first.
    """

    CUT = "cut"
    NEAREST = "nearest"
    MEAN = "mean"


def count_frames(num_frames: int, num_others: int, ratio: float) -> int:
    """Counts the frames in whose middle another feature has not ended.

    Args:
        num_frames: How many frames there are.
        num_others: How many the other feature has.
        ratio: How many of those there are in the time of one frame.

    Returns:
        The number; `(i + 1/2) * ratio < num_others` for each of them.
    """
    return min(num_frames, max(0, int(np.ceil(num_others / ratio - 0.5))))


def align(
    values: np.ndarray, num_frames: int, ratio: float, how: Align
) -> np.ndarray:
    """Brings frames to another rate.

    Frame i of the result is at the time from `i * ratio` to `(i + 1) * ratio`,
    in frames of `values`.

    Args:
        values: `[frames, size]`.
        num_frames: How many to make, as `count_frames` says at most.
        ratio: How many frames of `values` there are in one of the result.
        how: `NEAREST` or `MEAN`.

    Returns:
        `[num_frames, size]`; means are float64.
    """
    if how is Align.NEAREST:
        middles = (np.arange(num_frames) + 0.5) * ratio
        return values[np.minimum(middles.astype(np.int64), len(values) - 1)]
    # The integral of frames that each last from i to i + 1, between the times
    # where a frame of the result begins and where it ends.
    sums = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, dtype=np.float64, out=sums[1:])
    times = np.minimum(np.arange(num_frames + 1) * ratio, len(values))
    whole = np.minimum(times.astype(np.int64), len(values) - 1)
    part = (times - whole)[:, None]
    integral = sums[whole] + part * values[whole]
    return np.diff(integral, axis=0) / np.diff(times)[:, None]
