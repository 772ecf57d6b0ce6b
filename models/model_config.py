"""What every model's config has in common."""

import abc
from collections.abc import Sequence
import dataclasses
from typing import ClassVar

import keras

from yt8m_compact import layers
from yt8m_compact import settings

PROJECTION_KINDS = tuple(layers.PROJECTIONS)


def projection_setting(place: str) -> str:
    """Declares the field that chooses the kind of projection at a place.

    Args:
      place: what is projected there, for the help.

    Returns:
      A `dataclasses.field`.
    """
    return settings.setting(
        "dense",
        f"Kind of the projection {place}.",
        choices=PROJECTION_KINDS,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig(abc.ABC):
    """The settings of a model, which can build it.

    A model is one file with one subclass. Its fields are flags by the same
    names. `frame_features` says which level of features it reads.
    """

    frame_features: ClassVar[bool]

    classifier_projection: str = projection_setting(
        "from the video's representation to the classes"
    )
    l2_normalize: bool = settings.setting(
        True,
        "Whether features are scaled to unit length first, as the starter "
        "code does.",
    )
    l2_penalty: float = settings.setting(
        1e-8,
        "Weight of half the sum of the classifier's squared weights.",
        minimum=0.0,
    )
    regularization_penalty: float = settings.setting(
        1.0,
        "Factor of all regularisation terms in the loss; 0 turns them off.",
        minimum=0.0,
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)

    @property
    def num_sampled_frames(self) -> int | None:
        """How many frames of a video the model looks at; None is all."""
        return None

    @property
    def samples_random_frames(self) -> bool:
        """Whether training samples single frames, not runs of frames."""
        return True

    @abc.abstractmethod
    def build(
        self, *, feature_sizes: Sequence[int], num_classes: int
    ) -> keras.Model:
        """Builds the model, with new weights.

        Args:
          feature_sizes: size of each feature, in the order in which they are
            concatenated.
          num_classes: number of classes.

        Returns:
          A functional model from a dict, `frames` uint8 `[batch, max_frames,
          feature_dim]` and `num_frames` int32 `[batch]` or `features` float32
          `[batch, feature_dim]`, to probabilities float32 `[batch,
          num_classes]`.
        """

    def _classifier_regularizer(self) -> keras.regularizers.Regularizer | None:
        penalty = self.l2_penalty * self.regularization_penalty
        # The starter code's L2 is half of the sum of squares, Keras's all.
        return keras.regularizers.L2(penalty / 2) if penalty else None

    def _normalize(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if not self.l2_normalize:
            return x
        return keras.layers.UnitNormalization(name="l2_normalize")(x)
