"""How many weights a model has, and how many its dense twin would have."""

from collections.abc import Sequence
import dataclasses
import math
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import models

_BYTES_PER_MEGABYTE = 2**20


@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """The weights of one layer.

    Attributes:
      name: name of the layer.
      kind: structure of the projection, or class of another layer.
      output_size: size of the last dimension of the output.
      total: all weights, with batch norm's moving statistics.
      trainable: those that training changes.
      dense_equivalent: `total` if a projection were dense.
    """

    name: str
    kind: str
    output_size: int
    total: int
    trainable: int
    dense_equivalent: int


@dataclasses.dataclass(frozen=True)
class ModelWeights:
    """The weights of a model.

    Attributes:
      total: all weights, with batch norm's moving statistics: the paper
        counts 4 for each unit of batch norm.
      trainable: those that training changes.
      dense_equivalent: `total` if every projection were dense.
      num_bytes: size of all weights as they are stored.
      layers: the layers that have weights.
    """

    total: int
    trainable: int
    dense_equivalent: int
    num_bytes: int
    layers: tuple[LayerWeights, ...]

    @property
    def megabytes(self) -> float:
        """Size of all weights in MB of 2^20 bytes, as in the paper."""
        return self.num_bytes / _BYTES_PER_MEGABYTE

    @property
    def percent_of_dense(self) -> float:
        """`total` in percent of `dense_equivalent`."""
        return 100.0 * self.total / self.dense_equivalent

    def to_dict(self) -> dict[str, Any]:
        """Writes the counts as a dict that JSON can hold."""
        return {
            "total": self.total,
            "trainable": self.trainable,
            "dense_equivalent": self.dense_equivalent,
            "percent_of_dense": self.percent_of_dense,
            "megabytes": self.megabytes,
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
        }


def count_weights(model: keras.Model) -> ModelWeights:
    """Counts the weights of a functional model, layer by layer.

    Args:
      model: a model that was built.

    Returns:
      The counts.
    """
    counted = tuple(
        _count_layer(layer) for layer in model.layers if layer.weights
    )
    return ModelWeights(
        total=sum(layer.total for layer in counted),
        trainable=sum(layer.trainable for layer in counted),
        dense_equivalent=sum(layer.dense_equivalent for layer in counted),
        num_bytes=sum(
            _size(weight) * tf.as_dtype(weight.dtype).size
            for weight in model.weights
        ),
        layers=counted,
    )


def count_weights_of_config(
    config: models.ModelConfig,
    *,
    feature_sizes: Sequence[int],
    num_classes: int,
) -> ModelWeights:
    """Counts the weights of a model without drawing or keeping any.

    Args:
      config: the model's configuration.
      feature_sizes: size of each feature.
      num_classes: number of classes.

    Returns:
      The counts, the same as those of the model that was built.
    """
    # In this scope variables know their shapes and wait for their values.
    with keras.StatelessScope(initialize_variables=False):
        model = config.build(
            feature_sizes=feature_sizes, num_classes=num_classes
        )
        return count_weights(model)


def _count_layer(layer: keras.Layer) -> LayerWeights:
    total = sum(map(_size, layer.weights))
    projection = _projection_of(layer)
    dense_equivalent = total
    if projection is not None:
        dense_equivalent += projection.dense_weight_count
        dense_equivalent -= sum(map(_size, projection.weights))
    return LayerWeights(
        name=layer.name,
        kind=type(layer).__name__
        if projection is None
        else str(projection.structure),
        output_size=int(layer.output.shape[-1]),
        total=total,
        trainable=sum(map(_size, layer.trainable_weights)),
        dense_equivalent=dense_equivalent,
    )


def _projection_of(layer: keras.Layer) -> layers.Projection | None:
    if isinstance(layer, keras.layers.RNN) and isinstance(
        layer.cell, layers.RecurrentCell
    ):
        return layer.cell.recurrent_projection
    return layer if isinstance(layer, layers.Projection) else None


def _size(weight: keras.Variable) -> int:
    return math.prod(weight.shape)
