"""Tests of what travels with every format."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
import yt8m_compact
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import last_evaluation
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import export_manifest

ARTEFACT = companions.Artefact(
    format="tiny",
    what="a file that no runtime has.",
    inputs={"features": "float32 `[batch, 9]`"},
    outputs={"predictions": "float32 `[batch, 5]`"},
    usage="predict(features)",
    notes=["Mind the gap."],
)


@pytest.fixture(scope="module")
def config() -> config_lib.Config:
    config = tiny_runs.video_config(
        "/home/ada/data/train*.tfrecord,gs://b/more/m*.tfrecord",
        models.MlpConfig(mlp_hidden_size=4, hidden_projection="dense@int4"),
        eval_data_pattern="data/val*.tfrecord",
        init_from="/home/ada/secret",
    )
    return config


@pytest.fixture(scope="module")
def model(config) -> keras.Model:
    return config.build_model()


def write(folder, about, model) -> tuple[str, dict]:
    (folder / "model.tiny").write_bytes(b"12345")
    companions.write(str(folder), about, model, ARTEFACT)
    manifest = json.loads((folder / "export_manifest.json").read_text())
    return (folder / "README.md").read_text("utf-8"), manifest


def test_what_is_written(tmp_path, config, model):
    found = last_evaluation.Found(
        10,
        {"gap": 0.75, "hit_at_1": 0.5, "perr": 0.25, "map": 0.125, "loss": 9.0},
        "yt8m-eval",
    )
    about = companions.About(
        config=config,
        step=10,
        command=[
            "yt8m-export",
            "--train_dir=/home/ada/runs/mlp/",
            "--format=tiny",
            "--licence=CC BY 4.0",
        ],
        evaluation=found,
        licence="CC BY 4.0",
    )
    card, manifest = write(tmp_path, about, model)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "export_manifest.json",
        "model.tiny",
    ]
    assert config_lib.load(str(tmp_path / "config.json")) == config
    assert manifest.pop("files").keys() == {"config.json", "model.tiny"}
    # A hidden layer of 9 x 4, its norm of 4 x 4, a classifier of 4 x 5 + 5.
    num_weights = 36 + 16 + 25
    command = "yt8m-export --train_dir=mlp --format=tiny '--licence=CC BY 4.0'"
    assert manifest == {
        "format_version": 1,
        "written_by": yt8m_compact.__version__,
        "format": "tiny",
        "model": "MlpModel",
        "num_weights": num_weights,
        "step": 10,
        "weights": "raw",
        "data": {
            "train_data_pattern": "train*.tfrecord,m*.tfrecord",
            "eval_data_pattern": "val*.tfrecord",
        },
        "evaluation": dataclasses.asdict(found),
        "command": command,
        "licence": "CC BY 4.0",
        "versions": {
            "yt8m_compact": yt8m_compact.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }
    for line in (
        "# MlpModel",
        "| format | tiny |",
        f"| weights | {num_weights} |",
        "| `model.tiny` | 5 |",
        "| checkpoint | step 10, weights raw |",
        f"| tensorflow | {tf.__version__} |",
        "| `features` | float32 `[batch, 9]` |",
        "| gives `predictions` | float32 `[batch, 5]` |",
        "predict(features)",
        "Mind the gap.",
        "By `yt8m-eval`, of step 10, before the export.",
        "| GAP | 0.7500 |",
        "| loss | 9.0000 |",
        "| trained on | `train*.tfrecord,m*.tfrecord` |",
        "| `hidden_projection` | dense@int4 |",
        "| `mlp_hidden_size` | 4 |",
        command,
        "| the weights | CC BY 4.0 |",
        "| the data | *to fill in* |",
    ):
        assert f"\n{line}\n" in f"\n{card}", line
    size = 5 + (tmp_path / "config.json").stat().st_size
    assert f"\n| files | {size:,} bytes |\n" in card
    assert (
        "A classifier of videos by video-level features, 6 values of "
        "`mean_rgb`, 3 values of `mean_audio`: 5 classes. It is a file that no "
        "runtime has." in card
    )
    # Nothing of the disk of who trained it, but in the configuration.
    for text in (card, json.dumps(manifest)):
        assert "ada" not in text
        assert "secret" not in text
    assert export_manifest.verify(str(tmp_path))


def test_packed_weights_count_as_what_they_stand_for(tmp_path, config):
    model = config.build_model()
    layers.pack(model)
    assert sum(np.size(w) for w in model.get_weights()) != 36 + 16 + 25
    about = companions.About(config=config, step=1)
    _, manifest = write(tmp_path, about, model)
    assert manifest["num_weights"] == 36 + 16 + 25


def test_what_is_not_known(tmp_path, config, model):
    training = config_lib.TrainingConfig()
    plain = dataclasses.replace(
        config, model=models.LogisticConfig(), training=training
    )
    about = companions.About(config=plain, step=3)
    card, manifest = write(tmp_path, about, plain.build_model())
    assert manifest["evaluation"] is None
    assert "has no evaluation. `yt8m-eval` evaluates" in card
    assert "All settings are those by default." in card
    assert "## Command" not in card
    assert "trained on" not in card
    assert "| the weights | *to fill in* |" in card


def test_evaluation_of_another_step(tmp_path, config, model):
    found = last_evaluation.Found(5, {"gap": 0.5}, "yt8m-train")
    about = companions.About(config=config, step=10, evaluation=found)
    card, _ = write(tmp_path, about, model)
    assert (
        "By `yt8m-train`, of step 5, which is not that of this export (10), "
        "before the export." in card
    )


def test_configuration_that_is_there_already_stays(tmp_path, config, model):
    (tmp_path / "config.json").write_text("{}")
    write(tmp_path, companions.About(config=config, step=1), model)
    assert (tmp_path / "config.json").read_text() == "{}"


def test_sections_are_added_before_the_licence(tmp_path, config, model):
    write(tmp_path, companions.About(config=config, step=1), model)
    for text in ("| a | 1 |", "| b | 2 |"):
        companions.add_section(str(tmp_path), "Report", text)
        card = (tmp_path / "README.md").read_text("utf-8")
        titles = re.findall("(?m)^## (.*)$", card)
        assert titles[-2:] == ["Report", "Licence"]
        assert titles.count("Report") == 1
        assert f"## Report\n\n{text}\n\n## Licence\n" in card
    assert export_manifest.verify(str(tmp_path))


def test_no_card_to_add_to(tmp_path):
    message = (
        "expected the model card that yt8m-export wrote. Received: no such"
    )
    with pytest.raises(ValueError, match=message):
        companions.add_section(str(tmp_path), "Report", "text")


def test_specs():
    specs = {
        "frames": tf.TensorSpec([None, None, 9], tf.uint8),
        "num_frames": tf.TensorSpec([1], tf.int32),
        "features": tf.TensorSpec([None, 1152], tf.float32),
    }
    assert companions.describe_specs(specs) == {
        "frames": "uint8 `[batch, frames, 9]`",
        "num_frames": "int32 `[1]`",
        "features": "float32 `[batch, 1152]`",
    }
