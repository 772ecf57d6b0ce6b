"""Tests of how the constants of files of other runtimes are stored."""

import os

import keras
import numpy as np
import pytest

import tiny_runs
from yt8m_compact import models
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import projection_export

DENSE = projection_export.ProjectionExport.DENSE
# By the file that holds the constants.
FORMATS = {"model.onnx": onnx, "model.bin": openvino}
UNITS = 600


@pytest.fixture(scope="module")
def run():
    """A model of 9 x 600 and 600 x 5 weights, the first of signs."""
    config = tiny_runs.video_config(
        "none",
        models.MlpConfig(
            mlp_hidden_size=UNITS,
            hidden_projection="dense@binary",
            classifier_projection="dense",
        ),
    )
    keras.utils.set_random_seed(0)
    model = config.build_model()
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.shape in [(UNITS,), (5,)]:
            weight.assign(0.5 + rng.random(weight.shape))
    return companions.About(config, 3), model


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("precision", "bits"), [("float32", 32), ("float16", 16), ("int8", 8)]
)
def test_bits_of_their_own_and_few_others(name, precision, bits, run, tmp_path):
    about, model = run
    saved = FORMATS[name].save(
        str(tmp_path / "export"),
        about,
        model,
        DENSE,
        1,
        export_precision.ExportPrecision(precision),
    )
    # The signs, with a scale of 16 bits for each column and a table of bytes;
    # the classifier, with such scales; what the norm amounts to, in two
    # vectors of as many bits, which are too short to be worth the XML of
    # OpenVINO; and 5 biases.
    in_bits = (5 if name == "model.bin" else 7) * UNITS
    expected = 9 * UNITS / 8 + 2 * UNITS + 8 * 256
    expected += bits / 8 * in_bits + 4 * (7 * UNITS - in_bits)
    if precision == "int8":
        expected += 2 * 5
    size = os.path.getsize(tmp_path / "export" / name)
    assert expected <= size < expected + 5000
    assert f"bits of their own: {9 * UNITS:,} values" in saved.lines
    line = f"{precision}: 100.0% of {in_bits:,} values"
    assert (line in saved.lines) == (precision != "float32")
    assert saved.difference < {32: 1e-5, 16: 1e-3, 8: 1e-2}[bits]
    opened = artefacts.load(str(tmp_path / "export"))[1]
    inputs = np.random.default_rng(0).standard_normal((3, 9))
    inputs = {"features": inputs.astype(np.float32)}
    np.testing.assert_allclose(
        opened.predict_each(inputs),
        model(inputs, training=False),
        rtol=0,
        atol={32: 1e-5, 16: 1e-3, 8: 1e-2}[bits],
    )
