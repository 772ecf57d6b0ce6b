"""Tests of the settings in TensorBoard's table of runs."""

import dataclasses

from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import metadata

import tiny_runs
from yt8m_compact import models
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import hyperparameters


def read(folder):
    """Reads the settings and the name of the run."""
    accumulator = event_accumulator.EventAccumulator(str(folder))
    accumulator.Reload()
    tag = metadata.SESSION_START_INFO_TAG
    content = accumulator.SummaryMetadata(tag).plugin_data.content
    info = metadata.parse_session_start_info_plugin_data(content)
    values = {
        name: getattr(value, value.WhichOneof("kind"))
        for name, value in info.hparams.items()
    }
    return values, info.group_name


def test_settings(tmp_path):
    config = tiny_runs.video_config(
        "data*", models.MoeConfig(moe_num_mixtures=3), base_learning_rate=0.5
    )
    hyperparameters.write(config, train_dir_lib.TrainDir(str(tmp_path)))
    values, name = read(tmp_path)
    assert name == str(tmp_path)
    assert values["model.name"] == "MoeModel"
    assert values["model.moe_num_mixtures"] == 3
    assert values["training.base_learning_rate"] == 0.5
    assert values["training.jit_compile"] is False
    assert values["data.feature_names"] == "mean_rgb,mean_audio"
    assert values["data.feature_sizes"] == "6,3"
    assert values["training.max_steps"] == ""  # not set
    fields = dataclasses.fields(config.training)
    assert {f"training.{field.name}" for field in fields} < set(values)


def test_a_folder_that_is_none(tmp_path, caplog):
    path = tmp_path / "file"
    path.write_text("")
    config = tiny_runs.video_config("data*")
    hyperparameters.write(config, train_dir_lib.TrainDir(str(path)))
    (message,) = caplog.messages
    assert message.startswith(
        f"{path}: TensorBoard's events can't be written, training goes on "
        "without them: "
    )
