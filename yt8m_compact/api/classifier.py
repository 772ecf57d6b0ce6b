"""What all models that are open have in common."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import os
import tempfile

import numpy as np

from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact.api import array_files
from yt8m_compact.api import array_videos
from yt8m_compact.api import class_names as class_names_lib
from yt8m_compact.api import label_lists
from yt8m_compact.api import predictions as predictions_lib
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import report
from yt8m_compact.inference import predictors
from yt8m_compact.run import config as config_lib

# Files of records, as of `readers.expand_patterns`; records; or arrays.
Videos = (
    str
    | os.PathLike[str]
    | Sequence[str]
    | Sequence[bytes]
    | array_videos.Arrays
)


class Classifier(abc.ABC):
    """A trained model, open to predict and to be evaluated.

    `load_run`, `load_preset` and `fit` give a `TrainedModel`, `load` an
    `ExportedModel`.

    Example:
        >>> classifier = yt8m.load_preset("yt8m_2018_video_100k")
        >>> isinstance(classifier, yt8m.api.Classifier)
        True
        >>> classifier.config.data.num_classes, classifier.class_names[0]
        (3862, 'Game')

    Attributes:
        config: the configuration of its run.
        class_names: the name of each class; None where they are not known.
    """

    def __init__(
        self,
        config: config_lib.Config,
        class_names: class_names_lib.ClassNames | None = None,
    ) -> None:
        self.config = config
        self.class_names = class_names_lib.read_class_names(
            class_names, config.data.num_classes
        )

    def predict(
        self,
        videos: Videos,
        top_k: int = 5,
        class_names: class_names_lib.ClassNames | None = None,
        *,
        batch_size: int = 256,
        on_data_error: str = "stop",
    ) -> predictions_lib.Predictions:
        """Predicts the likeliest classes of videos, the same as yt8m-predict.

        Example:
            >>> import numpy as np
            >>> import yt8m_compact as yt8m
            >>> classifier = yt8m.load_preset("yt8m_2018_video_100k")
            >>> found = classifier.predict(np.zeros([2, 1152]), top_k=3)
            >>> len(found), found.scores.shape, [len(row) for row in found]
            (2, (2, 3), [3, 3])
            >>> name, probability = found[0][0]

        Args:
            videos: files of records, by names or patterns; or records, bytes;
                or arrays of features: video-level ones `[videos, size]`, each
                feature behind the one before (the 1,024 of `mean_rgb`, then
                the 128 of `mean_audio`); frames as a list of arrays, `[frames,
                size]`; or a dict of such by the names of the features.
            top_k: how many classes of each video; at most all.
            class_names: names of the classes, if others than the model's: a
                list, a dict or a file.
            batch_size: videos read at a time; nothing depends on it.
            on_data_error: "stop", or "skip" to leave out damaged records of
                files.

        Returns:
            For each video, names and probabilities, the likeliest first.

        Raises:
            ValueError: if arrays are of another size or type, or not finite.
            DataError: if files or records are missing, broken, or of another
                kind than the model's.
        """
        if top_k < 1:
            raise ValueError(f"expected at least 1. Received: top_k={top_k}")
        num_classes = self.config.data.num_classes
        top_k = min(top_k, num_classes)
        names = self.class_names
        if class_names is not None:
            names = class_names_lib.read_class_names(class_names, num_classes)
        ids: list[str] = []
        classes = [np.zeros([0, top_k], np.int64)]
        scores = [np.zeros([0, top_k], np.float32)]
        for some, rows in self._predict(videos, batch_size, on_data_error):
            best = ops.top_k_classes(rows, top_k)
            ids += [one.decode() for one in some]
            classes.append(best)
            scores.append(np.take_along_axis(rows, best, axis=1))
        return predictions_lib.Predictions(
            tuple(ids), np.concatenate(classes), np.concatenate(scores), names
        )

    def predict_scores(
        self,
        videos: Videos,
        *,
        batch_size: int = 256,
        on_data_error: str = "stop",
    ) -> np.ndarray:
        """Predicts the probabilities of all classes, as `metrics` takes them.

        Example:
            >>> import numpy as np
            >>> import yt8m_compact as yt8m
            >>> classifier = yt8m.load_preset("yt8m_2018_video_100k")
            >>> classifier.predict_scores(np.zeros([2, 1152])).shape
            (2, 3862)

        Args:
            videos: as of `predict`.
            batch_size: likewise.
            on_data_error: likewise.

        Returns:
            float32 `[videos, num_classes]`, in the order of the videos, or of
            the records in the files.

        Raises:
            ValueError: as of `predict`.
            DataError: likewise.
        """
        rows = [np.zeros([0, self.config.data.num_classes], np.float32)]
        for _, some in self._predict(videos, batch_size, on_data_error):
            rows.append(some)
        return np.concatenate(rows)

    def evaluate(
        self,
        videos: Videos,
        labels: label_lists.Labels | None = None,
        *,
        top_k: int = 20,
        batch_size: int = evaluation.BATCH_SIZE,
        on_data_error: str = "stop",
        frame_seed: int | None = None,
    ) -> report.Report:
        """Evaluates the model exactly, by the same function as yt8m-eval.

        Example:
            >>> import numpy as np
            >>> import yt8m_compact as yt8m
            >>> classifier = yt8m.load_preset("yt8m_2018_video_100k")
            >>> features = np.eye(3, 1152)
            >>> labels = [[0], [1, 5], [2]]  # the classes of each video
            >>> report = classifier.evaluate(features, labels)
            >>> sorted(report.metrics)[:4]
            ['gap', 'hit_at_1', 'loss', 'map']
            >>> print(report.to_text())  # doctest: +ELLIPSIS
            MlpModel...

        Args:
            videos: files of records, or arrays, as of `predict`.
            labels: of arrays: the classes of each video, or an array of 0 and
                1, `[videos, num_classes]`. Records have their own.
            top_k: how many predictions of each video GAP counts.
            batch_size: videos of a batch; the metrics do not depend on it.
            on_data_error: as of `predict`.
            frame_seed: None samples frames evenly; a number at random, as in
                training.

        Returns:
            The report: `metrics`, by name, and the weights of the model.

        Raises:
            ValueError: as of `predict`, or if labels are wrong or missing.
            DataError: as of `predict`.
        """
        with contextlib.ExitStack() as closing:
            if is_in_files(videos):
                if labels is not None:
                    raise ValueError(
                        "expected no labels with files of records, which have "
                        "their own. Received: labels"
                    )
                pattern = join_patterns(videos)
            else:
                self._refuse_segments()
                folder = closing.enter_context(tempfile.TemporaryDirectory())
                data = self.config.data
                read = array_videos.read_arrays(
                    _expect_arrays(videos),
                    frame_features=data.frame_features,
                    data=data,
                    name="videos",
                )
                if labels is None:
                    raise ValueError(
                        "expected labels of the videos, to evaluate with. "
                        "Received: labels=None"
                    )
                lists = label_lists.read_labels(
                    labels,
                    num_classes=data.num_classes,
                    num_videos=len(read),
                )
                pattern = array_files.write(folder, "videos", data, read, lists)
            evaluator = evaluation.Evaluator(
                None,
                pattern,
                batch_size=batch_size,
                top_k=top_k,
                on_data_error=on_data_error,
                frame_seed=frame_seed,
            )
            found = self._evaluate(evaluator)
            if not is_in_files(videos):
                found = dataclasses.replace(found, eval_data_pattern=None)
            return found

    @abc.abstractmethod
    def _evaluate(self, evaluator: evaluation.Evaluator) -> report.Report:
        """Evaluates the model."""

    @property
    @abc.abstractmethod
    def _predictor(self) -> predictors.Predictor:
        """Predicts from what a reader makes of records."""

    def _predict(
        self, videos: Videos, batch_size: int, on_data_error: str
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if on_data_error not in ("stop", "skip"):
            raise ValueError(
                "expected on_data_error to be stop or skip. Received: "
                f"{on_data_error=}"
            )
        if is_in_files(videos):
            skip = on_data_error == "skip"
            return predictors.predict_files(
                self._predictor,
                join_patterns(videos),
                batch_size=batch_size,
                # In the order of the files.
                num_readers=1,
                skipped=readers.SkippedData() if skip else None,
            )
        if _are_records(videos):
            records = list(videos)
        else:
            data = self.config.data
            records = array_videos.read_arrays(
                videos,
                frame_features=data.frame_features,
                data=data,
                name="videos",
            ).to_records(data, None)
        return self._predictor.predict_records(list(records), batch_size)

    def _refuse_segments(self) -> None:
        if self.config.data.segment_labels:
            raise ValueError(
                "expected files of records to evaluate a model of rated "
                "segments: arrays have no ratings. Received: arrays"
            )


def is_in_files(videos: Videos) -> bool:
    """Whether videos are given as files: names or patterns."""
    if isinstance(videos, (str, os.PathLike)):
        return True
    return (
        isinstance(videos, (list, tuple))
        and len(videos) > 0
        and all(isinstance(one, (str, os.PathLike)) for one in videos)
    )


def _are_records(videos: Videos) -> bool:
    return (
        isinstance(videos, (list, tuple))
        and len(videos) > 0
        and all(isinstance(one, bytes) for one in videos)
    )


def _expect_arrays(videos: Videos) -> array_videos.Arrays:
    if _are_records(videos):
        raise ValueError(
            "expected files of records, or arrays and their labels. Received: "
            "a list of bytes"
        )
    return videos


def join_patterns(videos: Videos) -> str:
    """Writes names of files as the programs take them, comma-separated."""
    if isinstance(videos, (str, os.PathLike)):
        return os.fspath(videos)
    return ",".join(map(os.fspath, videos))
