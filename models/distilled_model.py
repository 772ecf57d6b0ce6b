"""A model whose parts learn the labels, too."""

import keras
import tensorflow as tf

from yt8m_compact.models import classifiers
from yt8m_compact.models import label_loss


@keras.saving.register_keras_serializable(package="yt8m_compact")
class DistilledModel(keras.Model):
    """A functional model that ends with a layer that keeps its parts' say.

    That is a `layers.LogitMixture` or a `layers.EndOfChain`. In training, the
    loss between the labels and the predictions of each of its classifiers
    comes on top of that of the model's own; where the layer has a
    `branch_share` s, they count s times, and the model's own `1 - s` times.

    Example:
        >>> parts = keras.Input([1], name="part"), keras.Input([1], name="last")
        >>> outputs = yt8m.layers.EndOfChain(0.25, name="predictions")(parts)
        >>> model = yt8m.models.DistilledModel(parts, outputs)
        >>> model.compile(loss="mean_squared_error")
        >>> y_pred = model([np.zeros([1, 1]), np.ones([1, 1])], training=True)
        >>> labels = np.ones([1, 1])  # the part's loss is 1, the last one's 0
        >>> float(model.compute_loss(y=labels, y_pred=y_pred))
        0.25

    References:
        Lin et al., https://arxiv.org/abs/1811.05014, equation 8.
        Wang et al., https://arxiv.org/abs/1706.05150, "Chaining".
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
        end = self.get_layer(classifiers.PREDICTIONS)
        parts = tf.add_n(
            [
                loss(y, predictions, sample_weight)
                for predictions in tf.unstack(end.branch_predictions, axis=1)
            ]
        )
        if end.branch_share is None:
            return total + parts
        # Keras has added all of the model's own.
        own = loss(y, y_pred, sample_weight)
        return total + end.branch_share * (parts - own)
