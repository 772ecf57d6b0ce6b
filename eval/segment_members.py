"""MAP@K of models and submissions, on the same segments and draws."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from yt8m_compact import predictions as predictions_lib
from yt8m_compact import readers
from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import comparison
from yt8m_compact.eval import comparison_sources
from yt8m_compact.eval import prediction_evaluation
from yt8m_compact.eval import segment_evaluation
from yt8m_compact.eval import segment_map
from yt8m_compact.eval import weights as weights_lib
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import latency
from yt8m_compact.inference import prediction_rows
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.inference.exports import report as export_report
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice


@dataclasses.dataclass(frozen=True)
class SegmentMembers:
    """Computes MAP@K of one member of a comparison after the other.

    Attributes:
        pattern: Files with rated segments, glob patterns, comma-separated; or a
            file of ratings, where there are submissions alone.
        num_classes: The number of classes.
        k: How many segments of each class count.
        num_draws: How often the videos that have a rating are drawn.
        seed: Of these draws.
        reading: How records are read.
        choice: Which weights of runs.
    """

    pattern: str
    num_classes: int
    k: int
    num_draws: int
    seed: int
    reading: prediction_rows.Reading
    choice: weight_choice.WeightChoice

    @functools.cached_property
    def ratings(self) -> predictions_lib.RatingTable:
        """What people said of the segments."""
        return prediction_evaluation.read_ratings(
            self.pattern, self.num_classes
        )

    @functools.cached_property
    def draws(self) -> bootstrap.Draws:
        """The draws of the videos that have a rating."""
        number = int(self.ratings.videos().max()) + 1
        return bootstrap.Draws(number, self.num_draws, self.seed)

    def evaluate(
        self, source: comparison_sources.Source, with_costs: bool
    ) -> tuple[comparison.Member, prediction_evaluation.PredictionReport]:
        """Evaluates a model or a submission.

        Args:
            source: It.
            with_costs: Whether to say what a model takes.

        Returns:
            The member, of MAP@K alone, and the report of that.

        Raises:
            DataError: If the data is missing or broken, or has no rated
                segments.
            ValueError: If the model is missing or broken or looks at no frames,
                or nobody found a class in any segment.
        """
        costs = comparison.Costs()
        if source.predictions is not None:
            files, _ = prediction_evaluation.find_files(source.predictions)
            ranked = prediction_evaluation.rank_segments(
                files[0], self.ratings, self.num_classes, self.k
            )
        else:
            predictor, find_costs = self._load(source)
            files = readers.expand_patterns(self.pattern)
            rows = prediction_rows.Rows(predictor, files, self.reading)
            ranked = segment_evaluation.rank_rows(rows, self.ratings, self.k)
            if with_costs:
                costs = find_costs(self._first(predictor, files))
        report = prediction_evaluation.PredictionReport(
            source.name,
            self.pattern,
            predictions_lib.Format.SEGMENTS.value,
            ranked.result(),
            0,
            self.k,
        )
        member = comparison.Member(
            source.name,
            {"map_at_k": report.metrics["map_at_k"]},
            self._draw(ranked),
            costs,
            report.to_dict(),
        )
        return member, report

    def _draw(
        self, ranked: segment_map.RankedSegments
    ) -> dict[str, np.ndarray]:
        return {"map_at_k": ranked.draw(self.draws.counts)}

    def _first(
        self, predictor: predictors.Predictor, files: list[str]
    ) -> dict[str, Any]:
        """Reads the first segments, one of which a model is timed with."""
        dataset = readers.make_dataset(predictor.reader, files, batch_size=1)
        with readers.readable_errors():
            return next(iter(dataset.take(1)))

    def _load(self, source: comparison_sources.Source) -> tuple[Any, Any]:
        """Returns a predictor of segments, and what finds its costs."""
        if source.model_file is not None:
            config, model = artefacts.load(source.model_file)
            counts = weights_lib.count_weights_of_config(
                config.model.without_unused(),
                feature_sizes=config.data.feature_sizes,
                num_classes=config.data.num_classes,
            )
            predictor = predictors.predictor_from_model_file(
                config, model, segments=True
            )
            return predictor, lambda batch: comparison.costs_of(
                counts,
                latency.measure_artefact(model, batch),
                export_report.count_bytes(model.path),
            )
        run = train_dir_lib.TrainDir(source.train_dir)
        config, model, _ = run.restore_model(source.step, self.choice)
        predictor = predictors.predictor_from_module(
            serving.ServingModule(config, model, top_k=1),
            segments=True,
            where=run.path,
        )
        return predictor, lambda batch: comparison.costs_of(
            weights_lib.count_weights(model),
            latency.measure(config, model, batch),
        )
