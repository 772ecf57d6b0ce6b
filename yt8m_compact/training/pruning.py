"""Gradual pruning of dense kernels by the magnitude of their weights."""

from collections.abc import Callable, Sequence
import dataclasses
import fnmatch
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.run import config as config_lib

# In how many parts the way to the density is gone, if there are as many steps.
_PARTS = 100


@dataclasses.dataclass(frozen=True)
class _Kernel:
    """A kernel that is pruned.

    Attributes:
        variables: it, and its moving average if there is one.
        kept: bool variable of its shape, which weights stay.
        final: how many of them in the end.
    """

    variables: list[tf.Variable]
    kept: tf.Variable
    final: int


class Pruning:
    """Sets the smallest weights of dense kernels to 0, more and more of them.

    After `t` of `T` steps each kernel has the share `s (1 - (1 - t / T)^3)` of
    its weights at 0, where `1 - s` is the density, and from step T on as many
    others as `structures.Sparse` of that density keeps: it is the nearest to
    the kernel, and equal to it. What is 0 stays 0.

    There is no other state than the weights: those that are 0 before a step are
    so after it. The moving average of the weights, if there is one, is 0 where
    they are.

    Args:
        model: the model, its optimiser built, under the strategy's scope.
        density: share of each kernel that is left in the end.
        steps: T.
        patterns: of the names of the layers whose kernels are pruned, `fc*`
            say; all dense projections if there are none.

    Raises:
        ValueError: if there is no such layer.

    References:
        Zhu and Gupta, To prune, or not to prune,
        https://arxiv.org/abs/1710.01878, equation 1.
    """

    def __init__(
        self,
        model: keras.Model,
        density: float,
        steps: int,
        patterns: Sequence[str] = (),
    ) -> None:
        self._strategy = tf.distribute.get_strategy()
        self._steps = steps
        self._every = max(1, steps // _PARTS)
        structure = structures.Sparse(density)
        optimizer = model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        chosen = _choose(model, patterns)
        self.names = tuple(name for name, _ in chosen)
        self._kernels: list[_Kernel] = []
        for _, layer in chosen:
            variables = [layer.kernel.value]
            if optimizer.use_ema:
                index = optimizer._get_variable_index(layer.kernel)
                averages = optimizer._model_variables_moving_average
                variables.append(averages[index].value)
            shape = (layer.input_dim, layer.units)
            self._kernels.append(
                _Kernel(
                    variables,
                    tf.Variable(tf.ones(shape, tf.bool), trainable=False),
                    structure.pattern(*shape).kept,
                )
            )

    def before_step(self) -> None:
        """Notes which weights are 0, in the context of all replicas."""
        for kernel in self._kernels:
            self._update(
                kernel.kept,
                lambda kept, value: kept.assign(tf.not_equal(value, 0)),
                kernel.variables[0],
            )

    def after_step(self, step: tf.Tensor) -> None:
        """Sets weights to 0, in the context of all replicas.

        Args:
            step: int64, the number of steps done, this one too.
        """
        for kernel in self._kernels:
            self._update(
                kernel.kept,
                self._choose_kept,
                kernel.variables[0],
                kernel.final,
                step,
            )
            for variable in kernel.variables:
                self._update(
                    variable,
                    lambda value, kept: value.assign(tf.where(kept, value, 0)),
                    kernel.kept,
                )

    def _update(
        self, variable: tf.Variable, function: Callable, *args: Any
    ) -> None:
        """Updates a variable on each device, by what is there."""
        self._strategy.extended.update(variable, function, args)

    def _choose_kept(
        self,
        kept: tf.Variable,
        kernel: tf.Variable,
        final: int,
        step: tf.Tensor,
    ) -> tf.Operation:
        """Chooses what is kept after a step."""
        size = kernel.shape.num_elements()
        # At the first step nothing has been pruned: zeros are weights that
        # start there.
        before = kept | (step == 1)
        left = tf.cast(tf.maximum(self._steps - step, 0), tf.float64)
        share = (left / self._steps) ** 3
        number = final + tf.cast(tf.math.ceil((size - final) * share), tf.int32)
        due = (step % self._every == 0) | (step == self._steps)

        def largest() -> tf.Tensor:
            sizes = tf.where(before, tf.abs(kernel), -1)
            order = tf.argsort(
                tf.reshape(sizes, [-1]), direction="DESCENDING", stable=True
            )
            ranks = tf.scatter_nd(
                order[:number, tf.newaxis],
                tf.ones([number], tf.int32),
                [size],
            )
            return tf.reshape(ranks > 0, kernel.shape) & before

        more = tf.math.count_nonzero(before, dtype=tf.int32) > number
        return kept.assign(tf.cond(due & more, largest, lambda: before))


def _choose(
    model: keras.Model, patterns: Sequence[str]
) -> list[tuple[str, layers.Projection]]:
    """Finds the dense projections that are pruned, by name."""
    dense = {
        layer.kernel.path.rpartition("/")[0]: layer
        for layer in layers.projections(model)
        if layer.structure == structures.Dense() and layer.kernel.trainable
    }
    for pattern in patterns or ("*",):
        if not fnmatch.filter(dense, pattern):
            raise ValueError(
                "expected pruning_places to name dense projections of the "
                f"model, {', '.join(dense) or 'of which it has none'}. "
                f"Received: pruning_places={','.join(patterns)!r}, "
                f"{pattern!r} of it names none"
            )
    return [
        (name, layer)
        for name, layer in dense.items()
        if any(fnmatch.fnmatch(name, p) for p in patterns or ("*",))
    ]


def make_pruning(
    training: config_lib.TrainingConfig, model: keras.Model
) -> Pruning | None:
    """Makes the pruning of a run, if there is any.

    Args:
        training: how the model is trained.
        model: the model, its optimiser built, under the strategy's scope.

    Returns:
        What `TrainingStep` takes, or None.
    """
    if training.pruning_density is None:
        return None
    return Pruning(
        model,
        training.pruning_density,
        training.pruned_at_step,
        training.pruning_patterns,
    )
