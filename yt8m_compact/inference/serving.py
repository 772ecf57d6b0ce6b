"""A trained model as functions to serve, from records or from tensors."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Mapping, Sequence
import os
from typing import Any

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact.inference import class_table
from yt8m_compact.inference import flagged_records
from yt8m_compact.inference import frozen_model
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import export_manifest

SERIALIZED_SIGNATURE = "serving_default"
ALL_SCORES_SIGNATURE = "all_scores"
FLAGGED_SIGNATURE = "flagged"
TENSORS_SIGNATURE = "tensors"
POOLED_SIGNATURE = "pooled"
EMBEDDINGS_SIGNATURE = "embeddings"

CONFIG_FILE = "config.json"
# Where a SavedModel has what travels with it.
ASSETS = "assets"


def input_specs(data: config_lib.DataConfig) -> dict[str, tf.TensorSpec]:
    """Returns what a model is given, by name: features, or frames.

    Args:
        data: what the records hold.

    Example:
        >>> data = yt8m.run.DataConfig(
        ...     feature_names=("mean_rgb",), feature_sizes=(1024,)
        ... )
        >>> yt8m.inference.serving.input_specs(data)["features"].shape
        TensorShape([None, 1024])
    """
    if data.frame_features:
        return frame_specs(data)
    shape = [None, sum(data.feature_sizes)]
    return {"features": tf.TensorSpec(shape, tf.float32, "features")}


def frame_specs(data: config_lib.DataConfig) -> dict[str, tf.TensorSpec]:
    """Returns what frames of videos are given as, by name.

    Args:
        data: what the records hold.

    Example:
        >>> data = yt8m.run.DataConfig(
        ...     frame_features=True,
        ...     feature_names=("rgb", "audio"),
        ...     feature_sizes=(1024, 128),
        ... )
        >>> for spec in yt8m.inference.serving.frame_specs(data).values():
        ...     print(spec.name, spec.shape, spec.dtype.name)
        frames (None, None, 1152) uint8
        num_frames (None,) int32
    """
    feature_dim = sum(data.feature_sizes)
    specs = [
        tf.TensorSpec([None, None, feature_dim], tf.uint8, "frames"),
        tf.TensorSpec([None], tf.int32, "num_frames"),
    ]
    return {spec.name: spec for spec in specs}


def average_frames(frames: tf.Tensor, num_frames: tf.Tensor) -> tf.Tensor:
    """Averages the frames of videos, as video-level features are made.

    Args:
        frames: uint8 `[batch, time, feature_dim]`, 8-bit codes.
        num_frames: int32 `[batch]`, how many of them are the video's.

    Returns:
        float32 `[batch, feature_dim]`, zeros of a video without a frame.

    Example:
        >>> frames = tf.constant([[[0, 255], [255, 255], [0, 0]]], tf.uint8)
        >>> num_frames = tf.constant([2])
        >>> yt8m.inference.serving.average_frames(frames, num_frames).numpy()
        array([[0.0078125, 2.0078125]], dtype=float32)
    """
    time = tf.shape(frames)[1]
    count = tf.clip_by_value(num_frames, 0, time)
    mask = tf.sequence_mask(count, time)[:, :, tf.newaxis]
    total = ops.sum_rows(tf.where(mask, ops.dequantize(frames), 0.0))
    return total / tf.cast(tf.maximum(count, 1), tf.float32)[:, tf.newaxis]


class ServingModule:
    """Predicts from serialized records or from tensors.

    Of records, the labels are not looked at. A SavedModel of this carries the
    configuration of its run, the asset `config.json`, and the names of the
    classes, where they are known, the asset `class_names.txt`.

    Its `functions`, by the signatures that they are served as:

    *   `serving_default`, of serialized records: `id` string `[batch]` and the
        best classes. A bad record is an error.
    *   `all_scores`, of serialized records: `id` and `predictions`.
    *   `flagged`, of serialized records: as `serving_default`, and `valid`,
        bool `[batch]`. The row of a bad record is one of no id, classes -1
        without names, and scores of 0.
    *   `tensors`, of what `input_specs` lists: the best classes and
        `predictions`.
    *   `pooled`, of `frames` and `num_frames`, of a video-level model: it
        averages the frames first, which are the `features` that it gives
        beside the best classes.
    *   `embeddings`, of what `input_specs` lists: `embeddings` float32
        `[batch, size]`, what the classifier is given; of models that have a
        layer before it.

    The best classes are

    *   `class_indexes` int32 `[batch, top_k]`: the likeliest classes, best
        first; the lower index first among equals.
    *   `class_names` string `[batch, top_k]`, where they are known.
    *   `scores` float32 `[batch, top_k]`: their probabilities.

    `predictions` are float32 `[batch, num_classes]`: all probabilities.

    The weights are frozen: they count as they were at the first prediction, or
    at the last `refresh`.

    Args:
        config: configuration of the run.
        model: its model, with the weights to serve.
        top_k: number of classes to return; at most all.
        class_names: the names of all classes, or None.

    Example:
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=3
        ... )
        >>> found = module.functions["tensors"](tf.ones([2, 1152]))
        >>> {name: value.shape.as_list() for name, value in found.items()}
        {'class_indexes': [2, 3], 'scores': [2, 3], 'predictions': [2, 3862]}
    """

    def __init__(
        self,
        config: config_lib.Config,
        model: keras.Model,
        top_k: int,
        class_names: Sequence[str] | None = None,
    ) -> None:
        if top_k < 1:
            raise ValueError(f"expected at least 1. Received: top_k={top_k}")
        self.config = config
        self.top_k = top_k
        self._model = model
        embedding = models.find_embedding(model)
        # What weights alone give is written to disk in place of the weights.
        self._frozen = frozen_model.FrozenModel(
            model, may_grow=False, embedding=embedding
        )
        self._frozen.prepare(1, None)
        self._class_table = None
        if class_names is not None:
            self._class_table = class_table.ClassTable(
                class_names, config.data.num_classes
            )
        records = [tf.TensorSpec([None], tf.string, "examples")]
        # What several signatures do is traced once.
        self._reader = config.prediction_reader()
        self._parse = tf.function(
            lambda examples: self._reader.parse(examples),
            input_signature=records,
            autograph=False,
        )
        self._predict_all = tf.function(self._frozen, autograph=False)
        tensors = list(input_specs(config.data).values())
        functions = {
            SERIALIZED_SIGNATURE: (self._predict_serialized, records),
            ALL_SCORES_SIGNATURE: (self._score_serialized, records),
            FLAGGED_SIGNATURE: (self._predict_flagged, records),
            TENSORS_SIGNATURE: (self._predict_tensors, tensors),
        }
        if not config.data.frame_features:
            specs = list(frame_specs(config.data).values())
            functions[POOLED_SIGNATURE] = (self._predict_pooled, specs)
        if embedding is not None:
            functions[EMBEDDINGS_SIGNATURE] = (self._embed, tensors)
        self.functions = {
            # Nothing to convert, and looking for it takes seconds.
            name: tf.function(function, input_signature=specs, autograph=False)
            for name, (function, specs) in functions.items()
        }

    def refresh(self) -> None:
        """Takes the weights of the model as they are now."""
        self._frozen.refresh()

    def _predict_serialized(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._parse(examples)
        return {"id": batch["id"], **self._find_best(self._score(batch))}

    def _score_serialized(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = self._parse(examples)
        return {"id": batch["id"], "predictions": self._score(batch)}

    def _predict_flagged(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        batch = flagged_records.parse(self._parse, examples)
        valid = batch[flagged_records.VALID]
        blank = {"class_indexes": -1, "class_names": "", "scores": 0.0}
        best = {
            name: tf.where(valid[:, tf.newaxis], value, blank[name])
            for name, value in self._find_best(self._score(batch)).items()
        }
        return {"id": batch["id"], flagged_records.VALID: valid, **best}

    def _predict_tensors(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        predictions = self._score(self._inputs_of(*tensors))
        return {**self._find_best(predictions), "predictions": predictions}

    def _predict_pooled(
        self, frames: tf.Tensor, num_frames: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        features = average_frames(frames, num_frames)
        best = self._find_best(self._score({"features": features}))
        return {**best, "features": features}

    def _embed(self, *tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        embeddings = self._frozen.embed(self._inputs_of(*tensors))
        return {"embeddings": tf.cast(embeddings, tf.float32)}

    def _score(self, batch: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self._predict_all({k: batch[k] for k in self._model.input})

    def _find_best(self, predictions: tf.Tensor) -> dict[str, tf.Tensor]:
        scores, class_indexes = ops.top_k(predictions, self.top_k)
        best = {"class_indexes": class_indexes, "scores": scores}
        if self._class_table is not None:
            best["class_names"] = self._class_table.lookup(class_indexes)
        return best

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
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Traces the functions, once."""
        return {
            name: function.get_concrete_function()
            for name, function in self.functions.items()
        }

    def tracked(self) -> list[tf.Variable | tf.Module]:
        """Lists what the functions read: fewer than the model's variables."""
        read = {
            id(captured)
            for function in self.concrete_functions().values()
            for captured in function.captured_inputs
        }
        variables = [variable.value for variable in self._model.variables]
        variables += self._frozen.kept
        tables = [] if self._class_table is None else [self._class_table]
        return [v for v in variables if id(v.handle) in read] + tables


class Predict:
    """Predicts in this process, from tensors.

    Weights are frozen as in `ServingModule`; what comes of them alone is kept
    even if it takes more memory than they do.

    Args:
        model: the model.
        inputs_of: makes its inputs of the tensors.
        specs: the tensors, by name, in order.

    Example:
        >>> import keras
        >>> specs = {"features": tf.TensorSpec([None, 4], tf.float32)}
        >>> inputs = {"features": keras.Input([4], name="features")}
        >>> outputs = keras.layers.Dense(10, "sigmoid")(inputs["features"])
        >>> predict = yt8m.inference.serving.Predict(
        ...     keras.Model(inputs, outputs), lambda x: {"features": x}, specs
        ... )
        >>> predict(features=np.ones([2, 4], np.float32))["predictions"].shape
        TensorShape([2, 10])
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

    Example:
        >>> import os
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=3
        ... )
        >>> yt8m.inference.serving.save(module, "saved")
        >>> sorted(os.listdir("saved/assets"))
        ['config.json']
    """
    with files.writing_folder(export_dir, replace=True) as folder:
        write(module, folder)


def write(module: ServingModule, folder: str) -> None:
    """Writes a SavedModel into a folder.

    Args:
        module: what to write, by the weights that its model has now.
        folder: the folder, of this process alone.

    Example:
        >>> import os
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=3
        ... )
        >>> os.mkdir("partial")
        >>> yt8m.inference.serving.write(module, "partial")
        >>> os.path.exists("partial/saved_model.pb")
        True
    """
    module.refresh()
    saved = tf.Module(name="yt8m_compact_model")
    # Not the `tf.function`s: while it saves, TensorFlow takes other options for
    # its own, by which it would trace all again.
    signatures = module.concrete_functions()
    saved.functions = list(signatures.values())
    saved.weights = module.tracked()
    with files.temporary_folder() as assets:
        path = os.path.join(assets, CONFIG_FILE)
        config_lib.save(module.config, path)
        # What is tracked is copied into the SavedModel, and found by servers.
        saved.config_asset = tf.saved_model.Asset(path)
        tf.saved_model.save(saved, folder, signatures=signatures)


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
        ValueError: if there is none, it was not written by `save`, a file of it
            is damaged, or its signature is not that of its configuration.

    Example:
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=3
        ... )
        >>> yt8m.inference.serving.save(module, "export")
        >>> config, predict = yt8m.inference.serving.load("export")
        >>> predict(features=tf.ones([2, 1152]))["predictions"].shape
        TensorShape([2, 3862])
    """
    config, loaded = _load(path)
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


def load_embeddings(
    path: str,
) -> tuple[config_lib.Config, Callable[..., Mapping[str, tf.Tensor]] | None]:
    """Loads a SavedModel of `save`, to compute embeddings; see `load`.

    Args:
        path: the folder of the SavedModel.

    Returns:
        The configuration of its run, and a function of what `input_specs`
        names, which returns a dict with `embeddings`, float32 `[batch, size]`;
        None where the model has none.

    Raises:
        ValueError: as of `load`, but for its signature.

    Example:
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> module = yt8m.inference.serving.ServingModule(
        ...     preset.config, preset.model, top_k=3
        ... )
        >>> yt8m.inference.serving.save(module, "embedder")
        >>> config, embed = yt8m.inference.serving.load_embeddings("embedder")
        >>> embed(features=tf.ones([2, 1152]))["embeddings"].shape
        TensorShape([2, 272])
    """
    config, loaded = _load(path)
    if EMBEDDINGS_SIGNATURE not in loaded.signatures:
        return config, None

    def embed(**inputs: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return loaded.signatures[EMBEDDINGS_SIGNATURE](**inputs)

    return config, embed


def _load(path: str) -> tuple[config_lib.Config, Any]:
    """Loads a SavedModel, and the configuration of its run."""
    if not tf.saved_model.contains_saved_model(path):
        raise ValueError(
            f"{path}: expected a SavedModel that yt8m-export wrote. Received: "
            "none there"
        )
    export_manifest.verify(path)
    config_path = os.path.join(path, ASSETS, CONFIG_FILE)
    if not tf.io.gfile.exists(config_path):
        raise ValueError(
            f"{path}: expected a SavedModel that yt8m-export wrote, with the "
            f"configuration of its run in assets/{CONFIG_FILE}. Received: a "
            "SavedModel without one; export the run again"
        )
    config = config_lib.load(config_path)
    try:
        loaded = tf.saved_model.load(path)
    # Of a file that ends too early IndexError is raised.
    except (tf.errors.OpError, OSError, ValueError, LookupError) as error:
        raise ValueError(
            f"{path}: expected a SavedModel of yt8m-export, whole. "
            f"Received: {' '.join(str(error).split())}"
        ) from error
    return config, loaded


def _describe(specs: Mapping[str, tf.TensorSpec | tf.Tensor]) -> str:
    return ", ".join(
        f"{name} {spec.dtype.name} {spec.shape}"
        for name, spec in sorted(specs.items())
    )
