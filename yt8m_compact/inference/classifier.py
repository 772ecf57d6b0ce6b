"""A trained model with the names of its classes."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np

from yt8m_compact import presets
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A model of video-level features that names what it finds.

    Attributes:
        config: the configuration of its run.
        model: from a dict of `features`, float `[batch, feature_dim]`, to
            probabilities float32 `[batch, num_classes]`.
        class_names: the names of the classes.
    """

    config: config_lib.Config
    model: keras.Model
    class_names: tuple[str, ...]

    def classify(
        self, features: np.ndarray, top_k: int = 5
    ) -> list[list[tuple[str, float]]]:
        """Names the likeliest classes of videos.

        Args:
            features: float `[batch, feature_dim]`, each feature behind the one
                before: the 1,024 of `mean_rgb`, then the 128 of `mean_audio`.
            top_k: how many classes of each video.

        Returns:
            For each video, names and probabilities, the likeliest first.

        Raises:
            ValueError: if the features are of another size or not finite.
        """
        features = np.asarray(features, np.float32)
        size = sum(self.config.data.feature_sizes)
        if features.ndim != 2 or features.shape[1] != size:
            raise ValueError(
                f"expected features of shape [batch, {size}]. Received: "
                f"features.shape={list(features.shape)}"
            )
        if not np.isfinite(features).all():
            raise ValueError(
                "expected finite features. Received: not finite: "
                f"{np.count_nonzero(~np.isfinite(features))}"
            )
        scores = self.model.predict({"features": features}, verbose=0)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top_k]
        return [
            [(self.class_names[index], float(row[index])) for index in best]
            for row, best in zip(scores, order, strict=True)
        ]


def load_preset(name: str) -> Classifier:
    """Loads a model that comes with the package.

    Args:
        name: its name, one of `presets.names()`.

    Returns:
        The model, with its classes.

    Raises:
        ValueError: if there is none of this name.
    """
    run = train_dir_lib.TrainDir(presets.PREFIX + name)
    config, model, _ = run.restore_model()
    return Classifier(config, model, presets.class_names(name))
