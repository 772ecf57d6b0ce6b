"""What every model's config has in common."""

from __future__ import annotations

import abc
from collections.abc import Sequence
import dataclasses
from typing import ClassVar

from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import structures

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers


def structure_setting(
    projected: str, default: str = "dense", *, lists: bool = False
) -> structures.Structure:
    """Declares the field that chooses how the matrix at a place is made.

    Args:
        projected: what is projected there, for the help.
        default: the structure if none is chosen, as text.
        lists: whether its help lists the structures there are, as that of one
            field does for all.

    Returns:
        A `dataclasses.field`.
    """
    what = "as for --classifier_projection."
    if lists:
        known = ", ".join(structures.signatures())
        what = (
            "low_rank(rank=64) say, or a sum such as low_rank(rank=64) + "
            f"diagonal_circulant. There are {known}. Behind @ the precision of "
            "its weights, low_rank(rank=64)@int4 say, of "
            f"{', '.join(structures.PRECISIONS)}."
        )
    return settings.setting(
        default,
        f"Structure of the projection {projected}: {what}",
        parse=structures.get,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ModelConfig(abc.ABC):
    """The settings of a model, which can build it.

    A model is one file with one subclass. Its fields are flags by the same
    names. `frame_features` says which level of features it reads.

    Example:
        >>> config = yt8m.models.MoeConfig(classifier_projection="circulant")
        >>> isinstance(config, yt8m.models.ModelConfig), config.frame_features
        (True, False)
        >>> model = config.build(feature_sizes=[1024, 128], num_classes=10)
        >>> model({"features": np.zeros([2, 1152])}).shape
        TensorShape([2, 10])

    Raises:
        ValueError: if a setting is out of its range.
    """

    frame_features: ClassVar[bool]

    classifier_projection: structures.Structure = structure_setting(
        "from the video's representation to the classes", lists=True
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
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        """Builds the model, with new weights.

        Args:
            feature_sizes: size of each feature, in the order in which they are
                concatenated.
            num_classes: number of classes.
            class_priors: `[num_classes]`, the share of the videos that have
                each label, above 0 and below 1: the classifier starts there.
                None starts its biases at zeros.

        Returns:
            A functional model from a dict, `frames` uint8 `[batch, max_frames,
            feature_dim]` and `num_frames` int32 `[batch]` or `features` float32
            `[batch, feature_dim]`, to probabilities float32 `[batch,
            num_classes]`.
        """

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs.

        Returns:
            By the name of the setting, what would use it, for the error.
        """
        return {}

    def without_unused(self) -> ModelConfig:
        """Puts settings that others leave unused back to their defaults.

        Returns:
            A config of the same model, which `check_options` does not refuse
            for such a setting: that of a run of a version that took them.
        """
        config, before = self, None
        while config != before:  # One that is put back may have been a use.
            before, unused = config, config.unused_settings()
            defaults = {
                field.name: field.default
                for field in dataclasses.fields(config)
                if field.name in unused
            }
            config = dataclasses.replace(config, **defaults)
        return config

    def check_options(self) -> None:
        """Refuses what was set and is not used.

        That is a setting away from its default that others leave unused.
        Every `build` starts with it.

        Raises:
            ValueError: naming the setting, and what would use it.
        """
        unused = self.unused_settings()
        texts = settings.to_dict(self)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in unused and value != field.default:
                raise ValueError(
                    f"{type(self).__name__}: expected {unused[field.name]} with"
                    f" {field.name}, which is not used otherwise. Received: "
                    f"{field.name}={texts[field.name]!r}"
                )

    def _classifier_regularizer(self) -> keras.regularizers.Regularizer | None:
        penalty = self.l2_penalty * self.regularization_penalty
        # The starter code's L2 is half of the sum of squares, Keras's all.
        return layers.L2Penalty(penalty / 2) if penalty else None

    def _normalize(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if not self.l2_normalize:
            return x
        return unit_normalization("l2_normalize")(x)


def unit_normalization(name: str) -> layers.UnitDirection:
    """Makes a layer that scales vectors to unit length.

    Args:
        name: the layer's name.

    Returns:
        The layer, which computes in 32 bits where others have 16, and makes
        zeros of zeros. What Keras's layer amounts to in LiteRT is 0 / 0 there.
    """
    policy = keras.config.dtype_policy()
    wide = policy.compute_dtype in ("float32", "float64")
    return layers.UnitDirection(dtype=policy if wide else "float32", name=name)
