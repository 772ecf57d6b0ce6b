"""Finds the weights of an ensemble by which its GAP is highest."""

from collections.abc import Iterator, Sequence
import itertools
import zlib

import numpy as np

from yt8m_compact import ops
from yt8m_compact.eval import average_precision

# Of 5 models 2 kB a video: 100 MB.
MAX_VIDEOS = 50_000
_NUM_STARTS = 8
_NUM_CLIMBED = 2
# In hundredths, so that weights are numbers that can be read.
_STEPS = (20, 10, 5, 2, 1)


class BlendSearch:
    """Collects what models predict, and searches for convex weights.

    Of each video, it keeps the `top_k` first classes of every model: what a
    blend ranks highest is among them but for classes that no model has there.
    Of more than `max_videos` videos, it looks at a sample by their ids, which
    does not depend on their order.

    The search climbs from the best of the single models, of equal weights and
    of some random ones: it moves weight from one model to another, in steps
    that get smaller, as long as GAP rises. GAP is a step function of the
    weights, which has no gradient.

    Args:
        num_models: the number of models.
        num_videos: about how many videos there will be.
        top_k: how many predictions of a video GAP counts.
        max_videos: how many videos to look at, at most.
        seed: of the random weights, and of the sample.
    """

    def __init__(
        self,
        num_models: int,
        num_videos: int,
        *,
        top_k: int = 20,
        max_videos: int = MAX_VIDEOS,
        seed: int = 0,
    ) -> None:
        self._num_models = num_models
        self._top_k = top_k
        self._seed = seed
        self._share = min(1.0, max_videos / max(num_videos, 1))
        self._scores: list[np.ndarray] = []
        self._repeated: list[np.ndarray] = []
        self._hits: list[np.ndarray] = []
        self._num_labels = 0
        self.num_videos = 0

    def add(
        self,
        ids: Sequence[bytes],
        predictions: np.ndarray,
        is_label: np.ndarray,
    ) -> None:
        """Adds videos.

        Args:
            ids: of each.
            predictions: float32 `[models, videos, num_classes]`.
            is_label: bool `[videos, num_classes]`.
        """
        if self._share < 1:
            limit = self._share * 2**32
            start = zlib.crc32(str(self._seed).encode())
            kept = [zlib.crc32(one, start) < limit for one in ids]
            predictions = predictions[:, kept]
            is_label = is_label[kept]
        if not len(is_label):
            return
        depth = min(self._top_k, predictions.shape[2])
        classes = np.concatenate(
            [ops.top_k_classes(one, depth) for one in predictions], axis=1
        )
        classes = np.sort(classes, axis=1)
        repeated = np.zeros(classes.shape, bool)
        repeated[:, 1:] = classes[:, 1:] == classes[:, :-1]
        self._scores.append(
            np.stack(
                [
                    np.take_along_axis(one, classes, axis=1)
                    for one in predictions
                ]
            )
        )
        self._repeated.append(repeated)
        self._hits.append(np.take_along_axis(is_label, classes, axis=1))
        self._num_labels += int(np.count_nonzero(is_label))
        self.num_videos += len(is_label)

    def gap(self, weights: Sequence[float] | np.ndarray) -> float:
        """Computes GAP of a blend, of the videos that are looked at.

        Args:
            weights: of each model.
        """
        if not self._num_labels:
            raise ValueError(
                "expected at least one label in the videos of the search. "
                f"Received: num_videos={self.num_videos}, without any"
            )
        pool, positives = [], []
        for scores, repeated, hits in zip(
            self._scores, self._repeated, self._hits, strict=True
        ):
            blended = np.tensordot(weights, scores, axes=1).astype(np.float32)
            blended[repeated] = -1.0
            number = min(self._top_k, int((~repeated).sum(axis=1).min()))
            best = np.argpartition(-blended, number - 1, axis=1)[:, :number]
            best_scores = np.take_along_axis(blended, best, axis=1)
            pool.append(best_scores.ravel())
            positives.append(
                best_scores[np.take_along_axis(hits, best, axis=1)]
            )
        return average_precision.average_precision(
            np.concatenate(pool), np.concatenate(positives), self._num_labels
        )

    def search(self) -> tuple[list[float], float]:
        """Searches for the weights of the highest GAP.

        Returns:
            The weights, hundredths whose sum is 1, and the GAP of the videos
            that were looked at.

        Raises:
            ValueError: if there is no label.
        """
        self._scores, self._repeated, self._hits = (
            [np.concatenate(blocks, axis=axis)] if blocks else []
            for blocks, axis in (
                (self._scores, 1),
                (self._repeated, 0),
                (self._hits, 0),
            )
        )
        known: dict[tuple[int, ...], float] = {}

        def value(weights: tuple[int, ...]) -> float:
            if weights not in known:
                known[weights] = self.gap(np.array(weights) / 100)
            return known[weights]

        starts = sorted({*self._starts()}, key=lambda w: (-value(w), w))
        for weights in starts[:_NUM_CLIMBED]:
            for step in _STEPS:
                weights = _climb(weights, step, value)
        best = max(known, key=lambda w: (known[w], w))
        return [weight / 100 for weight in best], known[best]

    def _starts(self) -> Iterator[tuple[int, ...]]:
        number = self._num_models
        for model in range(number):
            yield tuple(100 * (other == model) for other in range(number))
        yield _hundredths(np.full(number, 1 / number))
        rng = np.random.default_rng(self._seed)
        for weights in rng.dirichlet(np.ones(number), _NUM_STARTS):
            yield _hundredths(weights)


def _hundredths(weights: np.ndarray) -> tuple[int, ...]:
    """Rounds weights to hundredths whose sum is 100."""
    whole = np.floor(100 * weights).astype(int)
    rest = 100 - whole.sum()
    order = np.argsort(-(100 * weights - whole), kind="stable")
    whole[order[:rest]] += 1
    return tuple(whole.tolist())


def _climb(weights: tuple[int, ...], step: int, value) -> tuple[int, ...]:
    """Moves weight between two models as long as the value rises."""
    while True:
        moved = []
        for source, target in itertools.permutations(range(len(weights)), 2):
            amount = min(step, weights[source])
            if amount:
                other = list(weights)
                other[source] -= amount
                other[target] += amount
                moved.append(tuple(other))
        best = max(moved, key=lambda w: (value(w), w), default=weights)
        if value(best) <= value(weights):
            return weights
        weights = best
