"""Tests of the optimisers: equal to Keras's, by one operation a variable."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.training import one_pass_optimizers

HERE = pathlib.Path(__file__).resolve().parent
# The optimiser, its settings, and the kernel that updates a variable.
FUSED = [
    ("Adam", {}, "ResourceApplyAdam"),
    ("Adam", {"beta_1": 0.8, "beta_2": 0.99}, "ResourceApplyAdam"),
    ("Adagrad", {}, "ResourceApplyAdagradV2"),
    ("RMSprop", {}, "ResourceApplyRMSProp"),
    ("RMSprop", {"momentum": 0.9}, "ResourceApplyRMSProp"),
    ("SGD", {}, "ResourceApplyGradientDescent"),
    ("SGD", {"momentum": 0.9}, "ResourceApplyKerasMomentum"),
    (
        "SGD",
        {"momentum": 0.9, "nesterov": True},
        "ResourceApplyKerasMomentum",
    ),
]
OTHERS = [
    ("Adam", {"amsgrad": True}),
    ("Adagrad", {"initial_accumulator_value": 1e-3}),
    ("RMSprop", {"centered": True}),
]
SHARED = [
    {"clipnorm": 1.0},
    {"global_clipnorm": 1.0},
    {"clipvalue": 0.5},
    {"weight_decay": 0.01},
    # Of more, ours starts with less: at its second update with a tenth.
    {"use_ema": True, "ema_momentum": 0.1, "ema_overwrite_frequency": 7},
    {"gradient_accumulation_steps": 3},
    {"loss_scale_factor": 8.0},
]
SHAPES = ((12, 7), (7,))


def make_pair(name, **kwargs):
    """Makes Keras's optimiser and ours."""
    return [
        getattr(module, name)(0.01, name="optimizer", **kwargs)
        for module in (keras.optimizers, one_pass_optimizers)
    ]


def make_variables(dtype="float32"):
    generator = np.random.default_rng(0)
    return [
        keras.Variable(
            generator.normal(size=shape) * 0.05, dtype=dtype, name=f"w{number}"
        )
        for number, shape in enumerate(SHAPES)
    ]


def make_gradients(steps, dtype="float32"):
    """Gradients of norms below 1, and far above."""
    generator = np.random.default_rng(1)
    return [
        [
            tf.constant(scale * generator.normal(size=shape), dtype)
            for shape in SHAPES
        ]
        for scale in generator.choice([1e-3, 1.0], size=steps)
    ]


def make_step(optimizer, variables, how="graph"):
    def step(*gradients):
        optimizer.apply(list(gradients), variables)

    if how == "eager":
        return step
    return tf.function(step, jit_compile=how == "XLA")


def train(optimizer, steps, *, how="graph", dtype="float32", sparse=False):
    """Trains; returns weights, and the optimiser's variables by path."""
    variables = make_variables(dtype)
    optimizer.build(variables)
    step = make_step(optimizer, variables, how)
    for gradients in make_gradients(steps, dtype):
        if sparse:  # Rows 3, 0 and 3 again.
            rows = tf.constant([3, 0, 3])
            gradients[0] = tf.IndexedSlices(
                tf.gather(gradients[0], [1, 2, 4]),
                rows,
                tf.constant(SHAPES[0]),
            )
        step(*gradients)
    states = {
        variable.path: variable.numpy() for variable in optimizer.variables
    }
    return [variable.numpy() for variable in variables], states


def assert_equal_runs(found, expected, rtol=1e-6, states_rtol=2e-5):
    """Compares with the largest weight of each variable."""
    for one, other in zip(found[0], expected[0], strict=True):
        atol = rtol * abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)
    assert list(found[1]) == list(expected[1])
    for path, other in expected[1].items():
        atol = states_rtol * abs(other).max()
        np.testing.assert_allclose(
            found[1][path], other, rtol=0, atol=atol, err_msg=path
        )


@pytest.mark.parametrize("how", ["eager", "graph", "XLA"])
@pytest.mark.parametrize(("name", "kwargs", "kernel"), FUSED)
def test_equal_to_keras_after_100_steps(name, kwargs, kernel, how):
    del kernel
    of_keras, ours = make_pair(name, **kwargs)
    assert_equal_runs(train(ours, 100, how=how), train(of_keras, 100))


@pytest.mark.parametrize(
    "kwargs", SHARED, ids=lambda kwargs: next(iter(kwargs))
)
@pytest.mark.parametrize("name", ["Adam", "Adagrad", "RMSprop", "SGD"])
def test_what_keras_does_beside_the_update(name, kwargs):
    of_keras, ours = make_pair(name, **kwargs)
    assert_equal_runs(train(ours, 30), train(of_keras, 30))


def test_adam_against_the_paper_in_float64():
    # Keras's float32 weights of new gradients are 1 - beta rounded, and the
    # kernel's are not quite: the steps are as long all the same.
    _, ours = make_pair("Adam")
    found, states = train(ours, 100)
    expected = [v.numpy().astype(np.float64) for v in make_variables()]
    m = [np.zeros(shape) for shape in SHAPES]
    v = [np.zeros(shape) for shape in SHAPES]
    for t, gradients in enumerate(make_gradients(100), 1):
        for i, g in enumerate(gradients):
            g = g.numpy().astype(np.float64)
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            rate = 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            expected[i] -= rate * m[i] / (np.sqrt(v[i]) + 1e-7)
    for i, one in enumerate(found):
        np.testing.assert_allclose(one, expected[i], rtol=0, atol=1e-5)
        slot = states[f"optimizer/w{i}_velocity"]
        np.testing.assert_allclose(slot, v[i], rtol=2e-5)


def operations(optimizer, *, how="graph", dtype="float32"):
    """Lists the types of operations of a step."""
    variables = make_variables(dtype)
    optimizer.build(variables)
    step = make_step(optimizer, variables, how)
    graph = step.get_concrete_function(*make_gradients(1, dtype)[0]).graph
    return [operation.type for operation in graph.get_operations()]


@pytest.mark.parametrize(("name", "kwargs", "kernel"), FUSED)
def test_one_operation_a_variable(name, kwargs, kernel):
    _, ours = make_pair(name, **kwargs)
    types = operations(ours)
    assert types.count(kernel) == len(SHAPES)
    # What else is assigned is the count of steps, and momentums of nothing.
    freed = len(SHAPES) if (name, kwargs) == ("RMSprop", {}) else 0
    assert types.count("AssignVariableOp") == 1 + freed
    assert not {"AssignAddVariableOp", "AssignSubVariableOp"} & set(types)


@pytest.mark.parametrize(("name", "kwargs"), OTHERS)
def test_what_no_kernel_does_is_left_to_keras(name, kwargs):
    of_keras, ours = make_pair(name, **kwargs)
    assert not any("ResourceApply" in one for one in operations(ours))
    of_keras, ours = make_pair(name, **kwargs)
    assert_equal_runs(train(ours, 20), train(of_keras, 20), 0.0, 0.0)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", ["Adam", "SGD"])
def test_other_dtypes_are_left_to_keras(name, dtype):
    of_keras, ours = make_pair(name)
    assert not any(
        "ResourceApply" in one for one in operations(ours, dtype=dtype)
    )
    of_keras, ours = make_pair(name)
    found, expected = (
        train(optimizer, 20, dtype=dtype)[0] for optimizer in (ours, of_keras)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_rmsprop_without_momentum_is_left_to_keras_under_xla():
    _, ours = make_pair("RMSprop")
    types = operations(ours, how="XLA")
    assert not any("ResourceApply" in one for one in types)


@pytest.mark.parametrize("name", ["Adam", "Adagrad", "RMSprop", "SGD"])
def test_sparse_gradients_are_left_to_keras(name):
    of_keras, ours = make_pair(name)
    assert_equal_runs(
        train(ours, 20, sparse=True), train(of_keras, 20, sparse=True)
    )


@pytest.mark.parametrize("name", ["Adam", "Adagrad", "RMSprop", "SGD"])
def test_what_is_no_number_reaches_the_weights(name):
    _, ours = make_pair(name, clipnorm=1.0)
    variables = make_variables()
    gradients = make_gradients(1)[0]
    gradients[1] = tf.constant([0.5, np.nan, 1, 2, 3, 4, 5])
    ours.apply(gradients, variables)
    assert np.isfinite(variables[0].numpy()).all()
    assert np.isnan(variables[1].numpy()).all()


def test_a_loss_scale_around_it():
    runs = []
    for inner in make_pair("Adam", clipnorm=1.0):
        optimizer = keras.optimizers.LossScaleOptimizer(
            inner, initial_scale=4.0, dynamic_growth_steps=5, name="scale"
        )
        variables = make_variables()
        optimizer.build(variables)
        step = make_step(optimizer, variables)
        for number, gradients in enumerate(make_gradients(20)):
            before = [variable.numpy() for variable in variables]
            if number == 7:
                gradients[1] *= np.inf
            step(*gradients)
            after = [variable.numpy() for variable in variables]
            moved = [np.any(a != b) for a, b in zip(after, before, strict=True)]
            assert moved == [number != 7] * len(SHAPES)
        states = {v.path: v.numpy() for v in optimizer.variables}
        runs.append((after, states))
    assert_equal_runs(runs[1], runs[0])


def make_model(optimizer):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input([5]), keras.layers.Dense(4, name="classifier")]
    )
    model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(16, 5)), generator.normal(size=(16, 4))
    default = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        of_keras, ours = map(make_model, make_pair("Adam", clipnorm=1.0))
        for model in (of_keras, ours):
            model.fit(x, y, epochs=5, batch_size=8, shuffle=False, verbose=0)
    finally:
        keras.config.set_dtype_policy(default)
    for one, other in zip(ours.weights, of_keras.weights, strict=True):
        assert one.dtype == "float32"
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Adam", "Adagrad", "RMSprop", "SGD"])
def test_a_keras_file_goes_on_where_it_was(name, tmp_path):
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(16, 5)), generator.normal(size=(16, 4))
    _, ours = make_pair(name, clipnorm=1.0)
    model = make_model(ours)
    model.train_on_batch(x, y)
    path = str(tmp_path / "model.keras")
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert type(loaded.optimizer) is type(ours)
    assert loaded.optimizer.get_config() == ours.get_config()
    for one in (model, loaded):
        one.train_on_batch(x, y)
    for one, other in zip(
        [*loaded.weights, *loaded.optimizer.variables],
        [*model.weights, *model.optimizer.variables],
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


_MIRRORED = """
import keras, numpy as np, tensorflow as tf
from yt8m_compact.training import one_pass_optimizers
device, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    device, [tf.config.LogicalDeviceConfiguration()] * 2)
for name in ("Adam", "Adagrad", "RMSprop", "SGD"):
    runs = []
    for module in (keras.optimizers, one_pass_optimizers):
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        with strategy.scope():
            variable = keras.Variable([[0.5, -0.25], [1.0, 2.0]])
            optimizer = getattr(module, name)(0.01, clipnorm=1.0)
            optimizer.build([variable])
        @tf.function
        def step(scale):
            def replica():
                number = tf.distribute.get_replica_context(
                ).replica_id_in_sync_group
                gradient = scale * tf.constant([[.1, .2], [-.3, .4]])
                gradient *= tf.cast(number, tf.float32) + 1
                optimizer.apply([gradient], [variable])
            strategy.run(replica)
        for scale in (0.5, 1.0, 8.0, -2.0):
            step(tf.constant(scale))
        both = [v.numpy() for v in strategy.experimental_local_results(
            variable.value)]
        assert len(both) == 2
        np.testing.assert_array_equal(*both)
        types = [o.type for o in step.get_concrete_function(
            tf.constant(1.0)).graph.get_operations()]
        runs.append(both[0])
        print(name, module.__name__,
              sum(t.startswith("ResourceApply") for t in types))
    np.testing.assert_allclose(runs[1], runs[0], rtol=1e-6)
"""


@pytest.mark.slow
def test_mirrored_on_two_devices():
    result = subprocess.run(
        [sys.executable, "-c", _MIRRORED],
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    counts = [int(line.split()[-1]) for line in result.stdout.splitlines()]
    # None of Keras's, and one on each device of ours.
    assert counts == [0, 2] * 4
