"""Tests of the choice of forms by bytes and time."""

import re

import keras
import numpy as np
import pytest

import tiny_runs
from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import measured_forms
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export

DFT, DENSE = structures.ProductForm.DFT, structures.ProductForm.DENSE
# 4 * 100 * 100 bytes as a matrix; so many as factors, of 200 * rank values.
_CLOSE = structures.LowRank(45)  # 36,000 bytes
_FAR = structures.LowRank(30)  # 24,000 bytes


@pytest.mark.parametrize(
    ("structure", "milliseconds", "form"),
    [
        (_CLOSE, {DFT: 1.0, DENSE: 2.0}, DFT),
        (_CLOSE, {DFT: 2.0, DENSE: 1.0}, DENSE),
        # Too many bytes more, however fast; not even measured.
        (_FAR, None, DFT),
        (structures.LowRank(80), None, DENSE),
        (structures.Dense(), None, DENSE),
    ],
)
def test_bytes_then_time(structure, milliseconds, form, monkeypatch):
    asked = []

    def measure(self, structure, input_dim, units):
        asked.append((input_dim, units))
        return milliseconds

    monkeypatch.setattr(measured_forms.MeasuredForms, "_measure", measure)
    forms = measured_forms.MeasuredForms(1, None)
    assert forms.form_of(structure, 100, 100) is form
    assert forms.form_of(structure, 100, 100) is form
    assert asked == ([(100, 100)] if milliseconds else [])
    choice = forms.choices[structure, 100, 100]
    assert choice.form is form
    assert choice.num_bytes[DENSE] == 40_000


@pytest.mark.slow
@pytest.mark.parametrize("kind", [litert, onnx, openvino])
def test_times_of_files(kind):
    # Asked for within the tracing of a model, as it will be.
    features = keras.Input([100], name="features")
    layer = layers.Projection(100, _CLOSE, name="hidden")
    model = keras.Model({"features": features}, layer(features))
    config = tiny_runs.video_config("none")
    made = prepared.prepare(
        companions.About(config, 1),
        model,
        projection_export.ProjectionExport.AUTO,
        1,
        None,
        kind.open_function,
    )
    opened = kind.open_function(made.function)
    np.testing.assert_allclose(
        opened.predict_each(made.inputs), model(made.inputs), atol=1e-5
    )
    # Of this runtime: each form was measured, and the faster one is written.
    (line,) = made.lines
    found = re.fullmatch(
        r"hidden, low_rank\(rank=45\): (dft|dense), [\d,]+ bytes ([\d.]+) ms "
        r"\((dft|dense) [\d,]+ bytes ([\d.]+) ms\), in float32",
        line,
    )
    assert {found[1], found[3]} == {"dft", "dense"}
    assert 0 < float(found[2]) <= float(found[4]) < 100
    assert " 40,000 bytes " in line


def test_text():
    choice = measured_forms.Choice(DFT, {DFT: 1200, DENSE: 4_000_000}, {})
    assert str(choice) == "dft, 1,200 bytes (dense 4,000,000 bytes)"
    choice = measured_forms.Choice(
        DENSE, {DFT: 900, DENSE: 1000}, {DFT: 0.25, DENSE: 0.0314}
    )
    assert str(choice) == (
        "dense, 1,000 bytes 0.031 ms (dft 900 bytes 0.250 ms)"
    )
