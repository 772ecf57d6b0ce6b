"""What each place of a model loses as each candidate, measured."""

from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import progress
from yt8m_compact import structures
from yt8m_compact.compression import candidates as candidates_lib
from yt8m_compact.compression import places as places_lib
from yt8m_compact.compression import sample as sample_lib


@dataclasses.dataclass(frozen=True)
class Measurement:
    """A place as a candidate, all others as they are.

    Attributes:
        loss: The mean loss on the sample.
        gap: GAP on the sample, None where there are no labels.
        kept: Share of the variance of the place's outputs that is kept: with
            kernels W that become W' and inputs x, `1 - E |x (W - W')|^2 /
            E |x W|^2`, summed over its matrices.
    """

    loss: float
    gap: float | None
    kept: float


@dataclasses.dataclass(frozen=True)
class Own:
    """What a kernel is made of.

    Attributes:
        structure: How, without precisions.
        weights: Of what, by name.
    """

    structure: structures.Structure
    weights: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Target:
    """A dense layer of the model that is measured.

    Attributes:
        kernel: Its kernel.
        bias: Its bias, or None.
    """

    kernel: keras.Variable
    bias: keras.Variable | None = None

    def error_weights(self, moments: layers.InputMoments) -> np.ndarray:
        """What weights errors of its kernel, as in a warm start."""
        return moments.error_weights(centered=self.bias is not None)

    def output_moments(self, moments: layers.InputMoments) -> np.ndarray:
        """The moments that its outputs' variance is that of."""
        return moments.second if self.bias is None else moments.covariance


# By the place's name and the structure's text.
Measurements = dict[str, dict[str, Measurement]]


def measure(
    targets: Mapping[str, Target],
    choices: Mapping[places_lib.Place, Sequence[candidates_lib.Candidate]],
    score: Callable[[], sample_lib.Scores],
    *,
    own: Mapping[str, Own] | None = None,
    moments: Mapping[str, layers.InputMoments] | None = None,
    measured: Measurements | None = None,
    on_measured: Callable[[Measurements], None] = lambda measured: None,
) -> Measurements:
    """Measures each candidate of each place, that place alone replaced.

    Its kernels become the nearest members of the structure to the trained ones,
    nearest in the outputs where the inputs' moments are known, rounded to the
    precision; biases make up for the mean of the error then, as in a warm
    start.

    Args:
        targets: The dense layers of the model that `score` scores, by their
            names. They are as before in the end.
        choices: The candidates of each place.
        score: Scores the model by the weights that it has then.
        own: What the kernels are made of: in another precision it is kept.
        moments: Those of the layers' inputs, by their names.
        measured: What was measured before, and is not measured again.
        on_measured: Called after each structure of a place with all so far.

    Returns:
        All that was measured.
    """
    measured = {place: dict(found) for place, found in (measured or {}).items()}
    total = sum(len(options) for options in choices.values())
    with progress.count_bar("measure", total, " candidates") as bar:
        for place, options in choices.items():
            found = measured.setdefault(place.name, {})
            trained = {
                layer.name: targets[layer.name].kernel.numpy().astype(float)
                for layer in place.layers
            }
            for base, group in _by_base(options).items():
                bar.set_postfix_str(f"{place.name}: {base}", refresh=True)
                new = [one for one in group if str(one) not in found]
                bar.update(len(group) - len(new))
                if not new:
                    continue
                nearest = {
                    name: _nearest(
                        base,
                        kernel,
                        targets[name],
                        (own or {}).get(name),
                        (moments or {}).get(name),
                    )
                    for name, kernel in trained.items()
                }
                for structure in new:
                    found[str(structure)] = _measure_one(
                        structure,
                        targets,
                        trained,
                        nearest,
                        score,
                        {} if _is_own(base, place, own) else moments or {},
                        moments or {},
                    )
                    bar.update()
                on_measured(measured)
    return measured


def _by_base(
    options: Sequence[candidates_lib.Candidate],
) -> dict[structures.Structure, list[structures.Structure]]:
    groups: dict[structures.Structure, list[structures.Structure]] = {}
    for option in options:
        groups.setdefault(option.base, []).append(option.structure)
    return groups


def _nearest(
    base: structures.Structure,
    kernel: np.ndarray,
    target: Target,
    own: Own | None,
    moments: layers.InputMoments | None,
) -> Mapping[str, np.ndarray]:
    if own is not None and base == own.structure:
        return own.weights
    if moments is None:
        return base.nearest(kernel)
    return base.nearest(kernel, None, target.error_weights(moments))


def _is_own(
    base: structures.Structure,
    place: places_lib.Place,
    own: Mapping[str, Own] | None,
) -> bool:
    """Whether what a place is made of is kept, but for its precision."""
    return own is not None and all(
        own[layer.name].structure == base for layer in place.layers
    )


def _measure_one(
    structure: structures.Structure,
    targets: Mapping[str, Target],
    trained: Mapping[str, np.ndarray],
    nearest: Mapping[str, Mapping[str, np.ndarray]],
    score: Callable[[], sample_lib.Scores],
    correcting: Mapping[str, layers.InputMoments],
    moments: Mapping[str, layers.InputMoments],
) -> Measurement:
    lost = total = 0.0
    with _restored([targets[name] for name in trained]):
        for name, kernel in trained.items():
            made = as_dense(structure, nearest[name], kernel.shape)
            target, found = targets[name], moments.get(name)
            weights = None if found is None else target.output_moments(found)
            lost += output_square(made - kernel, weights)
            total += output_square(kernel, weights)
            target.kernel.assign(made)
            if name in correcting and target.bias is not None:
                target.bias.assign_add(found.mean @ (kernel - made))
        scores = score()
    kept = 1 - lost / total if total else 1.0
    return Measurement(scores.loss, scores.gap, kept)


@contextlib.contextmanager
def _restored(targets: Sequence[Target]) -> Iterator[None]:
    variables = [
        variable
        for target in targets
        for variable in (target.kernel, target.bias)
        if variable is not None
    ]
    before = [variable.numpy() for variable in variables]
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


def as_dense(
    structure: structures.Structure,
    weights: Mapping[str, np.ndarray],
    shape: tuple[int, int],
) -> np.ndarray:
    """Writes out a matrix of a structure, as a model computes it.

    Args:
        structure: The structure.
        weights: Its weights by name, those of floats rounded to float32.
        shape: Rows and columns.

    Returns:
        float64 `[rows, columns]`.
    """
    tensors = {
        name: tf.constant(
            value, tf.float32 if value.dtype.kind == "f" else value.dtype
        )
        for name, value in weights.items()
    }
    return structure.as_dense(tensors, *shape).numpy().astype(np.float64)


def output_square(kernel: np.ndarray, moments: np.ndarray | None) -> float:
    """Computes the mean square of the outputs of a kernel, `E |x W|^2`.

    Args:
        kernel: W, `[input_dim, units]`.
        moments: Second moments of the inputs, or None for white ones.

    Returns:
        `trace(W^T M W)`.
    """
    weighted = kernel if moments is None else moments @ kernel
    return float(np.sum(kernel * weighted))
