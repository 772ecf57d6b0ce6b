"""Tests of optimisers on two devices, in a process that has them."""

import pytest

import tiny_runs

# Updates by halves of batches on two devices, and by whole ones on one.
SCRIPT = """
import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import optimizers

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    processor, [tf.config.LogicalDeviceConfiguration()] * 2
)
BATCHES = np.random.default_rng(0).normal(size=[5, 4, 4]).astype("float32")


def train(strategy, **settings):
    config = config_lib.TrainingConfig(
        **{
            "learning_rate_schedule": "constant",
            "base_learning_rate": 0.01,
            # Keras clips before it adds up.
            "clip_gradient_norm": 0.0,
            **settings,
        }
    )
    with strategy.scope():
        inputs = keras.Input([4])
        hidden = layers.BatchNormalization()(inputs)
        hidden = keras.layers.Dense(5)(hidden)
        model = keras.Model(inputs, keras.layers.Dense(3)(hidden))
        for weight in model.weights:
            values = 0.1 * np.arange(np.prod(weight.shape))
            weight.assign(values.reshape(weight.shape))
        optimizer = optimizers.make_optimizer(config, model)
        optimizer.build(model.trainable_variables)

    def step(batch):
        with tf.GradientTape() as tape:
            outputs = model(batch, training=True)
            loss = optimizer.scale_loss(tf.reduce_sum(outputs**2) / 4)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    replicas = strategy.num_replicas_in_sync
    run = tf.function(lambda batch: strategy.run(step, args=(batch,)))
    for batch in BATCHES:
        parts = np.split(batch, replicas)
        if replicas == 1:
            run(tf.constant(batch))
            continue
        run(
            strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(
                    parts[context.replica_id_in_sync_group]
                )
            )
        )
    return [
        variable.numpy()
        for variable in (*model.variables, *optimizer.variables)
        # Each device has its own sums; they are equal where gradients are.
        if "accumulator" not in variable.name
    ]


def compare(**settings):
    one = train(tf.distribute.get_strategy(), **settings)
    two = train(
        tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), **settings
    )
    for found, expected in zip(two, one, strict=True):
        np.testing.assert_allclose(
            found, expected, rtol=1e-4, atol=1e-5, err_msg=str(settings)
        )


SETTINGS
print("all agree")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        [
            f'compare(optimizer="{name}")'
            for name in ("Lion", "Muon", "ScheduleFreeAdamW", "AdamW")
        ],
        [
            'compare(optimizer="SGD", ema_momentum=0.5)',
            "compare(gradient_accumulation_steps=2)",
            'compare(optimizer="Lion", gradient_accumulation_steps=2,'
            " ema_momentum=0.5)",
        ],
        [
            'compare(dtype_policy="mixed_float16", ema_momentum=0.5,'
            " gradient_accumulation_steps=2)",
        ],
    ],
    ids=["optimizers", "averages and sums", "scaled losses"],
)
def test_two_devices_are_one(tmp_path, lines):
    script = SCRIPT.replace("SETTINGS", "\n".join(lines))
    result = tiny_runs.execute("-c", script, folder=tmp_path)
    assert result.stdout.endswith("all agree\n"), result.stderr[-2000:]
