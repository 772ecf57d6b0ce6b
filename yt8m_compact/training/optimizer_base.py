"""What all optimisers here do otherwise than Keras's."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from yt8m_compact.training import gradient_clipping

# The average starts as that of the last tenth of the updates, about:
# `tf.train.ExponentialMovingAverage` has this start, too, with `num_updates`.
_ORDER = 8


class OptimizerBase(keras.optimizers.Optimizer):
    """Clips in fewer passes, and averages the weights of updates alone.

    Gradients are accumulated on several devices, too, where Keras chooses in
    each device's function between adding up and updating, which TensorFlow
    does not allow.

    Keras moves the average of the weights at each step, and so, where gradients
    are accumulated, several times towards weights that did not change. It
    starts it at zeros, which a checkpoint may hold before the first step, and
    averages what it trains alone: averaged weights make other activations than
    those that batch normalisation has statistics of. And it keeps
    `ema_momentum^t` of the weights after the first of `t` updates, so that an
    average of 0.999 is one of hardly trained weights for thousands of steps.
    Here update `t`, counted from 1, moves it by

    `average += a_t (weights - average)`,
    `a_t = max(1 - ema_momentum, (k + 1) / (t + k))`, k = 8

    as `layers.BatchNormalization` moves its statistics, with another k: it
    starts as a polynomial-decay average, and is Keras's in the end.

    Attributes:
        gradients_are_sums: whether the gradients are those of all replicas
            together. Keras adds them up itself, after it has clipped each.
    """

    gradients_are_sums = False
    _statistics: Sequence[keras.Variable] = ()

    def average_too(self, statistics: Sequence[keras.Variable]) -> None:
        """Averages what layers move in training with the weights.

        Args:
            statistics: such as those of batch normalisation; before `build`.
        """
        # Beside Keras, for which they would be the optimiser's own.
        vars(self)["_statistics"] = tuple(statistics)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        if self.gradients_are_sums:
            return grads_and_vars
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def build(self, variables):
        """Makes the optimiser's variables."""
        if self.built:
            return
        super().build(variables)
        if self.use_ema:
            self._averages_of_statistics = self.add_optimizer_variables(
                self._statistics, "average"
            )
            for variable, average in self._averaged(variables):
                average.assign(variable)

    def _averaged(self, variables):
        """Lists what is averaged, and its average."""
        averages = [
            *self._model_variables_moving_average,
            *self._averages_of_statistics,
        ]
        return zip([*variables, *self._statistics], averages, strict=True)

    def _clip_gradients(self, grads):
        if self.clipnorm and self.clipnorm > 0:
            return gradient_clipping.clip_each(grads, self.clipnorm)
        if self.global_clipnorm and self.global_clipnorm > 0:
            return gradient_clipping.clip_together(grads, self.global_clipnorm)
        return super()._clip_gradients(grads)

    def finalize_variable_values(self, var_list):
        """Leaves the weights as they are when an epoch ends.

        Keras's `fit` would train on from their average. That is read from
        checkpoints where it is asked for.
        """

    def _update_model_variables_moving_average(self, trainable_variables):
        if not self.use_ema:
            return
        steps = self.gradient_accumulation_steps or 1
        # Counted by batches, this one not yet.
        updated = keras.ops.equal((self._iterations + 1) % steps, 0)
        # Of this update, if it is one, counted from 0.
        number = keras.ops.cast(self._iterations // steps, "float32")
        kept = keras.ops.minimum(
            number / (number + _ORDER + 1), self.ema_momentum
        )
        kept = keras.ops.where(updated, kept, 1.0)
        kept = keras.ops.where(self._iterations < steps, 0.0, kept)
        for variable, average in self._averaged(trainable_variables):
            momentum = keras.ops.cast(kept, variable.dtype)
            average.assign(momentum * average + (1 - momentum) * variable)

    def _backend_apply_gradients(self, grads, trainable_variables):
        steps = self.gradient_accumulation_steps
        if (
            not steps
            or tf.__internal__.distribute.strategy_supports_no_merge_call()
        ):
            super()._backend_apply_gradients(grads, trainable_variables)
            return

        def choose(distribution, grads, variables):
            def everywhere(function):
                distribution.extended.call_for_each_replica(
                    function, args=(grads, variables)
                )

            tf.cond(
                tf.equal((self._iterations.value + 1) % steps, 0),
                lambda: everywhere(self._update_by_sums),
                lambda: everywhere(self._add_to_sums),
            )

        tf.distribute.get_replica_context().merge_call(
            choose, args=(grads, trainable_variables)
        )
        if self.use_ema:
            self._update_model_variables_moving_average(
                self._trainable_variables
            )

    def _sums_of(self, variables):
        return [
            self._accumulated_gradients[self._get_variable_index(variable)]
            for variable in variables
        ]

    def _add_to_sums(self, grads, variables):
        self._backend_increment_gradient_accumulators(
            grads, self._sums_of(variables)
        )

    def _update_by_sums(self, grads, variables):
        sums = self._sums_of(variables)
        means = [
            (gradient + total) / self.gradient_accumulation_steps
            for gradient, total in zip(grads, sums, strict=True)
        ]
        means = self._clip_gradients(means)
        self._apply_weight_decay(variables)
        self._backend_update_step(means, variables, self.learning_rate)
        self._backend_reset_gradient_accumulators()
