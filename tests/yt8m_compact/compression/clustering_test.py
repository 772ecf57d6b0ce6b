"""Tests of weights that share values."""

import numpy as np
import pytest
from sklearn import cluster as sklearn_cluster

from yt8m_compact.compression import clustering


def test_written_out():
    # Centres start at 0, 5 and 10; the bounds are 2.5 and 7.5.
    values = np.array([[0.0, 1.0, 2.0], [6.0, 9.0, 10.0]])
    codes, centers = clustering.cluster(values, 3)
    np.testing.assert_array_equal(codes, [[0, 0, 0], [1, 2, 2]])
    np.testing.assert_allclose(centers, [1.0, 6.0, 9.5])
    assert codes.dtype == np.uint8


@pytest.mark.parametrize("num_clusters", [2, 16, 32])
def test_is_the_k_means_of_scikit_learn(num_clusters):
    # No centre is without values: these would be put elsewhere there.
    values = np.random.default_rng(0).random(3000) ** 1.5
    codes, centers = clustering.cluster(values, num_clusters)
    start = np.linspace(values.min(), values.max(), num_clusters)
    reference = sklearn_cluster.KMeans(
        num_clusters, init=start[:, np.newaxis], n_init=1, tol=0, max_iter=300
    ).fit(values[:, np.newaxis])
    error = np.sum((centers[codes] - values) ** 2)
    np.testing.assert_allclose(error, reference.inertia_, rtol=1e-3)
    np.testing.assert_allclose(
        centers, np.sort(reference.cluster_centers_[:, 0]), atol=2e-3
    )


def test_each_value_has_the_nearest_centre_and_each_centre_is_a_mean():
    values = np.random.default_rng(1).standard_t(3, 2000)
    codes, centers = clustering.cluster(values, 16)
    distances = np.abs(values[:, np.newaxis] - centers)
    np.testing.assert_array_equal(codes, distances.argmin(1))
    for code, center in enumerate(centers):
        np.testing.assert_allclose(values[codes == code].mean(), center)


def test_few_values_are_kept_as_they_are():
    values = np.array([3.0, -1.0, 3.0, 7.0, -1.0])
    codes, centers = clustering.cluster(values, 256)
    np.testing.assert_allclose(centers, [-1, 3, 7])
    np.testing.assert_allclose(centers[codes], values)
    codes, centers = clustering.cluster(np.full(5, 2.5), 16)
    np.testing.assert_array_equal(centers[codes], np.full(5, 2.5))
    assert len(centers) == 1


@pytest.mark.parametrize("number", [1, 257])
def test_wrong_numbers_of_clusters_are_refused(number):
    with pytest.raises(
        ValueError,
        match=f"expected 2 to 256 clusters. Received: num_clusters={number}",
    ):
        clustering.cluster(np.arange(3.0), number)


@pytest.mark.parametrize(
    ("values", "received"),
    [
        ([], r"shape=\[0\], not finite: 0"),
        ([1.0, np.nan, np.inf], r"shape=\[3\], not finite: 2"),
    ],
)
def test_values_that_are_none_are_refused(values, received):
    with pytest.raises(
        ValueError,
        match=f"expected finite values, one or more. Received: {received}",
    ):
        clustering.cluster(np.array(values), 2)
