"""Tests of cutting a side of a matrix into blocks."""

import pytest

from yt8m_compact.structures import partition


@pytest.mark.parametrize(
    ("size", "count", "expected"),
    [
        (12, 3, (3, 4)),
        (12, 12, (12, 1)),
        (7, 3, (3, 3)),
        # Four blocks of 2 would have an empty one.
        (5, 4, (3, 2)),
        (5, 100, (5, 1)),
        (1, 1, (1, 1)),
    ],
)
def test_blocks(size, count, expected):
    assert partition.blocks_of(size, count) == expected


@pytest.mark.parametrize(
    ("size", "target", "expected"),
    [
        # 33.9 / 32 is 1.059, 36 / 33.9 is 1.062.
        (1152, 33.9, 32),
        (1024, 11.3, 8),
        (1024, 12, 16),
        # A prime, and twice one, have no divisor near.
        (251, 15.8, 16),
        (502, 22.4, 22),
        (12, 0.2, 1),
        (12, 100, 12),
        (1, 1, 1),
    ],
)
def test_near_divisor(size, target, expected):
    assert partition.near_divisor(size, target) == expected
