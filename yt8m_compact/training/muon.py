"""Muon, for the weights that are matrices."""

from collections.abc import Iterable

import keras

from yt8m_compact.training import optimizer_base


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Muon(optimizer_base.OptimizerBase, keras.optimizers.Muon):
    """`keras.optimizers.Muon`, which is told what is a matrix.

    Keras takes any variable of two axes for one; here, many are vectors side by
    side: those of circulants, diagonals, centres of clusters. All variables but
    those given get Adam's step, all the same weight decay.

    References:
        Jordan et al., https://kellerjordan.github.io/posts/muon, and Liu et
        al., https://arxiv.org/abs/2502.16982.
    """

    def use_for(self, matrices: Iterable[keras.Variable]) -> None:
        """Says which variables are matrices, before the optimiser is built.

        Args:
            matrices: variables of two axes.
        """
        self._matrices = {self._var_key(variable) for variable in matrices}

    def _should_use_adamw(self, variable):
        if hasattr(self, "_matrices"):
            return self._var_key(variable) not in self._matrices
        return super()._should_use_adamw(variable)

    def _apply_weight_decay(self, variables):
        # Not Muon's own, which does not work under a strategy, and has another
        # one for Adam's variables.
        keras.optimizers.Optimizer._apply_weight_decay(self, variables)
