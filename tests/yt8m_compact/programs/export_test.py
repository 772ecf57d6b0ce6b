"""Tests of yt8m-export."""

import json
import os
import re

from absl import flags
import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import presets
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluate
from yt8m_compact.inference import artefacts
from yt8m_compact.programs import export
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib


def run_export(*arguments: str) -> int:
    flag_values = tiny_runs.parse_flags(export.define_flags, *arguments)
    return export.main(flag_values, [])


def predict(path: str) -> dict[str, tf.Tensor]:
    records = [
        record_makers.make_video_example(index, num_classes=5)
        for index in range(4)
    ]
    signature = tf.saved_model.load(path).signatures["serving_default"]
    return signature(examples=tf.constant(records))


def test_export(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    assert run_export(f"--train_dir={run.path}") == 0
    path = f"{run.path}/export"
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"exported step 10 of {run.path} to {path}"
    )
    assert predict(path)["scores"].shape == (4, 5)
    # There is one now; overwriting it must be asked for.
    message = (
        f"{path}: expected a folder that is empty or does not exist yet. "
        "Received: a SavedModel in it; use --overwrite or another --export_dir"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_export(f"--train_dir={run.path}", "--top_k=2")
    assert predict(path)["scores"].shape == (4, 5)
    assert not run_export(f"--train_dir={run.path}", "--top_k=2", "--overwrite")
    assert predict(path)["scores"].shape == (4, 2)


def test_checkpoint_step(tmp_path, capsys):
    run = tiny_runs.video_run()
    path = str(tmp_path / "export")
    run_export(
        f"--train_dir={run.path}", f"--export_dir={path}", "--checkpoint_step=5"
    )
    assert "exported step 5 of" in capsys.readouterr().out
    assert tf.saved_model.contains_saved_model(path)


def test_mean_of_checkpoints(tmp_path, capsys):
    run = tiny_runs.video_run()
    path = str(tmp_path / "export")
    run_export(
        f"--train_dir={run.path}",
        f"--export_dir={path}",
        "--weights=average:2",
    )
    assert capsys.readouterr().out.endswith(
        f"exported step 10, weights average:2, of {run.path} to {path}\n"
    )
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    weights = [tiny_runs.weights_of(run.path, step) for step in (5, 10)]
    for weight in model.weights:
        weight.assign((weights[0][weight.path] + weights[1][weight.path]) / 2)
    records = [
        record_makers.make_video_example(index, num_classes=5)
        for index in range(4)
    ]
    inputs = run.config.prediction_reader().parse(tf.constant(records))
    np.testing.assert_allclose(
        predict(path)["predictions"],
        model({"features": inputs["features"]}, training=False),
        rtol=1e-5,
    )


def test_weights_that_are_not_there(tmp_path):
    run = tiny_runs.video_run()
    path = str(tmp_path / "export")
    given = [f"--train_dir={run.path}", f"--export_dir={path}"]
    with pytest.raises(ValueError, match="expected a run with ema_momentum"):
        run_export(*given, "--weights=ema")
    with pytest.raises(
        usage_error.UsageError,
        match="expected weights to be raw, ema, or average:N",
    ):
        run_export(*given, "--weights=mean")
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize("overwrite", [True, False])
def test_something_else_is_not_overwritten(tmp_path, overwrite):
    (tmp_path / "precious").write_text("precious")
    message = (
        f"{tmp_path}: expected a folder that is empty or does not exist yet. "
        "Received: something else in it; use another --export_dir"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_export(
            f"--train_dir={tiny_runs.video_run().path}",
            f"--export_dir={tmp_path}",
            f"--overwrite={overwrite}",
        )
    assert [p.name for p in tmp_path.iterdir()] == ["precious"]


def test_empty_folders_are_taken(tmp_path):
    # A link to one, as to a folder of another disk, stays a link.
    (tmp_path / "target").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    run = tiny_runs.video_run()
    run_export(f"--train_dir={run.path}", f"--export_dir={link}")
    assert link.is_symlink()
    assert predict(str(tmp_path / "target"))["scores"].shape == (4, 5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "target"]


def test_run_that_is_not_there(tmp_path):
    path = tmp_path / "export"
    with pytest.raises(ValueError, match="expected the config.json of a run"):
        run_export(f"--train_dir={tmp_path}/run", f"--export_dir={path}")
    assert list(tmp_path.iterdir()) == []


def test_name_that_is_a_pattern(tmp_path):
    message = (
        "expected export_dir without the characters * ? [: TensorFlow "
        "could save weights there, but takes their names for patterns when it "
        f"reads them. Received: export_dir='{tmp_path}/lr[0.1]'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_export(
            f"--train_dir={tiny_runs.video_run().path}",
            f"--export_dir={tmp_path}/lr[0.1]",
        )


def test_missing_train_dir():
    with pytest.raises(
        flags.IllegalFlagValueError,
        match="Flag --train_dir must have a value other than None",
    ):
        tiny_runs.parse_flags(export.define_flags)


def test_arguments_that_are_not_flags():
    flag_values = tiny_runs.parse_flags(export.define_flags, "--train_dir=x")
    with pytest.raises(ValueError, match="Received: runs/dbof"):
        export.main(flag_values, ["runs/dbof"])


def test_litert(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.frame_run(), tmp_path)
    path = f"{run.path}/litert"
    arguments = (f"--train_dir={run.path}", "--format=litert")
    assert run_export(*arguments) == 0
    size = os.path.getsize(f"{path}/model.tflite")
    assert re.search(
        rf"exported step \d+ of {re.escape(run.path)} to {re.escape(path)}, "
        rf"{size:,} bytes, scores within \d\.\de-\d\d$",
        capsys.readouterr().out.strip(),
    )
    names = ["config.json", "model.tflite", "report.json"]
    assert sorted(os.listdir(path)) == names
    saved = train_dir_lib.TrainDir(run.path).load_config()
    assert config_lib.load(f"{path}/config.json") == saved
    # What the model samples, of one video.
    opened = artefacts.LiteRtModel(f"{path}/model.tflite")
    assert opened.input_shapes == {"frames": [1, 4, 9], "num_frames": [1]}
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    rng = np.random.default_rng(0)
    inputs = {
        "frames": rng.integers(0, 256, [3, 4, 9]).astype("uint8"),
        "num_frames": np.array([4, 2, 1], "int32"),
    }
    np.testing.assert_allclose(
        opened.predict_each(inputs), model(inputs, training=False), atol=1e-5
    )
    # There is one now; overwriting it must be asked for.
    with pytest.raises(ValueError, match="Received: a LiteRT model in it"):
        run_export(*arguments)
    arguments += ("--overwrite", "--batch_size=0", "--projection_export=dense")
    assert run_export(*arguments) == 0
    opened = artefacts.LiteRtModel(f"{path}/model.tflite")
    assert opened.input_shapes["frames"] == [None, 4, 9]


def test_a_file_that_predicts_something_else_is_refused(tmp_path, monkeypatch):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    monkeypatch.setattr(
        artefacts.LiteRtModel,
        "__call__",
        lambda self, inputs: np.full([1, 5], 2),
    )
    message = "expected the scores of the model, within 0.0001, of its LiteRT"
    with pytest.raises(ValueError, match=message):
        run_export(f"--train_dir={run.path}", "--format=litert")
    assert not os.path.exists(f"{run.path}/litert")


@pytest.mark.slow
def test_report_on_real_records(tmp_path, shared_data, capsys):
    files = sorted((shared_data / "yt8m_2018_video").glob("*.tfrecord"))
    export_dir = tmp_path / "export"
    preset = presets.folder("yt8m_2018_video_100k")
    run_export(
        f"--train_dir={preset}",
        f"--export_dir={export_dir}",
        "--format=litert",
        f"--report_data_pattern={files[-1]}",
    )
    values = json.loads((export_dir / "report.json").read_text())
    row, twin = values["rows"]
    assert row["name"] == "litert"
    assert row["max_difference"] < 1e-4
    assert row["gap"] == pytest.approx(values["model_gap"], abs=1e-3)
    assert 0.5 < row["gap"] < 1
    assert values["data_pattern"] == files[-1].name
    # Of floats, two matrices: 1152 x 272 and 272 x 3862.
    assert twin["num_bytes"] > 4 * (1152 + 3862) * 272 > 2 * row["num_bytes"]
    assert twin["num_weights"] > 2 * row["num_weights"]
    assert len(row["measurements"]) == len(twin["measurements"]) == 2
    assert "dense twin" in capsys.readouterr().out
    # What yt8m-eval says of the file is what the report says.
    output = tmp_path / "evaluation.json"
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags,
        f"--model_file={export_dir}/model.tflite",
        f"--eval_data_pattern={files[-1]}",
        f"--output_json={output}",
    )
    assert evaluate.main(flag_values, []) == 0
    evaluation = json.loads(output.read_text())
    assert evaluation["metrics"]["gap"] == row["gap"]
    assert evaluation["model_file"] == f"{export_dir}/model.tflite"
    assert evaluation["weights"]["total"] == row["num_weights"]


@pytest.mark.parametrize("name", ["saved_model", "packed", "litert"])
def test_every_export_has_a_report(name, tmp_path, capsys):
    run = tiny_runs.video_run()
    path = tmp_path / "export"
    run_export(
        f"--train_dir={run.path}", f"--export_dir={path}", f"--format={name}"
    )
    values = json.loads((path / "report.json").read_text())
    (row,) = values["rows"]
    assert row["name"] == name
    assert row["max_difference"] < (1e-3 if name == "packed" else 1e-5)
    assert row["num_bytes"] == sum(
        file.stat().st_size
        for file in path.rglob("*")
        if file.is_file() and file.name not in ("config.json", "report.json")
    )
    assert row["measurements"] == []
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:1] == ["bytes,"] for line in lines)
