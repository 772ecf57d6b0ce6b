"""Tests of the folder of a model in the files of another runtime."""

import dataclasses
import os
import re

import keras
import numpy as np
import pytest

import tiny_runs
from yt8m_compact import models
from yt8m_compact.inference import artefacts
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import onnx
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_file
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

RUNTIMES = {
    "litert": (litert, artefacts.LiteRtModel),
    "onnx": (onnx, artefacts.OnnxModel),
    "openvino": (openvino, artefacts.OpenVinoModel),
}


@dataclasses.dataclass
class OffBy(artefact.Artefact):
    """Predicts what a model does, and a little more."""

    model: object
    more: float
    KIND = "a strange model"
    num_classes = 5
    input_shapes = {"features": [None, 9]}

    def __call__(self, inputs):
        return self.model(inputs, training=False).numpy() + self.more


def save(folder, more):
    config = tiny_runs.video_config("none")
    model = config.build_model()
    opened = []

    def open_file(path):
        with open(path, "rb") as file:
            opened.append((os.path.basename(path), file.read()))
        return OffBy(model, more)

    about = companions.About(config, 3)
    made = prepared.prepare(
        about, model, projection_export.ProjectionExport.DFT, None, None, None
    )
    contents = {"model.a": b"first", "model.b": b"second!"}
    card = companions.Artefact("strange", "strange files.", "open()")
    made = dataclasses.replace(made, lines=("as it is",))
    result = portable_file.save(
        str(folder), about, made, contents, open_file, card
    )
    assert opened == [("model.a", b"first")]
    return config, result


def test_files_are_written_with_their_companions(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "what_was_there").write_text("")
    config, saved = save(tmp_path / "old", 5e-5)
    assert sorted(p.name for p in (tmp_path / "old").iterdir()) == [
        "README.md",
        "config.json",
        "export_manifest.json",
        "model.a",
        "model.b",
    ]
    assert (tmp_path / "old" / "model.b").read_bytes() == b"second!"
    assert config_lib.load(str(tmp_path / "old" / "config.json")) == config
    assert saved.size == 5 + 7
    assert saved.difference == pytest.approx(5e-5, rel=0.01)
    assert saved.mean_difference == pytest.approx(5e-5, rel=0.01)
    assert saved.lines == ("as it is",)
    card = (tmp_path / "old" / "README.md").read_text()
    assert "\nStored: as it is.\n" in card
    assert "| `features` | float32 `[batch, 9]` |" in card


@pytest.mark.parametrize("more", [2e-4, -2e-4, np.nan])
def test_other_scores_are_refused(more, tmp_path):
    message = (
        "expected the scores of the model, within 0.0001, of its strange model."
        " Received: a difference of "
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        save(tmp_path / "export", more)
    assert not list(tmp_path.iterdir())


def test_what_is_interrupted_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(config_lib, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path / "export", 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "onnx", "openvino"])
def test_all_constants_in_few_bits(name, tmp_path):
    module, open_file = RUNTIMES[name]
    config = tiny_runs.video_config(
        "none", models.MlpConfig(mlp_hidden_size=192, drop_rate=0.0)
    )
    config = dataclasses.replace(
        config,
        data=dataclasses.replace(
            config.data,
            feature_names=("a",),
            feature_sizes=(96,),
            num_classes=80,
        ),
    )
    keras.utils.set_random_seed(1)
    model = train_dir_lib.build_model(config)
    features = np.random.default_rng(0).uniform(-1, 1, (16, 96))
    inputs = {"features": features.astype(np.float32)}
    expected = model(inputs, training=False).numpy()
    sizes, errors = {}, {}
    for precision in ("int8", "int4"):
        folder = tmp_path / precision
        portable_file.save_in_few_bits(
            str(folder),
            config,
            model,
            export_precision.ExportPrecision(precision),
            None,
            module.convert_in_few_bits,
        )
        sizes[precision] = sum(path.stat().st_size for path in folder.iterdir())
        scores = open_file(str(folder / module.FILE_NAME))(inputs)
        errors[precision] = np.abs(scores - expected).max()
    # 96 x 192 and 192 x 80 weights; the graph takes some tens of kilobytes.
    weights = 96 * 192 + 192 * 80
    assert sizes["int8"] < 1.2 * weights + 40_000 < 4 * weights
    assert sizes["int8"] - sizes["int4"] > 0.4 * weights
    assert 0 < errors["int8"] < 0.01 < errors["int4"] < 0.2
