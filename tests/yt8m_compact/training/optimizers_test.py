"""Tests of the optimisers and their learning rates."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact import models
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import optimizers


def make(**kwargs) -> keras.optimizers.Optimizer:
    return optimizers.make_optimizer(config_lib.TrainingConfig(**kwargs))


# The step that each optimiser's paper gives for the first gradient g, with
# learning rate 0.5, from zero state, for g = (3, -4).
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # m / sqrt(v), bias-corrected: g / |g|.
        ("AdamOptimizer", [-0.5, 0.5]),
        # g / sqrt(0.1 + g^2), with Keras's initial accumulator of 0.1.
        (
            "AdagradOptimizer",
            [-0.5 * 3 / np.sqrt(9.1), 0.5 * 4 / np.sqrt(16.1)],
        ),
        # g / sqrt(0.1 g^2), with a decay of 0.9.
        ("RMSPropOptimizer", [-0.5 / np.sqrt(0.1), 0.5 / np.sqrt(0.1)]),
        ("MomentumOptimizer", [-1.5, 2.0]),
        ("GradientDescentOptimizer", [-1.5, 2.0]),
        # As Adam's: weights of 0 do not decay.
        ("AdamW", [-0.5, 0.5]),
        # The signs.
        ("Lion", [-0.5, 0.5]),
        # No matrix: Adam's.
        ("Muon", [-0.5, 0.5]),
        # z = -0.5 g / |g|, and x and y are z.
        ("ScheduleFreeAdamW", [-0.5, 0.5]),
    ],
)
def test_first_step(name, expected):
    optimizer = make(
        optimizer=name,
        learning_rate_schedule="constant",
        base_learning_rate=0.5,
        clip_gradient_norm=0.0,
    )
    variable = keras.Variable([0.0, 0.0])
    optimizer.apply([tf.constant([3.0, -4.0])], [variable])
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-5)


def test_momentum():
    optimizer = make(
        optimizer="MomentumOptimizer",
        base_learning_rate=1.0,
        clip_gradient_norm=0.0,
    )
    variable = keras.Variable([0.0])
    for _ in range(3):
        optimizer.apply([tf.constant([1.0])], [variable])
    # 1 + (1 + 0.9) + (1 + 0.9 + 0.81).
    np.testing.assert_allclose(variable.numpy(), [-5.61], rtol=1e-5)


def test_gradient_of_each_variable_is_clipped_by_itself():
    optimizer = make(
        optimizer="GradientDescentOptimizer",
        base_learning_rate=1.0,
        clip_gradient_norm=2.0,
    )
    large, small = keras.Variable([0.0, 0.0]), keras.Variable([0.0, 0.0])
    optimizer.apply(
        [tf.constant([3.0, -4.0]), tf.constant([0.5, -1.0])], [large, small]
    )
    # Norm 5 is scaled to 2; norm 1.1 stays, whatever the other one's is.
    np.testing.assert_allclose(large.numpy(), [-1.2, 1.6], rtol=1e-6)
    np.testing.assert_allclose(small.numpy(), [-0.5, 1.0], rtol=1e-6)


def test_no_clipping():
    optimizer = make(
        optimizer="GradientDescentOptimizer",
        base_learning_rate=1.0,
        clip_gradient_norm=0.0,
    )
    variable = keras.Variable([0.0])
    optimizer.apply([tf.constant([1e6])], [variable])
    np.testing.assert_allclose(variable.numpy(), [-1e6])


def test_gradients_are_clipped_together():
    optimizer = make(
        optimizer="SGD",
        base_learning_rate=1.0,
        clip_gradient_norm=2.0,
        clip_gradients="global",
    )
    large, small = keras.Variable([0.0, 0.0]), keras.Variable([0.0, 0.0])
    optimizer.apply(
        [tf.constant([3.0, -4.0]), tf.constant([0.0, -12.0])], [large, small]
    )
    # Norm 13 is scaled to 2.
    np.testing.assert_allclose(large.numpy(), [-6 / 13, 8 / 13], rtol=1e-6)
    np.testing.assert_allclose(small.numpy(), [0.0, 24 / 13], rtol=1e-6)


def gradients_of(shape, number=5):
    return np.random.default_rng(3).normal(size=(number, *shape))


def run(optimizer, start, gradients, variables=1):
    """Applies gradients, all in one function; returns where it ends."""
    found = [keras.Variable(start, dtype="float32") for _ in range(variables)]
    optimizer.build(found)

    @tf.function
    def step(gradient):
        optimizer.apply([gradient] * variables, found)

    for gradient in gradients:
        step(tf.constant(gradient, tf.float32))
    return [variable.numpy() for variable in found]


def test_lion():
    gradients, w = gradients_of([7]), np.linspace(-1, 1, 7)
    found = run(
        make(
            optimizer="Lion",
            learning_rate_schedule="constant",
            base_learning_rate=0.1,
            clip_gradient_norm=0.0,
            weight_decay=0.5,
        ),
        w,
        gradients,
    )[0]
    m = np.zeros(7)
    for g in gradients:  # Chen et al., algorithm 2, with Keras's betas.
        w = w - 0.1 * (np.sign(0.9 * m + 0.1 * g) + 0.5 * w)
        m = 0.99 * m + 0.01 * g
    # Keras decays before it steps: w (1 - 0.05) - 0.1 sign, the same.
    np.testing.assert_allclose(found, w, atol=1e-6)


@pytest.mark.parametrize("name", ["AdamW", "Adam"])
def test_weight_decay_of_adam(name):
    gradients, w = gradients_of([6]), np.linspace(-2, 3, 6)
    found = run(
        make(
            optimizer=name,
            learning_rate_schedule="constant",
            base_learning_rate=0.1,
            clip_gradient_norm=0.0,
            weight_decay=0.3,
        ),
        w,
        gradients,
    )[0]
    m, v = np.zeros(6), np.zeros(6)
    for t, g in enumerate(gradients, 1):  # Loshchilov and Hutter, algorithm 2.
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        step = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-7)
        w = w - 0.1 * (step + 0.3 * w)
    np.testing.assert_allclose(found, w, atol=2e-5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Adam", None), ("SGD", None), ("AdamW", 0.004), ("Muon", 0.004)],
)
def test_default_weight_decay(name, expected):
    assert make(optimizer=name).weight_decay == expected
    assert make(optimizer=name, weight_decay=0.0).weight_decay is None


@pytest.mark.parametrize("warmup", [0, 3])
def test_schedule_free(warmup):
    gradients, start = gradients_of([6], 8), np.linspace(-2, 3, 6)
    optimizer = make(
        optimizer="ScheduleFreeAdamW",
        learning_rate_schedule="constant",
        base_learning_rate=0.1,
        warmup_steps=warmup,
        clip_gradient_norm=0.0,
        weight_decay=0.3,
    )
    found = run(optimizer, start, gradients)[0]
    x, y, z, v = start, start, start, np.zeros(6)
    squares = 0.0
    for t, g in enumerate(gradients, 1):  # Defazio et al., algorithm 1.
        rate = 0.1 * min(1, t / warmup) if warmup else 0.1
        squares += rate**2
        v = 0.999 * v + 0.001 * g * g
        z = z - rate * (g / (np.sqrt(v / (1 - 0.999**t)) + 1e-8) + 0.3 * y)
        c = rate**2 / squares
        x = (1 - c) * x + c * z
        y = 0.1 * z + 0.9 * x
    np.testing.assert_allclose(found, y, atol=1e-5)
    slot = {v.name: v.numpy() for v in optimizer.variables}
    z_found = next(v for k, v in slot.items() if k.endswith("momentum"))
    np.testing.assert_allclose(z_found, z, atol=1e-5)
    np.testing.assert_allclose((found - 0.1 * z_found) / 0.9, x, atol=2e-5)


def orthogonal_part(g):
    """Five Newton-Schulz steps on the singular values, of Jordan's Muon."""
    u, s, vt = np.linalg.svd(g, full_matrices=False)
    s = s / (np.linalg.norm(s) + 1e-7)
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return (u * s) @ vt


@pytest.mark.parametrize("shape", [(4, 6), (6, 4)])
def test_muon_of_a_matrix(shape):
    gradients = gradients_of(shape)
    w = np.random.default_rng(4).normal(size=shape)
    found = run(
        make(
            optimizer="Muon",
            learning_rate_schedule="constant",
            base_learning_rate=0.1,
            clip_gradient_norm=0.0,
            weight_decay=0.3,
        ),
        w,
        gradients,
    )[0]
    m = np.zeros(shape)
    for g in gradients:
        m = 0.95 * m + g
        # Liu et al., https://arxiv.org/abs/2502.16982, equation 4.
        step = 0.2 * np.sqrt(6) * orthogonal_part(g + 0.95 * m)
        w = w - 0.1 * (step + 0.3 * w)
    np.testing.assert_allclose(found, w, atol=1e-4)


def muon_of(model: keras.Model) -> dict[str, bool]:
    """Says which weights have Muon's step, not Adam's."""
    optimizer = optimizers.make_optimizer(
        config_lib.TrainingConfig(optimizer="Muon"), model
    )
    optimizer.build(model.trainable_variables)
    return {
        variable.path: velocity is None
        for variable, velocity in zip(
            model.trainable_variables, optimizer.adam_velocities, strict=True
        )
    }


def test_muon_is_for_hidden_matrices():
    config = models.DbofConfig(
        dbof_cluster_size=14,
        dbof_hidden_size=5,
        iterations=4,
        fc_projection="low_rank(rank=2) + circulant",
    )
    model = config.build(feature_sizes=(6, 3), num_classes=4)
    muons = [name for name, is_muon in muon_of(model).items() if is_muon]
    assert muons == [
        "embedding/kernel",
        "fc/low_rank_left",
        "fc/low_rank_right",
    ]
    # Two axes, of which none is one of inputs.
    assert model.get_layer("fc").circulant_kernel.ndim == 2


def test_muon_without_hidden_matrices():
    model = models.MoeConfig().build(feature_sizes=(6,), num_classes=4)
    with pytest.raises(
        ValueError,
        match="expected a model with matrices before its classifier with "
        "optimizer=Muon, which has steps for these alone. Received: "
        "optimizer=Muon, a model without; use optimizer=AdamW",
    ):
        muon_of(model)


@pytest.mark.parametrize("name", ["AdamW", "Muon", "ScheduleFreeAdamW"])
def test_weights_that_do_not_decay(name):
    model = models.DeepCirculantConfig(num_layers=1).build(
        feature_sizes=(6,), num_classes=4
    )
    # A dense hidden layer, so that Muon has a matrix.
    inputs = keras.Input([6])
    x = keras.layers.Dense(6, name="dense")(inputs)
    model = keras.Model(inputs, model({"features": x}))
    optimizer = optimizers.make_optimizer(
        config_lib.TrainingConfig(
            optimizer=name,
            learning_rate_schedule="constant",
            base_learning_rate=0.1,
            weight_decay=0.5,
            clip_gradient_norm=0.0,
        ),
        model,
    )
    variables = model.trainable_variables
    for variable in variables:
        variable.assign(2.0 * tf.ones_like(variable.value))
    optimizer.build(variables)
    optimizer.apply([tf.zeros_like(v.value) for v in variables], variables)
    moved = {
        variable.path
        for variable in variables
        if np.abs(variable.numpy() - 2.0).max() > 1e-6
    }
    assert moved == {"dense/kernel", "hidden_0/kernel", "classifier/kernel"}
    # 2 (1 - 0.1 * 0.5).
    np.testing.assert_allclose(variables[0].numpy(), 1.9, rtol=1e-5)


def test_moving_average():
    gradients = gradients_of([4], 6)
    optimizer = make(
        optimizer="SGD",
        learning_rate_schedule="constant",
        base_learning_rate=1.0,
        clip_gradient_norm=0.0,
        ema_momentum=0.25,
    )
    w = np.zeros(4)
    variable = keras.Variable(np.ones(4))
    optimizer.build([variable])
    average = optimizer._model_variables_moving_average[0]
    # Before the first step, it is of what is there.
    np.testing.assert_array_equal(average.numpy(), np.ones(4))
    variable.assign(w)
    # Of the weights after each step, of which 1 - 9 / (t + 8) is kept: the
    # quarter from step 4 on.
    expected = w
    for g, kept in zip(
        gradients, [0, 1 / 10, 2 / 11, 1 / 4, 1 / 4, 1 / 4], strict=True
    ):
        optimizer.apply([tf.constant(g, tf.float32)], [variable])
        w = w - g
        expected = kept * expected + (1 - kept) * w
        np.testing.assert_allclose(average.numpy(), expected, rtol=1e-5)
    # What the end of an epoch of `fit` does: nothing.
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(variable.numpy(), w, rtol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Lion"])
def test_accumulated_gradients(name):
    gradients, w = gradients_of([5], 7), np.linspace(-1, 1, 5)
    settings = {
        "optimizer": name,
        "learning_rate_schedule": "constant",
        "base_learning_rate": 1.0,
        "clip_gradient_norm": 0.5,
    }
    accumulating = make(
        **settings, gradient_accumulation_steps=3, ema_momentum=0.75
    )
    found = run(accumulating, w, gradients)[0]
    # 7 steps are two updates, by the mean of 3 gradients each, clipped then.
    averages, m = [], np.zeros(5)
    for g in gradients[:6].reshape(2, 3, 5).mean(axis=1):
        g = g * min(1, 0.5 / np.linalg.norm(g))
        step, m = np.sign(0.9 * m + 0.1 * g), 0.99 * m + 0.01 * g
        w = w - (step if name == "Lion" else g)
        averages.append(w)
    np.testing.assert_allclose(found, w, rtol=1e-5)
    # The average moves with updates, not with steps.
    np.testing.assert_allclose(
        accumulating._model_variables_moving_average[0].numpy(),
        0.1 * averages[0] + 0.9 * averages[1],
        rtol=1e-5,
    )


def test_float16_scales_the_loss():
    optimizer = make(
        dtype_policy="mixed_float16",
        optimizer="SGD",
        learning_rate_schedule="constant",
        base_learning_rate=1.0,
        clip_gradient_norm=0.0,
    )
    variable = keras.Variable([1.0])
    optimizer.build([variable])
    assert float(optimizer.scale_loss(tf.constant(1.0))) == 2.0**15
    optimizer.apply([tf.constant([2.0**14])], [variable])
    np.testing.assert_allclose(variable.numpy(), [0.5])
    # What overflows is no step, and makes the scale smaller.
    optimizer.apply([tf.constant([np.inf])], [variable])
    np.testing.assert_allclose(variable.numpy(), [0.5])
    assert float(optimizer.scale_loss(tf.constant(1.0))) == 2.0**14
    assert not isinstance(make(), keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("optimizer", "Adam", "Lion", True),
        ("dtype_policy", "float32", "mixed_float16", True),
        ("ema_momentum", None, 0.9, True),
        ("ema_momentum", 0.9, None, True),
        ("ema_momentum", 0.9, 0.8, False),
        ("gradient_accumulation_steps", 2, 3, True),
        ("base_learning_rate", 0.1, 0.2, False),
    ],
)
def test_what_a_checkpoint_depends_on(name, old, new, expected):
    assert optimizers.changes_state(name, old, new) == expected
