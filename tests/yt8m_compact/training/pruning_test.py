"""Tests of pruning while training."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact import training
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import optimizers
from yt8m_compact.training import pruning

ROWS, COLUMNS = 8, 25
SIZE = ROWS * COLUMNS


def make_model(structure="dense", **settings):
    """A model of two projections, and its optimiser, built."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input([ROWS])
    x = layers.Projection(COLUMNS, structure, name="fc")(inputs)
    model = keras.Model(inputs, layers.Projection(4, name="classifier")(x))
    config = config_lib.TrainingConfig(
        base_learning_rate=0.02, learning_rate_schedule="constant", **settings
    )
    model.optimizer = optimizers.make_optimizer(config, model)
    model.optimizer.build(model.trainable_variables)
    return model


TENTH = structures.Sparse(0.1)


def make_step(model, steps, structure=TENTH, **arguments):
    """Makes a function of a step's number that takes it, with noise."""
    chosen = pruning.Pruning(model, structure, steps, **arguments)
    rng = np.random.default_rng(0)

    @tf.function
    def take(x, step):
        chosen.before_step()
        with tf.GradientTape() as tape:
            loss = model.optimizer.scale_loss(tf.reduce_sum(model(x) ** 2))
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        chosen.after_step(step)

    def step(number):
        x = rng.standard_normal([16, ROWS]).astype("float32")
        take(tf.constant(x), tf.constant(number, tf.int64))

    return step


def expected_count(step, steps, final, size):
    """Zhu and Gupta's equation 1, from 0 to the final sparsity."""
    if step >= steps:
        return final
    sparsity = (1 - final / size) * (1 - (1 - step / steps) ** 3)
    return math.ceil(size * (1 - sparsity) - 1e-9)


@pytest.mark.slow
def test_follows_the_cubic_schedule_and_keeps_the_largest():
    model = make_model()
    step = make_step(model, steps=10, patterns=["fc"])
    kernel = model.get_layer("fc").kernel
    zeros = np.zeros([ROWS, COLUMNS], bool)
    for number in range(1, 14):
        before = kernel.numpy()
        step(number)
        now = kernel.numpy()
        count = expected_count(number, 10, 20, SIZE)
        assert np.count_nonzero(now) == count
        # What is 0 stays 0; what is left is trained.
        assert np.all(now[zeros] == 0)
        assert np.all(now[now != 0] != before[now != 0])
        new = (now == 0) & ~zeros
        if number > 10:
            assert not new.any()
        zeros = now == 0
    assert np.count_nonzero(model.get_layer("classifier").kernel) == 100


@pytest.mark.slow
def test_the_smallest_go():
    # Gradients of 0: the weights are those that they were.
    model = make_model()
    step = make_step(model, steps=2, patterns=["fc"])
    model.get_layer("classifier").kernel.assign(np.zeros([COLUMNS, 4]))
    kernel = model.get_layer("fc").kernel
    before = kernel.numpy()
    for number in (1, 2):
        step(number)
        kept = [expected_count(1, 2, 20, SIZE), 20][number - 1]
        least = np.sort(np.abs(before), axis=None)[-kept]
        np.testing.assert_array_equal(
            kernel, np.where(np.abs(before) >= least, before, 0)
        )


def test_many_steps_are_pruned_at_every_hundredth_alone():
    model = make_model()
    step = make_step(model, steps=1000, patterns=["fc"])
    kernel = model.get_layer("fc").kernel
    counts = []
    for number in (1, 9, 10, 11, 19, 20, 999, 1000):
        step(number)
        counts.append(np.count_nonzero(kernel))
    ten, twenty = (expected_count(n, 1000, 20, SIZE) for n in (10, 20))
    assert counts == [200, 200, ten, ten, ten, twenty, twenty, 20]


def test_zeros_at_the_start_are_weights():
    model = make_model()
    step = make_step(model, steps=100, patterns=["classifier"])
    kernel = model.get_layer("classifier").kernel
    model.get_layer("fc").bias.assign(np.ones(COLUMNS))
    model.get_layer("classifier").bias.assign(np.ones(4))
    kernel.assign(np.zeros([COLUMNS, 4]))
    step(1)
    # Step 1 of 100 leaves 97.3 of 100.
    assert np.count_nonzero(kernel) == 98


def test_groups_lose_their_smallest():
    # Of 25 inputs of the classifier, six groups of 4 and one of 1.
    model = make_model()
    half = structures.Sparse(0.5, group=4)
    step = make_step(model, steps=2, structure=half, patterns=["classifier"])
    kernel = model.get_layer("classifier").kernel
    # After one of two steps, 2 + ceil(2 / 8) = 3 of 4 are left.
    for number, kept in ((1, 3), (2, 2), (3, 2)):
        step(number)
        groups = np.split(kernel.numpy(), range(4, 25, 4))
        counts = [np.count_nonzero(group, axis=0) for group in groups]
        np.testing.assert_array_equal(counts[:6], np.full([6, 4], kept))
        np.testing.assert_array_equal(counts[6], np.ones(4))
    nearest = half.nearest(kernel.numpy())
    assert np.count_nonzero(nearest["kernel"]) == np.count_nonzero(kernel)


def test_the_smallest_of_groups_go():
    # Gradients of 0: the weights are those that they were.
    model = make_model()
    half = structures.Sparse(0.5, group=4)
    step = make_step(model, steps=1, structure=half, patterns=["fc"])
    model.get_layer("classifier").kernel.assign(np.zeros([COLUMNS, 4]))
    kernel = model.get_layer("fc").kernel
    before = kernel.numpy()
    step(1)
    groups = np.abs(before).reshape(2, 4, COLUMNS)
    least = np.sort(groups, axis=1)[:, 2:3]
    expected = np.where((groups >= least).reshape(before.shape), before, 0)
    np.testing.assert_array_equal(kernel, expected)


def test_groups_that_density_cuts_are_refused():
    config = config_lib.TrainingConfig(
        pruning_density=0.1, pruning_group=4, pruning_steps=3
    )
    with pytest.raises(
        ValueError,
        match="a whole number of each group, .* density=0.1, group=4",
    ):
        pruning.make_pruning(config, make_model())


@pytest.mark.slow
def test_the_average_is_0_where_the_weights_are():
    model = make_model(ema_momentum=0.9)
    step = make_step(model, steps=3)
    for number in range(1, 6):
        step(number)
    optimizer = model.optimizer
    for name, count in (("fc", 20), ("classifier", 10)):
        kernel = model.get_layer(name).kernel
        index = optimizer._get_variable_index(kernel)
        average = optimizer._model_variables_moving_average[index].numpy()
        assert np.count_nonzero(kernel) == count
        np.testing.assert_array_equal(average != 0, kernel.numpy() != 0)
        assert np.all(average[average != 0] != kernel.numpy()[average != 0])


@pytest.mark.slow
def test_scaled_losses():
    model = make_model(dtype_policy="mixed_float16", ema_momentum=0.9)
    step = make_step(model, steps=3)
    for number in range(1, 4):
        step(number)
    assert np.count_nonzero(model.get_layer("fc").kernel) == 20


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ("fc", "classifier")),
        (["fc"], ("fc",)),
        (["c*"], ("classifier",)),
        (["classifier", "f?"], ("fc", "classifier")),
    ],
)
def test_places(patterns, names):
    assert pruning.Pruning(make_model(), TENTH, 5, patterns).names == names


def test_compact_places_are_left():
    model = make_model("low_rank")
    assert pruning.Pruning(model, TENTH, 5).names == ("classifier",)
    with pytest.raises(
        ValueError,
        match="expected pruning_places to name dense projections of the model, "
        "classifier. Received: pruning_places='classifier,fc', 'fc' of it "
        "names none",
    ):
        pruning.Pruning(model, TENTH, 5, ["classifier", "fc"])


def test_model_without_dense_places_is_refused():
    inputs = keras.Input([8])
    outputs = layers.Projection(4, "circulant")(inputs)
    with pytest.raises(
        ValueError,
        match="of the model, of which it has none. Received: pruning_places=''",
    ):
        model = keras.Model(inputs, outputs)
        model.optimizer = keras.optimizers.Adam()
        pruning.Pruning(model, TENTH, 5)


@pytest.mark.slow
def test_a_pruned_run_starts_a_sparse_one_that_is_equal(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 40)
    settings = {"num_epochs": 1, "batch_size": 8}
    dense = tiny_runs.video_config(
        pattern, **settings, pruning_density=0.2, pruning_steps=3
    )
    training.train(dense, str(tmp_path / "dense"))
    _, pruned, step = train_dir_lib.TrainDir(
        str(tmp_path / "dense")
    ).restore_model()
    assert step == 5
    kernel = pruned.get_layer("classifier").kernel.numpy()
    # A fifth of 9 * 5.
    assert np.count_nonzero(kernel) == 9
    sparse = tiny_runs.video_config(
        pattern,
        models.LogisticConfig(classifier_projection=structures.Sparse(0.2)),
        **settings,
        init_from=str(tmp_path / "dense"),
        max_steps=1,
        base_learning_rate=1e-30,
    )
    result = training.train(sparse, str(tmp_path / "sparse"))
    (place,) = [p for p in result.warm_start.places if p.kept is not None]
    assert (place.kept, place.now) == (1.0, "[9, 5] sparse(density=0.2)")
    _, model, _ = train_dir_lib.TrainDir(
        str(tmp_path / "sparse")
    ).restore_model()
    np.testing.assert_array_equal(
        model.get_layer("classifier").as_dense_kernel(), kernel
    )


@pytest.mark.slow
def test_two_devices_prune_alike(tmp_path):
    script = """
import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import optimizers
from yt8m_compact.training import pruning

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    processor, [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
config = config_lib.TrainingConfig(ema_momentum=0.9)
with strategy.scope():
    inputs = keras.Input([8])
    model = keras.Model(inputs, layers.Projection(25, name="fc")(inputs))
    optimizer = optimizers.make_optimizer(config, model)
    optimizer.build(model.trainable_variables)
    model.optimizer = optimizer
    chosen = pruning.Pruning(model, structures.Sparse(0.1), 3)

def step():
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(tf.random.normal([4, 8])) ** 2)
    variables = model.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)

@tf.function
def take(number):
    chosen.before_step()
    strategy.run(step)
    chosen.after_step(number)

counts = []
for number in range(1, 6):
    take(tf.constant(number, tf.int64))
    one, two = strategy.experimental_local_results(
        model.get_layer("fc").kernel.value
    )
    np.testing.assert_array_equal(one, two)
    counts.append(np.count_nonzero(one))
# 20 + 180 (8/27, 1/27), from above.
assert counts == [74, 27, 20, 20, 20], counts
print("all agree")
"""
    result = tiny_runs.execute("-c", script, folder=tmp_path)
    assert result.stdout.endswith("all agree\n"), result.stderr[-2000:]
