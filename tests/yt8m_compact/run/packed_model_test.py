"""Tests of packed models: by the programs that read them as runs."""

import dataclasses
import functools
import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
import yt8m_compact
from yt8m_compact import models
from yt8m_compact import presets
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.presets import folders
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import packed_model
from yt8m_compact.run import train_dir as train_dir_lib

MODEL = models.MlpConfig(
    mlp_hidden_size=12,
    hidden_projection="diagonal_circulant@int4",
    classifier_projection="dense@binary + low_rank(rank=2)",
    batch_norm_momentum=0.5,
    drop_rate=0.0,
)


@functools.cache
def quantized_run():
    """Trains a model of few bits, once; not to be changed."""
    folder = tiny_runs.make_folder()
    pattern = tiny_runs.write_videos(folder / "data")
    config = tiny_runs.video_config(pattern, MODEL, base_learning_rate=0.03)
    run = tiny_runs.Run(os.fspath(folder / "run"), pattern, config)
    training.train(config, run.path)
    return run


@functools.cache
def packed_folder():
    folder = os.fspath(tiny_runs.make_folder() / "packed")
    assert (
        run_program(
            export,
            f"--train_dir={quantized_run().path}",
            f"--export_dir={folder}",
            "--format=packed",
        )
        == 0
    )
    return folder


def run_program(module, *arguments):
    flag_values = tiny_runs.parse_flags(module.define_flags, *arguments)
    return module.main(flag_values, [])


def predict_csv(tmp_path, *arguments):
    path = os.path.join(tmp_path, "predictions.csv")
    run_program(
        predict,
        f"--input_data_pattern={quantized_run().pattern}",
        f"--output_file={path}",
        *arguments,
    )
    with open(path) as file:
        return file.read()


def scores(train_dir):
    config, model, step = train_dir_lib.TrainDir(train_dir).restore_model()
    features = np.random.default_rng(0).standard_normal((6, 9))
    inputs = {"features": tf.constant(features, tf.float32)}
    return config, model(inputs).numpy(), step


@pytest.mark.slow
def test_a_folder_of_two_small_files(capsys):
    folder = packed_folder()
    assert sorted(os.listdir(folder)) == [
        "README.md",
        "config.json",
        "export_manifest.json",
        "report.json",
        "weights.safetensors",
    ]
    config, found, step = scores(folder)
    run_config, expected, run_step = scores(quantized_run().path)
    assert step == run_step == 10
    # Vectors have 16 bits.
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert expected.std() > 0.01
    assert str(config.model.hidden_projection) == (
        "diagonal_circulant@int4(packed=True)"
    )
    assert config.data == run_config.data
    with open(os.path.join(folder, "config.json")) as file:
        text = file.read()
    assert os.path.dirname(quantized_run().path) not in text
    assert json.loads(text)["training"]["train_data_pattern"] == ""


@pytest.mark.slow
def test_what_needs_a_path_goes_with_it():
    config = tiny_runs.change_training(
        quantized_run().config,
        teacher="/home/somebody/teacher.scores",
        teacher_weight=0.9,
        teacher_temperature=2.0,
        eval_data_pattern="/home/somebody/*.tfrecord",
        early_stopping="gap",
        init_from="/home/somebody/run",
        num_epochs=7,
    )
    packed = packed_model.packed_config(config)
    again = config_lib.Config.from_json(packed.to_json(), "it")
    assert again == packed
    assert "somebody" not in packed.to_json()
    assert packed.training.teacher_weight == 0.5
    assert packed.training.teacher_temperature == 1.0
    assert packed.training.num_epochs == 7


@pytest.mark.slow
def test_programs_read_it_as_a_run(tmp_path):
    run = quantized_run()
    expected = predict_csv(tmp_path, f"--train_dir={run.path}")
    found = predict_csv(tmp_path, f"--train_dir={packed_folder()}")
    assert found.splitlines()[0] == expected.splitlines()[0]
    for line, other in zip(
        found.splitlines(), expected.splitlines(), strict=True
    ):
        assert line.split(",")[0] == other.split(",")[0]
    report, other = (
        evaluation.evaluate_run(path, run.pattern)
        for path in (packed_folder(), run.path)
    )
    gap = other.metrics["gap"]
    assert report.metrics["gap"] == pytest.approx(gap, abs=0.01)
    assert report.weights.total == other.weights.total
    # Both say what is shipped, but for vectors of 16 bits.
    assert report.weights.num_bytes == other.weights.num_bytes

    again = os.path.join(tmp_path, "again")
    arguments = [f"--train_dir={packed_folder()}", f"--export_dir={again}"]
    assert run_program(export, *arguments, "--format=packed") == 0
    np.testing.assert_array_equal(scores(again)[1], scores(packed_folder())[1])
    message = (
        f"{again}: expected a folder that is empty or does not exist yet. "
        "Received: a packed model in it; use --overwrite or another --export"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_program(export, *arguments, "--format=packed")
    run_program(export, *arguments, "--format=packed", "--overwrite")
    saved_model = os.path.join(tmp_path, "saved_model")
    run_program(
        export, f"--train_dir={packed_folder()}", f"--export_dir={saved_model}"
    )
    assert tf.saved_model.contains_saved_model(saved_model)


@pytest.mark.slow
def test_a_new_run_starts_from_it(tmp_path):
    folder = packed_folder()
    config = tiny_runs.change_training(
        quantized_run().config, init_from=folder, num_epochs=1
    )
    path = os.path.join(tmp_path, "run")
    result = training.train(config, path)
    kept = {place.name: place.kept for place in result.warm_start.places}
    assert kept["hidden_0"] == pytest.approx(1, abs=1e-6)
    with pytest.raises(ValueError, match="expected a folder to train in. Rec"):
        training.train(config, folder)


@pytest.mark.slow
def test_what_it_has_not_is_refused():
    run = train_dir_lib.TrainDir(packed_folder())
    with pytest.raises(ValueError, match="expected no step of a packed model"):
        run.restore_model(3)
    choice = dataclasses.replace(
        train_dir_lib.weight_choice.RAW, num_checkpoints=2
    )
    with pytest.raises(ValueError, match="expected no choice of weights of a"):
        run.restore_model(choice=choice)


def test_a_broken_one_is_told(tmp_path):
    _, model, step = train_dir_lib.TrainDir(packed_folder()).restore_model()
    folder = os.path.join(tmp_path, "packed")
    config = quantized_run().config
    packed_model.save(folder, config, model, step)
    path = os.path.join(folder, "weights.safetensors")
    with open(path, "rb") as file:
        data = file.read()
    with open(path, "wb") as file:
        file.write(data[:-1])
    with pytest.raises(ValueError, match=f"{re.escape(path)}: expected packed"):
        train_dir_lib.TrainDir(folder).restore_model()


@pytest.mark.slow
def test_presets(monkeypatch, tmp_path):
    name, root = "yt8m_2018_test", tmp_path / "presets"
    root.mkdir()
    _, model, step = train_dir_lib.TrainDir(packed_folder()).restore_model()
    packed_model.save(
        os.path.join(root, name), quantized_run().config, model, step
    )
    classes = ["Game", "Video game, old", "Vehicle", "Concert", "Car"]
    with open(root / "yt8m_2018_classes.txt", "w") as file:
        file.write("".join(f"{each}\n" for each in classes))
    monkeypatch.setattr(folders, "_ROOT", root)
    assert presets.names() == (name,)
    classifier = yt8m_compact.load_preset(name)
    assert classifier.class_names == tuple(classes)
    features = np.random.default_rng(0).standard_normal((6, 9))
    expected = scores(packed_folder())[1]
    for named, row in zip(
        classifier.predict(features, 3), expected, strict=True
    ):
        best = np.argsort(-row)[:3]
        assert [each for each, _ in named] == [classes[i] for i in best]
        np.testing.assert_allclose([s for _, s in named], row[best], rtol=1e-5)
    assert predict_csv(tmp_path, f"--preset={name}") == predict_csv(
        tmp_path, f"--train_dir={packed_folder()}"
    )
    config = tiny_runs.change_training(
        quantized_run().config, init_from=f"preset:{name}", num_epochs=1
    )
    training.train(config, os.path.join(tmp_path, "run"))
    with pytest.raises(
        ValueError,
        match="expected a preset, one of yt8m_2018_test. Received: preset='yt8m"
        "_2018_tset'; did you mean yt8m_2018_test",
    ):
        yt8m_compact.load_preset("yt8m_2018_tset")


def test_classes_of_youtube8m():
    names = (folders._ROOT / "yt8m_2018_classes.txt").read_text("utf-8")
    names = names.splitlines()
    assert len(names) == 3862
    assert names[:3] == ["Game", "Video game", "Vehicle"]
    assert names[30:32] == ["Motorcycle", "Piano"]
    assert all(names)


def test_a_run_with_a_teacher_has_none_when_it_is_packed():
    config = tiny_runs.video_config(
        "data*",
        MODEL,
        teacher="runs/large",
        teacher_weight=0.9,
        teacher_temperature=2.0,
    )
    packed = packed_model.packed_config(config)
    assert packed.training.teacher == ""
    assert packed.training.teacher_weight == 0.5
    assert packed.training.teacher_temperature == 1.0
