"""What NetVLAD, NetFV and moments have in common: frames to one vector."""

from collections.abc import Callable
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import numpy_poolings
from yt8m_compact import layers

SIZE = 4
CLUSTERS = 3
NUM_FRAMES = np.array([4, 1, 0, 6, 3])


@dataclasses.dataclass(frozen=True)
class Case:
    """A pooling and its twin in NumPy.

    Attributes:
        make: makes the layer.
        pool: pools frames and activations of one video, with the weights.
        output_size: size of the result.
        weights: names of the weights, `[SIZE, CLUSTERS]` each.
        takes_activations: whether it reads activations beside the frames.
    """

    make: Callable[..., keras.Layer]
    pool: Callable[..., np.ndarray]
    output_size: int
    weights: tuple[str, ...] = ()
    takes_activations: bool = True


CASES = {
    "vlad": Case(
        layers.NetVlad,
        numpy_poolings.net_vlad,
        SIZE * CLUSTERS,
        ("centers",),
    ),
    "light_vlad": Case(
        lambda **kwargs: layers.NetVlad(residuals=False, **kwargs),
        lambda frames, activations: numpy_poolings.net_vlad(
            frames, activations, None
        ),
        SIZE * CLUSTERS,
    ),
    "vlagd": Case(
        layers.NetVlagd,
        numpy_poolings.net_vlagd,
        SIZE * CLUSTERS,
        ("gates",),
    ),
    "fisher_vector": Case(
        layers.NetFisherVector,
        numpy_poolings.net_fisher_vector,
        2 * SIZE * CLUSTERS,
        ("centers", "root_deviations"),
    ),
    "moments": Case(
        layers.FrameMoments,
        lambda frames, _: numpy_poolings.moments(frames),
        2 * SIZE,
        takes_activations=False,
    ),
}


def make_batch(max_frames=6, dtype="float32"):
    """Makes frames, activations, and a mask with a hole."""
    rng = np.random.default_rng(0)
    frames = rng.normal(0.3, 1, (5, max_frames, SIZE)).astype(dtype)
    activations = rng.normal(0, 2, (5, max_frames, CLUSTERS)).astype(dtype)
    mask = np.arange(max_frames) < NUM_FRAMES[:, np.newaxis]
    mask[3, 2] = False
    return frames, activations, mask


def make_layer(case, **kwargs):
    layer = case.make(**kwargs)
    run(case, layer, make_batch())
    rng = np.random.default_rng(1)
    assert tuple(weight.name for weight in layer.weights) == case.weights
    for weight in layer.weights:
        assert weight.shape == (SIZE, CLUSTERS)
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return layer


def run(case, layer, batch):
    frames, activations, mask = batch
    if case.takes_activations:
        return layer([frames, activations, mask])
    return layer([frames, mask])


def pool_slowly(case, layer, batch):
    weights = [weight.numpy().astype("float64") for weight in layer.weights]
    frames, activations, mask = batch
    return np.array(
        [
            case.pool(
                frames[video, present].astype(np.float64),
                activations[video, present].astype(np.float64),
                *weights,
            )
            for video, present in enumerate(mask)
        ]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_equals_the_equation(name, dtype):
    case = CASES[name]
    layer = make_layer(case, dtype=dtype)
    batch = make_batch(dtype="float64" if dtype == "float64" else "float32")
    result = run(case, layer, batch)
    assert result.dtype == layer.compute_dtype
    assert result.shape == (5, case.output_size)
    expected = pool_slowly(case, layer, batch)
    assert np.abs(expected[[0, 1, 3, 4]]).max(axis=1).min() > 0.1
    tolerance = {"float64": 1e-12, "float32": 2e-6, "mixed_bfloat16": 0.05}
    np.testing.assert_allclose(
        tf.cast(result, "float64"), expected, rtol=0, atol=tolerance[dtype]
    )
    np.testing.assert_array_equal(
        tf.cast(result[2], "float64"), np.zeros(case.output_size)
    )


@pytest.mark.parametrize("name", CASES)
def test_gradients_equal_numeric_ones(name):
    case = CASES[name]
    layer = make_layer(case, dtype="float64")
    frames, activations, mask = make_batch(dtype="float64")
    upstream = np.random.default_rng(2).standard_normal((5, case.output_size))
    sources = [tf.Variable(frames)]
    if case.takes_activations:
        sources.append(tf.Variable(activations))
    sources += [weight.value for weight in layer.weights]
    with tf.GradientTape() as tape:
        inputs = [tf.convert_to_tensor(s) for s in sources[:2]]
        batch = (inputs[0], inputs[-1], mask)
        loss = tf.reduce_sum(run(case, layer, batch) * upstream)
    gradients = tape.gradient(loss, sources)

    values = [source.numpy() for source in sources]
    weights = values[1 + case.takes_activations :]

    def slow_loss():
        pooled = [
            case.pool(values[0][video, present], values[
                int(case.takes_activations)
            ][video, present], *weights)
            for video, present in enumerate(mask)
        ]  # fmt: skip
        return (np.array(pooled) * upstream).sum()

    for value, gradient in zip(values, gradients, strict=True):
        numeric = np.zeros(value.shape)
        for place in np.ndindex(value.shape):
            kept = value[place]
            value[place] = kept + 1e-6
            above = slow_loss()
            value[place] = kept - 1e-6
            numeric[place] = (above - slow_loss()) / 2e-6
            value[place] = kept
        assert np.abs(numeric).max() > 0.1
        np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_padding_does_not_count(name):
    case = CASES[name]
    layer = make_layer(case)
    frames, activations, mask = make_batch()
    expected = run(case, layer, (frames, activations, mask))
    for garbage in [1e30, -np.inf, np.nan]:
        spoiled = [
            np.where(mask[..., np.newaxis], x, garbage).astype("float32")
            for x in (frames, activations)
        ]
        np.testing.assert_array_equal(
            run(case, layer, (*spoiled, mask)), expected
        )
        longer = [
            np.pad(x, [(0, 0), (0, 3), (0, 0)], constant_values=garbage)
            for x in spoiled
        ]
        longer.append(np.pad(mask, [(0, 0), (0, 3)]))
        np.testing.assert_allclose(
            run(case, layer, longer), expected, rtol=0, atol=1e-6
        )
        # Nor does it reach the gradients.
        x = tf.constant(spoiled[0])
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = run(case, layer, (x, spoiled[1], mask))
            loss = tf.reduce_sum(result[:, ::2])
        gradient = tape.gradient(loss, x).numpy()
        assert np.isfinite(gradient).all()
        assert not gradient[~mask].any()
    for video in range(5):
        alone = [
            x[video : video + 1, mask[video]] for x in (frames, activations)
        ]
        result = run(case, layer, (*alone, np.ones(alone[0].shape[:2], bool)))
        np.testing.assert_allclose(result[0], expected[video], atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_order_of_frames_does_not_count(name):
    case = CASES[name]
    layer = make_layer(case)
    order = np.array([5, 2, 0, 3, 1, 4])
    batch = make_batch()
    np.testing.assert_allclose(
        run(case, layer, [x[:, order] for x in batch]),
        run(case, layer, batch),
        rtol=0,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", CASES)
def test_degenerate_videos_stay_finite(name):
    case = CASES[name]
    layer = make_layer(case)
    # One frame, all of it in one cluster: the others are exactly zero. Then
    # frames of zeros, the same frame twice, and no frame.
    frames = np.ones([4, 2, SIZE], "float32")
    frames[0, 0], frames[1] = [1, 2, 3, 4], 0
    activations = np.zeros([4, 2, CLUSTERS], "float32")
    activations[0, 0, 0] = 1e4
    mask = np.array([[1, 0], [1, 1], [1, 1], [0, 0]], bool)
    x, a = tf.constant(frames), tf.constant(activations)
    with tf.GradientTape() as tape:
        tape.watch([x, a])
        result = run(case, layer, (x, a, mask))
        loss = tf.reduce_sum(result[:, ::2])
    assert np.isfinite(result).all()
    weights = [weight.value for weight in layer.weights]
    for gradient in tape.gradient(loss, [x, a, *weights]):
        if gradient is not None:
            # No direction is made of nothing: 1 / 1e-6 would be a million.
            assert np.abs(gradient).max() < 100
    if case.takes_activations:
        shape = (SIZE, CLUSTERS)
        first = result.numpy()[0, : SIZE * CLUSTERS].reshape(shape)
        assert not first[:, 1:].any()
        np.testing.assert_allclose((first**2).sum(), 1, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_batch_and_frames_may_be_unknown_and_xla_agrees(name):
    case = CASES[name]
    layer = make_layer(case)
    signature = [
        tf.TensorSpec([None, None, SIZE]),
        tf.TensorSpec([None, None, CLUSTERS]),
        tf.TensorSpec([None, None], tf.bool),
    ]
    batch = make_batch()
    expected = run(case, layer, batch)
    for jit_compile in [False, True]:
        pool = tf.function(
            lambda *batch: run(case, layer, batch),
            input_signature=signature,
            jit_compile=jit_compile,
        )
        np.testing.assert_allclose(pool(*batch), expected, rtol=0, atol=1e-6)
        np.testing.assert_allclose(
            pool(*(x[:2, :5] for x in batch)), expected[:2], rtol=0, atol=1e-6
        )


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip_and_symbolic_shape(name):
    case = CASES[name]
    layer = case.make(name="pooling")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    symbolic = run(
        case,
        again,
        (
            keras.Input((None, SIZE)),
            keras.Input((None, CLUSTERS)),
            keras.Input((None,), dtype="bool"),
        ),
    )
    assert symbolic.shape == (None, case.output_size)
    assert len(again.weights) == len(case.weights)


@pytest.mark.parametrize("name", CASES)
def test_keras_mask_of_the_frames_ends_here(name):
    case = CASES[name]
    frames, activations, mask = make_batch()
    masked = keras.layers.Masking()(tf.constant(frames))
    assert masked._keras_mask is not None
    result = run(
        case, case.make(), (masked, tf.constant(activations), tf.constant(mask))
    )
    assert getattr(result, "_keras_mask", None) is None


@pytest.mark.parametrize(
    ("layer", "weight", "mean"),
    [
        (layers.NetVlad, "centers", 0),
        (layers.NetVlagd, "gates", 0),
        (layers.NetFisherVector, "centers", 0),
        (layers.NetFisherVector, "root_deviations", 1),
    ],
)
def test_weights_start_as_in_the_released_code(layer, weight, mean):
    # Normal, with a deviation of 1 / sqrt(feature_dim).
    pooling = layer()
    pooling.build([(None, None, 400), (None, None, 50), (None, None)])
    (value,) = (w.numpy() for w in pooling.weights if w.name == weight)
    assert value.shape == (400, 50)
    np.testing.assert_allclose(value.mean(), mean, atol=0.002)
    np.testing.assert_allclose(value.std(), 1 / 20, rtol=0.03)


def test_weights_of_16_bit_layers_are_not_rounded():
    for layer in (layers.NetVlad, layers.NetFisherVector):
        pooling = layer(dtype="mixed_bfloat16")
        pooling.build([(None, None, SIZE), (None, None, 1), (None, None)])
        for weight in pooling.weights:
            centers = weight.name == "centers"
            weight.assign(np.full([SIZE, 1], 1.001 if centers else 1.0))
        frames = tf.ones([1, 1, SIZE])
        result = pooling([frames, tf.zeros([1, 1, 1]), tf.constant([[True]])])
        # 1 - 1.001 has a direction; in bfloat16 1.001 is 1 and there is none.
        np.testing.assert_allclose(
            tf.cast(result[0, :SIZE], "float32"), [-0.5] * SIZE, rtol=0.01
        )


def test_coupled_centers_of_a_fisher_vector():
    frames, activations, mask = make_batch()
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(SIZE, CLUSTERS)).astype("float32")
    layer = layers.NetFisherVector(0.3)
    inputs = [tf.constant(x) for x in (frames, activations, mask, matrix)]
    layer(inputs)
    (weight,) = layer.weights  # no centres
    weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    roots = weight.numpy()

    def slowly(matrix):
        return np.array(
            [
                numpy_poolings.net_fisher_vector(
                    frames[video, present].astype(np.float64),
                    activations[video, present].astype(np.float64),
                    0.3 * matrix,
                    roots,
                )
                for video, present in enumerate(mask)
            ]
        )

    with tf.GradientTape() as tape:
        tape.watch(inputs[3])
        result = layer(inputs)
        loss = tf.reduce_sum(result[:, ::2])
    np.testing.assert_allclose(result, slowly(matrix), rtol=0, atol=2e-6)
    # The matrix learns from its centres, too.
    step = rng.normal(size=matrix.shape)
    losses = [
        slowly(matrix + size * step)[:, ::2].sum() for size in (1e-5, -1e-5)
    ]
    np.testing.assert_allclose(
        np.sum(tape.gradient(loss, inputs[3]) * step),
        (losses[0] - losses[1]) / 2e-5,
        rtol=1e-3,
    )
    again = layers.NetFisherVector.from_config(layer.get_config())
    assert again.coupling_factor == 0.3


@pytest.mark.parametrize("kind", ["dense", "diagonal_circulant"])
def test_what_a_projection_makes_of_identity_rows_is_its_matrix(kind):
    project = layers.Projection(7, kind, use_bias=False)
    identity = layers.IdentityRows()(tf.zeros([2, 5, SIZE]))
    np.testing.assert_array_equal(identity, np.eye(SIZE))
    np.testing.assert_allclose(
        project(identity), project.as_dense_kernel(), rtol=0, atol=1e-6
    )
