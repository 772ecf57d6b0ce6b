"""Models that predict by frozen weights."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping

import keras
import tensorflow as tf

from yt8m_compact.inference import frozen_function


class FrozenModel:
    """Predicts as `model(inputs, training=False)`, to rounding, in less time.

    What comes of weights alone is computed once. Weights count as they were at
    the first call, or at the last `refresh`. To be called in a `tf.function`.

    Args:
        model: a model whose inputs are a dict.
        may_grow: as of `frozen_function.FrozenFunction`.
        embedding: what `embed` gives, a tensor of the model; None if not asked
            for.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        may_grow: bool = True,
        embedding: keras.KerasTensor | None = None,
    ) -> None:
        self._model = model
        if embedding is not None:
            self._model = keras.Model(model.input, [model.output, embedding])
        self._may_grow = may_grow
        # By the size of the batch: 1, or None for any.
        self._functions: dict[int | None, frozen_function.FrozenFunction] = {}

    def prepare(self, *batch_sizes: int | None) -> None:
        """Computes what weights alone give, before a first call.

        A `tf.function` that is traced when it makes variables is traced again.

        Args:
            *batch_sizes: 1 for one video, None for any number.
        """
        for batch_size in batch_sizes:
            self._function_of(batch_size)

    def __call__(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Predicts videos; of one alone, all blocks of a product at once.

        Args:
            inputs: the model's inputs by name.

        Returns:
            `[batch, num_classes]`.
        """
        return self._choose(inputs, 0)

    def embed(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Computes the embedding of videos, and nothing that comes after.

        Args:
            inputs: the model's inputs by name.

        Returns:
            `[batch, size]`.
        """
        return self._choose(inputs, 1)

    def _choose(
        self, inputs: Mapping[str, tf.Tensor], output: int
    ) -> tf.Tensor:
        """Computes an output by what suits the number of videos."""
        size = next(iter(inputs.values())).shape[0]
        if size is not None:
            return self._predict(inputs, 1 if size == 1 else None, output)
        size = tf.shape(next(iter(inputs.values())))[0]
        return tf.cond(
            tf.equal(size, 1),
            lambda: self._predict(inputs, 1, output),
            lambda: self._predict(inputs, None, output),
        )

    def predict_many(self, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Predicts by operations that suit many videos, however many come.

        Args:
            inputs: the model's inputs by name.

        Returns:
            `[batch, num_classes]`.
        """
        return self._predict(inputs, None)

    def refresh(self) -> None:
        """Takes the weights as they are now."""
        for function in self._functions.values():
            function.refresh()

    @property
    def kept(self) -> list[tf.Variable]:
        """What has been computed ahead."""
        return [
            variable
            for function in self._functions.values()
            for variable in function.kept
        ]

    def _function_of(
        self, batch_size: int | None
    ) -> frozen_function.FrozenFunction:
        """Returns the function of a size of the batch; made once."""
        if batch_size not in self._functions:
            names = list(self._model.input)
            self._functions[batch_size] = frozen_function.FrozenFunction(
                lambda *tensors: self._model(
                    dict(zip(names, tensors, strict=True)), training=False
                ),
                [
                    tf.TensorSpec([batch_size, *value.shape[1:]], value.dtype)
                    for value in self._model.input.values()
                ],
                may_grow=self._may_grow,
            )
        return self._functions[batch_size]

    def _predict(
        self,
        inputs: Mapping[str, tf.Tensor],
        batch_size: int | None,
        output: int = 0,
    ) -> tf.Tensor:
        tensors = [inputs[name] for name in self._model.input]
        if batch_size == 1:
            # Not by ensure_shape: Grappler takes it for true of the branch
            # that is not taken, too.
            tensors = [tensor[0][tf.newaxis] for tensor in tensors]
        return self._function_of(batch_size)(*tensors, output=output)
