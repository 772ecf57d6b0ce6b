"""Lion."""

import keras

from yt8m_compact.training import optimizer_base


@keras.saving.register_keras_serializable(package="yt8m_compact")
class Lion(optimizer_base.OptimizerBase, keras.optimizers.Lion):
    """`keras.optimizers.Lion`: steps of one size, by signs.

    References:
        Chen et al., https://arxiv.org/abs/2302.06675.
    """
