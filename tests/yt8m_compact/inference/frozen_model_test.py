"""Tests that every model predicts the same by frozen weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import numpy_models
import small_models
from yt8m_compact import models
from yt8m_compact.inference import frozen_model

_COMPACT = [kind for kind in small_models.KINDS if kind != "dense"]
# Both of whose NeXtVLADs are traced.
_SLOW = {"MixNeXtVladModel"}


def cases() -> list:
    """Pairs models with dense places, with D·C, and with other kinds each.

    A run without the slow tests has every other model dense, and those between
    with D·C.
    """
    found = []
    for start, name in enumerate(models.MODELS):
        places = small_models.places(name)
        others = [
            _COMPACT[(start + place) % len(_COMPACT)]
            for place in range(len(places))
        ]
        for label, kinds, slow in (
            ("dense", ["dense"] * len(places), start % 2 or name in _SLOW),
            (
                "circulant",
                ["diagonal_circulant"] * len(places),
                not start % 2 or name in _SLOW,
            ),
            ("others", others, True),
        ):
            found.append(
                pytest.param(
                    name,
                    tuple(kinds),
                    id=f"{name}-{label}",
                    marks=[pytest.mark.slow] if slow else [],
                )
            )
    return found


def make_batch(config: models.ModelConfig) -> dict[str, np.ndarray]:
    """Makes videos of several lengths, one of them without a frame."""
    if not config.frame_features:
        return numpy_models.make_features()
    return numpy_models.make_frames((4, 1, 6, 0, 3), max_frames=6)


def compile_predict(frozen: frozen_model.FrozenModel, model: keras.Model):
    """Compiles it for any number of videos, and of frames."""
    specs = {
        name: tf.TensorSpec(value.shape, value.dtype)
        for name, value in model.input.items()
    }
    return tf.function(frozen, input_signature=[specs], autograph=False)


def change(model: keras.Model) -> None:
    """Changes every weight, as training does."""
    for weight in model.weights:
        if "int" not in weight.dtype:
            weight.assign(weight * 0.8)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kinds"), cases())
def test_equals_the_model(name, kinds):
    config = small_models.make_model(name, kinds)
    model = numpy_models.build(config)
    batch = make_batch(config)
    frozen = frozen_model.FrozenModel(model)
    predict = compile_predict(frozen, model)
    for _ in range(2):
        expected = model(batch, training=False).numpy()
        assert expected.std(axis=0).max() > 1e-3
        np.testing.assert_allclose(predict(batch), expected, atol=1e-5)
        for row in (0, 3):
            alone = {key: value[[row]] for key, value in batch.items()}
            np.testing.assert_allclose(
                predict(alone), expected[[row]], atol=1e-5
            )
        change(model)
        frozen.refresh()


@pytest.mark.slow
def test_weights_count_from_the_last_refresh():
    config = small_models.make_model(
        "DbofModel",
        ("diagonal_circulant",) * len(small_models.places("DbofModel")),
    )
    model = numpy_models.build(config)
    batch = make_batch(config)
    frozen = frozen_model.FrozenModel(model)
    predict = compile_predict(frozen, model)
    before = predict(batch).numpy()
    shapes = [tuple(value.shape) for value in frozen.kept]
    assert shapes and all(shape for shape in shapes)
    model.get_layer("embedding_bn").gamma.assign(
        -model.get_layer("embedding_bn").gamma
    )
    np.testing.assert_array_equal(predict(batch), before)
    frozen.refresh()
    expected = model(batch, training=False).numpy()
    assert np.abs(expected - before).max() > 1e-3
    np.testing.assert_allclose(predict(batch), expected, atol=1e-5)


@pytest.mark.slow
def test_one_video_has_operations_of_its_own():
    config = small_models.make_model("LogisticModel", ("diagonal_circulant",))
    model = numpy_models.build(config)
    batch = numpy_models.make_features()

    def operations(function, size):
        spec = {"features": tf.TensorSpec([size, 9], tf.float32)}
        graph = tf.function(function, autograph=False)
        graph = graph.get_concrete_function(spec).graph
        return [op.type for op in graph.get_operations()]

    frozen = frozen_model.FrozenModel(model)
    assert "If" not in operations(frozen, 1) + operations(frozen, 5)
    assert {"If", "StatelessIf"} & {*operations(frozen, None)}
    many = operations(frozen.predict_many, None)
    assert not {"If", "StatelessIf"} & {*many}
    predict = tf.function(frozen.predict_many, autograph=False)
    np.testing.assert_allclose(
        predict({"features": batch["features"][:1]}),
        model(batch, training=False)[:1],
        atol=1e-5,
    )
