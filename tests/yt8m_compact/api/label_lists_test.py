"""Tests of labels in their forms."""

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from yt8m_compact.api import label_lists

_DENSE = np.array([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]])
_LISTS = [[3, 1], [], [0]]


@pytest.mark.parametrize(
    "labels",
    [
        _DENSE,
        _DENSE.astype(bool),
        _DENSE.astype(np.float32),
        tf.constant(_DENSE),
        scipy.sparse.csr_matrix(_DENSE),
        _LISTS,
        tuple(map(tuple, _LISTS)),
        [np.array(row, np.int32) for row in _LISTS],
        np.array([np.array(row) for row in _LISTS], dtype=object),
        tf.ragged.constant(_LISTS),
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_every_form_is_the_same(labels):
    found = label_lists.read_labels(labels, num_classes=4, num_videos=3)
    assert found.classes.tolist() == [1, 3, 0]
    assert found.splits.tolist() == [0, 2, 2, 3]
    assert len(found) == 3
    assert [found.of_video(i).tolist() for i in range(3)] == [[1, 3], [], [0]]
    np.testing.assert_array_equal(found.to_dense(0, 3), _DENSE)
    np.testing.assert_array_equal(found.to_dense(1, 9), _DENSE[1:])


def test_number_of_classes_as_the_labels_show():
    assert label_lists.read_labels(_DENSE).num_classes == 4
    assert label_lists.read_labels([[2], [0, 1]]).num_classes == 3
    assert label_lists.read_labels([[], []]).num_classes == 0


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("0,1", "expected y to be an array of 0 and 1, .* Received: y='0,1'"),
        (3, "Received: y=3"),
        (_DENSE[:2], r"expected y of 3 videos, .* Received: len\(y\)=2"),
        (_DENSE[:, :3], r"\[videos, 4\].* Received: y.shape=\[3, 3\]"),
        (np.array([0, 1, 2]), r"list of its classes. Received: y.shape=\[3\]"),
        (_DENSE.astype(str), "expected y of numbers, .* y.dtype=<U"),
        (_DENSE * 2, r"expected y that are 0 or 1. Received: y\[0, 1\]=2"),
        (_DENSE - 1, r"Received: y\[0, 0\]=-1"),
        (np.where(_DENSE, np.nan, 0.0), r"Received: y\[0, 1\]=nan"),
        ([[0], [4], [1]], r"classes from 0 to 3 in y\[1\]. Received: \[4\]"),
        ([[0], [1], [-1]], r"classes from 0 to 3 in y\[2\]. Received: \[-1\]"),
        ([[0], [0.5], [1]], r"expected y\[1\] to be a list of classes"),
        ([[0], ["Game"], [1]], r"whole numbers. Received: \['Game'\]"),
        ([[0], 1, [1]], r"expected y\[1\] to be a list of classes.*: 1"),
        ([[0], [[1], [1, 2]], [1]], r"expected y\[1\] to be a list of cl"),
        (
            [[0, 1, 0, 1], [0], [1]],
            r"each class once in y\[0\]; a matrix .* by np.array. Received: ",
        ),
    ],
)
def test_what_is_wrong_is_named(labels, message):
    with pytest.raises(ValueError, match=message):
        label_lists.read_labels(labels, num_classes=4, num_videos=3, name="y")


def test_a_negative_class_where_the_number_is_not_known():
    with pytest.raises(ValueError, match=r"from 0 on in labels\[0\]"):
        label_lists.read_labels([[-1]])
