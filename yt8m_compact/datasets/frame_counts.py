"""How many frames YouTube-8M videos have, and sampling from it."""

import numpy as np

_SHORT_VIDEOS = 4  # of 1 frame
_FIRST = 119
# Videos of 119, 120, 121, ... 301 frames.
_LONG_VIDEOS = """
13 34 35 27 23 34 33 26 23 26 36 30 29 36 28 19 27 26 29 30 25 32 22 29 26
37 26 30 25 23 28 28 22 30 21 25 21 21 31 25 28 23 25 22 27 31 26 22 16 13
26 30 31 20 22 23 21 17 24 29 23 34 29 24 25 33 18 32 26 26 28 32 31 25 18
30 31 19 28 29 26 18 30 23 31 20 29 32 24 27 25 22 28 31 23 30 12 35 19 32
31 21 26 27 24 26 30 27 23 25 27 31 27 22 25 21 28 16 23 18 20 29 22 14 19
18 11 14 25 13 18 18 21 17 20 25 21 22 16 19 20 15 17 28 15 22 21 15 28 16
16 26 23 17 11 19 21 24 20 14 19 13 20 26 12 21 16 18 12 16 12 18 16 18 18
13 6 14 15 10 11 1752 5
"""


def frame_count_histogram() -> tuple[np.ndarray, np.ndarray]:
    """Returns the histogram of the frame counts of real YouTube-8M videos.

    Counted over 5,978 frame-level videos of YouTube-8M 2018 (one frame a
    second, at most 300 stored, a few of 301): mean 230, median 232, 29 % of
    300, 0.07 % of 1, the others from 119 upwards. The features and labels of
    YouTube-8M are by Google, CC BY 4.0 (research.google.com/youtube8m).

    Returns:
        num_frames: int32 `[184]`, increasing.
        num_videos: int32 `[184]`, how many videos have that many frames.

    Example:
        >>> num_frames, videos = yt8m.datasets.frame_count_histogram()
        >>> int(videos.sum()), round(np.average(num_frames, weights=videos))
        (5978, 230)
    """
    long_videos = np.array(_LONG_VIDEOS.split(), np.int32)
    num_frames = np.arange(_FIRST, _FIRST + len(long_videos), dtype=np.int32)
    return (
        np.append(np.int32(1), num_frames),
        np.append(np.int32(_SHORT_VIDEOS), long_videos),
    )


def sample_num_frames(rng: np.random.Generator, num_videos: int) -> np.ndarray:
    """Samples the frame counts of videos from `frame_count_histogram`.

    Args:
        rng: Where the randomness comes from.
        num_videos: How many frame counts to sample.

    Returns:
        int32 `[num_videos]`, 1 to 301.

    Example:
        >>> rng = np.random.default_rng(seed=0)
        >>> counts = yt8m.datasets.sample_num_frames(rng, 10_000)
        >>> counts.shape, round(float(np.mean(counts == 300)), 1)
        ((10000,), 0.3)
    """
    num_frames, counts = frame_count_histogram()
    ends = np.cumsum(counts)
    videos = rng.integers(ends[-1], size=num_videos)
    return num_frames[np.searchsorted(ends, videos, side="right")]
