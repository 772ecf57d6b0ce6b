"""Hidden units that gates have found to be needless, dropped for good."""

from __future__ import annotations

from collections.abc import MutableMapping
import dataclasses
import math

from yt8m_compact import lazy
from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact.run import config as config_lib

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers

_PLACES = ("hidden_projection", "classifier_projection")


@dataclasses.dataclass(frozen=True)
class Dropped:
    """A model without the units that it does not need.

    Attributes:
        config: The configuration, of fewer hidden units and without gates.
        model: The model.
        before: How many units each hidden layer had.
        needed: How many of each are needed, as its gates say.
    """

    config: config_lib.Config
    model: keras.Model
    before: int
    needed: tuple[int, ...]

    @property
    def after(self) -> int:
        """How many units each hidden layer has: as many as any needs."""
        return max(self.needed)

    def to_text(self) -> str:
        """Says how many units are left."""
        needed = ", ".join(f"{number:,}" for number in self.needed)
        return (
            f"hidden units: {self.before:,}, of which {needed} are needed; "
            f"{self.after:,} are left"
        )


def has_gates(model: models.ModelConfig) -> bool:
    """Whether a model has gates, whose units may be dropped.

    Args:
        model: Its configuration.
    """
    return isinstance(model, models.MlpConfig) and model.unit_penalty > 0


def with_gates(
    config: config_lib.Config, unit_penalty: float
) -> config_lib.Config:
    """Gives the hidden units of a model gates.

    Args:
        config: The configuration of its run.
        unit_penalty: Weight of their penalty.

    Returns:
        The configuration with gates.

    Raises:
        ValueError: If its units can't have gates or can't be dropped, or the
            penalty is not above 0.
    """
    if not 0 < unit_penalty < math.inf:
        raise ValueError(
            "expected unit_penalty to be above 0. Received: "
            f"unit_penalty={unit_penalty}"
        )
    _expect_droppable(config.model)
    model = dataclasses.replace(config.model, unit_penalty=unit_penalty)
    return dataclasses.replace(config, model=model)


def _expect_droppable(model: models.ModelConfig) -> None:
    """Refuses models of which no unit can be dropped."""
    if not isinstance(model, models.MlpConfig):
        raise ValueError(
            "expected an MlpModel, to drop hidden units of it. Received: "
            f"model={models.model_name(model)}, whose units have no gates; "
            "leave unit_penalty out"
        )
    for name in _PLACES:
        structure = getattr(model, name)
        if structure != structures.Dense():
            raise ValueError(
                f"expected {name}=dense, a matrix that a row and a column can "
                f"be taken out of, to drop hidden units. Received: {name}="
                f"{structure}; start from a run of dense matrices, without @"
            )


def drop_units(config: config_lib.Config, model: keras.Model) -> Dropped:
    """Makes the smaller model of a model with gates.

    What a unit that is needed is multiplied by goes into its row of the next
    matrix; of the others, rows and columns go. The outputs are those of the
    model with gates, up to rounding. Hidden layers have one number of units:
    that of the one that needs most, and in the others the best of the needless
    stay, with zeros in the next matrix.

    Args:
        config: The configuration of the run, with gates.
        model: Its model; it is not changed.

    Returns:
        The smaller one.

    Raises:
        ValueError: If a hidden layer needs no unit, or a structure is not
            dense.
    """
    _expect_droppable(config.model)
    number = config.model.mlp_layers
    gates = [model.get_layer(f"hidden_{i}_gates") for i in range(number)]
    needed = tuple(int(np.sum(gate.needed())) for gate in gates)
    if not min(needed):
        raise ValueError(
            "expected gates that leave units in each hidden layer. Received: "
            f"none of {config.model.mlp_hidden_size} in hidden_"
            f"{needed.index(0)}, with unit_penalty={config.model.unit_penalty};"
            " choose a smaller one, and another output_dir"
        )
    chosen = [_best(gate, max(needed)) for gate in gates]
    smaller = dataclasses.replace(
        config,
        model=dataclasses.replace(
            config.model, mlp_hidden_size=max(needed), unit_penalty=0.0
        ),
    )
    made = smaller.build_model()
    values = {weight.path: weight.numpy() for weight in model.weights}
    for index, (gate, units) in enumerate(zip(gates, chosen, strict=True)):
        last = index + 1 == number
        following = "classifier" if last else f"hidden_{index + 1}"
        _take_out(
            values, f"hidden_{index}", following, gate.gates().numpy(), units
        )
    for weight in made.weights:
        weight.assign(values[weight.path])
    return Dropped(smaller, made, config.model.mlp_hidden_size, needed)


def _best(gates: layers.InformationBottleneck, number: int) -> np.ndarray:
    """Lists the units of the most signal for their noise, in their order."""
    mean, variance = (moment.numpy() for moment in gates.moments())
    order = np.argsort(-(mean**2) / variance, kind="stable")
    return np.sort(order[:number])


def _take_out(
    values: MutableMapping[str, np.ndarray],
    layer: str,
    following: str,
    gates: np.ndarray,
    units: np.ndarray,
) -> None:
    """Leaves some units of a layer in the weights of a model."""
    kernel, after = f"{layer}/kernel", f"{following}/kernel"
    values[kernel] = values[kernel][:, units]
    for name in ("gamma", "beta", "moving_mean", "moving_variance"):
        values[f"{layer}_bn/{name}"] = values[f"{layer}_bn/{name}"][units]
    values[after] = (gates[:, np.newaxis] * values[after])[units]
