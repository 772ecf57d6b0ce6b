"""Tests of transforms by products of small matrices, against NumPy's."""

import numpy as np
import pytest
import tensorflow as tf

from yt8m_compact.ops import portable_transforms

# One value, two, small and large primes, and products of all kinds.
LENGTHS = (1, 2, 3, 7, 12, 128, 251, 504, 1024, 1152, 2310)


def transform(x: np.ndarray, length: int) -> np.ndarray:
    spectrum = portable_transforms.real_dft(tf.constant(x), length)
    return spectrum.real.numpy() + 1j * spectrum.imag.numpy()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("share", [1, 0.4])
def test_spectra_are_those_of_numpy(length, share):
    size = max(1, round(share * length))
    x = np.random.default_rng(0).standard_normal((3, size))
    frequencies = portable_transforms.stages(length).frequencies()
    expected = np.fft.fft(x, length)[:, frequencies]
    np.testing.assert_allclose(transform(x, length), expected, atol=1e-11)
    # With their conjugates, they are all that there are.
    both = np.concatenate([frequencies, -frequencies % length])
    assert set(both) == set(range(length))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_inverse_gives_the_values(length, dtype):
    x = np.random.default_rng(1).standard_normal((2, length)).astype(dtype)
    spectrum = portable_transforms.real_dft(tf.constant(x), length)
    tolerance = {"float32": 3e-6, "float64": 1e-13}[dtype]
    for keep in {1, (length + 1) // 2, length}:
        back = portable_transforms.inverse_real_dft(spectrum, length, keep)
        assert back.dtype == dtype
        np.testing.assert_allclose(
            back, x[:, :keep], rtol=0, atol=tolerance * np.abs(x).max()
        )


@pytest.mark.parametrize(
    "sizes", [(6,), (2, 3), (3, 2), (5, 2, 3), (2, 7, 3, 2), (4, 2, 2, 3)]
)
def test_any_split_is_the_same_transform(sizes, monkeypatch):
    stages = portable_transforms.Stages(sizes)
    monkeypatch.setattr(portable_transforms, "stages", lambda length: stages)
    x = np.random.default_rng(2).standard_normal((4, stages.length))
    expected = np.fft.fft(x)[:, stages.frequencies()]
    assert expected.shape[1] == stages.num_frequencies
    result = transform(x, stages.length)
    np.testing.assert_allclose(result, expected, atol=1e-12)
    spectrum = portable_transforms.Spectrum(
        tf.constant(expected.real), tf.constant(expected.imag)
    )
    back = portable_transforms.inverse_real_dft(
        spectrum, stages.length, stages.length
    )
    np.testing.assert_allclose(back, x, atol=1e-13)


def test_the_count_of_bytes_is_that_of_the_constants():
    stages = portable_transforms.Stages((6, 4, 2))
    # 4 of 6 frequencies, both parts, there and back; 4 x 8 factors and a
    # matrix of 8 x 8; 4 x 2 factors and one of 4 x 4. Factors are pairs.
    count = 2 * 2 * 4 * 6 + 2 * 4 * 8 + 8 * 8 + 2 * 4 * 2 + 4 * 4
    assert stages.constant_bytes == 4 * count
    # 8 transforms of 6 values; 4 x 2 ones of 4 pairs; 16 of 2 pairs; and four
    # products a factor.
    count = 8 * 8 * 6 + 8 * 8 * 8 + 16 * 4 * 4 + 2 * 4 * 32
    assert stages.multiply_adds == count


def test_small_constants_for_a_length_of_small_factors():
    # Written out, 4 MB; as 32 x 32, 26 kB.
    assert portable_transforms.stages(1024).constant_bytes < 30_000
    assert portable_transforms.stages(8192).constant_bytes < 80_000
    assert portable_transforms.stages(251).sizes == (251,)
