"""Tests of entropy-coded sizes."""

import heapq
import math

import numpy as np
import pytest

from yt8m_compact.compression import entropy


def entropy_bytes(codes: np.ndarray) -> float:
    """Shannon's bound, from how often each value comes."""
    counts = np.unique(codes, return_counts=True)[1]
    bits = -np.sum(counts * np.log2(counts / codes.size))
    return bits / 8


def huffman_bytes(codes: np.ndarray) -> float:
    """Huffman's: each time two of the rarest become one, a bit longer."""
    heap = np.unique(codes, return_counts=True)[1].tolist()
    heapq.heapify(heap)
    bits = 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        bits += both
        heapq.heappush(heap, both)
    return bits / 8


@pytest.mark.parametrize("num_codes", [2, 5, 16, 32, 200])
def test_codes_take_about_what_huffman_codes_do(num_codes):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(num_codes))
    codes = rng.choice(num_codes, 200_000, p=shares).astype(np.uint8)
    size = entropy.coded_bytes(codes)
    # Not below what is possible; a table every 32,000 codes above Huffman's.
    assert 0.999 * entropy_bytes(codes) < size < 1.03 * huffman_bytes(codes)


def test_rare_values_take_less_than_a_bit_each():
    # A Huffman code has a bit at least; LZMA has not. Entropy: .08 bits.
    codes = np.random.default_rng(0).random(400_000) < 0.01
    size = entropy.coded_bytes(codes)
    bound = entropy_bytes(codes)
    assert math.isclose(bound, 400_000 / 8 * 0.0808, rel_tol=0.05)
    assert bound < size < huffman_bytes(codes) / 5
    assert huffman_bytes(codes) == 400_000 / 8


def test_few_values_that_are_as_frequent_take_their_bits():
    # Two bits each of 1000, and four float64.
    values = np.random.default_rng(0).permutation(
        np.repeat([1.5, 2, 3, 7], 250)
    )
    assert entropy.coded_bytes(values) == 250 + 32


def test_exponents_of_floats_are_coded():
    # Of 32 bits, 24 are random: sign and mantissa. What is left of 8 bits of
    # the exponent of a normal variable is about 2.5 bits.
    values = np.random.default_rng(0).standard_normal(100_000)
    values = values.astype(np.float32)
    size = entropy.coded_bytes(values)
    assert 24 / 32 * values.nbytes < size < 28.5 / 32 * values.nbytes


def test_order_and_shape_do_not_count_but_repetition_does():
    values = np.random.default_rng(0).standard_normal((64, 50))
    size = entropy.coded_bytes(values)
    assert entropy.coded_bytes(values.reshape(-1)) == size
    assert entropy.coded_bytes(np.asfortranarray(values)) == size
    assert entropy.coded_bytes(np.tile(values, (10, 1))) < 1.2 * size


def test_nothing_takes_nothing():
    assert entropy.coded_bytes(np.zeros([0, 3])) == 0
    # 400,000 bytes of zeros.
    assert entropy.coded_bytes(np.zeros(100_000, np.float32)) < 200


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None])])
def test_other_arrays_are_refused(array):
    with pytest.raises(
        ValueError,
        match="expected an array of numbers or bools. Received: dtype="
        f"{array.dtype}",
    ):
        entropy.coded_bytes(array)
