"""Predictors that compute a formula: no model to build or to train."""

import numpy as np

import tiny_runs
from yt8m_compact import readers
from yt8m_compact.inference import predictors

SIZE = sum(tiny_runs.VIDEO_SIZES.values())


def make(seed=0, on_block=lambda: None, output="predictions", **kwargs):
    """Makes a predictor of the videos of `tiny_runs.write_videos`.

    Args:
        seed: decides the formula.
        on_block: is called for each block.
        output: predictions or embeddings.
        **kwargs: other arguments of the reader.

    Returns:
        The predictor: the sigmoid of a linear function of the features.
    """
    reader = readers.VideoLevelReader(
        feature_names=tuple(tiny_runs.VIDEO_SIZES),
        feature_sizes=tuple(tiny_runs.VIDEO_SIZES.values()),
        num_classes=tiny_runs.NUM_CLASSES,
        **{"with_labels": False, "column_ids": True, **kwargs},
    )

    def predict(features):
        on_block()
        return {output: values_of(features.numpy(), seed)}

    return predictors.Predictor(
        reader, predict, identity=lambda: f"formula {seed}", output=output
    )


def values_of(features, seed=0):
    """Computes what the predictor of a seed says of features."""
    kernel = np.random.default_rng(seed).normal(
        size=[SIZE, tiny_runs.NUM_CLASSES]
    )
    return (1 / (1 + np.exp(-(features @ kernel)))).astype(np.float32)
