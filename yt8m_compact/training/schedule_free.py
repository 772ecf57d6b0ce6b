"""AdamW without a schedule."""

import keras

from yt8m_compact.run import weight_choice
from yt8m_compact.training import optimizer_base


@keras.saving.register_keras_serializable(package="yt8m_compact")
class ScheduleFreeAdamW(
    optimizer_base.OptimizerBase, keras.optimizers.ScheduleFreeAdamW
):
    """AdamW that averages its steps instead of making them smaller.

    With the learning rate `a_t` at step t (from 1), weights y, at which
    gradients are taken, and a sequence z:

        v += (1 - beta_2) (g^2 - v)
        x = (y - (1 - beta_1) z) / beta_1
        z -= a_t (g / (sqrt(v / (1 - beta_2^t)) + epsilon) + decay y)
        x += a_t^2 / (a_1^2 + ... + a_t^2) (z - x)
        y = (1 - beta_1) z + beta_1 x

    It is x that predicts: `run.weight_choice` reads it from checkpoints.
    `keras.optimizers.ScheduleFreeAdamW`, whose names of variables this has,
    computes x from z after its step (with TensorFlow), takes weight decay from
    x instead of z, and has no weights in the average, which are equal but in a
    warm-up.

    References:
        Defazio et al., https://arxiv.org/abs/2405.15682, algorithm 1 and
        section 4.2 (the weights of the average).
    """

    def __init__(
        self, *args, beta_1=weight_choice.SCHEDULE_FREE_BETA, **kwargs
    ):
        super().__init__(*args, beta_1=beta_1, **kwargs)

    def build(self, var_list):
        """Makes the optimiser's variables."""
        if self.built:
            return
        super().build(var_list)
        self._squares = self.add_variable(
            shape=(), aggregation="only_first_replica", name="squared_rates"
        )

    def _apply_weight_decay(self, variables):
        pass  # It is part of the step of z.

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        rate = keras.ops.cast(learning_rate, self._squares.dtype)
        self._squares.assign_add(rate * rate)
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def update_step(self, gradient, variable, learning_rate):
        """Updates a variable."""
        ops, dtype = keras.ops, variable.dtype
        rate = ops.cast(learning_rate, dtype)
        gradient = ops.cast(gradient, dtype)
        index = self._get_variable_index(variable)
        z, v = self._momentums[index], self._velocities[index]
        current = ops.convert_to_tensor(variable)
        before = ops.convert_to_tensor(z)
        average = (current - (1 - self.beta_1) * before) / self.beta_1
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        step = ops.cast(self.iterations + 1, dtype)
        unbiased = v / (1 - ops.power(ops.cast(self.beta_2, dtype), step))
        change = gradient / (ops.sqrt(unbiased) + self.epsilon)
        if self.weight_decay and self._use_weight_decay(variable):
            change = change + self.weight_decay * current
        after = before - rate * change
        self.assign(z, after)
        share = rate * rate / ops.cast(self._squares, dtype)
        average = average + share * (after - average)
        self.assign(variable, (1 - self.beta_1) * after + self.beta_1 * average)
