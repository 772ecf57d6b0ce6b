"""Gradual pruning of dense kernels by the magnitude of their weights."""

from collections.abc import Callable, Sequence
import dataclasses
import fnmatch
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import ops
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
        pattern: what is left in the end.
    """

    variables: list[tf.Variable]
    kept: tf.Variable
    pattern: ops.PositionPattern


class Pruning:
    """Sets the smallest weights of dense kernels to 0, more and more of them.

    After `t` of `T` steps each kernel has the share `s (1 - (1 - t / T)^3)` of
    its weights at 0, where `1 - s` is the density, and from step T on as many
    others as `structures.Sparse` of that density keeps: it is the nearest to
    the kernel, and equal to it. With groups, the same goes for each group of
    inputs of a column. What is 0 stays 0.

    There is no other state than the weights: those that are 0 before a step are
    so after it. The moving average of the weights, if there is one, is 0 where
    they are.

    Args:
        model: the model, its optimiser built, under the strategy's scope.
        structure: what each kernel is in the end.
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
        structure: structures.Sparse,
        steps: int,
        patterns: Sequence[str] = (),
    ) -> None:
        self._strategy = tf.distribute.get_strategy()
        self._steps = steps
        self._every = max(1, steps // _PARTS)
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
                    structure.pattern(*shape),
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
                kernel.pattern,
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
        pattern: ops.PositionPattern,
        step: tf.Tensor,
    ) -> tf.Operation:
        """Chooses what is kept after a step."""
        # At the first step nothing has been pruned: zeros are weights that
        # start there.
        before = kept | (step == 1)
        left = tf.cast(tf.maximum(self._steps - step, 0), tf.float64)
        share = (left / self._steps) ** 3
        # Of the matrix, or of each group.
        size, final = pattern.group or pattern.size, pattern.kept
        number = final + tf.cast(tf.math.ceil((size - final) * share), tf.int32)
        due = (step % self._every == 0) | (step == self._steps)

        def smaller() -> tf.Tensor:
            sizes = tf.where(before, tf.abs(kernel), -1)
            return _largest(sizes, pattern, number) & before

        left = tf.math.count_nonzero(before, dtype=tf.int32)
        more = left > _count(pattern, number)
        return kept.assign(tf.cond(due & more, smaller, lambda: before))


def _count(pattern: ops.PositionPattern, number: tf.Tensor) -> tf.Tensor:
    """Counts the weights of a matrix where so many of each group are kept."""
    if pattern.group is None:
        return number
    return pattern.columns * tf.add_n(
        [
            groups * tf.minimum(number, size)
            for groups, size, _ in pattern.groups
        ]
    )


def _largest(
    sizes: tf.Tensor, pattern: ops.PositionPattern, number: tf.Tensor
) -> tf.Tensor:
    """Tells where the largest values of a matrix or of each group are."""
    if pattern.group is None:
        order = tf.argsort(
            tf.reshape(sizes, [-1]), direction="DESCENDING", stable=True
        )
        ones = tf.ones([number], tf.int32)
        chosen = tf.scatter_nd(order[:number, tf.newaxis], ones, [pattern.size])
        return tf.reshape(chosen > 0, sizes.shape)
    # The last group is filled up with what is smaller than all sizes.
    missing = -pattern.rows % pattern.group
    sizes = tf.pad(sizes, [[0, missing], [0, 0]], constant_values=-2)
    groups = tf.reshape(sizes, [-1, pattern.group, pattern.columns])
    order = tf.argsort(groups, axis=1, direction="DESCENDING", stable=True)
    ranks = tf.argsort(order, axis=1)
    chosen = tf.reshape(ranks < number, sizes.shape)
    return chosen[: pattern.rows]


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
        structures.Sparse(training.pruning_density, training.pruning_group),
        training.pruned_at_step,
        training.pruning_patterns,
    )
