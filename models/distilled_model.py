"""A model whose parts learn the labels, too."""

import keras
import tensorflow as tf

from yt8m_compact.models import classifiers
from yt8m_compact.models import label_loss


@keras.saving.register_keras_serializable(package="yt8m_compact")
class DistilledModel(keras.Model):
    """A functional model that ends with a `layers.LogitMixture`.

    In training, the loss between the labels and the predictions of each of its
    classifiers comes on top of that of the mixture.

    Reference:
        Lin et al., https://arxiv.org/abs/1811.05014, equation 8.
    """

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """Computes the loss of a step, as `keras.Model.compute_loss` does."""
        total = super().compute_loss(
            x=x,
            y=y,
            y_pred=y_pred,
            sample_weight=sample_weight,
            training=training,
        )
        if not training:
            return total
        loss = self.loss
        if not isinstance(loss, keras.losses.Loss):
            loss = label_loss.LabelLoss(keras.losses.get(loss))
        mixture = self.get_layer(classifiers.PREDICTIONS)
        for predictions in tf.unstack(mixture.branch_predictions, axis=1):
            total += loss(y, predictions, sample_weight)
        return total
