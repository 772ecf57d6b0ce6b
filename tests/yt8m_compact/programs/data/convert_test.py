"""Tests of `yt8m-data convert`, and of models of what it writes."""

import json
import os

import numpy as np
import pytest

import tiny_runs
import yt8m_compact
from yt8m_compact import datasets
from yt8m_compact import readers
from yt8m_compact.eval import evaluate
from yt8m_compact.inference import artefacts
from yt8m_compact.programs import compress
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.programs import train
from yt8m_compact.programs.data import main

_CLASSES = ("ant", "bee", "cat", "dog", "emu")
_FEATURES = ("--feature_names=clip,sound", "--num_classes=5")


def _write_features(folder, *, video_level):
    """Writes 12 videos of two features of 7 and of 3 values, and labels."""
    rng = np.random.default_rng(1)
    lines = ["id,labels"]
    for index in range(12):
        for name, size, rate in (("clip", 7, 1), ("sound", 3, 2)):
            os.makedirs(folder / name, exist_ok=True)
            shape = [size] if video_level else [(2 + index) * rate, size]
            values = rng.exponential(5, shape).astype(np.float32)
            np.save(folder / name / f"v{index}.npy", values)
        lines.append(f"v{index},{_CLASSES[index % 5]};{_CLASSES[index % 3]}")
    (folder / "labels.csv").write_text("\n".join(lines))
    names = enumerate(_CLASSES)
    (folder / "classes.csv").write_text(
        "index,name\n" + "".join(f"{index},{name}\n" for index, name in names)
    )


def _convert(folder, *arguments):
    return main.parse(
        [
            "convert",
            f"--input_data_pattern={folder}/*/*.npy",
            f"--labels_file={folder}/labels.csv",
            f"--vocabulary_file={folder}/classes.csv",
            f"--output_dir={folder}/data",
            *_FEATURES,
            *arguments,
        ]
    ).call()


def _run(module, *arguments):
    flag_values = tiny_runs.parse_flags(module.define_flags, *arguments)
    return module.main(flag_values, [])


def test_dry_run_and_features_file(tmp_path, capsys):
    _write_features(tmp_path, video_level=False)
    arguments = ("--align=mean", "--find_range")
    assert _convert(tmp_path, *arguments, "--dry_run") == 0
    assert not (tmp_path / "data").exists()
    out = capsys.readouterr().out
    assert "12 videos would be in " in out
    assert out.endswith(
        "train with: --frame_features --feature_names=clip,sound "
        "--feature_sizes=7,3 --num_classes=5\n"
    )
    assert _convert(tmp_path, *arguments) == 0
    path = f"{tmp_path}/data/yt8m_features.json"
    features = datasets.read_features(path)
    (tmp_path / "later").mkdir()
    arguments = ("--align=mean", f"--features_file={path}", "--num_shards=2")
    assert _convert(tmp_path, *arguments, f"--output_dir={tmp_path}/later") == 0
    path = f"{tmp_path}/later/yt8m_features.json"
    assert datasets.read_features(path) == features
    more = ("--float_frames", "--overwrite", "--dry_run")
    capsys.readouterr()
    assert _convert(tmp_path, *more) == 0
    assert "train with: --frame_features --float_frames --feature_names" in (
        capsys.readouterr().out
    )
    with pytest.raises(ValueError, match="expected feature_sizes to be that"):
        _convert(tmp_path, *arguments, "--feature_sizes=7,4")
    with pytest.raises(ValueError, match="--min_quantized_value to be a comma"):
        _convert(tmp_path, "--min_quantized_value=x")


@pytest.mark.slow
@pytest.mark.parametrize("level", ["frame", "video"])
def test_models_of_other_features_and_sizes(tmp_path, level, capsys):
    is_video = level == "video"
    _write_features(tmp_path, video_level=is_video)
    how = (
        ["--level=video"]
        if is_video
        else ["--align=nearest", "--frame_rates=1,2", "--find_range"]
    )
    assert _convert(tmp_path, *how) == 0
    # What the records hold is said beside them.
    flags = []
    if not is_video:
        flags = [
            "--model=DbofModel",
            "--dbof_cluster_size=8",
            "--dbof_hidden_size=6",
            "--iterations=4",
        ]
    pattern = f"{tmp_path}/data/*.tfrecord"
    run = f"{tmp_path}/run"
    assert not _run(
        train,
        f"--train_data_pattern={pattern}",
        f"--train_dir={run}",
        "--batch_size=6",
        "--max_steps=2",
        *flags,
    )
    report = f"{tmp_path}/report.json"
    assert not _run(
        evaluate,
        f"--train_dir={run}",
        f"--eval_data_pattern={pattern}",
        f"--output_json={report}",
    )
    assert json.loads(open(report).read())["metrics"]["num_examples"] == 12
    assert not _run(
        export, f"--train_dir={run}", "--format=litert", "--nomeasure"
    )
    opened = artefacts.LiteRtModel(f"{run}/litert/model.tflite")
    expected = (
        {"features": [1, 10]}
        if is_video
        else {"frames": [1, 4, 10], "num_frames": [1]}
    )
    assert opened.input_shapes == expected
    # What was exported says what its codes stand for, and is held to it.
    features = datasets.read_features(f"{tmp_path}/data/yt8m_features.json")
    assert datasets.read_features(f"{run}/litert/yt8m_features.json") == (
        features
    )
    lines = f"{tmp_path}/predictions.jsonl"
    for model in (f"--train_dir={run}", f"--model_file={run}/litert"):
        assert not _run(
            predict,
            model,
            f"--input_data_pattern={pattern}",
            f"--output_file={lines}",
        )
        with open(lines) as file:
            found = json.loads(file.readline())
        assert found["names"] == [_CLASSES[i] for i in found["classes"]]
        assert len(found["names"]) == 5
    assert yt8m_compact.load_run(run).class_names == _CLASSES
    if is_video:
        return
    assert _convert(tmp_path, *how[:2], f"--output_dir={tmp_path}/other") == 0
    other = f"{tmp_path}/other/*.tfrecord"
    for arguments in (
        [evaluate, f"--train_dir={run}", f"--eval_data_pattern={other}"],
        [
            evaluate,
            f"--model_file={run}/litert/model.tflite",
            f"--eval_data_pattern={other}",
        ],
        [
            predict,
            f"--train_dir={run}",
            f"--input_data_pattern={other}",
            f"--output_file={tmp_path}/predictions.csv",
        ],
        [
            train,
            f"--train_dir={run}",
            f"--train_data_pattern={other},{pattern}",
            *flags,
        ],
        [
            export,
            f"--train_dir={run}",
            "--format=onnx",
            f"--calibration_data_pattern={other}",
        ],
        [
            compress,
            f"--train_dir={run}",
            f"--train_data_pattern={other}",
            "--budget=2.5KB",
            f"--output_dir={tmp_path}/small",
        ],
    ):
        with pytest.raises(readers.DataError, match="expected codes of 'clip'"):
            _run(*arguments)


def test_classes_that_the_labels_name(tmp_path, capsys):
    _write_features(tmp_path, video_level=True)
    (tmp_path / "classes.csv").unlink()
    own = [
        "convert",
        f"--input_data_pattern={tmp_path}/*/*.npy",
        f"--labels_file={tmp_path}/labels.csv",
        "--level=video",
    ]
    find = [*own, "--find_classes", f"--output_dir={tmp_path}/data"]
    assert main.parse(find).call() == 0
    assert capsys.readouterr().out.endswith(
        "train with: --feature_names=clip,sound --feature_sizes=7,3 "
        "--num_classes=5\n"
    )
    path = f"{tmp_path}/data/yt8m_features.json"
    assert datasets.read_features(path).class_names == _CLASSES
    # An earlier call's classes are the vocabulary of a later one.
    (tmp_path / "labels.csv").write_text("v3,EMU\n")
    later = [*own, f"--features_file={path}", f"--output_dir={tmp_path}/later"]
    assert main.parse(later).call() == 0
    found = datasets.read_features(f"{tmp_path}/later/yt8m_features.json")
    assert found == datasets.read_features(path)
    (tmp_path / "labels.csv").write_text("v3,elk\n")
    with pytest.raises(ValueError, match=r"'elk', neither"):
        main.parse([*later, "--overwrite"]).call()
    (tmp_path / "names.txt").write_text("ant\nbee\ncat\ndog\nelk\n")
    named = [*later, f"--vocabulary_file={tmp_path}/names.txt"]
    with pytest.raises(ValueError, match="with the classes of --features_file"):
        main.parse(named).call()
    (tmp_path / "names.txt").write_text("")
    with pytest.raises(ValueError, match="with the names of classes. Received"):
        main.parse(named).call()
    # Of two classes of one name labels have numbers.
    (tmp_path / "names.txt").write_text("ant\nbee\nbee\n")
    (tmp_path / "labels.csv").write_text("v3,2\n")
    named = [*own, named[-1], f"--output_dir={tmp_path}/twins"]
    assert main.parse(named).call() == 0
    found = datasets.read_features(f"{tmp_path}/twins/yt8m_features.json")
    assert found.class_names == ("ant", "bee", "bee")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--labels_file=a.csv", "--source_labels=y"],
            "expected --labels_file, or --source_labels, which are in the",
        ),
        (["--vocabulary_file=a.csv"], "--source_labels with --vocabulary_file"),
        (["--find_classes"], "or --source_labels with --find_classes"),
        (
            ["--source_labels=y", "--vocabulary_file=a", "--find_classes"],
            "expected --vocabulary_file, or --find_classes, which makes one",
        ),
    ],
)
def test_flags_of_labels(tmp_path, arguments, message):
    _write_features(tmp_path, video_level=True)
    needed = [
        f"--input_data_pattern={tmp_path}/*/*.npy",
        f"--output_dir={tmp_path}/data",
    ]
    with pytest.raises(ValueError, match=message):
        main.parse(["convert", *needed, *arguments]).call()
