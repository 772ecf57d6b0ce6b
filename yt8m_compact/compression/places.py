"""The places of a run's model: what chooses the structure of its matrices."""

from __future__ import annotations

from collections.abc import Collection, Mapping
import dataclasses
import math

import keras

from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact.compression import budget as budget_lib
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import packed_weights
from yt8m_compact.training import warm_start

# A structure that every matrix can have, and no model has by default.
_MARKER = structures.LowRank(rank=1)


@dataclasses.dataclass(frozen=True)
class Layer:
    """A matrix of a model.

    Attributes:
        name: The path of its layer.
        input_dim: Its rows.
        units: Its columns.
    """

    name: str
    input_dim: int
    units: int

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.input_dim, self.units


@dataclasses.dataclass(frozen=True)
class Place:
    """Matrices whose structure is chosen together.

    Attributes:
        name: The field of a run's configuration, or the layer of a model.
        structure: How they are made now.
        layers: The matrices.
    """

    name: str
    structure: structures.Structure
    layers: tuple[Layer, ...]

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each matrix."""
        return tuple(layer.size for layer in self.layers)

    def count(
        self, structure: structures.Structure, unit: budget_lib.Unit
    ) -> int:
        """Counts what the matrices take.

        Args:
            structure: How they are made.
            unit: `BYTES`, of the packed file, or `WEIGHTS`.

        Returns:
            The sum of all matrices.
        """
        if unit is budget_lib.Unit.BYTES:
            return packed_weights.num_bytes(
                {
                    f"{layer.name}/{spec.name}": (
                        spec.shape,
                        spec.dtype or "float32",
                    )
                    for layer in self.layers
                    for spec in structure.packed().weights(*layer.size)
                }
            )
        return sum(structure.num_weights(*size) for size in self.sizes)


def count_rest(
    model: keras.Model, kernels: Collection[str], unit: budget_lib.Unit
) -> int:
    """Counts what a model takes beside its places.

    Args:
        model: The model; its weights need no values.
        kernels: The paths of the weights of the places.
        unit: `BYTES` or `WEIGHTS`.

    Returns:
        The sum of all other weights, and of what a file has beside them.
    """
    rest = [weight for weight in model.weights if weight.path not in kernels]
    if unit is budget_lib.Unit.WEIGHTS:
        return sum(math.prod(weight.shape) for weight in rest)
    return packed_weights.num_bytes_of_empty() + packed_weights.num_bytes(
        {weight.path: (weight.shape, weight.dtype) for weight in rest}
    )


def find_places(config: config_lib.Config) -> tuple[Place, ...]:
    """Lists the places of a run's model.

    Each field of the model's configuration that chooses a structure and is used
    is one; it may be that of several matrices.

    Args:
        config: The configuration of the run.

    Returns:
        The places, in the order of the fields.

    Raises:
        ValueError: If the model has none.
    """
    model = config.model.without_unused()
    fields = structure_fields(model)
    places = []
    for name, structure in fields.items():
        marked = with_structures(
            config,
            {
                field: _MARKER if field == name else structures.Dense()
                for field in fields
            },
        )
        # In this scope variables know their shapes and wait for their values.
        with keras.StatelessScope(initialize_variables=False):
            kernels = warm_start.find_kernels(marked.build_model())
            found = tuple(
                Layer(path, *kernel.shape)
                for path, kernel in kernels.items()
                if kernel.structure == _MARKER
            )
        if found:
            places.append(Place(name, structure, found))
    if not places:
        raise ValueError(
            "expected a run whose model has a projection, to make it smaller. "
            f"Received: model={models.model_name(config.model)}, without one"
        )
    return tuple(places)


def structure_fields(
    model: models.ModelConfig,
) -> dict[str, structures.Structure]:
    """Lists the fields of a model's configuration that hold a structure.

    Args:
        model: The configuration, without unused settings.

    Returns:
        The structures by field.
    """
    unused = model.unused_settings()
    return {
        field.name: value
        for field in dataclasses.fields(model)
        if field.name not in unused
        and isinstance(
            value := getattr(model, field.name), structures.Structure
        )
    }


def with_structures(
    config: config_lib.Config, chosen: Mapping[str, structures.Structure]
) -> config_lib.Config:
    """Makes the configuration of a run with other structures.

    Args:
        config: The configuration.
        chosen: A structure for each field that changes.

    Returns:
        The configuration, without settings that are not used.
    """
    model = dataclasses.replace(config.model.without_unused(), **chosen)
    return dataclasses.replace(config, model=model)
