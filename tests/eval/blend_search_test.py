"""Tests of the search for the weights of an ensemble."""

import numpy as np
import pytest

from yt8m_compact.eval import average_precision
from yt8m_compact.eval import blend_search


def make_models(num_videos=400, num_classes=12, num_models=3, seed=0):
    """Makes labels, and models that know them with errors of their own."""
    rng = np.random.default_rng(seed)
    labels = rng.random([num_videos, num_classes]) < 0.2
    noise = rng.normal(size=[num_models, num_videos, num_classes])
    # The last one knows nothing.
    skill = np.array([2.0, 1.4] + [0.0] * (num_models - 2))
    logits = skill[:, None, None] * (labels - 0.5) + noise
    return (1 / (1 + np.exp(-logits))).astype(np.float32), labels


def gap_of(predictions, labels, top_k):
    """Computes GAP of all classes, of which the `top_k` best count."""
    order = np.argsort(-predictions, axis=1)[:, :top_k]
    scores = np.take_along_axis(predictions, order, axis=1)
    hits = np.take_along_axis(labels, order, axis=1)
    return average_precision.average_precision(
        scores.ravel(), scores[hits], int(labels.sum())
    )


def make_search(predictions, labels, **kwargs):
    search = blend_search.BlendSearch(
        len(predictions), len(labels), **{"top_k": 12, **kwargs}
    )
    ids = [b"%d" % number for number in range(len(labels))]
    for part in (slice(0, 150), slice(150, None)):
        search.add(ids[part], predictions[:, part], labels[part])
    return search


@pytest.mark.parametrize("weights", [[1, 0, 0], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
def test_gap_is_that_of_the_mean(weights):
    predictions, labels = make_models()
    search = make_search(predictions, labels)
    blended = np.tensordot(weights, predictions, axes=1).astype(np.float32)
    assert search.gap(weights) == pytest.approx(gap_of(blended, labels, 12))


def test_gap_of_the_first_classes():
    # Of single models exact, where fewer classes count than there are.
    predictions, labels = make_models()
    search = make_search(predictions, labels, top_k=3)
    for model in range(3):
        weights = np.eye(3)[model]
        expected = gap_of(predictions[model], labels, 3)
        assert search.gap(weights) == pytest.approx(expected)


def test_search_finds_the_best_of_a_grid():
    predictions, labels = make_models()
    search = make_search(predictions, labels)
    weights, gap = search.search()
    assert sum(weights) == pytest.approx(1)
    assert min(weights) >= 0
    grid = [
        (a / 20, b / 20, (20 - a - b) / 20)
        for a in range(21)
        for b in range(21 - a)
    ]
    best = max(map(search.gap, grid))
    assert gap == search.gap(weights) >= best - 1e-4
    # Two models with errors of their own are better than one, and noise helps
    # nobody.
    singles = [search.gap(one) for one in np.eye(3)]
    assert gap > max(singles) + 0.01
    assert weights[0] > weights[1] > 0.1
    assert weights[2] < 0.1


def test_seeded():
    predictions, labels = make_models(num_models=4)
    results = [
        make_search(predictions, labels, seed=seed).search() for seed in (3, 3)
    ]
    assert results[0] == results[1]


def test_of_one_model():
    predictions, labels = make_models()
    weights, gap = make_search(predictions[:1], labels).search()
    assert weights == [1]
    assert gap == pytest.approx(gap_of(predictions[0], labels, 12))


def test_a_sample_does_not_depend_on_order():
    predictions, labels = make_models(num_videos=2000)
    ids = [b"%d" % number for number in range(2000)]
    found = []
    for order in (np.arange(2000), np.arange(2000)[::-1]):
        search = blend_search.BlendSearch(3, 2000, max_videos=500)
        search.add(
            [ids[i] for i in order], predictions[:, order], labels[order]
        )
        found.append((search.num_videos, *search.search()))
    assert found[0] == found[1]
    assert 400 < found[0][0] < 600


def test_without_labels():
    predictions, labels = make_models()
    search = make_search(predictions, np.zeros_like(labels))
    with pytest.raises(
        ValueError, match="one label in the videos of the searc"
    ):
        search.search()
    search = blend_search.BlendSearch(2, 0)
    with pytest.raises(ValueError, match="Received: num_videos=0, without any"):
        search.search()


@pytest.mark.parametrize("weights", [[1 / 3] * 3, [0.005, 0.995], [1.0]])
def test_hundredths(weights):
    found = blend_search._hundredths(np.array(weights))
    assert sum(found) == 100
    assert np.abs(np.array(found) / 100 - weights).max() <= 0.01
