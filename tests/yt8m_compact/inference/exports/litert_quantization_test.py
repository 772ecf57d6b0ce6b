"""Tests of how constants are stored in as few bits as scores bear."""

import sys

import keras
import numpy as np
import pytest

from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import few_bits
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import litert_constants
from yt8m_compact.inference.exports import litert_quantization
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

FLOAT32, FLOAT16, INT8, INT4 = export_precision.ExportPrecision
Level = few_bits.Level


def make_content(sizes):
    """Writes a model of dense layers; returns it with inputs and its scores."""
    keras.utils.set_random_seed(0)
    x = features = keras.Input([sizes[0]], name="features")
    for size in sizes[1:]:
        x = keras.layers.Dense(size, "sigmoid")(x)
    model = keras.Model({"features": features}, x)
    specs = portable_function.input_specs(model, 1, None)
    function = portable_function.make_portable_function(
        model, specs, projection_export.ProjectionExport.AUTO
    )
    inputs = portable_function.draw_inputs(specs)
    expected = model(inputs, training=False).numpy()
    return litert.convert(function), inputs, expected


@pytest.fixture(scope="module")
def small():
    return make_content([64, 32, 40])


@pytest.fixture(scope="module")
def large():
    return make_content([256, 256, 40])


def choose(content, *arguments):
    file = litert_quantization.LiteRtFile(content)
    return few_bits.choose(file, *arguments)


def difference(content, inputs, expected):
    model = artefacts.LiteRtModel.from_content(content)
    return float(np.abs(model.predict_each(inputs) - expected).max())


@pytest.mark.parametrize(
    ("precision", "factor", "bound"),
    [(FLOAT16, 2, 1e-3), (INT8, 4, 0.02), (INT4, 8, 0.2)],
)
def test_all_is_stored_where_scores_bear_it(precision, factor, bound, small):
    content, inputs, expected = small
    stored, choice = choose(content, precision, lambda content: 0.0)
    assert set(choice.levels.values()) == {Level(precision)}
    assert choice.to_lines() == [f"{precision}: 100.0% of 3,328 values"]
    # 64 x 32 and 32 x 40 weights, less what says how and the scales.
    saved = len(content) - len(stored)
    most = 4 * 3328 * (1 - 1 / factor)
    assert most - 2000 < saved < most
    assert 0 < difference(stored, inputs, expected) < bound
    assert stored == litert_quantization.store_all(content, precision)


def test_what_loses_most_for_its_bytes_is_kept_in_more_bits(small):
    content, _, _ = small
    original = litert_constants.LiteRtGraph(content)
    offsets = original.offsets()
    before = {
        key: constant.values
        for key, constant in original.constants().items()
        if constant.values.size in (2048, 1280)
    }
    first, second = sorted(before, key=lambda key: -before[key].size)

    def measure(content):
        # The first loses a lot by any rounding below 16 bits; the second none.
        values = np.frombuffer(
            content, np.float32, before[first].size, offsets[first]
        )
        error = np.abs(values - before[first].ravel()).max()
        return 1.0 if error > 5e-4 else 0.0

    stored, choice = choose(content, INT4, measure)
    assert choice.levels == {first: Level.FLOAT16, second: Level.INT4}
    first_line, second_line, kept = choice.to_lines()
    assert first_line == "int4: 38.5% of 3,328 values"
    assert second_line == "float16: 61.5% of 3,328 values"
    assert kept.startswith("float16 in ")
    counts = litert_constants.LiteRtGraph(stored).operators()
    assert counts.count("DEQUANTIZE") == 2


def test_nothing_is_stored_where_scores_bear_nothing(small):
    content, inputs, expected = small
    stored, choice = choose(content, FLOAT16, lambda content: 1.0)
    assert set(choice.levels.values()) == {Level.FLOAT32}
    assert difference(stored, inputs, expected) < 1e-5


def test_fixed_constants_are_left(small):
    content, _, _ = small
    keys = litert_constants.LiteRtGraph(content).constants()
    stored, choice = choose(content, INT8, lambda content: 0.0, keys)
    assert not choice.levels and not choice.to_lines()
    assert len(stored) == pytest.approx(len(content), abs=200)


@pytest.mark.parametrize("precision", [INT8, INT4])
def test_large_products_are_of_whole_numbers(precision, large):
    content, inputs, expected = large
    stored = litert_quantization.store_all(content, precision)
    operators = litert_constants.LiteRtGraph(stored).operators()
    # That of 256 x 256 takes its codes as they are; that of 256 x 40 floats.
    assert operators.count("DEQUANTIZE") == 1
    assert operators.count("FULLY_CONNECTED") == 2
    bits = {INT8: 8, INT4: 4}[precision]
    assert len(content) - len(stored) > 65536 * (4 - bits / 8)
    assert 0 < difference(stored, inputs, expected) < 0.1


def test_without_the_quantizer(large, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer.quantizer", None)
    message = (
        r"expected ai-edge-quantizer for products of whole numbers: pip "
        r'install "yt8m-compact\[export\]". Received: ModuleNotFoundError'
    )
    with pytest.raises(ValueError, match=message):
        litert_quantization.store_all(large[0], INT8)


def test_nothing_is_said_of_constants_that_are_stored_before(large, recwarn):
    # The last layer is decoded, the first is multiplied by in whole numbers.
    content, _, _ = large
    litert_quantization.store_all(content, INT8)
    assert not [str(w.message) for w in recwarn if "quantiz" in str(w.message)]
