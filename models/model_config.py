"""What every model's config has in common."""

import abc
from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any, ClassVar

import keras

from yt8m_compact import layers
from yt8m_compact import settings
from yt8m_compact import structures

PROJECTION_KINDS = (*structures.STRUCTURES, *structures.ALIASES)


def projection_setting(place: str, default: str = "dense") -> str:
    """Declares the field that chooses the kind of projection at a place.

    Args:
      place: what is projected there, for the help.
      default: the kind if none is chosen.

    Returns:
      A `dataclasses.field`.
    """
    return settings.setting(
        default,
        f"Kind of the projection {place}.",
        choices=PROJECTION_KINDS,
    )


def batch_norm_momentum_setting() -> float:
    """Declares the field that says how slow moving statistics are."""
    return settings.setting(
        0.99,
        "Share of the moving statistics that batch normalisation keeps at "
        "each step; less suits short runs.",
        minimum=0.0,
        maximum=1.0,
    )


def _option_setting(what: str) -> int | None:
    return settings.setting(
        None,
        f"{what}; if not given, the default of the kind.",
        minimum=1,
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
    num_factors: int | None = _option_setting(
        "Number of factors of each projection that is a product of factors"
    )
    block_size: int | None = _option_setting(
        "Size of the blocks of each projection that is made of blocks of a "
        "chosen size"
    )
    rank: int | None = _option_setting(
        "Rank of each projection that has a low-rank part"
    )
    num_buckets: int | None = _option_setting(
        "Number of weights of each hashed projection"
    )
    shared_diagonal: bool | None = settings.setting(
        None,
        "Whether the blocks of a wide projection share their diagonals, which "
        "is faster; if not given, the default of the kind.",
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

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs.

        Returns:
          By the name of the setting, what would use it, for the error.
        """
        return {}

    def without_unused(self) -> "ModelConfig":
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

        That is an option that no projection of the model has, and a setting
        away from its default that others leave unused. Every `build` starts
        with it.

        Raises:
          ValueError: naming the setting, and what would use it.
        """
        unused = self.unused_settings()
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in unused and value != field.default:
                raise ValueError(
                    f"{type(self).__name__}: expected {unused[field.name]} with"
                    f" {field.name}, which is not used otherwise. Received: "
                    f"{field.name}={value!r}"
                )
        kinds = {
            getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name.endswith("_projection")
        }
        known = {name for kind in kinds for name in arguments_of(kind)}
        for name, value in _given_options(self).items():
            if name not in known:
                users = [k for k in PROJECTION_KINDS if name in arguments_of(k)]
                raise ValueError(
                    f"{type(self).__name__}: expected {name} with a projection"
                    f" that has it, one of: {', '.join(users) or 'none'}. "
                    f"Received: {name}={value}, projections="
                    f"{', '.join(sorted(kinds))}"
                )

    def _project(
        self, x: keras.KerasTensor, kind: str, units: int, **kwargs: Any
    ) -> keras.KerasTensor:
        """Adds a projection with the options that its kind has."""
        return self._make_projection(kind, units, **kwargs)(x)

    def _make_projection(
        self, kind: str, units: int, **kwargs: Any
    ) -> layers.Projection:
        """Makes a projection with the options that its kind has."""
        return layers.Projection(units, structure_of(self, kind), **kwargs)

    def _classifier_regularizer(self) -> keras.regularizers.Regularizer | None:
        penalty = self.l2_penalty * self.regularization_penalty
        # The starter code's L2 is half of the sum of squares, Keras's all.
        return keras.regularizers.L2(penalty / 2) if penalty else None

    def _normalize(self, x: keras.KerasTensor) -> keras.KerasTensor:
        if not self.l2_normalize:
            return x
        return unit_normalization("l2_normalize")(x)


def unit_normalization(name: str) -> keras.layers.UnitNormalization:
    """Makes a layer that scales vectors to unit length.

    Args:
      name: the layer's name.

    Returns:
      The layer, which computes in 32 bits where others have 16: the squares of
      a short vector are 0 in float16, and its direction would be 0 / 0.
    """
    policy = keras.config.dtype_policy()
    wide = policy.compute_dtype in ("float32", "float64")
    return keras.layers.UnitNormalization(
        dtype=policy if wide else "float32", name=name
    )


def structure_of(config: ModelConfig, kind: str) -> structures.Structure:
    """Gives a kind of projection the options of a model's config that it has.

    Args:
      config: the model's config.
      kind: the bare name of a structure, one of `PROJECTION_KINDS`.

    Returns:
      The structure, with those options that were given and that it has.
    """
    return with_arguments(structures.get(kind), _given_options(config))


def with_arguments(
    structure: structures.Structure, arguments: Mapping[str, Any]
) -> structures.Structure:
    """Sets arguments of a structure, or of the parts of a sum.

    Args:
      structure: the structure.
      arguments: by name; one goes to those parts that have it, if any.

    Returns:
      The structure with these arguments.
    """
    if isinstance(structure, structures.Sum):
        return structures.Sum(
            tuple(with_arguments(part, arguments) for part in structure.parts)
        )
    names = {field.name for field in dataclasses.fields(structure)}
    return dataclasses.replace(
        structure,
        **{name: arguments[name] for name in names & set(arguments)},
    )


def arguments_of(kind: str) -> set[str]:
    """Names the arguments that a structure, or a part of a sum, has.

    Args:
      kind: the bare name of a structure, one of `PROJECTION_KINDS`.

    Returns:
      The names.
    """
    structure = structures.get(kind)
    parts = getattr(structure, "parts", [structure])
    return {field.name for part in parts for field in dataclasses.fields(part)}


def _given_options(config: ModelConfig) -> dict[str, Any]:
    values = {
        "num_factors": config.num_factors,
        "block_size": config.block_size,
        "rank": config.rank,
        "num_buckets": config.num_buckets,
        "shared_diagonal": config.shared_diagonal,
    }
    return {name: value for name, value in values.items() if value is not None}
