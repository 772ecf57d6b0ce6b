"""Tests of finding videos by their ids."""

import numpy as np
import pytest

from yt8m_compact.readers import id_index

IDS = [b"bb", b"a", b"a" * 16, b"a" * 15, b"b\0", b"x" * 4999, "é".encode()]


@pytest.mark.parametrize("number", [0, 1, len(IDS)])
def test_find(number):
    index = id_index.IdIndex(id_index.keys_of(IDS[:number]))
    assert len(index) == number
    places, found = index.find([*IDS, b"zz", b"b"])
    assert found.tolist() == [
        *(row < number for row in range(len(IDS))),
        False,
        False,
    ]
    rows = index.order[places[found]] if number else np.array([])
    assert rows.tolist() == list(range(number))


def test_repeated():
    index = id_index.IdIndex(id_index.keys_of([b"b", b"a", b"b", b"c", b"b"]))
    assert index.repeated().tolist() == [1, 2]
    assert index.order.tolist() == [1, 0, 2, 4, 3]


def test_an_id_takes_at_most_16_bytes():
    assert id_index.keys_of(IDS).dtype.itemsize == 16
    assert id_index.keys_of(IDS[:2]).dtype.itemsize == 2
