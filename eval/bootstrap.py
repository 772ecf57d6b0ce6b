"""How far a metric of so many videos can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import ranked_videos

if TYPE_CHECKING:
    from yt8m_compact.eval import metrics as metrics_lib

NUM_DRAWS = 200
# Of a normal distribution, 95 % are so many standard deviations from its mean.
_DEVIATIONS = 1.96
# Draws that are put in the columns of the counts at once, bytes of one word.
_COLUMNS = 8
# Entries whose counts are gathered at once: 0.8 MB of 200 draws, which a cache
# holds. 1.3 s for a million entries, and 5 s in chunks of 65,536.
_ROWS = 4096
_THRESHOLDS = 512
# Entries that are sorted at once, about: 32 bytes each.
_PART = 1 << 21
_SAMPLE = 1 << 16
# Thresholds whose ranks differ by less than one in so many are taken as one: of
# 22 million entries 4,000, in a third of the time. Draws move by less than .003
# of themselves, all alike, so that their deviation is the same.
_RESOLUTION = 300
# Of a class with m labels, the false predictions that are drawn.
_FALSE_PER_LABEL, _LEAST_FALSE, _MOST_FALSE = 2, 1000, 20_000


class Draws:
    """Draws videos with replacement, and computes metrics of each draw.

    Of as many videos and the same seed the draws are the same, so that the
    difference of two models that predicted the same videos in the same order is
    that of their draws: an interval of a difference is paired.

    It takes a byte for each video and draw, 220 MB for 1.1 million videos.

    Args:
        num_videos: How many videos there are, and are drawn.
        num_draws: How often they are drawn, at least 2.
        seed: Of the draws.
        videos: int `[rows]`, the video of each row, from 0 to `num_videos` - 1,
            where rows are parts of videos, such as segments: all parts of a
            video are drawn together. None where each row is a video.

    Attributes:
        num_videos: As given.
        counts: uint8 `[rows, num_draws]`, how often each row was drawn.
        padded: The same with columns of zeros behind, a multiple of 8.
        most: The highest count.

    Raises:
        ValueError: If a number is too small.

    References:
        Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 6.
    """

    def __init__(
        self,
        num_videos: int,
        num_draws: int = NUM_DRAWS,
        seed: int = 0,
        videos: np.ndarray | None = None,
    ) -> None:
        if num_videos < 1 or num_draws < 2:
            raise ValueError(
                "expected at least one video and two draws. Received: "
                f"{num_videos=}, {num_draws=}"
            )
        self.num_videos = num_videos
        # With columns of zeros behind, so that eight are one word.
        self.padded = draw_counts(num_videos, num_draws, seed)
        if videos is not None:
            self.padded = self.padded[videos]
        self.most = int(self.padded.max())
        self.counts = self.padded[:, :num_draws]
        # As many rows as there are, where each is a video.
        self._num_drawn = np.full(num_draws, num_videos)
        if videos is not None:
            self._num_drawn = self.counts.sum(axis=0, dtype=np.int64)

    def means(self, values: np.ndarray) -> np.ndarray:
        """Computes the mean over the rows of each draw.

        Args:
            values: `[rows]`, of any type.

        Returns:
            float64 `[num_draws]`.
        """
        return self._sums(values) / self._num_drawn

    def segment_sums(self, videos: np.ndarray, edges: np.ndarray) -> np.ndarray:
        """Sums how often consecutive entries were drawn.

        Args:
            videos: int `[n]`, the row of each entry.
            edges: int `[segments + 1]`, strictly rising: where segments start,
                and the end of the last one.

        Returns:
            int32 `[segments, padded draws]`.
        """
        return _segment_sums(self.padded, self.most, videos, edges)

    def count(self, videos: np.ndarray) -> np.ndarray:
        """Counts how often any of some rows was drawn, int `[num_draws]`.

        Args:
            videos: int `[n]`, the rows, one or more.
        """
        sums = self.segment_sums(videos, np.array([0, len(videos)]))
        return sums[0, : self.counts.shape[1]]

    def _sums(self, values: np.ndarray) -> np.ndarray:
        distinct, places = np.unique(values, return_inverse=True)
        if len(distinct) <= _ROWS:
            # Of each value, how often its rows were drawn: whole numbers.
            edges = np.concatenate([[0], np.cumsum(np.bincount(places))])
            order = np.argsort(places, kind="stable")
            sums = self.segment_sums(order, edges)
            return (distinct.astype(np.float64) @ sums)[: self.counts.shape[1]]
        sums = np.zeros(self.counts.shape[1])
        for start in range(0, len(values), _ROWS):
            rows = slice(start, start + _ROWS)
            sums += values[rows].astype(np.float64) @ self.counts[rows]
        return sums

    def gap(self, ranked: ranked_videos.RankedVideos) -> np.ndarray:
        """Computes GAP of each draw.

        Args:
            ranked: The best classes of each video.

        Returns:
            float64 `[num_draws]`; of a draw without a label, 0.
        """
        scores = ranked.scores.ravel()
        hits = ranked.hits.ravel()
        sums = _PrecisionSums(self)
        # What comes after the last hit changes nothing.
        lowest = scores[hits].min(initial=np.inf)
        for low, high in _parts(scores, lowest):
            entries = np.flatnonzero((scores >= low) & (scores < high))
            # The order of equal scores changes nothing.
            entries = entries[np.argsort(scores[entries])[::-1]]
            videos = entries // ranked.scores.shape[1]
            sums.add(scores[entries], hits[entries], videos)
        # Whole numbers: of a draw without a label, none is 0.
        return sums.sums / np.maximum(self._sums(ranked.num_labels), 1)


class MapDraws:
    """MAP of each draw, from the scores of one class after the other.

    As in `EvaluationMetrics`, a class counts where a video that has it was
    drawn. Of a class with m labels, a false prediction counts as often as its
    video was drawn if it is among the first m + n predictions, n = 2 m + 1,000
    or 20,000 if that is less; and once if it comes later: there, how many of
    them are drawn hardly differs.

    Args:
        draws: The draws.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        number_of_rows, number = draws.counts.shape
        self._sums = np.zeros(number)
        # Of the class that is added.
        self._precisions = np.zeros(number)
        self._numbers = np.zeros(number, np.int64)
        self._is_positive = np.zeros(number_of_rows, bool)

    def on_class(self, ranking: average_precision.ClassRanking) -> None:
        """Adds a class.

        Args:
            ranking: Its scores and labels.
        """
        self._is_positive[ranking.positives] = True
        self._add(ranking.scores, self._is_positive, ranking.thresholds, None)
        self._is_positive[ranking.positives] = False
        self._finish(ranking.positives)

    def on_listed(
        self, ranking: average_precision.ListedRanking, places: np.ndarray
    ) -> None:
        """Adds a class that some videos list.

        Args:
            ranking: Their scores, and the labels of all.
            places: int `[rows]`, the place of each row's video in the draws.
        """
        hit_scores = ranking.scores[ranking.hits]
        if len(hit_scores):
            self._add(
                ranking.scores,
                ranking.hits,
                average_precision.find_thresholds(ranking.scores, hit_scores),
                places[ranking.rows],
            )
        self._finish(places[ranking.positives])

    def _add(
        self,
        scores: np.ndarray,
        is_positive: np.ndarray,
        thresholds: average_precision.Thresholds,
        videos: np.ndarray | None,
    ) -> None:
        """Sums precisions of entries; they are the videos themselves if None.

        They wait for `_finish`.
        """
        num_positives = int(thresholds.hits.sum())
        num_false = np.clip(
            _FALSE_PER_LABEL * num_positives + _LEAST_FALSE, 0, _MOST_FALSE
        )
        first = num_positives + num_false
        lowest = thresholds.reached[-min(first, len(thresholds.reached))]
        # All labels, and what is false among the first.
        listed = np.flatnonzero((scores >= lowest) | is_positive)
        listed = listed[np.argsort(-scores[listed])]
        sums = _PrecisionSums(self._draws)
        sums.add(
            scores[listed],
            is_positive[listed],
            listed if videos is None else videos[listed],
            thresholds.num_reached[::-1],
        )
        self._precisions = sums.sums

    def _finish(self, positives: np.ndarray) -> None:
        """Ends a class, of which these videos have the label."""
        number = self._draws.count(positives)
        self._sums += self._precisions / np.maximum(number, 1)
        self._precisions = np.zeros(len(number))
        self._numbers += number > 0

    def result(self) -> np.ndarray:
        """Returns MAP of each draw, float64; of one without a label, 0."""
        return self._sums / np.maximum(self._numbers, 1)


class Bootstrap:
    """A viewer of an evaluation that gives a metric its interval.

    See `evaluation.Evaluator.evaluate`, and `half_width`.

    Args:
        metric: "gap" or "map", of `metrics.EvaluationMetrics`.
        num_draws: How often as many videos are drawn as there are.
        seed: Of the draws.

    Raises:
        ValueError: If the metric is another one.
    """

    def __init__(
        self, metric: str = "gap", *, num_draws: int = 400, seed: int = 0
    ) -> None:
        if metric not in ("gap", "map"):
            raise ValueError(
                f"expected a metric of gap, map. Received: {metric=}"
            )
        self._metric = metric
        self._num_draws = num_draws
        self._seed = seed
        self.draws: np.ndarray | None = None

    def on_batch(self, scored: object) -> None:
        """Does nothing: metrics keep what is needed."""

    def on_end(self, metrics: metrics_lib.EvaluationMetrics) -> None:
        """Computes the metric of each draw, `draws`."""
        draws = Draws(metrics.num_examples, self._num_draws, self._seed)
        if self._metric == "gap":
            self.draws = draws.gap(metrics.best_classes())
            return
        map_draws = MapDraws(draws)
        for ranking in metrics.rank_classes():
            map_draws.on_class(ranking)
        self.draws = map_draws.result()

    def interval(self, value: float) -> tuple[float, float]:
        """Returns the 95 % interval.

        Args:
            value: The metric of all videos.
        """
        half = half_width(self.draws)
        return value - half, value + half


def draw_counts(num_videos: int, num_draws: int, seed: int) -> np.ndarray:
    """Draws as many videos as there are, with replacement, many times.

    Args:
        num_videos: How many videos there are.
        num_draws: How often they are drawn.
        seed: Of the draws.

    Returns:
        uint8 `[num_videos, columns]`, how often each video was drawn; columns
        beyond the draws, to a multiple of 8, are zeros.
    """
    rng = np.random.default_rng(seed)
    columns = -(-num_draws // _COLUMNS) * _COLUMNS
    counts = np.zeros((num_videos, columns), np.uint8)
    for start in range(0, num_draws, _COLUMNS):
        stop = min(start + _COLUMNS, num_draws)
        drawn = [
            np.bincount(
                rng.integers(num_videos, size=num_videos), minlength=num_videos
            )
            for _ in range(start, stop)
        ]
        counts[:, start:stop] = np.stack(drawn, axis=1)
    return counts


def half_width(draws: np.ndarray) -> float:
    """Computes how far a 95 % interval reaches to either side.

    It is 1.96 standard deviations of the draws. Their percentiles would not do
    for MAP: a video that is drawn twice finds itself, so that draws are better
    than what they are drawn from.

    Args:
        draws: `[num_draws]`, a metric, or the difference of two.

    Returns:
        Half the width of the interval.
    """
    return _DEVIATIONS * float(np.std(draws, ddof=1))


class _PrecisionSums:
    """Sums the precision at each positive of a ranked list, for each draw.

    See `average_precision.average_precision`, with each entry as often as its
    video was drawn.

    Args:
        draws: how often each video was drawn.
    """

    def __init__(self, draws: Draws) -> None:
        self._draws = draws
        number = draws.padded.shape[1]
        self._num_entries = 0
        self._reached = np.zeros(number)
        self._true = np.zeros(number)
        self._sums = np.zeros(number)

    @property
    def sums(self) -> np.ndarray:
        """float64 `[draws]`."""
        return self._sums[: self._draws.counts.shape[1]]

    def add(
        self,
        scores: np.ndarray,
        is_positive: np.ndarray,
        videos: np.ndarray,
        num_reached: np.ndarray | None = None,
    ) -> None:
        """Adds entries that are all below those before.

        Args:
            scores: `[n]`, falling.
            is_positive: bool `[n]`.
            videos: int `[n]`, the video of each entry.
            num_reached: int `[thresholds]`, how many entries there are at or
                above each distinct score of a positive, falling; more than in
                the list where it leaves out some that are false, which count
                once. As many as in the list if None.
        """
        before, ends = _find_thresholds(scores, is_positive)
        ranks = ends + self._num_entries
        left_out = np.zeros(len(ends), np.int64)
        if num_reached is not None:
            left_out, ranks = num_reached - ranks, num_reached
        kept = _distinct_ranks(ranks)
        left_out = left_out[kept]
        before = np.concatenate([[0], before[kept]])
        ends = np.concatenate([[0], ends[kept]])
        hit_videos = videos[is_positive]
        for start in range(0, len(left_out), _THRESHOLDS):
            part = slice(start, start + _THRESHOLDS + 1)
            hits = self._draws.segment_sums(hit_videos, before[part])
            precision = _running_sums(hits, self._true)
            self._true = precision[-1].copy()
            reached = _running_sums(
                self._draws.segment_sums(videos, ends[part]), self._reached
            )
            self._reached = reached[-1].copy()
            reached += left_out[start : start + _THRESHOLDS, np.newaxis]
            precision /= np.maximum(reached, 1, out=reached)
            self._sums += np.einsum("ij,ij->j", hits, precision)
        if ends[-1] < len(scores):
            rest = np.array([ends[-1], len(scores)])
            self._reached += self._draws.segment_sums(videos, rest)[0]
        self._num_entries += len(scores)


def _find_thresholds(
    scores: np.ndarray, is_positive: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the distinct scores of positives in a list that falls.

    Returns:
        int `[thresholds]` each: how many positives, and how many entries, are
        at or above each. Equal scores are one threshold, where the last is.
    """
    hit_scores = scores[is_positive]
    if not len(hit_scores):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    is_last = np.append(hit_scores[1:] != hit_scores[:-1], True)
    before = 1 + np.flatnonzero(is_last)
    places = np.searchsorted(scores[::-1], hit_scores[before - 1])
    return before, len(scores) - places


def _parts(scores: np.ndarray, lowest: float) -> Iterator[tuple[float, float]]:
    """Cuts scores into parts that are sorted one by one, to save memory.

    Args:
        scores: `[n]`.
        lowest: the lowest score that matters.

    Yields:
        From where, included, to where, the highest part first.
    """
    number = -(-len(scores) // _PART)
    sample = np.sort(scores[:: max(1, len(scores) // _SAMPLE)])
    places = np.arange(1, number) * len(sample) // number
    edges = np.unique(sample[places])
    high = np.inf
    for low in [*edges[edges > lowest][::-1], lowest]:
        yield low, high
        high = low


def _distinct_ranks(ranks: np.ndarray) -> np.ndarray:
    """Says which of some rising ranks to keep: bool, the last one always."""
    if not len(ranks):
        return np.zeros(0, bool)
    steps = np.log(np.maximum(ranks / _RESOLUTION, 1))
    steps = np.minimum(ranks, _RESOLUTION) + np.floor(_RESOLUTION * steps)
    return np.append(steps[1:] != steps[:-1], True)


def _running_sums(sums: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Adds up rows, and what was before them, exactly.

    Two numbers of 32 bits are added as one of 64: a quarter of the time.

    Args:
        sums: int32 `[rows, draws]`, of 0 or more; draws even, and all rows
            together below 2^31.
        before: float64 `[draws]`, whole numbers.

    Returns:
        float64 `[rows, draws]`.
    """
    pairs = np.cumsum(sums.view(np.uint64), axis=0)
    return pairs.view(np.int32) + before


def _segment_sums(
    counts: np.ndarray, most: int, videos: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """Sums the counts of consecutive entries.

    Eight counts are added as one number of 64 bits, as many rows at a time as
    no byte overflows for, and their sums four at a time: exact, in a fifth of
    the time of sums one by one.

    Args:
        counts: uint8 `[videos, draws]`, draws a multiple of 8.
        most: the highest count, at least 1.
        videos: int `[n]`, the video of each entry.
        edges: int `[segments + 1]`, strictly rising: where segments start, and
            the end of the last one.

    Returns:
        int32 `[segments, draws]`.
    """
    sums = np.zeros((len(edges) - 1, counts.shape[1]), np.int32)
    rows = min(_ROWS, 0xFFFF // most)
    bytes_step = max(0xFF // most, 1)
    for start in range(edges[0], edges[-1], rows):
        stop = min(start + rows, edges[-1])
        first = np.searchsorted(edges, start, side="right") - 1
        last = np.searchsorted(edges, stop)
        starts = np.maximum(edges[first:last] - start, 0)
        is_start = np.zeros(stop - start, bool)
        is_start[starts] = True
        is_start[::bytes_step] = True
        pieces = np.flatnonzero(is_start)
        words = counts[videos[start:stop]].view(np.uint64)
        in_bytes = np.add.reduceat(words, pieces, axis=0).view(np.uint8)
        words = in_bytes.astype(np.uint16).view(np.uint64)
        places = np.searchsorted(pieces, starts)
        sums[first:last] += np.add.reduceat(words, places, axis=0).view(
            np.uint16
        )
    return sums
