"""Tests of how the form of each projection is chosen."""

import pytest

from yt8m_compact import structures
from yt8m_compact.inference.exports import projection_export

AUTO = projection_export.ProjectionExport.AUTO
DFT, DENSE = structures.ProductForm.DFT, structures.ProductForm.DENSE


@pytest.mark.parametrize("name", ["fft", "dft", "dense"])
def test_all_alike(name):
    export = projection_export.ProjectionExport(name)
    form = export.form_of(structures.Circulant(), 7, 3)
    assert form is structures.ProductForm(name)


@pytest.mark.parametrize(
    ("text", "input_dim", "units", "form"),
    [
        # 12 weights for a matrix; its transform takes more.
        ("circulant", 4, 3, DENSE),
        ("circulant", 1024, 512, DFT),
        ("diagonal_circulant", 1152, 3862, DFT),
        ("low_rank(rank=8)", 100, 100, DFT),
        # Factors of more values than the matrix.
        ("low_rank(rank=60)", 100, 100, DENSE),
        # Written out anyway.
        ("dense", 100, 100, DENSE),
        ("hashed", 100, 100, DENSE),
    ],
)
def test_auto_is_the_smaller_one(text, input_dim, units, form):
    structure = structures.get(text)
    assert AUTO.form_of(structure, input_dim, units) is form


def test_the_bytes_of_a_product():
    # The factors, and nothing else but sizes.
    count = projection_export.dft_bytes(structures.LowRank(8), 100, 60)
    assert 4 * 8 * 160 <= count < 4 * 8 * 160 + 100
    # Half a spectrum in stages of 32 x 32, a diagonal, two matrices of 34 x 32,
    # one of 64 x 64, and 17 x 32 pairs of factors.
    values = 2 * 17 * 32 + 1024 + 2 * 34 * 32 + 64 * 64 + 2 * 17 * 32
    count = projection_export.dft_bytes(
        structures.DiagonalCirculant(), 1024, 1024
    )
    assert 4 * values <= count < 4 * values + 300
