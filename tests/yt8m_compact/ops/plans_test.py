"""Tests of the choice of algorithms."""

import pytest

from yt8m_compact import ops
from yt8m_compact.ops import plans


@pytest.mark.parametrize(
    ("input_dim", "units"),
    [(1024, 8192), (8192, 512), (1024, 19310), (1152, 1152), (512, 512)],
)
def test_large_circulants_are_multiplied_by_transforms(input_dim, units):
    plan = ops.plan_circulant(input_dim, units, input_dim)
    assert (plan.dense, plan.length) == (False, input_dim)
    assert plan.input_blocks == 1
    assert plan.output_blocks == -(-units // input_dim)
    assert plan.multiply_adds < input_dim * units / 10


@pytest.mark.parametrize(
    ("input_dim", "units"), [(1, 1), (7, 300), (128, 4096), (128, 128)]
)
def test_small_circulants_are_multiplied_as_dense_matrices(input_dim, units):
    plan = ops.plan_circulant(input_dim, units, input_dim)
    assert plan.dense
    assert plan.multiply_adds == input_dim * units


def test_few_outputs_of_a_long_input_take_shorter_transforms():
    plan = ops.plan_circulant(65_536, 512, 65_536)
    assert not plan.dense
    assert plan.length < 10_000
    assert plan.input_blocks > 1
    # Parts of the input and the outputs wanted fit into a transform.
    assert plan.input_block + 512 - 1 <= plan.length


def test_transforms_of_an_awkward_length_are_avoided():
    # 7919 is a prime.
    for units in (7919, 20_000):
        plan = ops.plan_circulant(7919, units, 7919)
        assert plan.length >= 2 * 7919 - 1
        assert plan.length % 2 == 0


def test_multiply_adds_of_transforms():
    # Two transforms of 1024, 1.25 n log2 n, and 513 products of 4.
    plan = plans.Plan(1024, 1024, 1024, 1024, 1024)
    assert plan.multiply_adds == 2 * 12_800 + 4 * 513
    # A diagonal for each of 8 blocks: each its transforms and 1024 more.
    each = 2 * 12_800 + 4 * 513 + 1024
    assert (
        ops.diagonal_circulant_multiply_adds(1024, 8192, 1024, 1, 8) == 8 * each
    )
    # Shared: one transform of the input and one diagonal.
    assert ops.diagonal_circulant_multiply_adds(
        1024, 8192, 1024, 1, 1
    ) == 8 * each - 7 * (12_800 + 1024)
    # Of two factors, only the first diagonal and transform are shared.
    assert ops.diagonal_circulant_multiply_adds(
        1024, 8192, 1024, 2, 1
    ) == 16 * each - 7 * (12_800 + 1024)


def test_blocks_in_blocks():
    # Blocks of 1 are a dense matrix, and small matrices are faster as one.
    assert ops.plan_block_circulant(1024, 8192, 1).dense
    assert ops.plan_block_circulant(64, 64, 4).dense
    plan = ops.plan_block_circulant(1024, 8192, 256)
    assert (plan.dense, plan.input_blocks, plan.output_blocks) == (False, 4, 32)
    # 36 transforms of 256 and 4 * 32 products of 129 values.
    assert plan.multiply_adds == 36 * 2560 + 128 * 4 * 129


def test_few_values():
    # 30 frames and 8,192 clusters; a batch of 64 such videos; and one of which
    # nobody knows how many there are.
    assert ops.few_values(30, 8192)
    assert not ops.few_values(64 * 30, 8192)
    assert not ops.few_values(None, 1)
