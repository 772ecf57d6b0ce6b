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
    assert segment_map.rank(BEST, RATINGS, k).result() == {
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
        found = segment_map.rank(best.items(), table, k).result()
        expected = starter_code_map(best, ratings, k)
        assert found["map_at_k"] == pytest.approx(expected)


def test_draws_by_hand():
    # The videos a, b and c, drawn 1, 1, 1; 2, 1, 0; 0, 3, 0; 0, 0, 3 times.
    counts = np.array([[1, 2, 0, 0], [1, 1, 3, 0], [1, 0, 0, 3]], np.uint8)
    found = segment_map.rank(BEST, RATINGS, 7).draw(counts)
    expected = [
        ((1 / 2 + 2 / 3 + 3 / 4) / 3 + 1 + 0) / 3,
        # Of class 7: a:5 no and a:0 yes twice, b:0 yes; of class 2, a:0 twice;
        # of class 4, b:5 is not listed.
        ((2 * 2 / 4 + 3 / 5) / 3 + 1 + 0) / 3,
        # b:0 of class 7 three times, and class 4; no segment has class 2.
        (1 + 0) / 2,
        1,
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    # c:5 is the seventh of class 7, and not among six however it is drawn.
    found = segment_map.rank(BEST, RATINGS, 6).draw(counts)
    assert found[3] == 0


def test_draws_are_map_at_k_of_the_videos_that_were_drawn():
    rng = np.random.default_rng(1)
    videos = [b"v%02d" % number for number in rng.permutation(20)]
    segments = [b"%s:%d" % (video, s) for video in videos for s in (0, 5, 10)]
    ratings = {
        (segments[row], label): bool(rng.random() < 0.4)
        for label in range(4)
        for row in rng.choice(60, 25, replace=False)
    }
    best = {c: [segments[row] for row in rng.permutation(60)] for c in range(4)}
    table = make_ratings(*((s, c, v) for (s, c), v in ratings.items()))
    counts = rng.multinomial(20, [1 / 20] * 20, size=30).T
    draws = segment_map.rank(best.items(), table, 60).draw(counts)
    for draw, times in zip(draws, counts.T, strict=True):
        number_of = dict(zip(sorted(videos), times.tolist(), strict=True))
        precisions = []
        for label, listed in best.items():
            drawn = {s: number_of[s.partition(b":")[0]] for s in listed}
            places, hits, total = 0, 0, 0.0
            for segment in listed:
                if (segment, label) in ratings:
                    places += drawn[segment]
                    if ratings[segment, label] and drawn[segment]:
                        hits += drawn[segment]
                        total += drawn[segment] * hits / places
            if hits:
                precisions.append(total / hits)
        assert draw == pytest.approx(np.mean(precisions), abs=1e-12)


def test_what_is_refused():
    none = make_ratings((b"a:0", 7, False))
    with pytest.raises(
        ValueError, match="ratings: expected a class that is in"
    ):
        segment_map.rank(BEST, none, 7)
    with pytest.raises(ValueError, match="segments that are rated in ratings"):
        segment_map.rank([(7, [b"x:0"])], RATINGS, 7)
