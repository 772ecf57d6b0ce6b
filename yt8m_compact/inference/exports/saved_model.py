"""Models as SavedModels for servers, with all that travels with them."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Sequence
import dataclasses

import keras
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import layers
from yt8m_compact.inference import batching_hints
from yt8m_compact.inference import class_table
from yt8m_compact.inference import serving
from yt8m_compact.inference import warmup as warmup_lib
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import same_scores
from yt8m_compact.inference.exports import versions

FILE_NAME = "saved_model.pb"

_USAGE = """\
import tensorflow as tf

served = tf.saved_model.load("FOLDER")  # a program: load what you trust
best = served.signatures["serving_default"](examples=tf.constant([record]))
best["class_indexes"], best["scores"]"""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a SavedModel is served.

    Attributes:
        top_k: number of classes that signatures return; at most all.
        class_names: the names of all classes, or None.
        warmup: whether requests to warm up travel with it; None is where the
            package with their protos is installed.
        max_batch: videos of a batch that TensorFlow Serving puts together; None
            leaves that to it.
        versioned: whether the folder holds numbered ones, of which a new one is
            written.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> options = yt8m.inference.exports.saved_model.Options(
        ...     top_k=5, warmup=False, versioned=True
        ... )
        >>> path, _, _ = yt8m.inference.exports.saved_model.save(
        ...     "versions",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ...     options,
        ... )
        >>> path
        'versions/1'
    """

    top_k: int = 20
    class_names: Sequence[str] | None = None
    warmup: bool | None = None
    max_batch: int | None = None
    versioned: bool = False


def save(
    folder: str,
    about: companions.About,
    model: keras.Model,
    options: Options = Options(),
) -> tuple[str, int, float]:
    """Writes a SavedModel and its companions, whole or not at all.

    It is opened again before it appears, and has to predict what the model does
    for inputs drawn at random.

    Args:
        folder: the folder, which is replaced; or that of the versions, to which
            one is added.
        about: how the export comes about.
        model: the model, which is packed in place.
        options: how it is served.

    Returns:
        The folder of the SavedModel, the bytes of its graph and weights, and
        the largest difference of a score.

    Raises:
        ValueError: if it does not predict the same, a setting is wrong, or
            warm-up requests are asked for and tensorflow-serving-api is
            missing.
        OSError: if it can't be written.

    Example:
        >>> from yt8m_compact.inference.exports import companions
        >>> preset = yt8m.load_preset("yt8m_2018_video_100k")
        >>> written = yt8m.inference.exports.saved_model.save(
        ...     "export",
        ...     companions.About(preset.config, preset.step),
        ...     preset.model,
        ... )
        >>> path, num_bytes, difference = written
        >>> path, difference < 1e-5
        ('export', True)
    """
    if options.warmup:  # Told before what takes seconds.
        warmup_lib.expect_possible()
    layers.pack(model)
    module = serving.ServingModule(
        about.config, model, options.top_k, options.class_names
    )
    result = []

    def write(path: str) -> None:
        with files.writing_folder(
            path, replace=not options.versioned
        ) as partial:
            result[:] = _write(partial, about, model, module, options)

    if options.versioned:
        folder = versions.write_next(folder, write)
    else:
        write(folder)
    return folder, *result


def is_saved(folder: str) -> bool:
    """Says whether a folder holds what `save` writes."""
    return tf.saved_model.contains_saved_model(folder)


def _write(
    folder: str,
    about: companions.About,
    model: keras.Model,
    module: serving.ServingModule,
    options: Options,
) -> tuple[int, float]:
    serving.write(module, folder)
    size = _num_bytes(folder)
    difference = _check(folder, about, model)
    notes = ["docs/serving.md of yt8m_compact says how it is served."]
    if options.max_batch is not None:
        frames = about.config.data.frame_features
        batching_hints.write(folder, options.max_batch, frames=frames)
        notes.append(
            f"`{batching_hints.FILE_NAME}` has batches of up to "
            f"{options.max_batch} videos for TensorFlow Serving."
        )
    warmup = options.warmup
    if warmup or (warmup is None and warmup_lib.is_possible()):
        warmup_lib.write(folder, module, {1, options.max_batch or 1})
        notes.append(
            f"`{warmup_lib.FOLDER}/{warmup_lib.FILE_NAME}` warms up "
            "TensorFlow Serving, by inputs drawn at random."
        )
    if options.class_names is not None:
        notes.append(
            f"`{serving.ASSETS}/{class_table.FILE_NAME}` has the names of the "
            "classes."
        )
    companions.write(folder, about, model, _describe(module, notes))
    return size, difference


def _describe(
    module: serving.ServingModule, notes: Sequence[str]
) -> companions.Artefact:
    inputs, outputs = {}, {}
    for name, function in module.concrete_functions().items():
        given = function.structured_input_signature[0]
        described = companions.describe_specs({x.name: x for x in given})
        inputs |= {f"{name}: {key}": text for key, text in described.items()}
        described = companions.describe_specs(function.structured_outputs)
        outputs |= {f"{name}: {key}": text for key, text in described.items()}
    return companions.Artefact(
        format="saved_model",
        what="a SavedModel, for TensorFlow and TensorFlow Serving; names are "
        "those of signatures and of their tensors.",
        inputs=inputs,
        outputs=outputs,
        usage=_USAGE,
        notes=notes,
        config_path=f"{serving.ASSETS}/{serving.CONFIG_FILE}",
    )


def _check(folder: str, about: companions.About, model: keras.Model) -> float:
    """Opens it again, and compares; returns the largest difference."""
    _, predict = serving.load(folder)
    num_frames = None
    if about.config.data.frame_features:
        num_frames = about.config.prediction_reader().num_output_frames
    specs = portable_function.input_specs(model, None, num_frames)
    inputs = portable_function.draw_inputs(specs)
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    scores = predict(**tensors)["predictions"]
    differences = same_scores.expect(
        scores, model(inputs, training=False), "SavedModel"
    )
    return float(differences.max())


def _num_bytes(folder: str) -> int:
    return sum(
        tf.io.gfile.stat(f"{path}/{name}").length
        for path, _, names in tf.io.gfile.walk(folder)
        for name in names
    )
