"""Tests of mixup."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from yt8m_compact.training import mixup

BATCH = 64


def make_batch():
    rng = np.random.default_rng(0)
    features = rng.normal(size=[BATCH, 3]).astype(np.float32)
    labels = (rng.random([BATCH, 4]) < 0.4).astype(np.float32)
    weights = rng.integers(0, 3, [BATCH, 4]).astype(np.float32)
    return features, labels, weights


def mix(batch, *, alpha=1.0, seed=1, step=0):
    features, labels, weights = batch
    inputs, labels, weights = mixup.mix(
        {"features": tf.constant(features)},
        tf.constant(labels),
        None if weights is None else tf.constant(weights),
        alpha=alpha,
        seed=seed,
        step=tf.constant(step, tf.int64),
    )
    return inputs["features"].numpy(), labels.numpy(), weights


def partners_and_shares(mixed, features):
    """Finds, for each row, the other video and the share of its own."""
    found = []
    for row, own in zip(mixed, features, strict=True):
        best = None
        for number, other in enumerate(features):
            direction = own - other
            size = direction @ direction
            share = (row - other) @ direction / size if size else 1.0
            error = np.abs(other + share * direction - row).max()
            inside = -1e-3 <= share <= 1 + 1e-3
            if inside and (best is None or error < best[0]):
                best = error, number, share
        assert best[0] < 1e-5
        found.append(best[1:])
    numbers, shares = zip(*found, strict=True)
    return np.array(numbers), np.array(shares)


def test_inputs_and_labels_are_mixed_alike():
    features, labels, weights = make_batch()
    mixed, mixed_labels, mixed_weights = mix((features, labels, weights))
    numbers, shares = partners_and_shares(mixed, features)
    # An order of the batch, in which most are another than themselves.
    others = numbers != np.arange(BATCH)
    assert others.sum() > BATCH - 5
    assert len(set(numbers[others])) == others.sum()
    share = shares[:, np.newaxis]
    expected = share * labels + (1 - share) * labels[numbers]
    np.testing.assert_allclose(mixed_labels, expected, atol=1e-4)
    # Rated where both are.
    np.testing.assert_array_equal(
        mixed_weights, np.minimum(weights, weights[numbers])
    )


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 4.0])
def test_shares_are_of_a_beta_distribution(alpha):
    features = np.stack([np.arange(4000.0), -(np.arange(4000.0) ** 2)], axis=1)
    labels = np.eye(4000, dtype=np.float32)
    inputs, mixed, _ = mixup.mix(
        {"features": tf.constant(features)},
        tf.constant(labels),
        None,
        alpha=alpha,
        seed=3,
        step=tf.constant(5),
    )
    assert inputs["features"].dtype == tf.float64
    shares = np.diag(mixed.numpy())
    assert np.isfinite(mixed.numpy()).all()
    # Of Beta(a, a), the mean is 1/2 and the variance 1 / (4 (2 a + 1)).
    deviation = np.sqrt(1 / (4 * (2 * alpha + 1)))
    assert abs(shares.mean() - 0.5) < 4 * deviation / np.sqrt(4000)
    np.testing.assert_allclose(shares.std(), deviation, rtol=0.06)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 3.0])
def test_quantiles_of_the_shares(alpha):
    draws = np.concatenate(
        [mix_shares(2000, alpha, step) for step in range(10)]
    )
    expected = scipy.stats.beta(alpha, alpha)
    for quantile in (0.1, 0.25, 0.5, 0.75, 0.9):
        below = (draws <= expected.ppf(quantile)).mean()
        assert abs(below - quantile) < 0.015


def mix_shares(number, alpha, step):
    _, mixed, _ = mixup.mix(
        {},
        tf.eye(number),
        None,
        alpha=alpha,
        seed=3,
        step=tf.constant(step),
    )
    return np.diag(mixed.numpy())


def test_it_is_a_function_of_seed_and_step():
    batch = make_batch()
    first = mix(batch, step=7)[0]
    np.testing.assert_array_equal(mix(batch, step=7)[0], first)
    assert np.abs(mix(batch, step=8)[0] - first).max() > 0.1
    assert np.abs(mix(batch, seed=2, step=7)[0] - first).max() > 0.1
    assert np.abs(mix(batch, seed=2**32 - 1)[0] - first).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True])
def test_within_a_function_of_batches_of_any_size(jit):
    features, labels, _ = make_batch()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, 3]),
            tf.TensorSpec([None, 4]),
            tf.TensorSpec([], tf.int64),
        ],
        jit_compile=jit,
    )
    def function(features, labels, step):
        return mixup.mix(
            {"features": features},
            labels,
            None,
            alpha=0.4,
            seed=1,
            step=step,
        )[:2]

    for size in (BATCH, 5, 1):
        mixed, mixed_labels = function(
            features[:size], labels[:size], np.int64(2)
        )
        assert mixed["features"].shape == (size, 3)
        assert np.isfinite(mixed_labels.numpy()).all()
    # Of one video alone, itself.
    np.testing.assert_allclose(mixed["features"], features[:1], rtol=1e-6)
