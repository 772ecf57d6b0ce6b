"""Tests of the settings in TensorBoard's table of runs."""

import contextlib
import dataclasses

import pytest
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.hparams import api_pb2
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
    with hyperparameters.writing(config, train_dir_lib.TrainDir(str(tmp_path))):
        pass
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
    with hyperparameters.writing(config, train_dir_lib.TrainDir(str(path))):
        pass
    assert len(caplog.messages) == 2
    for message in caplog.messages:
        assert message.startswith(
            f"{path}: TensorBoard's events can't be written, training goes on "
            "without them: "
        )


@pytest.mark.parametrize("failing", [False, True])
def test_how_it_ended(tmp_path, failing):
    config = tiny_runs.video_config("data*")
    run = train_dir_lib.TrainDir(str(tmp_path))
    with contextlib.suppress(ValueError):
        with hyperparameters.writing(config, run):
            if failing:
                raise ValueError
    accumulator = event_accumulator.EventAccumulator(str(tmp_path))
    accumulator.Reload()
    tag = metadata.SESSION_END_INFO_TAG
    content = accumulator.SummaryMetadata(tag).plugin_data.content
    info = metadata.parse_session_end_info_plugin_data(content)
    expected = "STATUS_FAILURE" if failing else "STATUS_SUCCESS"
    assert info.status == api_pb2.Status.Value(expected)
