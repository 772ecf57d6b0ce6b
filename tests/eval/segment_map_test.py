"""Tests of MAP@K of segments."""

import numpy as np
import pytest

from yt8m_compact import predictions
from yt8m_compact.eval import segment_map


def make_ratings(*ratings):
    segments, classes, positive = zip(*ratings, strict=True)
    return predictions.RatingTable(
        list(segments), np.array(classes), np.array(positive), where="ratings"
    )


# Class 7 is in a:0, b:0 and c:5, and not in a:5 and b:5; class 2 is in a:0;
# class 4 in b:5, which nobody lists; class 5 in none.
RATINGS = make_ratings(
    (b"a:0", 7, True),
    (b"a:5", 7, False),
    (b"b:0", 7, True),
    (b"b:5", 7, False),
    (b"c:5", 7, True),
    (b"a:0", 2, True),
    (b"b:5", 4, True),
    (b"a:0", 5, False),
)
BEST = [
    # x:0 and y:0 are not rated, and a:10 and c:0 of rated videos neither.
    (7, [b"x:0", b"a:5", b"a:0", b"a:10", b"b:0", b"c:0", b"c:5"]),
    (2, [b"y:0", b"a:0"]),
    (5, [b"a:0"]),
    (9, [b"a:0"]),
]


@pytest.mark.parametrize(
    ("k", "class_7", "class_2", "rated"),
    [
        # Rated are a:5 no, a:0 yes, b:0 yes, c:5 yes, of three in all.
        (7, (1 / 2 + 2 / 3 + 3 / 4) / 3, 1, 4 + 1 + 1),
        # The unrated ones fill places of the K: c:5 is the seventh.
        (6, (1 / 2 + 2 / 3) / 3, 1, 3 + 1 + 1),
        (3, (1 / 2) / 3, 1, 2 + 1 + 1),
        (1, 0, 0, 0 + 0 + 1),
    ],
)
def test_by_hand(k, class_7, class_2, rated):
    assert segment_map.segment_map(BEST, RATINGS, k) == {
        # Classes 7, 2 and 4, which is not listed; class 5 is in no segment.
        "map_at_k": pytest.approx((class_7 + class_2 + 0) / 3),
        "num_classes_with_positives": 3,
        "num_rated_listed": rated,
    }


def starter_code_map(best, ratings, k):
    """What segment_eval_inference.py computes, its loops written again."""
    precisions = []
    for label in sorted(best):
        rated = [s for s in best[label][:k] if (s, label) in ratings]
        positives = sum(v for (_, c), v in ratings.items() if c == label)
        hits, precision = 0, 0.0
        for place, segment in enumerate(rated, 1):
            if ratings[segment, label] > 0:
                hits += 1
                precision += hits / place / positives
        precisions.append(precision)
    return np.mean(precisions)


def test_as_the_starter_code():
    rng = np.random.default_rng(0)
    segments = [b"%d:%d" % (v, 5 * s) for v in range(30) for s in range(8)]
    ratings = {
        (segments[row], label): bool(rng.random() < 0.4)
        for label in range(6)
        for row in rng.choice(240, 60, replace=False)
    }
    best = {
        label: [segments[row] for row in rng.permutation(240)]
        for label in range(6)
    }
    table = make_ratings(*((s, c, v) for (s, c), v in ratings.items()))
    for k in (240, 100, 20):
        found = segment_map.segment_map(best.items(), table, k)
        expected = starter_code_map(best, ratings, k)
        assert found["map_at_k"] == pytest.approx(expected)


def test_what_is_refused():
    none = make_ratings((b"a:0", 7, False))
    with pytest.raises(
        ValueError, match="ratings: expected a class that is in"
    ):
        segment_map.segment_map(BEST, none, 7)
    with pytest.raises(ValueError, match="segments that are rated in ratings"):
        segment_map.segment_map([(7, [b"x:0"])], RATINGS, 7)
