"""A trained model as functions to serve, from records or from tensors."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

import keras
import tensorflow as tf

from yt8m_compact import config as config_lib

SERIALIZED_SIGNATURE = "serving_default"
TENSORS_SIGNATURE = "tensors"


class ServingModule(tf.Module):
    """Predicts from serialized records or from tensors.

    Both functions return a dict:

    *   `class_indexes` int32 `[batch, top_k]`: the likeliest classes, best
        first; the lower index first among equals.
    *   `scores` float32 `[batch, top_k]`: their probabilities.
    *   `predictions` float32 `[batch, num_classes]`: all probabilities.
    *   `id` string `[batch]`, from records only.

    Args:
      config: configuration of the run.
      model: its model, with the weights to serve.
      top_k: number of classes to return; at most all.
    """

    def __init__(
        self, config: config_lib.Config, model: keras.Model, top_k: int
    ) -> None:
        super().__init__(name="yt8m_compact_model")
        if top_k < 1:
            raise ValueError(f"expected at least 1. Received: top_k={top_k}")
        self._model = model
        self._reader = config.reader(training=False, whole_videos=True)
        self._top_k = min(top_k, config.data.num_classes)
        self.predict_serialized = tf.function(
            self._predict_serialized,
            input_signature=[tf.TensorSpec([None], tf.string, "examples")],
            # Nothing to convert, and looking for it takes seconds.
            autograph=False,
        )
        feature_dim = sum(config.data.feature_sizes)
        if config.data.frame_features:
            self.predict_tensors = tf.function(
                self._predict_frames,
                input_signature=[
                    tf.TensorSpec(
                        [None, None, feature_dim], tf.uint8, "frames"
                    ),
                    tf.TensorSpec([None], tf.int32, "num_frames"),
                ],
                autograph=False,
            )
        else:
            self.predict_tensors = tf.function(
                self._predict_features,
                input_signature=[
                    tf.TensorSpec([None, feature_dim], tf.float32, "features")
                ],
                autograph=False,
            )

    def _predict_serialized(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._reader.parse(examples)
        inputs = {name: batch[name] for name in self._model.input}
        return {"id": batch["id"], **self._predict(inputs)}

    def _predict_frames(
        self, frames: tf.Tensor, num_frames: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        frames, num_frames = self._reader.sample(frames, num_frames)
        return self._predict({"frames": frames, "num_frames": num_frames})

    def _predict_features(self, features: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._predict({"features": features})

    def _predict(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        predictions = self._model(inputs, training=False)
        scores, class_indexes = tf.math.top_k(predictions, k=self._top_k)
        return {
            "class_indexes": class_indexes,
            "scores": scores,
            "predictions": predictions,
        }


def save(module: ServingModule, export_dir: str) -> None:
    """Writes a SavedModel, whole or not at all.

    Args:
      module: what to save.
      export_dir: the folder to write; what was there is replaced.
    """
    export_dir = export_dir.rstrip("/")
    partial = f"{export_dir}.partial"
    _remove(partial)
    try:
        tf.saved_model.save(
            module,
            partial,
            signatures={
                SERIALIZED_SIGNATURE: module.predict_serialized,
                TENSORS_SIGNATURE: module.predict_tensors,
            },
        )
    except BaseException:
        _remove(partial)
        raise
    _remove(export_dir)
    tf.io.gfile.rename(partial, export_dir)


def _remove(path: str) -> None:
    if tf.io.gfile.exists(path):
        tf.io.gfile.rmtree(path)
