"""What models of frame-level features have in common."""

from __future__ import annotations

import abc
from collections.abc import Sequence
import dataclasses
from typing import ClassVar, NamedTuple

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import classifiers
from yt8m_compact.models import model_config
from yt8m_compact.models import moe

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers

# The video-level models that can follow the pooled frames.
_CLASSIFIERS = ("MoeModel", "LogisticModel")


class Frames(NamedTuple):
    """The start of a model of frames.

    Attributes:
        inputs: the model's inputs, `frames` and `num_frames`.
        values: the features of the frames, float `[batch, max_frames,
            feature_dim]`, of unit length where that is asked for.
        mask: bool `[batch, max_frames]`, true where there is a frame.
    """

    inputs: dict[str, keras.KerasTensor]
    values: keras.KerasTensor
    mask: keras.KerasTensor


def iterations_setting(default: int) -> int:
    """Declares the field that says how many frames a model looks at."""
    return settings.setting(
        default,
        "Number of frames of each video that the model looks at: random ones "
        "in training, evenly spaced ones otherwise; 0 is all of them.",
        minimum=0,
    )


def drop_rate_setting(default: float) -> float:
    """Declares the field that says how much of a layer training drops."""
    return settings.setting(
        default,
        "Share of the values that dropout sets to zero in training.",
        minimum=0.0,
        maximum=0.99,
    )


def batch_norm_momentum_setting() -> float:
    """Declares the field that says how slowly moving statistics move."""
    return settings.setting(
        0.99,
        "Share of the moving statistics that batch normalisation keeps at "
        "each step, or less: at first they are of the last twentieth of the "
        "steps.",
        minimum=0.0,
        maximum=1.0,
    )


def classifier_setting(default: str) -> str:
    """Declares the field that chooses the classifier of pooled frames."""
    return settings.setting(
        default, "Classifier of the pooled frames.", choices=_CLASSIFIERS
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameModelConfig(model_config.ModelConfig):
    """Settings of a model that reads frames."""

    frame_features: ClassVar[bool] = True

    def _read_frames(self, feature_sizes: Sequence[int]) -> Frames:
        """Adds the inputs, the mask, and what comes before every model."""
        frames = keras.Input(
            (None, sum(feature_sizes)), dtype="uint8", name="frames"
        )
        num_frames = keras.Input((), dtype="int32", name="num_frames")
        chosen, mask = self._choose_frames(frames, num_frames)
        values = self._normalize(layers.Dequantize(name="dequantize")(chosen))
        inputs = {"frames": frames, "num_frames": num_frames}
        return Frames(inputs, values, mask)

    def _choose_frames(
        self, frames: keras.KerasTensor, num_frames: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Adds what chooses the frames to look at, and their mask: all."""
        mask = layers.FrameMask(name="frame_mask")([frames, num_frames])
        return frames, mask


@dataclasses.dataclass(frozen=True, kw_only=True)
class BatchNormConfig(FrameModelConfig):
    """Settings of a model of frames with batch normalisation."""

    batch_norm_momentum: float = batch_norm_momentum_setting()

    def _batch_norm(self, name: str) -> layers.BatchNormalization:
        """Makes the batch normalisation of vectors."""
        return layers.BatchNormalization(
            momentum=self.batch_norm_momentum,
            name=name,
        )

    def _frame_norm(
        self, name: str, activation: str = "linear"
    ) -> layers.FrameNormalization:
        """Makes that of frames, with the activation after it."""
        return layers.FrameNormalization(
            activation, momentum=self.batch_norm_momentum, name=name
        )

    def _pool_projected(
        self,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
        units: int,
        structure: structures.Structure,
        *,
        names: tuple[str, str],
        activation: str,
        pooling: str,
        input_gradient: bool,
    ) -> keras.KerasTensor:
        """Projects, normalises, activates and pools frames.

        Args:
            x: `[batch, max_frames, feature_dim]`.
            mask: `[batch, max_frames]`.
            units: the number of columns.
            structure: of the projection.
            names: of the projection and the batch normalisation.
            activation: what comes after it.
            pooling: how frames are pooled then.
            input_gradient: whether anything before is trained.

        Returns:
            `[batch, units]`.
        """
        projection, norm = names
        x = layers.Projection(
            units, structure, use_bias=False, deferred=True, name=projection
        )(x)
        return layers.FrameNormalization(
            activation,
            pooling,
            units,
            structure,
            input_gradient,
            momentum=self.batch_norm_momentum,
            name=norm,
        )(x, mask=mask)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameSetConfig(BatchNormConfig):
    """Settings of a model for which frames are a set, of which it sees some.

    The order of the frames does not count. They are normalised by batch
    normalisation, to which padding does not count.
    """

    iterations: int = iterations_setting(30)
    sample_random_frames: bool = settings.setting(
        True,
        "Whether training samples single frames; if false, it samples a run "
        "of consecutive frames.",
    )

    @property
    def num_sampled_frames(self) -> int | None:
        """How many frames of a video the model looks at; None is all."""
        return self.iterations or None

    @property
    def samples_random_frames(self) -> bool:
        """Whether training samples single frames, not runs of frames."""
        return self.sample_random_frames

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self.iterations:
            unused["sample_random_frames"] = "iterations above 0"
        return unused


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassifiedFramesConfig(FrameModelConfig):
    """Settings of a model that classifies pooled frames, in one of two ways.

    By a mixture of experts or by logistic regression, as a setting of the
    subclass says.
    """

    moe_num_mixtures: int = moe.num_mixtures_setting()

    @property
    @abc.abstractmethod
    def _has_mixture(self) -> bool:
        """Whether the classifier is a mixture of experts."""

    def _classify(
        self,
        x: keras.KerasTensor,
        num_classes: int,
        class_priors: np.ndarray | None,
        name: str = classifiers.PREDICTIONS,
    ) -> keras.KerasTensor:
        """Adds the classifier, whose layer of probabilities has the name."""
        arguments = {
            "num_classes": num_classes,
            "class_priors": class_priors,
            "structure": self.classifier_projection,
            "regularizer": self._classifier_regularizer(),
            "name": name,
        }
        if not self._has_mixture:
            return classifiers.classify_logistic(x, **arguments)
        return classifiers.classify_moe(
            x, num_mixtures=self.moe_num_mixtures, **arguments
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FrameClassifierConfig(ClassifiedFramesConfig):
    """Settings of a model of frames that ends with a video-level model."""

    video_level_classifier_model: str = classifier_setting("MoeModel")

    @property
    def _has_mixture(self) -> bool:
        return self.video_level_classifier_model == "MoeModel"

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        if not self._has_mixture:
            unused["moe_num_mixtures"] = "video_level_classifier_model=MoeModel"
        return unused


def split_features(
    x: keras.KerasTensor, sizes: Sequence[int]
) -> list[keras.KerasTensor]:
    """Cuts frames into the features that were concatenated.

    Args:
        x: `[batch, max_frames, sum(sizes)]`.
        sizes: size of each feature.

    Returns:
        A tensor `[batch, max_frames, size]` for each feature.
    """
    if len(sizes) == 1:
        return [x]
    ends = [sum(sizes[:number]) for number in range(1, len(sizes))]
    return keras.ops.split(x, ends, axis=-1)
