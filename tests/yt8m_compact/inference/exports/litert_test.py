"""Tests of LiteRT files: what they hold, predict and refuse."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import layer_conformance
import litert_files
import numpy_models
import small_models
from yt8m_compact import layers
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

AUTO, FFT, DFT, DENSE = (
    projection_export.ProjectionExport(name)
    for name in ("auto", "fft", "dft", "dense")
)
_FRAMES = 6


def make_model(name: str, kind: str) -> keras.Model:
    places = small_models.places(name)
    return numpy_models.build(
        small_models.make_model(name, (kind,) * len(places))
    )


def make_inputs(model: keras.Model) -> dict[str, np.ndarray]:
    if "frames" not in model.input:
        inputs = numpy_models.make_features()
    else:
        inputs = numpy_models.make_frames((4, 1, 6, 0, 3), max_frames=_FRAMES)
    return {
        name: np.asarray(value).astype(model.input[name].dtype)
        for name, value in inputs.items()
    }


def make_function(model, export, batch_size=1):
    frames = _FRAMES if "frames" in model.input else None
    specs = portable_function.input_specs(model, batch_size, frames)
    return portable_function.make_portable_function(model, specs, export)


def assert_predicts(path, model, inputs):
    expected = model(inputs, training=False).numpy()
    assert expected.std(axis=0).max() > 1e-3
    scores = artefacts.LiteRtModel(path).predict_each(inputs)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("export", [DFT, DENSE, AUTO])
@pytest.mark.parametrize("name", ["MlpModel", "DbofModel"])
def test_predicts_as_the_model(name, export, tmp_path):
    model = make_model(name, "diagonal_circulant")
    path = str(tmp_path / "model.tflite")
    size = litert_files.write(path, make_function(model, export))
    assert size == (tmp_path / "model.tflite").stat().st_size
    assert_predicts(path, model, make_inputs(model))
    assert artefacts.LiteRtModel(path).input_shapes == (
        {"features": [1, 9]}
        if name == "MlpModel"
        else {"frames": [1, _FRAMES, 9], "num_frames": [1]}
    )


def test_a_video_of_zeros_has_scores(tmp_path):
    # Which is scaled to unit length.
    config = small_models.make_model("LogisticModel", ("dense",))
    config = dataclasses.replace(config, l2_normalize=True)
    model = numpy_models.build(config)
    path = str(tmp_path / "model.tflite")
    litert_files.write(path, make_function(model, DFT))
    inputs = make_inputs(model)
    inputs["features"][1] = 0
    assert_predicts(path, model, inputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MlpModel", "diagonal_circulant"),
        ("DbofModel", "diagonal_circulant"),
        ("PooledEmbeddingModel", "diagonal_circulant"),
        ("LstmModel", "diagonal_circulant"),
        # By layers of Keras.
        ("LstmModel", "dense"),
        ("GruModel", "dense"),
    ],
)
def test_any_number_of_videos(name, kind, tmp_path):
    model = make_model(name, kind)
    path = str(tmp_path / "model.tflite")
    litert_files.write(path, make_function(model, DFT, batch_size=None))
    opened = artefacts.LiteRtModel(path)
    assert {shape[0] for shape in opened.input_shapes.values()} == {None}
    inputs = make_inputs(model)
    expected = model(inputs, training=False).numpy()
    for rows in (slice(None), slice(2, 3), slice(1, 4)):
        some = {name: value[rows] for name, value in inputs.items()}
        np.testing.assert_allclose(opened(some), expected[rows], atol=1e-5)


@pytest.mark.slow
def test_a_file_of_two_videos_at_once_predicts_five(tmp_path):
    model = make_model("MlpModel", "diagonal_circulant")
    path = str(tmp_path / "model.tflite")
    litert_files.write(path, make_function(model, DFT, batch_size=2))
    assert artefacts.LiteRtModel(path).input_shapes == {"features": [2, 9]}
    inputs = make_inputs(model)
    assert len(inputs["features"]) == 5
    assert_predicts(path, model, inputs)


@pytest.fixture(scope="module")
def every_structure(tmp_path_factory):
    """A model with a projection of each case, and its file."""
    features = keras.Input([60], name="features")
    cases = layer_conformance.CASES
    outputs = [
        layer_conformance.make_projection(case, 70, name=f"case_{number}")(
            features
        )
        for number, case in enumerate(cases)
    ]
    model = keras.Model(
        {"features": features}, keras.layers.Concatenate()(outputs)
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, layers.Projection):
            layer.set_weights(
                [
                    layer_conformance.random_values(rng, weight)
                    for weight in layer.weights
                ]
            )
    path = str(tmp_path_factory.mktemp("litert") / "model.tflite")
    litert_files.write(path, make_function(model, DFT))
    return model, path


@pytest.mark.slow
def test_every_structure_in_one_file(every_structure):
    model, path = every_structure
    inputs = {
        "features": layer_conformance.random_rows(3, 60).astype("float32")
    }
    scores = artefacts.LiteRtModel(path).predict_each(inputs)
    expected = model(inputs, training=False).numpy()
    kernels = [
        layer_conformance.expected_kernel(
            case, model.get_layer(f"case_{number}")
        )
        for number, case in enumerate(layer_conformance.CASES)
    ]
    biases = [
        model.get_layer(f"case_{number}").bias.numpy()
        for number in range(len(kernels))
    ]
    products = inputs["features"] @ np.concatenate(kernels, axis=1)
    products += np.concatenate(biases)
    scale = np.abs(products).max()
    np.testing.assert_allclose(scores, products, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * scale)


def test_an_operator_that_is_missing_is_refused(tmp_path):
    features = keras.Input([512], name="features")
    outputs = layers.Projection(512, "circulant", name="hidden")(features)
    model = keras.Model({"features": features}, outputs)
    path = tmp_path / "model.tflite"
    message = (
        r"expected operators that LiteRT has. Received: .*IRFFT in \S*hidden\S*"
        "; use --projection_export=auto --batch_size=1, or another model"
    )
    with pytest.raises(ValueError, match=message):
        litert_files.write(str(path), make_function(model, FFT))
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_shape_that_is_not_taken_is_refused():
    # A list of tensors of unknown size.
    @tf.function(input_signature=[tf.TensorSpec([None, 3], name="features")])
    def predict(features):
        with tf.name_scope("layer_0"):
            steps = tf.TensorArray(tf.float32, size=2, dynamic_size=False)
            _, steps = tf.while_loop(
                lambda number, _: number < 2,
                lambda number, steps: (
                    number + 1,
                    steps.write(number, features),
                ),
                [0, steps],
            )
        return {"predictions": steps.stack()}

    message = (
        r"Received: TensorListReserve in \S*layer_0\S*; use .*batch_size=1"
    )
    with pytest.raises(ValueError, match=message):
        litert.convert(predict.get_concrete_function())
