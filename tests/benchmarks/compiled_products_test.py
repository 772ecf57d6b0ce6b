"""Tests of the benchmark of products that XLA compiles."""

from benchmarks import compiled_products
from yt8m_compact.layers import projection


def test_compiles_one_of_two_and_compares_them(capsys, monkeypatch):
    compiled = []
    original = projection._compiled_product
    monkeypatch.setattr(
        projection,
        "_compiled_product",
        lambda *args: compiled.append(str(args[0])) or original(*args),
    )
    compiled_products.main(
        ["--structures=circulant,fastfood", "--shapes=3x8x128", "--rounds=1"]
    )
    *_, circulant, fastfood = capsys.readouterr().out.splitlines()
    for line, structure in ((circulant, "circulant"), (fastfood, "fastfood")):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        assert cells[:2] == ["3x8x128", structure]
        assert min(map(float, cells[2:6])) > 0
        assert float(cells[8]) < 1e-5
        assert cells[9] == "no"  # too small
    assert compiled == ["circulant", "fastfood"]


def test_error_is_a_share_of_the_largest_value():
    one = compiled_products.Step("dense", 2, 3, 4, compiled=False)
    other = [2 * one.outputs[0], *one.outputs[1:]]
    assert compiled_products.error(other, one.outputs) == 1
    assert compiled_products.error(one.outputs, one.outputs) == 0
