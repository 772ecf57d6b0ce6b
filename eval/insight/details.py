"""Collects what an evaluation says of classes, in the pass of its metrics."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any

import numpy as np

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval.insight import calibration as calibration_lib
from yt8m_compact.eval.insight import confusions as confusions_lib
from yt8m_compact.eval.insight import curve as curve_lib
from yt8m_compact.eval.insight import groups as groups_lib

_NUM_CONFUSIONS = 200


@dataclasses.dataclass(frozen=True)
class ClassTable:
    """The metrics of every class, `[num_classes]` each.

    A class without labels has NaN but for `support`.

    Attributes:
        support: int, the videos that have it.
        average_precision: over the ranking of all videos.
        threshold: the score as of which F1 is best; the highest one of equal
            ones.
        precision: of the videos with that score or a higher one.
        recall: likewise.
        f1: likewise.
    """

    support: np.ndarray
    average_precision: np.ndarray
    threshold: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray


@dataclasses.dataclass(frozen=True)
class Insight:
    """What an evaluation says beside its metrics.

    Attributes:
        classes: the metrics of every class.
        confusions: the pairs that are confused the most often.
        calibration: of the predictions that GAP ranks; None where they are no
            probabilities.
        curve: precision and recall of these.
        frequencies: metrics of head, middle and tail.
        verticals: metrics of each vertical, as far as they are known.
    """

    classes: ClassTable
    confusions: list[confusions_lib.Confusion]
    calibration: calibration_lib.Calibration | None
    curve: curve_lib.Curve
    frequencies: list[groups_lib.Group]
    verticals: list[groups_lib.Group]

    def to_dict(self) -> dict[str, Any]:
        """Writes it as a dict that JSON can hold, without the classes.

        Returns:
            The dict; what is not defined is None.
        """
        values: dict[str, Any] = {
            name: [
                {key: _finite(value) for key, value in vars(one).items()}
                for one in getattr(self, name)
            ]
            for name in ("confusions", "frequencies", "verticals")
        }
        values["precision_recall"] = _lists(self.curve)
        values["calibration"] = None
        if self.calibration is not None:
            values["calibration"] = {
                "expected_error": self.calibration.expected_error,
                **_lists(self.calibration),
            }
        return values


class Details:
    """Collects an `Insight`, in the pass of `EvaluationMetrics`.

    It keeps six numbers a class, the pairs of classes that were confused, and
    what `RankedVideos` holds; all values are exact.

    Args:
        num_classes: The number of classes.
        verticals: The classes of each vertical, as far as they are known.
    """

    def __init__(
        self,
        num_classes: int,
        verticals: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._num_classes = num_classes
        self._verticals = verticals or {}
        self._confusions = confusions_lib.Confusions(num_classes)
        self._table = ClassTable(
            np.zeros(num_classes, np.int64),
            *(np.full(num_classes, np.nan) for _ in range(5)),
        )

    def on_ranking(self, ranking: ranked_videos.Ranking) -> None:
        """Adds a batch of videos."""
        self._confusions.update(ranking)

    def on_class(self, ranking: average_precision.ClassRanking) -> None:
        """Adds a class, once all videos are known."""
        found, index, table = ranking.thresholds, ranking.index, self._table
        number = len(ranking.positives)
        f1 = 2 * found.true_positives / (found.num_reached + number)
        # Thresholds rise, and the highest of equal ones is the last.
        best = len(f1) - 1 - int(np.argmax(f1[::-1]))
        true = found.true_positives[best]
        table.support[index] = number
        table.average_precision[index] = found.average_precision(number)
        table.threshold[index] = found.scores[best]
        table.precision[index] = true / found.num_reached[best]
        table.recall[index] = true / number
        table.f1[index] = f1[best]

    def finish(self, best: ranked_videos.RankedVideos) -> Insight:
        """Computes what is to be said.

        Args:
            best: The best classes of all videos.

        Returns:
            It.
        """
        table = self._table
        frequencies = groups_lib.by_frequency(table.support)
        verticals = groups_lib.by_vertical(self._verticals, self._num_classes)
        of_frequencies, of_verticals = (
            groups_lib.evaluate(
                groups, best, table.support, table.average_precision
            )
            for groups in (frequencies, verticals)
        )
        return Insight(
            classes=table,
            confusions=self._confusions.most(_NUM_CONFUSIONS),
            calibration=calibration_lib.calibrate(best.scores, best.hits),
            curve=curve_lib.precision_recall(
                best.scores, best.hits, int(table.support.sum())
            ),
            frequencies=of_frequencies,
            verticals=of_verticals,
        )


def _finite(value: Any) -> Any:
    is_nan = isinstance(value, float) and np.isnan(value)
    return None if is_nan else value


def _lists(arrays: Any) -> dict[str, list]:
    return {
        name: [_finite(value) for value in array.tolist()]
        for name, array in vars(arrays).items()
    }
