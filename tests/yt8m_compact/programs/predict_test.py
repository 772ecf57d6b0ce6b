"""Tests of yt8m-predict."""

import json
import re
import types

from absl import flags
import keras
import numpy as np
import pyarrow.parquet
import pytest

import small_artefacts
import tiny_runs
from yt8m_compact import models as models_lib
from yt8m_compact import predictions
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.inference import predictors
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.run import train_dir as train_dir_lib


def run_predict(*arguments: str) -> int:
    flag_values = tiny_runs.parse_flags(predict.define_flags, *arguments)
    return predict.main(flag_values, [])


@pytest.mark.slow
def test_from_run_and_saved_model(tmp_path, capsys):
    run = tiny_runs.video_run()
    exported = str(tmp_path / "export")
    export.main(
        tiny_runs.parse_flags(
            export.define_flags,
            f"--train_dir={run.path}",
            f"--export_dir={exported}",
            "--checkpoint_step=5",
        ),
        [],
    )
    texts = []
    for source in (
        [f"--train_dir={run.path}", "--checkpoint_step=5"],
        [f"--model_file={exported}", "--batch_size=3"],
        [f"--train_dir={run.path}"],
        [f"--train_dir={run.path}", "--weights=average:2"],
    ):
        path = tmp_path / f"{len(texts)}.csv"
        status = run_predict(
            *source,
            f"--input_data_pattern={run.pattern}",
            f"--output_file={path}",
            "--top_k=2",
            "--num_readers=1",
        )
        assert status == 0
        assert f"wrote 40 videos to {path}\n" in capsys.readouterr().out
        texts.append(path.read_text())
    assert texts[0] == texts[1] != texts[2]
    assert texts[3] not in texts[:3]
    line = texts[0].splitlines()[1]
    assert re.fullmatch(r"v00000,\d [\d.e-]+ \d [\d.e-]+", line), line


@pytest.mark.slow
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
@pytest.mark.parametrize("name", ["litert", "onnx", "openvino", "keras"])
def test_from_the_file_of_another_runtime(name, level, tmp_path):
    made = small_artefacts.make(level)
    output = tmp_path / "out.csv"
    status = run_predict(
        f"--model_file={made.file(name)}",
        f"--input_data_pattern={made.run.pattern}",
        f"--output_file={output}",
        "--top_k=5",
        "--num_readers=1",
    )
    assert status == 0
    lines = output.read_text().splitlines()[1:]
    ids = tiny_runs.features_of(made.run, made.run.pattern)["id"]
    scores = tiny_runs.predictions_of(made.run, made.run.pattern)
    assert len(lines) == len(scores) == 40
    for line, video, row in zip(lines, ids, scores, strict=True):
        found, pairs = line.split(",")
        assert found == video.decode()
        classes = [int(index) for index in pairs.split()[::2]]
        assert sorted(classes) == [0, 1, 2, 3, 4]
        np.testing.assert_allclose(
            [float(score) for score in pairs.split()[1::2]],
            row[classes],
            atol=1e-5,
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "keras"])
def test_segments_by_a_file(name, tmp_path):
    # Of one to five frames, where the file takes four: filled up, or chosen.
    made = small_artefacts.make("frame")
    texts = []
    for source in (
        f"--train_dir={made.run.path}",
        f"--model_file={made.path(name)}",
    ):
        output = tmp_path / f"{len(texts)}.csv"
        run_predict(
            source,
            f"--input_data_pattern={made.run.pattern}",
            f"--output_file={output}",
            "--segment_labels",
            "--num_readers=1",
        )
        texts.append(output.read_text().splitlines()[1:])
    assert len(texts[0]) == len(texts[1]) > 40
    for line, other in zip(*texts, strict=True):
        values, wanted = (re.split("[, ]", text) for text in (line, other))
        assert values[0] == wanted[0]
        assert [float(x) for x in values[1:]] == pytest.approx(
            [float(x) for x in wanted[1:]], abs=1e-4
        )


@pytest.mark.slow
def test_scores_for_another_model(tmp_path, capsys):
    run = tiny_runs.video_run()
    arguments = [f"--train_dir={run.path}", "--num_readers=1"]
    outputs = []
    for name, more in [("csv", []), ("teacher", ["--batch_size=7"])]:
        outputs.append(tmp_path / name)
        status = run_predict(
            *arguments,
            f"--input_data_pattern={run.pattern}",
            f"--output_file={outputs[-1]}",
            f"--format={name}",
            "--top_k=3",
            *more,
        )
        assert status == 0
        assert f"wrote 40 videos to {outputs[-1]}\n" in capsys.readouterr().out
    header, table = readers.read_scores([str(outputs[1])])
    assert header == readers.ScoreHeader("MoeModel", 5, 3)
    lines = outputs[0].read_text().splitlines()[1:]
    assert len(lines) == len(table) == 40
    for line in lines:
        name, pairs = line.split(",")
        classes, scores, found = table.look_up([name.encode()])
        assert found.all()
        assert classes[0].tolist() == [int(i) for i in pairs.split()[::2]]
        np.testing.assert_allclose(
            scores[0],
            [float(score) for score in pairs.split()[1::2]],
            rtol=2**-11 + 1e-5,
        )


@pytest.mark.parametrize(("name", "expected"), [("csv", 20), ("teacher", 10)])
def test_number_of_classes_by_default(tmp_path, monkeypatch, name, expected):
    written = {}

    def write(predictor, pattern, path, output, **kwargs):
        written.update(output.describe())
        return 0

    monkeypatch.setattr(predictors, "write_predictions", write)
    run = tiny_runs.video_run()
    run_predict(
        f"--train_dir={run.path}",
        f"--input_data_pattern={run.pattern}",
        f"--output_file={tmp_path}/out",
        f"--format={name}",
    )
    assert written["top_k"] == expected


@pytest.mark.parametrize("resume", [True, False])
def test_a_prediction_that_is_interrupted(
    tmp_path, monkeypatch, capsys, resume
):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(predictors, "write_predictions", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run_predict(
            "--preset=yt8m_2018_video_100k",
            f"--input_data_pattern={tiny_runs.video_run().pattern}",
            f"--output_file={tmp_path}/out.csv",
            f"--resume={resume}",
        )
    told = "the same command goes on" in capsys.readouterr().err
    assert told == resume


@pytest.mark.slow
def test_names_thresholds_and_ensembles(tmp_path):
    run = tiny_runs.video_run()
    vocabulary = tmp_path / "vocabulary.csv"
    vocabulary.write_text("Index,Name\n0,Game\n1,Vehicle\n4,Car\n")
    exported = str(tmp_path / "export")
    export.main(
        tiny_runs.parse_flags(
            export.define_flags,
            f"--train_dir={run.path}",
            f"--export_dir={exported}",
            "--checkpoint_step=5",
        ),
        [],
    )
    batch = tiny_runs.features_of(run, run.pattern)
    models = [
        train_dir_lib.TrainDir(run.path).restore_model(step)[1]
        for step in (None, 5)
    ]
    expected = sum(
        weight * model({"features": batch["features"]}, training=False).numpy()
        for weight, model in zip((0.25, 0.75), models, strict=True)
    )
    least = float(np.quantile(expected, 0.6))
    output = tmp_path / "out.jsonl"
    status = run_predict(
        f"--ensemble={run.path},{exported}",
        "--ensemble_weights=1,3",
        f"--input_data_pattern={run.pattern}",
        f"--output_file={output}",
        f"--vocabulary_file={vocabulary}",
        f"--min_probability={least}",
        "--top_k=4",
        "--num_readers=1",
    )
    assert status == 0
    names = ["Game", "Vehicle", "2", "3", "Car"]
    values = [json.loads(line) for line in output.read_text().splitlines()]
    assert [value["id"].encode() for value in values] == batch["id"].tolist()
    for value, scores in zip(values, expected, strict=True):
        order = np.argsort(-scores)[:4]
        order = [label for label in order if scores[label] >= least]
        assert value["classes"] == order
        assert value["names"] == [names[label] for label in order]
        np.testing.assert_allclose(value["scores"], scores[order], rtol=1e-5)
    assert len({len(value["classes"]) for value in values}) > 1
    with pytest.raises(ValueError, match="export: expected a model with a lay"):
        run_predict(
            f"--model_file={exported}",
            f"--input_data_pattern={run.pattern}",
            f"--output_file={output}",
            "--embeddings",
        )


@pytest.mark.slow
def test_embeddings(tmp_path):
    run = tiny_runs.frame_run()
    exported = {
        name: str(tmp_path / name) for name in ("saved_model", "packed")
    }
    for name, path in exported.items():
        export.main(
            tiny_runs.parse_flags(
                export.define_flags,
                f"--train_dir={run.path}",
                f"--export_dir={path}",
                f"--format={name}",
            ),
            [],
        )
    found = []
    for source in (
        f"--train_dir={run.path}",
        *(f"--model_file={path}" for path in exported.values()),
    ):
        output = tmp_path / "out.parquet"
        run_predict(
            source,
            f"--input_data_pattern={run.pattern}",
            f"--output_file={output}",
            "--embeddings",
            "--num_readers=1",
        )
        table = pyarrow.parquet.read_table(output)
        assert table.column_names == ["id", "embedding"]
        found.append(np.array(table["embedding"].to_pylist(), np.float32))
    batch = tiny_runs.features_of(run, run.pattern)
    assert table["id"].to_pylist() == [name.decode() for name in batch["id"]]
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    part = keras.Model(model.input, models_lib.find_embedding(model))
    expected = part({name: batch[name] for name in model.input})
    assert found[0].shape == (40, 8)
    for embeddings, error in zip(found, (1e-5, 1e-5, 1e-2), strict=True):
        np.testing.assert_allclose(embeddings, expected, atol=error)
    run = tiny_runs.video_run()
    with pytest.raises(ValueError, match="a layer before its classifier, for"):
        run_predict(
            f"--train_dir={run.path}",
            f"--input_data_pattern={run.pattern}",
            f"--output_file={output}",
            "--embeddings",
        )


@pytest.mark.slow
def test_embeddings_of_a_file_of_another_runtime(tmp_path):
    made = small_artefacts.make("video")
    with pytest.raises(
        ValueError, match="which have embeddings. Received: a Li"
    ):
        run_predict(
            f"--model_file={made.file('litert')}",
            f"--input_data_pattern={made.run.pattern}",
            f"--output_file={tmp_path}/out.jsonl",
            "--embeddings",
        )


def _make_jsonl(flag_values, num_classes, path=None):
    source = types.SimpleNamespace(num_classes=num_classes, path=path)
    return predict._make_output(flag_values, predictions.Format.JSONL, source)


def test_names_that_are_not_known(tmp_path):
    flag_values = tiny_runs.parse_flags(
        predict.define_flags, "--output_file=out.jsonl", "--class_names"
    )
    with pytest.raises(
        ValueError, match="expected --vocabulary_file, .*: none, of 5 classes"
    ):
        _make_jsonl(flag_values, 5)
    assert _make_jsonl(flag_values, 3862).class_names[0] == "Game"
    # Those of the records that the run was trained on come first.
    names = tuple(f"my {index}" for index in range(3862))
    said = readers.RecordFeatures(
        feature_names=("clip",),
        feature_sizes=(4,),
        num_classes=3862,
        class_names=names,
    )
    readers.write_features(str(tmp_path / readers.FEATURES_NAME), said)
    output = _make_jsonl(flag_values, 3862, str(tmp_path))
    assert tuple(output.class_names) == names
    flag_values.class_names = False
    assert _make_jsonl(flag_values, 3862).class_names is None


GIVEN = ["--input_data_pattern=data*", "--output_file=out.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            GIVEN,
            "expected one of --train_dir, --model_file, --preset and "
            "--ensemble. Received: train_dir=None, model_file=None, "
            "preset=None, ensemble=None",
        ),
        (
            [*GIVEN, "--train_dir=a", "--model_file=b"],
            "expected one of --train_dir, --model_file, --preset and "
            "--ensemble. Received: train_dir='a', model_file='b', preset=None",
        ),
        (
            [*GIVEN, "--preset=c", "--model_file=b"],
            "Received: train_dir=None, model_file='b', preset='c'",
        ),
        (
            [*GIVEN, "--model_file=b", "--checkpoint_step=0"],
            "expected no --checkpoint_step: --model_file holds one. Received: "
            "checkpoint_step=0",
        ),
        (
            [*GIVEN, "--model_file=b", "--weights=ema"],
            "expected no --weights: --model_file holds those that were "
            "exported. Received: weights=ema",
        ),
        (
            [*GIVEN, "--train_dir=a", "--weights=last"],
            "expected weights to be raw, ema, or average:N with N checkpoints, "
            "2 or more. Received: weights='last'",
        ),
        (
            ["--output_file=out.csv", "--train_dir=a"],
            "expected --input_data_pattern. Files to predict: glob patterns, "
            "comma-separated. Received: input_data_pattern=''",
        ),
        (
            [*GIVEN, "--input_model_tgz=model.tgz"],
            "--input_model_tgz is not supported: use --train_dir or "
            "--model_file",
        ),
        (
            [*GIVEN, "--output_model_tgz=model.tgz"],
            "--output_model_tgz is not supported: use yt8m-export",
        ),
        (
            [*GIVEN, "--segment_max_pred=9"],
            "expected --segment_max_pred with --format=segments; others have a "
            "line for each segment, with its --top_k classes. Received: "
            "format=csv",
        ),
        (
            [*GIVEN, "--segment_label_ids_file=ids.csv"],
            "expected --segment_label_ids_file with --format=segments",
        ),
        (
            [*GIVEN, "--format=segments", "--top_k=5"],
            "expected no --top_k with --format=segments, which has "
            "--segment_max_pred. Received: top_k=5",
        ),
        (
            [*GIVEN, "--class_names"],
            "expected a format that holds class names: jsonl or parquet",
        ),
        (
            [*GIVEN, "--vocabulary_file=a"],
            "expected a format that holds class names: jsonl or parquet",
        ),
        (
            [*GIVEN, "--embeddings"],
            "expected a format that holds embeddings: jsonl or parquet",
        ),
        (
            [*GIVEN, "--train_dir=a", "--ensemble_weights=1"],
            "expected --ensemble_weights with --ensemble. Received: "
            "ensemble_weights=1",
        ),
        (
            [*GIVEN, "--ensemble=a,b", "--weights=ema"],
            "expected no --weights with --ensemble, of newest checkpoints",
        ),
        (
            [*GIVEN, "--ensemble=a,b", "--ensemble_weights=1"],
            "expected 2 weights of an ensemble, 0 or more each and not all 0. "
            "Received: weights=[1.0]",
        ),
        (
            [*GIVEN, "--ensemble=a,b", "--ensemble_weights=1,x"],
            "expected numbers. Received: ensemble_weights=1,x",
        ),
        (
            [*GIVEN, "--ensemble=runs/moe,"],
            "expected the name of a model before and after each comma. "
            "Received: ensemble='runs/moe,'",
        ),
        (
            [*GIVEN, "--ensemble=not-there.tflite"],
            "not-there.tflite: expected a model of yt8m-export",
        ),
    ],
)
def test_flags_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run_predict(*arguments)


@pytest.mark.parametrize(
    "flag",
    [
        "--preset=nope",
        "--train_dir=preset:nope",
        "--ensemble=preset:yt8m_2018_video_100k,preset:nope",
    ],
)
def test_preset_that_there_is_not(flag):
    with pytest.raises(
        usage_error.UsageError, match="expected a preset, .*preset='nope'"
    ):
        run_predict(*GIVEN, flag)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--num_shards=2", "--shard_index=2"],
            "expected shard_index to be from 0 to 1, below num_shards. "
            "Received: shard_index=2, num_shards=2",
        ),
        (
            ["--shard_index=1"],
            "expected shard_index to be from 0 to 0, below num_shards. "
            "Received: shard_index=1, num_shards=1",
        ),
        (
            ["--num_shards=3"],
            "expected num_shards to be at most the number of files, 2. "
            "Received: num_shards=3",
        ),
    ],
)
def test_machines_without_files(flags, message, tmp_path):
    for name in "ab":
        (tmp_path / name).touch()
    with pytest.raises(usage_error.UsageError, match=f"^{message}$"):
        run_predict(
            f"--input_data_pattern={tmp_path}/*",
            "--output_file=out.csv",
            "--preset=yt8m_2018_video_100k",
            *flags,
        )


@pytest.mark.slow
def test_segments_skipped_records_and_shards(tmp_path, capsys):
    run = tiny_runs.frame_run()
    pattern = tiny_runs.write_frames(tmp_path, 12, num_files=2)
    for number in range(2):
        path = tmp_path / f"train{number}.tfrecord"
        path.write_bytes(path.read_bytes()[:-3])
    output = tmp_path / "out.csv"
    arguments = [
        f"--train_dir={run.path}",
        f"--input_data_pattern={pattern}",
        f"--output_file={output}",
        "--segment_labels",
        "--num_shards=2",
        "--shard_index=1",
    ]
    with pytest.raises(ValueError, match=r"train1\.tfrecord: record 5 "):
        run_predict(*arguments)
    assert not output.exists()
    assert run_predict(*arguments, "--on_data_error=skip") == 0
    # Videos 1, 3, ... 11 have 3, 5, 12, 3, 5 and 12 frames; the last one is
    # damaged.
    text = capsys.readouterr().out
    assert f"wrote 7 segments to {output}\n" in text
    assert "left out of the data:\nfile " in text
    assert "train1.tfrecord" in text
    assert "train0.tfrecord" not in text
    ids = [line.split(",")[0] for line in output.read_text().splitlines()[1:]]
    assert ids == [
        "v00001:0",
        "v00003:0",
        "v00005:0",
        "v00005:5",
        "v00005:10",
        "v00007:0",
        "v00009:0",
    ]


@pytest.mark.slow
def test_standard_output_holds_the_csv_alone(tmp_path):
    run = tiny_runs.video_run()
    done = tiny_runs.execute(
        "-m",
        "yt8m_compact.programs.predict",
        f"--train_dir={run.path}",
        f"--input_data_pattern={run.pattern}",
        "--output_file=/dev/fd/1",
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "VideoId,LabelConfidencePairs"
    assert len(lines) == 1 + 40
    assert all("," in line for line in lines)
    assert "wrote 40 videos to /dev/fd/1\n" in done.stderr


def test_missing_output_file():
    with pytest.raises(
        flags.IllegalFlagValueError,
        match="Flag --output_file must have a value other than None",
    ):
        run_predict("--train_dir=a", "--input_data_pattern=b")


def test_arguments_that_are_not_flags():
    flag_values = tiny_runs.parse_flags(predict.define_flags, *GIVEN)
    with pytest.raises(ValueError, match="Received: out.csv"):
        predict.main(flag_values, ["out.csv"])


def test_output_file_that_is_a_folder_or_empty(tmp_path):
    arguments = "--train_dir=unused", "--input_data_pattern=unused"
    with pytest.raises(
        ValueError, match="expected --output_file to be a file. .* is a folder"
    ):
        run_predict(*arguments, f"--output_file={tmp_path}")
    with pytest.raises(ValueError, match="expected --output_file. File to"):
        run_predict(*arguments, "--output_file=")


def test_output_file_in_a_folder_that_is_not_there(tmp_path):
    run = tiny_runs.video_run()
    with pytest.raises(
        ValueError, match="expected --output_file in a folder that exists"
    ):
        run_predict(
            f"--train_dir={run.path}",
            f"--input_data_pattern={run.pattern}",
            f"--output_file={tmp_path}/missing/out.csv",
        )
