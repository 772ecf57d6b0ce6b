"""How many weights and multiply-adds a model and its dense equivalent have."""

from collections.abc import Sequence
from concurrent import futures
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
        multiply_adds: real multiply-adds of a row of its input where it
            predicts, by the algorithm used: exact for projections; the products
            alone of recurrent layers; one a value of batch norm. None for other
            layers, which are not counted.
        per_frame: whether a row is a frame, not a video.
        num_bytes: size of its weights as they are shipped: those of a precision
            packed.
    """

    name: str
    kind: str
    output_size: int
    total: int
    trainable: int
    dense_equivalent: int
    multiply_adds: int | None
    per_frame: bool
    num_bytes: int


@dataclasses.dataclass(frozen=True)
class ModelWeights:
    """The weights of a model.

    Attributes:
        total: all weights, with batch norm's moving statistics: the paper
            counts 4 for each unit of batch norm.
        trainable: those that training changes.
        dense_equivalent: `total` if every projection were dense.
        num_bytes: size of all weights as they are shipped.
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

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of a video, without those of each frame."""
        return self._sum_multiply_adds(per_frame=False)

    @property
    def multiply_adds_per_frame(self) -> int:
        """Multiply-adds of each frame, that come on top."""
        return self._sum_multiply_adds(per_frame=True)

    def _sum_multiply_adds(self, per_frame: bool) -> int:
        return sum(
            layer.multiply_adds or 0
            for layer in self.layers
            if layer.per_frame == per_frame
        )

    @property
    def not_counted(self) -> list[str]:
        """Names of layers with weights whose multiply-adds are not counted."""
        return [
            layer.name for layer in self.layers if layer.multiply_adds is None
        ]

    def to_dict(self) -> dict[str, Any]:
        """Writes the counts as a dict that JSON can hold."""
        return {
            "total": self.total,
            "trainable": self.trainable,
            "dense_equivalent": self.dense_equivalent,
            "percent_of_dense": self.percent_of_dense,
            "megabytes": self.megabytes,
            "multiply_adds": self.multiply_adds,
            "multiply_adds_per_frame": self.multiply_adds_per_frame,
            "multiply_adds_not_counted": self.not_counted,
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
        }


def count_weights(model: keras.Model) -> ModelWeights:
    """Counts the weights of a functional model, layer by layer.

    Args:
        model: a model that was built.

    Returns:
        The counts.

    Example:
        >>> inputs = keras.Input([1024])
        >>> outputs = yt8m.layers.Projection(3862, "circulant")(inputs)
        >>> model = keras.Model(inputs, outputs)
        >>> weights = yt8m.evaluation.count_weights(model)
        >>> weights.total, weights.dense_equivalent, weights.num_bytes
        (7958, 3958550, 31832)
    """
    counted = tuple(
        _count_layer(layer) for layer in model.layers if layer.weights
    )
    return ModelWeights(
        total=sum(layer.total for layer in counted),
        trainable=sum(layer.trainable for layer in counted),
        dense_equivalent=sum(layer.dense_equivalent for layer in counted),
        num_bytes=sum(layer.num_bytes for layer in counted),
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
    policy = keras.config.dtype_policy()

    def count() -> ModelWeights:
        keras.config.set_dtype_policy(policy)
        # In this scope variables know their shapes and wait for their values.
        with keras.StatelessScope(initialize_variables=False):
            model = config.build(
                feature_sizes=feature_sizes, num_classes=num_classes
            )
            return count_weights(model)

    # Keras lists variables that wait, and the end of the next such scope, be it
    # that of an unrelated model, draws them all: gigabytes. The list, and the
    # policy, are those of a thread.
    with futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(count).result()


def _count_layer(layer: keras.Layer) -> LayerWeights:
    total = sum(map(_size, layer.weights))
    num_bytes = sum(
        _size(weight) * tf.as_dtype(weight.dtype).size
        for weight in layer.weights
    )
    projection = _projection_of(layer)
    dense_equivalent = total
    if projection is not None:
        structure, sizes = projection.structure, projection.sizes
        specs = structure.weights(*sizes)
        # Whatever holds them: floats that are trained, or bits.
        num_bytes += structure.num_bytes(*sizes)
        num_bytes -= sum(spec.num_bytes for spec in specs)
        total += structure.num_weights(*sizes)
        total -= sum(spec.size for spec in specs)
        dense_equivalent += projection.dense_weight_count
        dense_equivalent -= sum(map(_size, projection.weights))
    return LayerWeights(
        name=layer.name,
        kind=type(layer).__name__
        if projection is None
        else str(projection.structure),
        output_size=_output_size(layer),
        total=total,
        trainable=sum(map(_size, layer.trainable_weights)),
        dense_equivalent=dense_equivalent,
        multiply_adds=_multiply_adds(layer),
        per_frame=_is_per_frame(layer),
        num_bytes=num_bytes,
    )


def _is_per_frame(layer: keras.Layer) -> bool:
    """Says whether it multiplies each frame, not each video."""
    if isinstance(layer, keras.layers.RNN):
        return True
    if isinstance(layer, layers.FrameNormalization | layers.Projection):
        # Their outputs may be pooled, or no product yet.
        return len(keras.tree.flatten(layer.input)[0].shape) == 3
    return len(layer.output.shape) == 3


def _output_size(layer: keras.Layer) -> int:
    if isinstance(layer, layers.Projection):
        return layer.units  # A deferred one has no product.
    return int(layer.output.shape[-1])


def _multiply_adds(layer: keras.Layer) -> int | None:
    projection = _projection_of(layer)
    if projection is not None:
        return projection.multiply_adds
    if isinstance(layer, keras.layers.LSTM | keras.layers.GRU):
        return _size(layer.cell.kernel) + _size(layer.cell.recurrent_kernel)
    if isinstance(layer, keras.layers.Dense):
        return _size(layer.kernel)
    if isinstance(layer, keras.layers.BatchNormalization):
        return _output_size(layer)
    return None


def _projection_of(layer: keras.Layer) -> layers.Projection | None:
    if isinstance(layer, keras.layers.RNN) and isinstance(
        layer.cell, layers.RecurrentCell
    ):
        return layer.cell.recurrent_projection
    return layer if isinstance(layer, layers.Projection) else None


def _size(weight: keras.Variable) -> int:
    return math.prod(weight.shape)
