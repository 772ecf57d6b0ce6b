"""Several models together: the weighted mean of what they predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import dataclasses
import itertools

import numpy as np

from yt8m_compact import readers
from yt8m_compact.inference import prediction_rows
from yt8m_compact.inference import predictors
from yt8m_compact.run import train_dir as train_dir_lib


class Ensemble:
    r"""Predicts $\sum_m w_m p_m$, with $w_m \ge 0$ and $\sum_m w_m = 1$.

    Models that are given the same of a record share the reading; others, of
    other frames say, read the files each.

    Args:
        members: the models; all predict the same classes.
        weights: of each, 0 or more; they are divided by their sum. None is the
            same of all.

    Raises:
        ValueError: if there is no member, they don't fit each other, or the
            weights don't fit them.
    """

    def __init__(
        self,
        members: Sequence[predictors.Predictor],
        weights: Sequence[float] | None = None,
    ) -> None:
        if not members:
            raise ValueError("expected a model or more. Received: members=[]")
        first = members[0]
        for name, member in enumerate(members):
            found = (member.num_classes, member.unit, member.output)
            wanted = (first.num_classes, first.unit, first.output)
            if found != wanted or member.output != "predictions":
                raise ValueError(
                    f"expected models of {wanted[0]:,} classes of {wanted[1]}, "
                    "as the first one, that predict. Received: model "
                    f"{name}, of {found[0]:,} classes of {found[1]}, with "
                    f"{found[2]}"
                )
        self.members = tuple(members)
        self.weights = normalise(weights, len(members))
        self._groups: dict[readers.Reader, list[int]] = {}
        for index, member in enumerate(members):
            self._groups.setdefault(member.reader, []).append(index)

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self.members[0].num_classes

    @property
    def unit(self) -> str:
        """What a row is: "videos" or "segments"."""
        return self.members[0].unit

    @property
    def model_name(self) -> str:
        """The names of the models."""
        return "+".join(member.model_name for member in self.members)

    @property
    def path(self) -> str | None:
        """The first run, or what was exported of it; None where not known."""
        return self.members[0].path

    @property
    def identity(self) -> Callable[[], str] | None:
        """Says what the models and weights are; see `Predictor`."""
        identities = [member.identity for member in self.members]
        if not all(identities):
            return None
        return lambda: " ".join(
            f"{weight!r} * {identity()}"
            for weight, identity in zip(
                self.weights.tolist(), identities, strict=True
            )
        )

    def count_videos(self, ids: np.ndarray) -> int:
        """Counts the videos that begin among rows."""
        return self.members[0].count_videos(ids)

    def prepare(
        self, files: Sequence[str], skipped: readers.SkippedData | None
    ) -> None:
        """Checks that the models fit the files, and takes their weights."""
        for member in self.members:
            member.prepare(files, skipped)

    def blocks(
        self, files: Sequence[str], reading: prediction_rows.Reading
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and the weighted means, of some rows each."""
        for ids, predictions in self.member_blocks(files, reading):
            yield ids, blend(predictions, self.weights)

    def member_blocks(
        self, files: Sequence[str], reading: prediction_rows.Reading
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields ids, and what each model predicts.

        Args:
            files: names of files.
            reading: how they are read.

        Yields:
            Ids, and float32 `[members, rows, num_classes]`.

        Raises:
            DataError: if models that read the files each are not given the
                same rows.
        """
        groups = [
            self._group_blocks(reader, members, files, one)
            for (reader, members), one in zip(
                self._groups.items(), self._readings(reading), strict=True
            )
        ]
        order = np.argsort(np.concatenate([*self._groups.values()]))
        for parts in itertools.zip_longest(*groups):
            ids = [None if part is None else [*part[0]] for part in parts]
            if ids[0] is None or any(other != ids[0] for other in ids):
                raise readers.DataError(
                    f"{files[0]}: expected the same records for all models. "
                    "Received: some that one of them leaves out; mend the "
                    "data, or use models of the same features and frames"
                )
            values = [one for _, predictions in parts for one in predictions]
            yield parts[0][0], np.stack([values[index] for index in order])

    def _readings(
        self, reading: prediction_rows.Reading
    ) -> Iterator[prediction_rows.Reading]:
        """Yields how each group reads; what is left out is told once."""
        yield reading
        for _ in range(len(self._groups) - 1):
            skipped = reading.skipped
            if skipped is not None:
                skipped = readers.SkippedData()
            yield dataclasses.replace(reading, skipped=skipped)

    def _group_blocks(
        self,
        reader: readers.Reader,
        members: Sequence[int],
        files: Sequence[str],
        reading: prediction_rows.Reading,
    ) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
        for ids, inputs in prediction_rows.read_blocks(reader, files, reading):
            yield (
                ids,
                [
                    prediction_rows.values_of(
                        self.members[index].predict(**inputs),
                        "predictions",
                        ids,
                    )
                    for index in members
                ],
            )


def normalise(weights: Sequence[float] | None, number: int) -> np.ndarray:
    """Divides weights by their sum.

    Args:
        weights: of each model, or None for the same of all.
        number: how many models there are.

    Returns:
        float64 `[number]`.

    Raises:
        ValueError: if they are not so many, or one is negative, or all are 0.
    """
    if weights is None:
        weights = [1.0] * number
    values = np.array(weights, np.float64)
    if (
        values.shape != (number,)
        or not (np.isfinite(values) & (values >= 0)).all()
        or not values.sum() > 0
    ):
        raise ValueError(
            f"expected {number} weights of an ensemble, 0 or more each and not "
            f"all 0. Received: weights={[*weights]}"
        )
    return values / values.sum()


def blend(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Averages what models predict.

    Args:
        predictions: float32 `[members, ...]`.
        weights: float64 `[members]`, of sum 1.

    Returns:
        float32 `[...]`.
    """
    total = np.zeros(predictions.shape[1:], np.float64)
    for weight, one in zip(weights, predictions, strict=True):
        total += weight * one
    # 1 and a half of the last bit is no probability.
    return np.clip(total.astype(np.float32), 0.0, 1.0)


def load_member(name: str, *, segments: bool = False) -> predictors.Predictor:
    """Loads a model by its name.

    Args:
        name: the folder of a run, `preset:NAME`, or what yt8m-export wrote.
        segments: as of `predictor_from_train_dir`.

    Returns:
        The model; of a run the newest checkpoint.

    Raises:
        ValueError: if there is none.
    """
    if train_dir_lib.is_run(name):
        return predictors.predictor_from_train_dir(name, segments=segments)
    return predictors.predictor_from_artefact(name, segments=segments)


def load_ensemble(
    names: Sequence[str],
    weights: Sequence[float] | None = None,
    *,
    segments: bool = False,
) -> Ensemble:
    """Loads models by their names, to predict together.

    Args:
        names: as of `load_member`.
        weights: as of `Ensemble`.
        segments: as of `load_member`.

    Returns:
        The ensemble.

    Raises:
        ValueError: as of `load_member` and of `Ensemble`.
    """
    return Ensemble(
        [load_member(name, segments=segments) for name in names], weights
    )
