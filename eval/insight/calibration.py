"""Whether a score of .8 is right in 8 of 10 cases."""

import dataclasses

import numpy as np

NUM_BINS = 20
_ROWS = 1 << 17


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The reliability of scores, in bins of equal width from 0 to 1.

    Attributes:
        counts: int `[bins]`, how many scores there are.
        mean_scores: float `[bins]`; NaN where there are none.
        precision: float `[bins]`, how many of them are right; likewise.
    """

    counts: np.ndarray
    mean_scores: np.ndarray
    precision: np.ndarray

    @property
    def expected_error(self) -> float:
        r"""The expected calibration error, ECE.

        $$ ECE = \sum_b \frac{n_b}{n} |precision_b - score_b| $$

        over the bins that have scores.

        References:
            Guo et al., On calibration of modern neural networks, 2017,
            equation 3.
        """
        used = self.counts > 0
        errors = np.abs(self.precision[used] - self.mean_scores[used])
        return float(np.average(errors, weights=self.counts[used]))


def calibrate(
    scores: np.ndarray, hits: np.ndarray, num_bins: int = NUM_BINS
) -> Calibration | None:
    """Compares scores with how often they are right.

    Args:
        scores: float, any shape, -1 for classes that are not rated and -inf for
            none, which do not count. A score on the border of two bins is in
            the upper one.
        hits: bool, the same shape.
        num_bins: How many bins.

    Returns:
        The calibration; None if some scores are no probabilities, or there are
        none.
    """
    counts = np.zeros(num_bins, np.int64)
    num_hits = np.zeros(num_bins, np.int64)
    sums = np.zeros(num_bins)
    # By parts: bins of all scores at once would be larger than the scores.
    for part in range(0, len(scores), _ROWS):
        rows = slice(part, part + _ROWS)
        counted = (scores[rows] != -1) & (scores[rows] > -np.inf)
        some = scores[rows][counted].astype(np.float64)
        if some.size and not 0 <= some.min() <= some.max() <= 1:
            return None
        bins = np.minimum((some * num_bins).astype(np.int64), num_bins - 1)
        counts += np.bincount(bins, minlength=num_bins)
        sums += np.bincount(bins, some, minlength=num_bins)
        num_hits += np.bincount(bins[hits[rows][counted]], minlength=num_bins)
    if not counts.any():
        return None
    with np.errstate(invalid="ignore"):
        return Calibration(counts, sums / counts, num_hits / counts)
