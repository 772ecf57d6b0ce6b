"""A trained model as functions to serve, from records or from tensors."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Mapping
import os
import shutil
import tempfile

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import ops
from yt8m_compact.inference import frozen_model
from yt8m_compact.run import config as config_lib

SERIALIZED_SIGNATURE = "serving_default"
TENSORS_SIGNATURE = "tensors"

CONFIG_FILE = "config.json"


def input_specs(data: config_lib.DataConfig) -> dict[str, tf.TensorSpec]:
    """Returns what a model is given, by name: features, or frames.

    Args:
        data: what the records hold.
    """
    feature_dim = sum(data.feature_sizes)
    if data.frame_features:
        specs = [
            tf.TensorSpec([None, None, feature_dim], tf.uint8, "frames"),
            tf.TensorSpec([None], tf.int32, "num_frames"),
        ]
    else:
        specs = [tf.TensorSpec([None, feature_dim], tf.float32, "features")]
    return {spec.name: spec for spec in specs}


class ServingModule:
    """Predicts from serialized records or from tensors.

    Of records, the labels are not looked at. A SavedModel of this carries the
    configuration of its run, the asset `config.json`.

    Both functions return a dict:

    *   `class_indexes` int32 `[batch, top_k]`: the likeliest classes, best
        first; the lower index first among equals.
    *   `scores` float32 `[batch, top_k]`: their probabilities.
    *   `predictions` float32 `[batch, num_classes]`: all probabilities.
    *   `id` string `[batch]`, from records only.

    The weights are frozen: they count as they were at the first prediction, or
    at the last `refresh`.

    Args:
        config: configuration of the run.
        model: its model, with the weights to serve.
        top_k: number of classes to return; at most all.
    """

    def __init__(
        self, config: config_lib.Config, model: keras.Model, top_k: int
    ) -> None:
        if top_k < 1:
            raise ValueError(f"expected at least 1. Received: top_k={top_k}")
        self.config = config
        self._model = model
        # What weights alone give is written to disk in place of the weights.
        self._frozen = frozen_model.FrozenModel(model, may_grow=False)
        self._frozen.prepare(1, None)
        self._reader = config.prediction_reader()
        self._top_k = top_k
        self.predict_serialized = tf.function(
            self._predict_serialized,
            input_signature=[tf.TensorSpec([None], tf.string, "examples")],
            # Nothing to convert, and looking for it takes seconds.
            autograph=False,
        )
        self.predict_tensors = tf.function(
            self._predict_tensors,
            input_signature=list(input_specs(config.data).values()),
            autograph=False,
        )

    def refresh(self) -> None:
        """Takes the weights of the model as they are now."""
        self._frozen.refresh()

    def _predict_serialized(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._reader.parse(examples)
        inputs = {name: batch[name] for name in self._model.input}
        return {"id": batch["id"], **self._predict(inputs)}

    def _predict_tensors(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return self._predict(self._inputs_of(*tensors))

    def _predict(self, inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        predictions = self._frozen(inputs)
        scores, class_indexes = ops.top_k(predictions, self._top_k)
        return {
            "class_indexes": class_indexes,
            "scores": scores,
            "predictions": predictions,
        }

    def _inputs_of(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Makes the model's inputs of what `input_specs` lists."""
        if not self.config.data.frame_features:
            (features,) = tensors
            return {"features": features}
        frames, num_frames = tensors
        time = tf.maximum(tf.shape(frames)[1], 1)
        frames, num_frames = self._reader.sample(frames, num_frames)
        # All or even frames: what comes after is padding, of segments most.
        return {"frames": frames[:, :time], "num_frames": num_frames}

    def make_predict(self) -> "Predict":
        """Makes the function that predicts in this process."""
        return Predict(
            self._model, self._inputs_of, input_specs(self.config.data)
        )

    def concrete_functions(
        self,
    ) -> list[tf.types.experimental.ConcreteFunction]:
        """Traces `predict_serialized` and `predict_tensors`, once."""
        return [
            function.get_concrete_function()
            for function in (self.predict_serialized, self.predict_tensors)
        ]

    def variables_read(self) -> list[tf.Variable]:
        """Lists what the functions read: fewer than the model's variables."""
        read = {
            id(captured)
            for function in self.concrete_functions()
            for captured in function.captured_inputs
        }
        variables = [variable.value for variable in self._model.variables]
        variables += self._frozen.kept
        return [v for v in variables if id(v.handle) in read]


class Predict:
    """Predicts in this process, from tensors.

    Weights are frozen as in `ServingModule`; what comes of them alone is kept
    even if it takes more memory than they do.

    Args:
        model: the model.
        inputs_of: makes its inputs of the tensors.
        specs: the tensors, by name, in order.
    """

    def __init__(
        self,
        model: keras.Model,
        inputs_of: Callable[..., dict[str, tf.Tensor]],
        specs: Mapping[str, tf.TensorSpec],
    ) -> None:
        self._names = tuple(specs)
        self._frozen = frozen_model.FrozenModel(model)
        self._frozen.prepare(1, None)

        def predict(*tensors: tf.Tensor) -> tf.Tensor:
            return self._frozen(inputs_of(*tensors))

        def predict_many(*tensors: tf.Tensor) -> tf.Tensor:
            return self._frozen.predict_many(inputs_of(*tensors))

        self._one, self._many = (
            tf.function(
                function,
                input_signature=[
                    tf.TensorSpec([size, *spec.shape[1:]], spec.dtype)
                    for spec in specs.values()
                ],
                autograph=False,
            )
            for function, size in [(predict, 1), (predict_many, None)]
        )

    def __call__(self, **tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        """Predicts.

        Args:
            **tensors: as `input_specs` lists them.

        Returns:
            A dict with `predictions`, `[batch, num_classes]`.
        """
        values = [tf.convert_to_tensor(tensors[name]) for name in self._names]
        predict = self._one if values[0].shape[0] == 1 else self._many
        return {"predictions": predict(*values)}

    def refresh(self) -> None:
        """Takes the weights of the model as they are now."""
        self._frozen.refresh()


def save(module: ServingModule, export_dir: str) -> None:
    """Writes a SavedModel, whole or not at all.

    Args:
        module: what to save, by the weights that its model has now.
        export_dir: the folder to write; what was there is replaced.
    """
    module.refresh()
    saved = tf.Module(name="yt8m_compact_model")
    # Not the `tf.function`s: while it saves, TensorFlow takes other options for
    # its own, by which it would trace both again.
    saved.predict_serialized, saved.predict_tensors = (
        module.concrete_functions()
    )
    saved.weights = module.variables_read()
    with (
        files.writing_folder(export_dir) as folder,
        tempfile.TemporaryDirectory() as assets,
    ):
        path = os.path.join(assets, CONFIG_FILE)
        config_lib.save(module.config, path)
        # What is tracked is copied into the SavedModel, and found by servers.
        saved.config_asset = tf.saved_model.Asset(path)
        tf.saved_model.save(
            saved,
            folder,
            signatures={
                SERIALIZED_SIGNATURE: saved.predict_serialized,
                TENSORS_SIGNATURE: saved.predict_tensors,
            },
        )
        _empty(files.expand_user(export_dir))


def _empty(folder: str) -> None:
    """Removes what a folder holds, if there is one; it may be a mount point."""
    if not files.is_local(folder):
        if tf.io.gfile.exists(folder):
            tf.io.gfile.rmtree(folder)
        return
    if not os.path.isdir(folder):
        return
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.remove(entry.path)


def load(
    path: str,
) -> tuple[config_lib.Config, Callable[..., Mapping[str, tf.Tensor]]]:
    """Loads a SavedModel of `save`.

    A SavedModel is a program, which may read and write files: load only what
    you would run.

    Args:
        path: the folder of the SavedModel.

    Returns:
        The configuration of its run, and a function of what `input_specs`
        names, which returns a dict with `predictions`, float32 `[batch,
        num_classes]`.

    Raises:
        ValueError: if there is none, it was not written by `save`, or its
            signature is not that of its configuration.
    """
    if not tf.saved_model.contains_saved_model(path):
        raise ValueError(
            f"{path}: expected a SavedModel that yt8m-export wrote. Received: "
            "none there"
        )
    config_path = os.path.join(path, "assets", CONFIG_FILE)
    if not tf.io.gfile.exists(config_path):
        raise ValueError(
            f"{path}: expected a SavedModel that yt8m-export wrote, with the "
            f"configuration of its run in assets/{CONFIG_FILE}. Received: a "
            "SavedModel without one; export the run again"
        )
    config = config_lib.load(config_path)
    loaded = tf.saved_model.load(path)
    function = loaded.signatures.get(TENSORS_SIGNATURE)
    expected = input_specs(config.data)
    inputs = function.structured_input_signature[1] if function else {}
    outputs = function.structured_outputs if function else {}
    predictions = outputs.get("predictions")
    num_classes = config.data.num_classes
    if (
        inputs != expected
        or predictions is None
        or predictions.shape.as_list() != [None, num_classes]
    ):
        raise ValueError(
            f"{path}: expected a signature {TENSORS_SIGNATURE} from "
            f"{_describe(expected)} to predictions of {num_classes} classes, "
            f"as assets/{CONFIG_FILE} says. Received: "
            f"signatures={sorted(loaded.signatures)}, from "
            f"{_describe(inputs)} to {_describe(outputs)}; export the run again"
        )

    def predict(**inputs: tf.Tensor) -> Mapping[str, tf.Tensor]:
        # Through `loaded`, which owns the weights and must stay alive.
        return loaded.signatures[TENSORS_SIGNATURE](**inputs)

    return config, predict


def _describe(specs: Mapping[str, tf.TensorSpec | tf.Tensor]) -> str:
    return ", ".join(
        f"{name} {spec.dtype.name} {spec.shape}"
        for name, spec in sorted(specs.items())
    )
