"""Starts a model with the weights of a trained one, place by place."""

from collections.abc import Callable
import dataclasses
import enum
import re

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.run import train_dir as train_dir_lib

# Where Keras's recurrent layers keep what cells of ours keep: these have the
# same gates in the same order.
_RECURRENT = re.compile(
    r"layer_(?P<index>\d+)/(?:lstm|gru)_cell/"
    r"(?P<name>kernel|recurrent_kernel|bias)"
)
_OF_CELLS = {
    "kernel": "gates_{index}/kernel",
    "recurrent_kernel": "layer_{index}/cell/recurrent/kernel",
    "bias": "layer_{index}/cell/bias",
}


class Outcome(enum.StrEnum):
    """What became of the weights at a place.

    Attributes:
        COPIED: They are those of the trained model, before they are rounded to
            a precision.
        NEAREST: The kernel is of another structure: the nearest one.
        KEPT: They keep their initialisation.
    """

    COPIED = "copied"
    NEAREST = "nearest"
    KEPT = "as initialised"


@dataclasses.dataclass(frozen=True)
class Place:
    """A place of the new model: a kernel, or another weight.

    Attributes:
        name: The layer of a kernel, the path of another weight.
        outcome: What became of it.
        now: The structure of a kernel, the shape of another weight.
        before: That of the trained model, None where it has no such place.
        kept: Of a kernel W that became W', `1 - sum (W - W')^2 / sum W^2`;
            None where it kept its initialisation, and of other weights.
    """

    name: str
    outcome: Outcome
    now: str
    before: str | None
    kept: float | None = None


@dataclasses.dataclass(frozen=True)
class WarmStartReport:
    """What became of all weights.

    Attributes:
        places: Those of the new model, kernels first.
        unused: Places of the trained model that the new one has not.
    """

    places: tuple[Place, ...]
    unused: tuple[str, ...]

    def to_text(self) -> str:
        """Writes a table, a line for each place, and what was not used."""
        rows = [("place", "weights", "were", "now", "norm kept")]
        for place in self.places:
            kept = "" if place.kept is None else f"{place.kept:.4f}"
            rows.append(
                (
                    place.name,
                    place.outcome.value,
                    place.before or "not there",
                    place.now,
                    kept,
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                f"{cell:{width}}"
                for cell, width in zip(row, widths, strict=True)
            ).rstrip()
            for row in rows
        ]
        if self.unused:
            lines.append(f"not used: {', '.join(self.unused)}")
        return "\n".join(lines)


class RunStart:
    """The start of a run with the weights of another run's newest checkpoint.

    Args:
        train_dir: The folder of the other run.

    Attributes:
        report: What became of the weights, None before the call.

    Raises:
        ValueError: If there is no run, no checkpoint, or a broken one.
    """

    def __init__(self, train_dir: str) -> None:
        self._train_dir = train_dir
        run = train_dir_lib.TrainDir(train_dir)
        _, self._source, _ = run.restore_model()
        self.report: WarmStartReport | None = None

    def __call__(self, model: keras.Model) -> None:
        """Sets the weights of a model.

        Args:
            model: It was built, its optimiser was not.

        Raises:
            ValueError: If none of the weights fit.
        """
        report = warm_start(model, self._source)
        if all(place.outcome is Outcome.KEPT for place in report.places):
            raise ValueError(
                f"{self._train_dir}: expected a run to start from that has "
                "weights in the places of the new model, and of their sizes. "
                f"Received: none\n{report.to_text()}"
            )
        self.report = report


def warm_start(
    model: keras.Model, source_model: keras.Model
) -> WarmStartReport:
    """Takes over the weights of a trained model, place by place.

    A kernel of the same sizes is copied where both have the same structure,
    whatever the precisions;
    otherwise the new one becomes the nearest to the trained one, as in
    `layers.Projection.assign_dense`, which takes seconds a layer for most
    structures. Other weights of the same shape are copied. What fits nothing
    keeps its initialisation.

    Args:
        model: The new model, built; its weights are set.
        source_model: The trained one, which is not changed.

    Returns:
        What became of all weights.
    """
    kernels, weights = _find_places(model)
    source_kernels, source_weights = _find_places(source_model)
    places = [
        _start_kernel(name, kernel, source_kernels.get(name))
        for name, kernel in kernels.items()
    ]
    for name, weight in weights.items():
        source = source_weights.get(name)
        fits = source is not None and source.shape == weight.shape
        if fits:
            weight.assign(source.numpy())
        places.append(
            Place(
                name=name,
                outcome=Outcome.COPIED if fits else Outcome.KEPT,
                now=_shape_text(weight.shape),
                before=None if source is None else _shape_text(source.shape),
            )
        )
    unused = [*source_kernels.keys() - kernels.keys()]
    unused += source_weights.keys() - weights.keys()
    return WarmStartReport(tuple(places), tuple(sorted(unused)))


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """A matrix of a model, whatever it is made of.

    Attributes:
        shape: Its rows and columns.
        structure: How it is made.
        weights: What it is made of, by the names of the structure.
        assign: Sets it to the nearest to a dense one.
    """

    shape: tuple[int, int]
    structure: structures.Structure
    weights: dict[str, keras.Variable]
    assign: Callable[[np.ndarray], None]

    def _tensors(self) -> dict[str, tf.Tensor]:
        return {
            name: tf.convert_to_tensor(weight)
            for name, weight in self.weights.items()
        }

    def floats(self) -> dict[str, np.ndarray]:
        """Returns what it is made of, as floats: those of its bits."""
        tensors = self._tensors()
        if self.structure.packed() == self.structure:
            tensors = self.structure.decode(tensors, *self.shape)
        return {name: tensor.numpy() for name, tensor in tensors.items()}

    def as_dense(self) -> np.ndarray:
        """Writes out the matrix, float64."""
        dense = self.structure.as_dense(self._tensors(), *self.shape)
        return dense.numpy().astype(np.float64)

    def describe(self) -> str:
        """Says sizes and structure."""
        return f"{_shape_text(self.shape)} {self.structure}"


def _start_kernel(name: str, kernel: _Kernel, source: _Kernel | None) -> Place:
    before = None if source is None else source.describe()
    if source is None or source.shape != kernel.shape:
        return Place(name, Outcome.KEPT, kernel.describe(), before)
    wanted = source.as_dense()
    floats = source.floats()
    if (
        source.structure.base == kernel.structure.base
        and floats.keys() == kernel.weights.keys()
    ):
        # The floats, of which rounding keeps less.
        for key, weight in kernel.weights.items():
            weight.assign(floats[key])
        kept = _kept(wanted, kernel.as_dense())
        return Place(name, Outcome.COPIED, kernel.describe(), before, kept)
    kernel.assign(wanted)
    kept = _kept(wanted, kernel.as_dense())
    return Place(name, Outcome.NEAREST, kernel.describe(), before, kept)


def _kept(wanted: np.ndarray, got: np.ndarray) -> float:
    square = float(np.sum(wanted**2))
    return 1 - float(np.sum((wanted - got) ** 2)) / square if square else 1.0


def _find_places(
    model: keras.Model,
) -> tuple[dict[str, _Kernel], dict[str, keras.Variable]]:
    """Lists a model's kernels by layer, and its other weights by path."""
    kernels, taken = {}, set()
    for layer in layers.projections(model):
        weights = layer.structure_weights
        path = next(iter(weights.values())).path
        kernels[path.rpartition("/")[0]] = _Kernel(
            (layer.input_dim, layer.units),
            layer.structure,
            weights,
            layer.assign_dense,
        )
        taken |= {weight.path for weight in weights.values()}
    others = {}
    for weight in model.weights:
        if weight.path in taken:
            continue
        path = _RECURRENT.sub(
            lambda found: _OF_CELLS[found["name"]].format(index=found["index"]),
            weight.path,
        )
        layer, _, name = path.rpartition("/")
        if name == "kernel" and len(weight.shape) == 2:
            kernels[layer] = _Kernel(
                tuple(weight.shape),
                structures.Dense(),
                {"kernel": weight},
                weight.assign,
            )
        else:
            others[path] = weight
    return kernels, others


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
