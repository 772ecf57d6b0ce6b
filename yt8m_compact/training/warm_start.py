"""Starts a model with the weights of a trained one, place by place."""

import dataclasses
import enum
import re
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

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
        kept: Of a kernel W that became W', `1 - sum (W - W')^2 / sum W^2`, or
            with data `1 - E |x (W - W')|^2 / E |x W|^2`, about the means where
            its layer has a bias; None where it kept its initialisation, and of
            other weights.
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
        by_outputs: Whether what is kept was measured at outputs, on data.
    """

    places: tuple[Place, ...]
    unused: tuple[str, ...]
    by_outputs: bool = False

    def to_text(self) -> str:
        """Writes a table, a line for each place, and what was not used."""
        kept = "output kept" if self.by_outputs else "norm kept"
        rows = [("place", "weights", "were", "now", kept)]
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
    """The start of a run with the weights of another run.

    Args:
        train_dir: The folder of the other run.
        weights: Which weights, by default those of its newest checkpoint.

    Attributes:
        report: What became of the weights, None before the call.

    Raises:
        ValueError: If there is no run, no checkpoint, or a broken one.
    """

    def __init__(
        self,
        train_dir: str,
        weights: weight_choice.RunWeights = weight_choice.NEWEST,
    ) -> None:
        self._train_dir = train_dir
        run = train_dir_lib.TrainDir(train_dir)
        _, self._source, _ = run.restore_model(weights.step, weights.choice)
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


class ModelStart:
    """The start of a run with the weights of a model of its configuration.

    Args:
        model: The model, in memory.
        report: What its weights were made of.

    Attributes:
        report: As given.
    """

    def __init__(self, model: keras.Model, report: WarmStartReport) -> None:
        self._weights = model.get_weights()
        self.report = report

    def __call__(self, model: keras.Model) -> None:
        """Sets the weights of a model.

        Args:
            model: It was built, its optimiser was not.
        """
        model.set_weights(self._weights)


# What the trainer starts a model with.
Start = RunStart | ModelStart


def warm_start(
    model: keras.Model, source_model: keras.Model, data: Any = None
) -> WarmStartReport:
    """Takes over the weights of a trained model, place by place.

    A kernel of the same sizes is copied where both have the same structure,
    whatever the precisions;
    otherwise the new one becomes the nearest to the trained one, as in
    `layers.Projection.assign_dense`, which takes seconds a layer for most
    structures. Other weights of the same shape are copied. What fits nothing
    keeps its initialisation.

    With data, the nearest is what makes the smallest error of the outputs that
    the trained kernel has in the trained model, and a bias that was copied is
    corrected for its mean. Kernels of Keras's recurrent layers, whose inputs
    are not a layer's, are as without data; so is their `kept`.

    Args:
        model: The new model, built; its weights are set.
        source_model: The trained one, which is not changed.
        data: A sample of what the trained model is called with, or None, as in
            `layers.collect_input_moments`.

    Returns:
        What became of all weights.

    Raises:
        ValueError: If the data do not reach a kernel, or make values that are
            not finite.
    """
    kernels, weights = _find_places(model)
    source_kernels, source_weights = _find_places(source_model)
    copied = []
    for name, weight in weights.items():
        source = source_weights.get(name)
        fits = source is not None and source.shape == weight.shape
        if fits:
            weight.assign(source.numpy())
        copied.append(
            Place(
                name=name,
                outcome=Outcome.COPIED if fits else Outcome.KEPT,
                now=_shape_text(weight.shape),
                before=None if source is None else _shape_text(source.shape),
            )
        )
    moments = {}
    if data is not None:
        moments = _collect_moments(source_model, kernels, source_kernels, data)
    # After the biases, which kernels correct.
    places = [
        _start_kernel(name, kernel, source_kernels.get(name), moments.get(name))
        for name, kernel in kernels.items()
    ]
    unused = [*source_kernels.keys() - kernels.keys()]
    unused += source_weights.keys() - weights.keys()
    return WarmStartReport(
        (*places, *copied), tuple(sorted(unused)), data is not None
    )


def find_kernels(model: keras.Model) -> dict[str, "Kernel"]:
    """Lists the matrices of a model.

    Args:
        model: The model, built.

    Returns:
        Them by the paths of their layers.
    """
    return _find_places(model)[0]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """A matrix of a model, whatever it is made of.

    Attributes:
        shape: Its rows and columns.
        structure: How it is made.
        weights: What it is made of, by the names of the structure.
        layer: The layer whose inputs it multiplies; None where these are not
            those of a layer.
    """

    shape: tuple[int, int]
    structure: structures.Structure
    weights: dict[str, keras.Variable]
    layer: layers.Projection | keras.layers.Dense | None

    @property
    def has_bias(self) -> bool:
        """Whether its layer adds a bias."""
        return self.layer is not None and self.layer.use_bias

    def assign(
        self, wanted: np.ndarray, moments: layers.InputMoments | None
    ) -> None:
        """Sets it to the nearest to a dense one."""
        if not isinstance(self.layer, layers.Projection):
            (weight,) = self.weights.values()
            weight.assign(wanted)
            return
        bias = None
        if moments is not None and self.has_bias:
            bias = self.layer.bias.numpy()
        self.layer.assign_dense(wanted, bias, moments)

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


def _collect_moments(
    source_model: keras.Model,
    kernels: dict[str, Kernel],
    source_kernels: dict[str, Kernel],
    data: Any,
) -> dict[str, layers.InputMoments]:
    """Collects moments of inputs of the trained kernels that are changed."""
    watched = {
        name: source_kernels[name].layer
        for name, kernel in kernels.items()
        if _is_refitted(kernel, source_kernels.get(name))
        and source_kernels[name].layer is not None
    }
    if not watched:
        return {}
    found = layers.collect_input_moments(
        source_model, list(watched.values()), data
    )
    return dict(zip(watched, found, strict=True))


def _is_refitted(kernel: Kernel, source: Kernel | None) -> bool:
    """Whether it becomes the nearest to a kernel, not a copy of its floats."""
    if source is None or source.shape != kernel.shape:
        return False
    return (
        source.structure.base != kernel.structure.base
        or source.floats().keys() != kernel.weights.keys()
    )


def _start_kernel(
    name: str,
    kernel: Kernel,
    source: Kernel | None,
    moments: layers.InputMoments | None,
) -> Place:
    before = None if source is None else source.describe()
    if source is None or source.shape != kernel.shape:
        return Place(name, Outcome.KEPT, kernel.describe(), before)
    wanted = source.as_dense()
    if _is_refitted(kernel, source):
        kernel.assign(wanted, moments)
        outcome = Outcome.NEAREST
    else:
        # The floats, of which rounding keeps less.
        floats = source.floats()
        for key, weight in kernel.weights.items():
            weight.assign(floats[key])
        outcome = Outcome.COPIED
    found = kernel.as_dense()
    if moments is None:
        kept = _kept(wanted, found)
    else:
        kept = moments.share_kept(wanted, found, centered=kernel.has_bias)
    return Place(name, outcome, kernel.describe(), before, kept)


def _kept(wanted: np.ndarray, got: np.ndarray) -> float:
    square = float(np.sum(wanted**2))
    return 1 - float(np.sum((wanted - got) ** 2)) / square if square else 1.0


def _find_places(
    model: keras.Model,
) -> tuple[dict[str, Kernel], dict[str, keras.Variable]]:
    """Lists a model's kernels by layer, and its other weights by path."""
    kernels, taken = {}, set()
    for layer in layers.projections(model):
        weights = layer.structure_weights
        path = next(iter(weights.values())).path
        kernels[path.rpartition("/")[0]] = Kernel(
            (layer.input_dim, layer.units),
            layer.structure,
            weights,
            layer,
        )
        taken |= {weight.path for weight in weights.values()}
    dense = {
        part.kernel.path: part
        for layer in model.layers
        for part in tf.train.TrackableView(layer).descendants()
        if isinstance(part, keras.layers.Dense)
    }
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
            kernels[layer] = Kernel(
                tuple(weight.shape),
                structures.Dense(),
                {"kernel": weight},
                dense.get(weight.path),
            )
        else:
            others[path] = weight
    return kernels, others


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
