"""Tests of yt8m-export."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from unittest import mock

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
from yt8m_compact.programs import class_names
from yt8m_compact.programs import export
from yt8m_compact.programs import export_formats
from yt8m_compact.programs import export_report
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib

COMPANIONS = ["README.md", "config.json", "export_manifest.json"]
REPORT = "report.json"
WARMUP = "tf_serving_warmup_requests"


def exported(output: str) -> list[str]:
    """Returns the lines of what was exported."""
    return [line for line in output.splitlines() if line[:9] == "exported "]


def run_export(*arguments: str) -> int:
    flag_values = tiny_runs.parse_flags(export.define_flags, *arguments)
    return export.main(flag_values, [])


def predict(path: str, name: str = "serving_default") -> dict[str, tf.Tensor]:
    records = [
        record_makers.make_video_example(index, num_classes=5)
        for index in range(4)
    ]
    # Through what owns the weights.
    loaded = tf.saved_model.load(path)
    return loaded.signatures[name](examples=tf.constant(records))


@pytest.mark.slow
def test_export(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    assert run_export(f"--train_dir={run.path}") == 0
    path = f"{run.path}/export"
    (line,) = exported(capsys.readouterr().out)
    assert re.fullmatch(
        rf"exported step 10 of {re.escape(run.path)} to {re.escape(path)}, "
        r"[\d,]+ bytes, scores within \d\.\de[-+]\d\d",
        line,
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


@pytest.mark.slow
def test_checkpoint_step(tmp_path, capsys):
    run = tiny_runs.video_run()
    path = str(tmp_path / "export")
    run_export(
        f"--train_dir={run.path}", f"--export_dir={path}", "--checkpoint_step=5"
    )
    assert "exported step 5 of" in capsys.readouterr().out
    assert tf.saved_model.contains_saved_model(path)


@pytest.mark.slow
def test_mean_of_checkpoints(tmp_path, capsys):
    run = tiny_runs.video_run()
    path = str(tmp_path / "export")
    run_export(
        f"--train_dir={run.path}",
        f"--export_dir={path}",
        "--weights=average:2",
    )
    assert (
        f"exported step 10, weights average:2, of {run.path} to {path}, "
        in capsys.readouterr().out
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
        predict(path, "all_scores")["predictions"],
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


def test_preset_that_there_is_not():
    with pytest.raises(
        usage_error.UsageError, match="expected a preset, .*preset='nope'"
    ):
        run_export("--train_dir=preset:nope")


def test_a_folder_that_can_not_be_written_is_told_early():
    with pytest.raises(
        usage_error.UsageError, match="expected --export_dir to be a folder th"
    ):
        run_export("--train_dir=missing", "--export_dir=/proc/export")


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_litert(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.frame_run(), tmp_path)
    path = f"{run.path}/litert"
    arguments = (f"--train_dir={run.path}", "--format=litert")
    assert run_export(*arguments) == 0
    size = os.path.getsize(f"{path}/model.tflite")
    (line,) = exported(capsys.readouterr().out)
    assert re.fullmatch(
        rf"exported step \d+ of {re.escape(run.path)} to {re.escape(path)}, "
        rf"{size:,} bytes, scores within \d\.\de-\d\d, \d\.\de-\d\d on "
        r"average",
        line,
    )
    assert sorted(os.listdir(path)) == [*COMPANIONS, "model.tflite", REPORT]
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
    with open(f"{path}/model.tflite", "ab") as file:
        file.write(b"more")
    message = f"{path}/model.tflite: expected the file that yt8m-export wrote"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        artefacts.LiteRtModel(f"{path}/model.tflite")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "bound", "suffix"),
    [("float32", "0.0001", ""), ("int8", "0.05", " in int8")],
)
def test_a_file_that_predicts_something_else_is_refused(
    precision, bound, suffix, tmp_path, monkeypatch
):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    monkeypatch.setattr(
        artefacts.LiteRtModel,
        "__call__",
        lambda self, inputs: np.full([1, 5], 2),
    )
    message = (
        f"expected the scores of the model, within {bound}, of its LiteRT "
        f"model{suffix}. Received: a difference of "
    )
    with pytest.raises(ValueError, match=message):
        run_export(
            f"--train_dir={run.path}",
            "--format=litert",
            f"--export_precision={precision}",
        )
    assert not os.path.exists(f"{run.path}/litert")


@pytest.mark.slow
def test_several_formats(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.frame_run(), tmp_path)
    path = tmp_path / "exported"
    formats = "packed,openvino,saved_model,onnx"
    arguments = (
        f"--train_dir={run.path}",
        f"--export_dir={path}",
        f"--format={formats}",
    )
    records = f"--calibration_data_pattern={run.pattern}"
    assert run_export(*arguments, records, "--batch_size=0") == 0
    found = {
        name: sorted(p.name for p in (path / name).iterdir())
        for name in sorted(os.listdir(path))
    }
    saved_model = found.pop("saved_model")
    assert "saved_model.pb" in saved_model
    assert found == {
        "onnx": [*COMPANIONS, "model.onnx", REPORT],
        "openvino": [*COMPANIONS, "model.bin", "model.xml", REPORT],
        "packed": [*COMPANIONS, REPORT, "weights.safetensors"],
    }
    # Those that pack the weights come last; the table is as it was asked for.
    output = capsys.readouterr().out
    for line, name in zip(
        exported(output),
        ("openvino", "onnx", "packed", "saved_model"),
        strict=True,
    ):
        assert f" to {path}/{name}" in line
        # What has been compared on records says more.
        is_portable = name in ("openvino", "onnx")
        assert line.endswith(" on average") == is_portable
    head, _, *lines = output[output.index("\n\n") + 2 :].splitlines()[:6]
    assert head.split()[:2] == ["params", "bytes"]
    number_of = {line.split()[0]: line.split()[2] for line in lines}
    assert list(number_of) == formats.split(",")
    onnx_bytes = os.path.getsize(path / "onnx" / "model.onnx")
    assert number_of["onnx"] == f"{onnx_bytes:,}"
    openvino_bytes = sum(
        os.path.getsize(path / "openvino" / f"model.{ending}")
        for ending in ("xml", "bin")
    )
    assert number_of["openvino"] == f"{openvino_bytes:,}"
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    rng = np.random.default_rng(0)
    inputs = {
        "frames": rng.integers(0, 256, [3, 4, 9]).astype("uint8"),
        "num_frames": np.array([4, 2, 1], "int32"),
    }
    expected = model(inputs, training=False).numpy()
    for name in ("onnx", "openvino"):
        _, opened = artefacts.load(str(path / name))
        assert opened.input_shapes["frames"] == [None, 4, 9]
        np.testing.assert_allclose(
            opened.predict_each(inputs), expected, atol=1e-5
        )
    # One that is there already is told before any is made.
    message = f"{path}/onnx: .* Received: an ONNX model in it; use --overwrite"
    with pytest.raises(ValueError, match=message):
        run_export(
            f"--train_dir={run.path}",
            f"--export_dir={path}",
            "--format=litert,onnx",
        )
    assert not (path / "litert").exists()


def test_several_formats_in_the_folder_of_the_run(tmp_path, monkeypatch):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    monkeypatch.setattr(
        export_formats,
        "write",
        lambda kind, folder, *args: (
            made.append((kind, folder)) or export_formats.Written(folder, 1)
        ),
    )
    monkeypatch.setattr(export_report, "make_reporter", mock.MagicMock())
    monkeypatch.setattr(export_report, "to_text", lambda reports: "")
    made = []
    run_export(f"--train_dir={run.path}", "--format=saved_model,litert,onnx")
    assert made == [
        ("litert", f"{run.path}/litert"),
        ("onnx", f"{run.path}/onnx"),
        ("saved_model", f"{run.path}/export"),
    ]


def test_formats_that_are_not_there():
    message = "'onxx'; did you mean onnx?"
    with pytest.raises(flags.IllegalFlagValueError, match=re.escape(message)):
        tiny_runs.parse_flags(
            export.define_flags, "--train_dir=x", "--format=litert,onxx"
        )


@pytest.mark.parametrize("kind", ["litert", "onnx", "openvino"])
def test_fourier_transforms_are_for_tensorflow(kind, tmp_path):
    message = (
        "expected --projection_export=auto, dft or dense: only TensorFlow has "
        "operators of Fourier transforms, and a SavedModel has them anyway. "
        f"Received: projection_export=fft, format=saved_model,{kind}"
    )
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_export(
            f"--train_dir={tiny_runs.video_run().path}",
            f"--export_dir={tmp_path / 'export'}",
            f"--format=saved_model,{kind}",
            "--projection_export=fft",
        )
    assert not list(tmp_path.iterdir())


def test_a_saved_model_has_fourier_transforms(tmp_path):
    # The flag is taken: what is wrong is the run.
    with pytest.raises(ValueError, match=r"config\.json: expected the config"):
        run_export(
            f"--train_dir={tmp_path}",
            "--format=saved_model",
            "--projection_export=fft",
        )


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_packages_that_are_missing_are_told_early(kind, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "tf2onnx" else find(name),
    )
    message = (
        f"expected the packages that --format={kind} needs. Received: no "
        'tf2onnx; pip install "yt8m-compact[export]"'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_export(
            f"--train_dir={tiny_runs.video_run().path}",
            f"--export_dir={tmp_path / 'export'}",
            f"--format=saved_model,{kind}",
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "opened"),
    [("onnx", artefacts.OnnxModel), ("openvino", artefacts.OpenVinoModel)],
)
def test_a_file_of_other_scores_is_left_out(
    kind, opened, tmp_path, monkeypatch
):
    monkeypatch.setattr(
        opened, "__call__", lambda self, inputs: np.full([1, 5], 2)
    )
    with pytest.raises(ValueError, match="expected the scores of the model"):
        run_export(
            f"--train_dir={tiny_runs.video_run().path}",
            f"--export_dir={tmp_path / 'export'}",
            f"--format={kind}",
        )
    assert not list(tmp_path.iterdir())


def test_keras(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    path = f"{run.path}/keras"
    arguments = (f"--train_dir={run.path}", "--format=keras")
    assert run_export(*arguments, "--licence=MIT", "--data_licence=CC0") == 0
    size = os.path.getsize(f"{path}/model.keras")
    assert exported(capsys.readouterr().out) == [
        f"exported step 10 of {run.path} to {path}, {size:,} bytes, scores "
        "within 0.0e+00"
    ]
    assert sorted(os.listdir(path)) == [*COMPANIONS, "model.keras", REPORT]
    with open(f"{path}/README.md") as file:
        card = file.read()
    assert "| the weights | MIT |" in card
    assert "| the data | CC0 |" in card
    command = (
        "yt8m-export --train_dir=run --format=keras --licence=MIT "
        "--data_licence=CC0"
    )
    assert f"\n{command}\n" in card
    with pytest.raises(ValueError, match="Received: a Keras model in it"):
        run_export(*arguments)


@pytest.mark.slow
def test_packed(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    path = f"{run.path}/packed"
    assert run_export(f"--train_dir={run.path}", "--format=packed") == 0
    assert sorted(os.listdir(path)) == [
        *COMPANIONS,
        REPORT,
        "weights.safetensors",
    ]
    size = sum(
        os.path.getsize(f"{path}/{name}")
        for name in ("config.json", "weights.safetensors")
    )
    assert exported(capsys.readouterr().out) == [
        f"exported step 10 of {run.path} to {path}, {size:,} bytes"
    ]


@pytest.mark.slow
def test_versions_and_names(tmp_path, capsys):
    base = tmp_path / "served"
    names = tmp_path / "names.csv"
    # No name of class 3, and a comma in one.
    names.write_text('Index,Name\n0,Game\n4,Car\n2,"Food, drink"\n1,Art\n')
    arguments = (
        f"--train_dir={tiny_runs.video_run().path}",
        f"--export_dir={base}",
        f"--vocabulary_file={names}",
        "--versioned",
        "--max_batch=2",
        "--nowarmup",
    )
    assert run_export(*arguments) == 0
    assert f" to {base}/1, " in capsys.readouterr().out
    assert sorted(os.listdir(base / "1")) == [
        "README.md",
        "assets",
        "batching_params.pbtxt",
        "export_manifest.json",
        "fingerprint.pb",
        REPORT,
        "saved_model.pb",
        "variables",
    ]
    found = predict(str(base / "1"))
    expected = np.array([b"Game", b"Art", b"Food, drink", b"3", b"Car"], object)
    np.testing.assert_array_equal(
        found["class_names"], expected[found["class_indexes"].numpy()]
    )
    # A SavedModel of its own is no place for versions.
    arguments = (arguments[0], f"--export_dir={base}/1", "--versioned")
    message = (
        f"{base}/1: expected a folder of nothing but versions, whose names are "
        "numbers, with --versioned. Received: README.md in it; use another "
        "--export_dir"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        run_export(*arguments)


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("Index,Name\n0,Game\n5,Car\n", "2 names, of classes up to 5"),
        ("Index,Name\n0,\n", "0 names, of classes up to None"),
    ],
)
def test_names_of_other_classes(tmp_path, text, received):
    path = tmp_path / "names.csv"
    path.write_text(text)
    message = (
        f"{path}: expected the names of the 5 classes of the run. Received: "
        f"{received}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_export(
            f"--train_dir={tiny_runs.video_run().path}",
            f"--export_dir={tmp_path}/export",
            f"--vocabulary_file={path}",
        )


def test_names_of_the_known_classes():
    names = class_names.find(None, 3862)
    assert (len(names), names[0]) == (3862, "Game")
    assert class_names.find(None, 3863) is None


@pytest.mark.parametrize(
    ("flag", "shown", "kind"),
    [
        ("--versioned", "versioned=True", "saved_model"),
        ("--max_batch=3", "max_batch=3", "saved_model"),
        ("--nowarmup", "warmup=False", "saved_model"),
        ("--vocabulary_file=a.csv", "vocabulary_file='a.csv'", "saved_model"),
        (
            "--calibration_data_pattern=x",
            "calibration_data_pattern='x'",
            "litert or onnx or openvino",
        ),
        ("--batch_size=3", "batch_size=3", "litert or onnx or openvino"),
        (
            "--projection_export=dense",
            "projection_export=dense",
            "litert or onnx or openvino",
        ),
        ("--top_k=3", "top_k=3", "saved_model"),
        (
            "--export_precision=int8",
            "export_precision=int8",
            "litert or onnx or openvino",
        ),
    ],
)
def test_flags_of_another_format(tmp_path, flag, shown, kind):
    name = shown.partition("=")[0]
    message = (
        f"expected --format={kind} with --{name}, which is about that alone. "
        f"Received: {shown}, format=keras"
    )
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_export(f"--train_dir={tmp_path}", "--format=keras", flag)


def test_a_new_version_overwrites_nothing(tmp_path):
    message = (
        "expected --versioned or --overwrite, not both: a new version replaces "
        "none. Received: versioned=True, overwrite=True"
    )
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_export(f"--train_dir={tmp_path}", "--versioned", "--overwrite")


@pytest.mark.slow
def test_litert_in_few_bits(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    assert not run_export(
        f"--train_dir={run.path}",
        "--format=litert",
        "--export_precision=int8",
        f"--calibration_data_pattern={run.pattern}",
    )
    output = capsys.readouterr().out
    (last,) = exported(output)
    lines = output[: output.index(last)].splitlines()
    # A form for each projection, and nothing that is worth fewer bits: which
    # one is faster, too, where both are as small.
    pattern = r"\w+/?\S*, circulant: (dft|dense), [\d,]+ bytes.* \(.*\), in .*"
    assert len(lines) == 2
    assert all(re.fullmatch(pattern, line) for line in lines)
    largest, mean = map(
        float, re.search(r"within (\S+), (\S+) on average", last).groups()
    )
    opened = artefacts.LiteRtModel(f"{run.path}/litert/model.tflite")
    batch = tiny_runs.features_of(run, run.pattern)
    inputs = {"features": batch["features"]}
    scores = opened.predict_each(inputs)
    expected = tiny_runs.predictions_of(run, run.pattern)
    differences = np.abs(scores - expected)[1::2]
    assert largest == pytest.approx(differences.max(), rel=0.5, abs=1e-7)
    assert mean == pytest.approx(differences.mean(), rel=0.5, abs=1e-8)


_PAUSED = """
import sys, time
from yt8m_compact.inference.exports import companions
from yt8m_compact.programs import export

def pause(folder, *args, **kwargs):
    print("paused", flush=True)
    time.sleep(600)

companions.write = pause
export.run()
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL"])
def test_an_export_that_is_ended_leaves_nothing(name, tmp_path):
    run = tiny_runs.video_run()
    arguments = [f"--train_dir={run.path}", "--format=litert", "--nomeasure"]
    (tmp_path / "temporary").mkdir()
    (tmp_path / "exported").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _PAUSED, *arguments]
        + [f"--export_dir={tmp_path}/exported/a"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
    )
    lines = iter(process.stdout.readline, "")
    assert "paused\n" in lines
    (partial,) = os.listdir(tmp_path / "exported")
    assert re.fullmatch(r"\.a\.\w+\.partial", partial)
    assert os.listdir(tmp_path / "exported" / partial) == ["model.tflite"]
    process.send_signal(getattr(signal, name))
    process.communicate()
    assert process.returncode
    # TensorFlow writes a file of its own, which a SIGKILL leaves.
    ours = [p for p in (tmp_path / "temporary").iterdir() if p.is_dir()]
    assert not ours
    if name != "SIGKILL":
        assert os.listdir(tmp_path / "exported") == []
        return
    # Nobody was left to remove it: the next export does, beside it, too.
    assert os.listdir(tmp_path / "exported") == [partial]
    assert not run_export(*arguments, f"--export_dir={tmp_path}/exported/b")
    assert os.listdir(tmp_path / "exported") == ["b"]


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
    row, twin, *few_bits = values["rows"]
    assert [other["name"] for other in few_bits] == [
        "dense int8",
        "dense int4",
    ]
    assert row["num_bytes"] < few_bits[0]["num_bytes"] < twin["num_bytes"] / 3
    assert few_bits[1]["num_bytes"] < 0.6 * few_bits[0]["num_bytes"]
    assert row["name"] == "litert"
    assert row["max_difference"] < 1e-4
    assert row["gap"] == pytest.approx(values["model_gap"], abs=1e-3)
    assert 0.5 < row["gap"] < 1
    assert values["data_pattern"] == files[-1].name
    # Of floats, two matrices: 1152 x 272 and 272 x 3862.
    assert twin["num_bytes"] > 4 * (1152 + 3862) * 272 > 2 * row["num_bytes"]
    assert twin["num_weights"] > 2 * row["num_weights"]
    assert len(row["measurements"]) == len(twin["measurements"]) == 2
    assert "\ndense int4 " in capsys.readouterr().out
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


@pytest.mark.slow
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
        if file.is_file() and file.name not in (*COMPANIONS, REPORT, WARMUP)
    )
    assert row["measurements"] == []
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.split()[:2] == [name, f"{row['num_weights']:,}"] for line in lines
    )
