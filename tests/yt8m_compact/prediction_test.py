"""Tests of predictions as the starter code's CSV."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact import prediction
from yt8m_compact import readers
from yt8m_compact import serving
from yt8m_compact import train_dir as train_dir_lib

RUNS = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}
WRITERS = {"video": tiny_runs.write_videos, "frame": tiny_runs.write_frames}


def write(predictor, pattern, path, **kwargs) -> str:
    prediction.write_csv(predictor, pattern, str(path), **kwargs)
    return pathlib.Path(path).read_text()


def export(run: tiny_runs.Run, path: str) -> str:
    config, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    serving.save(serving.ServingModule(config, model, top_k=3), path)
    return path


def starter_code_lines(video_ids, predictions, top_k):
    """`format_lines` of the starter code's inference.py."""
    for video_id, scores in zip(video_ids, predictions, strict=True):
        top_indices = np.argpartition(scores, -top_k)[-top_k:]
        line = [(index, scores[index]) for index in top_indices]
        line = sorted(line, key=lambda p: -p[1])
        yield (
            video_id.decode("utf-8")
            + ","
            + " ".join("%i %g" % pair for pair in line)  # noqa: UP031
            + "\n"
        )


def test_format():
    ids = ["aaaa", "a-_9"]
    # The first row has scores that %g writes in each of its ways; in the
    # second one, equal scores stand in the order of the classes.
    predictions = np.array(
        [
            [0.5, 1.0, 1.2345678e-5, 0.123456789, 1e-10],
            [0.25, 0.75, 0.25, 0.75, 0.0],
        ],
        np.float32,
    )
    assert list(prediction._format_lines(ids, predictions, 4)) == [
        "aaaa,1 1 0 0.5 3 0.123457 2 1.23457e-05\n",
        "a-_9,1 0.75 3 0.75 0 0.25 2 0.25\n",
    ]


@pytest.mark.parametrize("level", RUNS)
def test_csv(tmp_path, level):
    run = RUNS[level]()
    pattern = WRITERS[level](tmp_path / "data", 70, name="test", labels=None)
    from_run = prediction.predictor_from_train_dir(run.path)
    from_export = prediction.predictor_from_saved_model(
        export(run, str(tmp_path / "export"))
    )
    # One reader: the files come one after the other.
    text = write(
        from_run, pattern, tmp_path / "out.csv", top_k=3, num_readers=1
    )
    batch = tiny_runs.features_of(run, pattern)
    predictions = tiny_runs.predictions_of(run, pattern)
    lines = text.splitlines(keepends=True)
    assert lines[0] == "VideoId,LabelConfidencePairs\n"
    expected = list(starter_code_lines(batch["id"], predictions, 3))
    assert len(lines) == 71
    for line, other in zip(lines[1:], expected, strict=True):
        # The last digit may differ: the batch is another one.
        found, wanted = (
            [float(v) for v in re.split("[, ]", x)[1:]] for x in (line, other)
        )
        assert line.split(",")[0] == other.split(",")[0]
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
    for number, predictor in enumerate((from_run, from_export)):
        for batch_size in (1, 7, 256):
            again = write(
                predictor,
                pattern,
                tmp_path / f"{number}-{batch_size}.csv",
                top_k=3,
                batch_size=batch_size,
                num_readers=1,
            )
            assert again == text, (number, batch_size)


def test_readers_change_the_order_only(tmp_path):
    run = tiny_runs.video_run()
    predictor = prediction.predictor_from_train_dir(run.path, 5)
    one, two, three = (
        write(predictor, run.pattern, tmp_path / "out.csv", num_readers=n)
        for n in (1, 3, 3)
    )
    assert two == three
    assert sorted(one.splitlines()) == sorted(two.splitlines())


def test_more_classes_asked_for_than_there_are(tmp_path):
    run = tiny_runs.video_run()
    predictor = prediction.predictor_from_train_dir(run.path)
    number = prediction.write_csv(
        predictor, run.pattern, str(tmp_path / "out.csv"), top_k=20
    )
    assert number == 40
    lines = (tmp_path / "out.csv").read_text().splitlines()[1:]
    for line in lines:
        classes = line.split(",")[1].split(" ")[::2]
        assert sorted(classes) == list("01234")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("level", RUNS)
def test_bad_record(tmp_path, level):
    run = RUNS[level]()
    pattern = WRITERS[level](tmp_path / "data", 90, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    records = [record.numpy() for record in tf.data.TFRecordDataset(file)]
    records[70] = b"not a record"
    record_makers.write_tfrecord(file, records)
    predictor = prediction.predictor_from_train_dir(run.path)
    (tmp_path / "out.csv").write_text("from before")
    with pytest.raises(
        readers.DataError,
        match=f"^{re.escape(file)}: record 70: expected a tf.train",
    ):
        prediction.write_csv(predictor, pattern, str(tmp_path / "out.csv"))
    # Neither half a file nor the loss of another one.
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["data", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "from before"


@pytest.mark.parametrize("video_id", [b"\xff\xfe", b"a,b", b'a"b', b"a\nb"])
def test_id_that_a_csv_cannot_hold(tmp_path, video_id, monkeypatch):
    monkeypatch.setattr(record_makers, "video_id", lambda index: video_id)
    pattern = tiny_runs.write_videos(tmp_path, 3, num_files=1)
    predictor = prediction.predictor_from_train_dir(tiny_runs.video_run().path)
    with pytest.raises(
        readers.DataError,
        match=(
            r"train0\.tfrecord: record 0: expected an id of printable .*"
            rf"Received: id={re.escape(repr(video_id))}"
        ),
    ):
        prediction.write_csv(predictor, pattern, str(tmp_path / "out.csv"))


def test_wrong_feature_size(tmp_path):
    pattern = tiny_runs.write_videos(
        tmp_path, 3, num_files=1, feature_sizes={"mean_rgb": 6, "mean_audio": 4}
    )
    predictor = prediction.predictor_from_train_dir(tiny_runs.video_run().path)
    with pytest.raises(
        readers.DataError,
        match=(
            r"train0\.tfrecord: record 0: expected the feature 'mean_audio' "
            "to be 3 float values, found 4"
        ),
    ):
        prediction.write_csv(predictor, pattern, str(tmp_path / "out.csv"))


def test_truncated_file(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 9, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    content = pathlib.Path(file).read_bytes()
    pathlib.Path(file).write_bytes(content[:-3])
    predictor = prediction.predictor_from_train_dir(tiny_runs.video_run().path)
    with pytest.raises(
        readers.DataError, match=f"^{re.escape(file)}: record 8 .*can't be read"
    ):
        prediction.write_csv(predictor, pattern, str(tmp_path / "out.csv"))
    assert not list(tmp_path.glob("out.csv*"))


def test_errors_of_another_kind_pass(tmp_path):
    def predictor(examples):
        raise readers.DataError("no record is named here")

    with pytest.raises(readers.DataError, match="^no record is named here$"):
        prediction.write_csv(
            predictor, tiny_runs.video_run().pattern, str(tmp_path / "out.csv")
        )
    assert list(tmp_path.iterdir()) == []


def test_no_saved_model(tmp_path):
    message = (
        f"{tmp_path}: expected a SavedModel that yt8m-export wrote. Received: "
        "none there"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        prediction.predictor_from_saved_model(str(tmp_path))


@pytest.mark.parametrize("name", ["serving_default", "other"])
def test_saved_model_of_something_else(tmp_path, name):
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"twice": 2 * x},
        input_signature=[tf.TensorSpec([None], tf.float32, "x")],
    )
    tf.saved_model.save(module, str(tmp_path), signatures={name: module.double})
    outputs = ["twice"] if name == "serving_default" else []
    message = (
        f"{tmp_path}: expected a SavedModel that yt8m-export wrote, whose "
        "signature serving_default gives id and predictions. Received: "
        f"signatures=['{name}'], outputs={outputs}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        prediction.predictor_from_saved_model(str(tmp_path))
