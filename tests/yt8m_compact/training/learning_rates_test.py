"""Tests of learning rates by step."""

import keras
import numpy as np
import pytest

from yt8m_compact.run import config as config_lib
from yt8m_compact.training import learning_rates


def make(**kwargs):
    return learning_rates.make_learning_rate(
        config_lib.TrainingConfig(**kwargs)
    )


def values_of(schedule, steps):
    return [float(schedule(step)) for step in steps]


@pytest.mark.parametrize(
    ("batch_size", "decay_examples"),
    [(8, 20.0), (8, 4.0), (1024, 4e6), (3, 7.5)],
)
def test_exponential(batch_size, decay_examples):
    schedule = make(
        batch_size=batch_size,
        base_learning_rate=0.1,
        learning_rate_decay=0.8,
        learning_rate_decay_examples=decay_examples,
    )
    steps = [*range(12), 3906, 3907, 7812, 7813]
    # The starter code's: base * decay ^ floor(step * batch / decay_examples).
    expected = [
        0.1 * 0.8 ** np.floor(step * batch_size / decay_examples)
        for step in steps
    ]
    found = values_of(schedule, steps)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-30)


@pytest.mark.parametrize(
    "end", [{"schedule_steps": 10}, {"max_steps": 10, "num_epochs": 99}]
)
def test_cosine_with_warm_up(end):
    schedule = make(
        base_learning_rate=0.5,
        learning_rate_schedule="cosine",
        final_learning_rate_fraction=0.2,
        warmup_steps=2,
        **end,
    )
    # Two steps of warm-up, then 0.5 (0.2 + 0.8 (1 + cos(pi t / 8)) / 2).
    cosine = [0.5 * (0.2 + 0.4 * (1 + np.cos(np.pi * t / 8))) for t in range(9)]
    expected = [0.25, 0.5, *cosine, 0.1, 0.1]
    np.testing.assert_allclose(
        values_of(schedule, range(13)), expected, rtol=1e-6
    )


def test_max_steps_that_come_before_the_schedule_ends():
    schedule = make(
        base_learning_rate=1.0,
        learning_rate_schedule="cosine",
        schedule_steps=8,
        max_steps=4,
    )
    np.testing.assert_allclose(float(schedule(4)), 0.5, rtol=1e-6)


def test_constant():
    schedule = make(base_learning_rate=0.25, learning_rate_schedule="constant")
    assert values_of(schedule, [0, 1, 10**6]) == [0.25] * 3


def test_warm_up_of_the_stairs():
    schedule = make(
        batch_size=1,
        base_learning_rate=1.0,
        learning_rate_decay=0.5,
        learning_rate_decay_examples=2.0,
        warmup_steps=4,
    )
    expected = [0.25, 0.5, 0.75 * 0.5, 0.5, 0.25]
    np.testing.assert_allclose(
        values_of(schedule, range(5)), expected, rtol=1e-6
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"learning_rate_schedule": "constant"},
        {"learning_rate_schedule": "cosine", "schedule_steps": 9},
        {"warmup_steps": 3},
        {
            "learning_rate_schedule": "cosine",
            "schedule_steps": 9,
            "warmup_steps": 3,
        },
    ],
)
def test_config_and_back(settings):
    schedule = make(**settings)
    config = keras.optimizers.schedules.serialize(schedule)
    other = keras.optimizers.schedules.deserialize(config)
    steps = range(12)
    assert values_of(other, steps) == values_of(schedule, steps)
    assert len({*values_of(schedule, steps)}) > 1 or len(settings) == 1
