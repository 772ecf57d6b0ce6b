"""Keras's optimisers, which update a variable in one pass over memory.

Keras computes an update as a dozen operations, each of which reads and writes
as many numbers as the variable has. TensorFlow has kernels that do it at once.
What they can't do, Keras does, and all but the update stays Keras's: slots and
their names, learning rates, weight decay, averages, accumulation, loss scaling.
"""

import abc
import math

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.training import optimizer_base

# Kernels compute in the variable's dtype. In half precision that loses other
# bits than Keras does, and in float64 Keras itself rounds some factors to
# float32: both are left to it.
_DTYPE = "float32"
_DEVICES = ("CPU", "GPU")
# Of an anonymous resource, which is freed with the last use of its handle.
_ANONYMOUS = "cd2c89b7-88b7-44c8-ad83-06c2a9158347"


class _OnePass(optimizer_base.OptimizerBase, abc.ABC):
    """What the optimisers share."""

    def update_step(self, gradient, variable, learning_rate):
        if not (self._has_kernel() and _is_dense(gradient, variable)):
            super().update_step(gradient, variable, learning_rate)
            return
        self._update(
            tf.cast(gradient, _DTYPE),
            variable,
            keras.ops.cast(learning_rate, _DTYPE),
        )

    @abc.abstractmethod
    def _has_kernel(self) -> bool:
        """Says whether a kernel does just what Keras does, as set here."""

    @abc.abstractmethod
    def _update(self, gradient, variable, learning_rate) -> None:
        """Updates a float32 variable by its kernel.

        Args:
            gradient: float32, of the variable's shape.
            variable: the `keras.Variable`.
            learning_rate: float32 `[]`.
        """

    def _slot(self, slots, variable) -> tf.Tensor:
        return _handle(slots[self._get_variable_index(variable)])


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Adam(_OnePass, keras.optimizers.Adam):
    """Adam, as `keras.optimizers.Adam` but in one pass.

    With the learning rate `a` and Keras's `epsilon`, that is step `t` of
    https://arxiv.org/abs/1412.6980, in the form before its section 2.1:

        m += (1 - beta_1) * (g - m)
        v += (1 - beta_2) * (g^2 - v)
        w -= a * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    Keras computes `1 - beta` in float64; the kernel in the variable's dtype,
    where `1 - .999` is .00099998713. `v` differs by 1.3e-5 of it. Keras's bias
    correction is that of the kernel, so that its steps are 6.4e-6 too short;
    these are made as short, to be equal.
    """

    def _has_kernel(self):
        betas = (self.beta_1, self.beta_2)
        return not self.amsgrad and all(
            isinstance(beta, float) and beta < 1 for beta in betas
        )

    def _update(self, gradient, variable, learning_rate):
        step = keras.ops.cast(self.iterations + 1, _DTYPE)
        rounding = _rounding(self.beta_1) / math.sqrt(_rounding(self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=self._slot(self._momentums, variable),
            v=self._slot(self._velocities, variable),
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate * rounding,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Adagrad(_OnePass, keras.optimizers.Adagrad):
    """AdaGrad, as `keras.optimizers.Adagrad` but in one pass.

        a += g^2
        w -= learning_rate * g / sqrt(a + epsilon)

    The kernel adds a number to the root. With the one that is equal where `a`
    starts, a step differs by at most `epsilon / 8` of where `a` starts: 1.25e-7
    with Keras's defaults, a float32's last bit. Where that is more than the
    last bits, Keras computes.
    """

    def _has_kernel(self):
        start = self.initial_accumulator_value
        precision = np.finfo(_DTYPE).eps
        return start > 0 and self.epsilon / (8 * start) <= 2 * precision

    def _update(self, gradient, variable, learning_rate):
        start = self.initial_accumulator_value
        epsilon = math.sqrt(start + self.epsilon) - math.sqrt(start)
        tf.raw_ops.ResourceApplyAdagradV2(
            var=_handle(variable),
            accum=self._slot(self._accumulators, variable),
            lr=learning_rate,
            epsilon=epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="yt8m_compact")
class RMSprop(_OnePass, keras.optimizers.RMSprop):
    """RMSProp, as `keras.optimizers.RMSprop` but by one operation.

        v = rho * v + (1 - rho) * g^2
        w -= learning_rate * g / sqrt(v + epsilon)

    The kernel has a momentum; without one, it gets memory for it that is
    freed after the step.
    """

    def _has_kernel(self):
        return not self.centered and (
            self.momentum > 0 or not ops.is_compiling()
        )

    def _update(self, gradient, variable, learning_rate):
        if self.momentum > 0:
            momentums = self._slot(self._momentums, variable)
        else:
            momentums = tf.raw_ops.VarHandleOp(
                dtype=_DTYPE, shape=gradient.shape, shared_name=_ANONYMOUS
            )
            tf.raw_ops.AssignVariableOp(
                resource=momentums, value=tf.zeros_like(gradient)
            )
        tf.raw_ops.ResourceApplyRMSProp(
            var=_handle(variable),
            ms=self._slot(self._velocities, variable),
            mom=momentums,
            lr=learning_rate,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            grad=gradient,
        )


@keras.saving.register_keras_serializable(package="yt8m_compact")
class SGD(_OnePass, keras.optimizers.SGD):
    """Gradient descent, as `keras.optimizers.SGD` but in one pass.

    m = momentum * m - learning_rate * g
    w += m
    """

    def _has_kernel(self):
        return True

    def _update(self, gradient, variable, learning_rate):
        if self.momentum == 0:
            tf.raw_ops.ResourceApplyGradientDescent(
                var=_handle(variable), alpha=learning_rate, delta=gradient
            )
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=_handle(variable),
            accum=self._slot(self.momentums, variable),
            lr=learning_rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


def _is_dense(gradient, variable) -> bool:
    """Says whether kernels take a gradient and its variable."""
    variable = _tensorflow_variable(variable)
    device = tf.DeviceSpec.from_string(variable.device).device_type
    return (
        not isinstance(gradient, tf.IndexedSlices)
        and variable.dtype.name == _DTYPE
        and (device in _DEVICES or ops.is_compiling())
    )


def _tensorflow_variable(variable) -> tf.Variable:
    if isinstance(variable, keras.Variable):
        return variable.value
    return variable


def _handle(variable) -> tf.Tensor:
    return _tensorflow_variable(variable).handle


def _rounding(beta: float) -> float:
    """Divides Keras's `1 - beta` by the one that a kernel computes."""
    return float(np.float32(1 - beta)) / float(1 - np.float32(beta))
