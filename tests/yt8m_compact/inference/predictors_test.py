"""Tests of predictions as the starter code's CSV."""

import concurrent.futures
import dataclasses
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

import damaged_files
import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.inference import outputs
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.predictions import kaggle_csv
from yt8m_compact.predictions import rows as rows_lib
from yt8m_compact.run import train_dir as train_dir_lib

RUNS = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}
WRITERS = {"video": tiny_runs.write_videos, "frame": tiny_runs.write_frames}


def write(predictor, pattern, path, **kwargs) -> str:
    predictors.write_csv(predictor, pattern, str(path), **kwargs)
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
    ids = [b"aaaa", b"a-_9"]
    # The first row has scores that %g writes in each of its ways; in the
    # second one, equal scores stand in the order of the classes.
    predictions = np.array(
        [
            [0.5, 1.0, 1.2345678e-5, 0.123456789, 1e-10],
            [0.25, 0.75, 0.25, 0.75, 0.0],
        ],
        np.float32,
    )

    def format_lines(top_k):
        chosen = outputs.Output(top_k=top_k).choose(predictions)
        return kaggle_csv.format_rows(rows_lib.from_arrays(ids, *chosen))

    assert format_lines(4) == (
        "aaaa,1 1 0 0.5 3 0.123457 2 1.23457e-05\n"
        "a-_9,1 0.75 3 0.75 0 0.25 2 0.25\n"
    )
    # Where a scarce place is tied for, too.
    assert format_lines(3).endswith("a-_9,1 0.75 3 0.75 0 0.25\n")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_runs_of_16_bits(tmp_path, policy):
    pattern = tiny_runs.write_videos(tmp_path / "data", 16)
    config = tiny_runs.video_config(
        pattern,
        models.DeepCirculantConfig(num_layers=1),
        num_epochs=1,
        dtype_policy=policy,
        base_learning_rate=0.1,
    )
    run = tiny_runs.Run(str(tmp_path / "run"), pattern, config)
    training.train(config, run.path)
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    compute = policy.removeprefix("mixed_")
    assert model.get_layer("classifier").compute_dtype == compute
    texts = [
        write(predictor, pattern, tmp_path / "out.csv", num_readers=1)
        for predictor in (
            predictors.predictor_from_train_dir(run.path),
            predictors.predictor_from_artefact(
                export(run, str(tmp_path / "export"))
            ),
        )
    ]
    assert texts[0] == texts[1]
    # The evaluation's loss is that of these predictions.
    p = tiny_runs.predictions_of(run, pattern)
    y = tiny_runs.features_of(run, pattern)["labels"]
    losses = y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5)
    result = evaluation.evaluate_run(run.path, pattern)
    assert result.metrics["loss"] == pytest.approx(
        -losses.sum(axis=1).mean(), rel=1e-3
    )
    # And not those of 32 bits, but near.
    wide = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, dtype_policy="float32"),
    ).build_model()
    wide.set_weights(model.get_weights())
    inputs = {"features": tiny_runs.features_of(run, pattern)["features"]}
    difference = np.abs(wide(inputs, training=False).numpy() - p).max()
    assert 0 < difference < (0.02 if compute == "bfloat16" else 0.002)


@pytest.mark.slow
@pytest.mark.parametrize("level", RUNS)
def test_csv(tmp_path, level):
    run = RUNS[level]()
    pattern = WRITERS[level](tmp_path / "data", 70, name="test", labels=None)
    from_run = predictors.predictor_from_train_dir(run.path)
    from_export = predictors.predictor_from_artefact(
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


@pytest.mark.slow
def test_csv_of_a_model_in_memory_is_by_the_weights_of_then(tmp_path):
    run = tiny_runs.video_run()
    config, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    predictor = predictors.predictor_from_module(
        serving.ServingModule(config, model, top_k=1)
    )
    # Of one video, by operations of their own, and of all.
    one = tiny_runs.write_videos(tmp_path / "one", 1, num_files=1)
    for factor in (1.0, -3.0):
        for weight in model.trainable_weights:
            weight.assign(weight * factor)
        for pattern in (run.pattern, one):
            path = tmp_path / "out.csv"
            write(predictor, pattern, path, num_readers=1)
            batch = tiny_runs.features_of(run, pattern)
            expected = model({"features": batch["features"]}, training=False)
            found = _lines(path)
            assert list(found) == [name.decode() for name in batch["id"]]
            for scores, wanted in zip(found.values(), expected, strict=True):
                np.testing.assert_allclose(
                    [scores[index] for index in range(5)], wanted, rtol=1e-5
                )
        single = {"features": tf.constant(batch["features"])}
        predictor.refresh()
        np.testing.assert_allclose(
            predictor.predict(**single)["predictions"], expected, rtol=1e-5
        )


@pytest.mark.slow
def test_readers_change_the_order_only(tmp_path):
    run = tiny_runs.video_run()
    predictor = predictors.predictor_from_train_dir(run.path, 5)
    one, two, three = (
        write(predictor, run.pattern, tmp_path / "out.csv", num_readers=n)
        for n in (1, 3, 3)
    )
    assert two == three
    assert sorted(one.splitlines()) == sorted(two.splitlines())


@pytest.mark.slow
def test_more_classes_asked_for_than_there_are(tmp_path):
    run = tiny_runs.video_run()
    predictor = predictors.predictor_from_train_dir(run.path)
    number = predictors.write_csv(
        predictor, run.pattern, str(tmp_path / "out.csv"), top_k=20
    )
    assert number == 40
    lines = (tmp_path / "out.csv").read_text().splitlines()[1:]
    for line in lines:
        classes = line.split(",")[1].split(" ")[::2]
        assert sorted(classes) == list("01234")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("level", RUNS)
def test_bad_record(tmp_path, level):
    run = RUNS[level]()
    pattern = WRITERS[level](tmp_path / "data", 90, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    records = [record.numpy() for record in tf.data.TFRecordDataset(file)]
    records[70] = b"not a record"
    record_makers.write_tfrecord(file, records)
    predictor = predictors.predictor_from_train_dir(run.path)
    (tmp_path / "out.csv").write_text("from before")
    # The rows of the block before it, of 64, were predicted already.
    with pytest.raises(
        readers.DataError,
        match=(
            f"^{re.escape(file)}: record 70: expected a tf.train.* The 64 "
            "videos predicted before are not kept; to go on, leave out such "
            "records with on_data_error=skip, or mend the file and start "
            "again"
        ),
    ):
        predictors.write_csv(
            predictor, pattern, str(tmp_path / "out.csv"), batch_size=8
        )
    # Neither half a file nor the loss of another one.
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["data", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "from before"


@pytest.mark.slow
@pytest.mark.parametrize("video_id", [b"\xff\xfe", b"a,b", b'a"b', b"a\nb"])
def test_id_that_a_csv_cannot_hold(tmp_path, video_id, monkeypatch):
    monkeypatch.setattr(record_makers, "video_id", lambda index: video_id)
    pattern = tiny_runs.write_videos(tmp_path, 3, num_files=1)
    predictor = predictors.predictor_from_train_dir(tiny_runs.video_run().path)
    with pytest.raises(
        readers.DataError,
        match=(
            r"train0\.tfrecord: record 0: expected an id of printable .*"
            "which a CSV can hold. Received: '"
        ),
    ):
        predictors.write_csv(predictor, pattern, str(tmp_path / "out.csv"))


@pytest.mark.slow
def test_wrong_feature_size(tmp_path):
    pattern = tiny_runs.write_videos(
        tmp_path, 3, num_files=1, feature_sizes={"mean_rgb": 6, "mean_audio": 4}
    )
    predictor = predictors.predictor_from_train_dir(tiny_runs.video_run().path)
    with pytest.raises(
        readers.DataError,
        match=(
            r"train0\.tfrecord: record 0: expected the feature 'mean_audio' "
            r"to be 3 float values\. Received: 4 float values\. Set "
            r"feature_names and feature_sizes to those of the data\. .* "
            r"'mean_audio' \(float x 4\)"
        ),
    ):
        predictors.write_csv(predictor, pattern, str(tmp_path / "out.csv"))


@pytest.mark.slow
def test_truncated_file(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 9, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    content = pathlib.Path(file).read_bytes()
    pathlib.Path(file).write_bytes(content[:-3])
    predictor = predictors.predictor_from_train_dir(tiny_runs.video_run().path)
    with pytest.raises(
        readers.DataError, match=f"^{re.escape(file)}: record 8 .*can't be read"
    ):
        predictors.write_csv(predictor, pattern, str(tmp_path / "out.csv"))
    assert not list(tmp_path.glob("out.csv*"))


def _lines(path: pathlib.Path) -> dict[str, dict[int, float]]:
    """Reads a CSV: scores by class, by id."""
    found = {}
    for line in path.read_text().splitlines()[1:]:
        name, pairs = line.split(",")
        words = pairs.split(" ")
        scores = map(float, words[1::2])
        found[name] = dict(zip(map(int, words[::2]), scores, strict=True))
    return found


def _replace_data(run, **values):
    return dataclasses.replace(
        run.config, data=dataclasses.replace(run.config.data, **values)
    )


@pytest.mark.slow
def test_segments_are_those_of_an_evaluation(tmp_path):
    run = tiny_runs.frame_run()
    # 1 to 12 frames: the run reads 8, and segments go on to the end.
    counts = [1, 3, 5, 6, 8, 12] * 12
    records = [
        record_makers.make_frame_example(
            index,
            count,
            num_classes=tiny_runs.NUM_CLASSES,
            segments=[(start, 1, 1.0) for start in range(0, count, 5)],
        )
        for index, count in enumerate(counts)
    ]
    pattern = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(pattern, records)
    exported = export(run, str(tmp_path / "export"))
    path = tmp_path / "out.csv"
    texts = []
    for predictor in (
        predictors.predictor_from_train_dir(run.path, segments=True),
        predictors.predictor_from_artefact(exported, segments=True),
    ):
        assert predictor.unit == "segments"
        for batch_size in (7, 256):
            number = predictors.write_csv(
                predictor, pattern, str(path), batch_size=batch_size
            )
            # Of 12 videos each: 1 + 1 + 1 + 2 + 2 + 3 segments.
            assert number == 12 * 10
            texts.append(path.read_text())
    assert texts == [texts[0]] * 4
    # An evaluation reads the same segments, which are rated here.
    config = _replace_data(run, segment_labels=True, max_frames=12)
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    batch = config.reader(training=False).parse(tf.constant(records))
    inputs = {name: batch[name] for name in model.input}
    expected = model(inputs, training=False).numpy()
    found = _lines(path)
    assert list(found) == [name.decode() for name in batch["id"].numpy()]
    assert list(found)[-3:] == ["v00071:0", "v00071:5", "v00071:10"]
    for scores, wanted in zip(found.values(), expected, strict=True):
        np.testing.assert_allclose(
            [scores[index] for index in range(len(wanted))], wanted, rtol=1e-5
        )


@pytest.mark.slow
def test_segments_of_a_model_that_looks_at_all_frames(tmp_path):
    # Its inputs may be as long as --max_frames, 8, or as the segments.
    folder = tmp_path / "run"
    pattern = tiny_runs.write_frames(tmp_path / "data", 8)
    config = tiny_runs.frame_config(
        pattern, models.FrameLevelLogisticConfig(), num_epochs=1
    )
    training.train(config, str(folder))
    run = tiny_runs.Run(str(folder), pattern, config)
    exported = export(run, str(tmp_path / "export"))
    texts = []
    for predictor in (
        predictors.predictor_from_train_dir(run.path, segments=True),
        predictors.predictor_from_artefact(exported, segments=True),
    ):
        texts.append(write(predictor, pattern, tmp_path / "out.csv"))
    assert texts[0] == texts[1]
    files = readers.expand_patterns(pattern)
    records = [record.numpy() for record in tf.data.TFRecordDataset(files)]
    batch = config.prediction_reader(segments=True).parse(tf.constant(records))
    inputs = {name: batch[name] for name in ("frames", "num_frames")}
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    expected = dict(
        zip(batch["id"].numpy(), model(inputs, training=False), strict=True)
    )
    # Of 1, 3, 4, 5, 8, 12, 1 and 3 frames.
    found = _lines(tmp_path / "out.csv")
    assert len(found) == len(expected) == 1 + 1 + 1 + 1 + 2 + 3 + 1 + 1
    for name, scores in found.items():
        np.testing.assert_allclose(
            [scores[index] for index in range(5)],
            expected[name.encode()],
            rtol=1e-5,
        )


@pytest.mark.slow
def test_videos_are_counted_by_their_first_segments(tmp_path):
    predictor = predictors.predictor_from_train_dir(
        tiny_runs.frame_run().path, segments=True
    )
    ids = [b"a:0", b"a:5", b"a:10", b"b:0:0", b"b:0:5", b"b:0:100"]
    assert predictor.count_videos(np.array(ids, object)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("level", RUNS)
@pytest.mark.parametrize("source", ["run", "export"])
def test_records_of_another_vocabulary(tmp_path, level, source):
    run = RUNS[level]()
    predictor = (
        predictors.predictor_from_train_dir(run.path)
        if source == "run"
        else predictors.predictor_from_artefact(
            export(run, str(tmp_path / "export"))
        )
    )
    texts = []
    for name, labels in (("same", (1, 2)), ("other", (1, 4715))):
        pattern = WRITERS[level](tmp_path / name, 12, labels=labels)
        skipped = readers.SkippedData()
        texts += [
            write(predictor, pattern, tmp_path / "out.csv"),
            write(predictor, pattern, tmp_path / "out.csv", skipped=skipped),
        ]
        assert not skipped
    assert texts == [texts[0]] * 4
    assert len(texts[0].splitlines()) == 1 + 12


@pytest.mark.slow
def test_segments_of_video_level_records(tmp_path):
    path = tiny_runs.video_run().path
    message = (
        f"{path}: expected a run with frame_features to predict segments: "
        "video-level records have none"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        predictors.predictor_from_train_dir(path, segments=True)
    exported = export(tiny_runs.video_run(), str(tmp_path / "export"))
    with pytest.raises(ValueError, match="expected a run with frame_feat"):
        predictors.predictor_from_artefact(exported, segments=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["video", "frame", "segments", "export"])
def test_bad_data_is_skipped_and_counted(tmp_path, kind):
    level = "video" if kind == "video" else "frame"
    run = RUNS[level]()
    pattern = WRITERS[level](tmp_path / "data", 90, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    predictor = {
        "video": lambda: predictors.predictor_from_train_dir(run.path),
        "frame": lambda: predictors.predictor_from_train_dir(run.path),
        "segments": lambda: predictors.predictor_from_train_dir(
            run.path, segments=True
        ),
        "export": lambda: predictors.predictor_from_artefact(
            export(run, str(tmp_path / "export"))
        ),
    }[kind]()
    number = predictors.write_csv(predictor, pattern, str(tmp_path / "all.csv"))
    records = [record.numpy() for record in tf.data.TFRecordDataset(file)]
    records[3] = b"not a record"
    records[5] = records[5].replace(b"v00005", b'v0"005')
    if level == "frame":
        # Numbers where bytes belong: the parser does not say which record.
        message = tf.train.SequenceExample.FromString(records[66])
        steps = message.feature_lists.feature_list["rgb"].feature
        steps[0].int64_list.value.append(1)
        records[66] = message.SerializeToString()
    else:
        records[66] = record_makers.make_video_example(
            66, feature_sizes={"mean_rgb": 5, "mean_audio": 3}
        )
    framed = damaged_files.frame(pathlib.Path(file), records)
    framed[70] = damaged_files.flip(framed[70], 20)
    framed[-1] = framed[-1][:-2]
    pathlib.Path(file).write_bytes(b"".join(framed))
    empty = tmp_path / "data" / "train9.tfrecord"
    empty.write_bytes(b"")
    skipped = readers.SkippedData()
    path = tmp_path / "out.csv"
    written = predictors.write_csv(
        predictor, pattern, str(path), skipped=skipped
    )
    bad = ["v00003", "v00005", "v00066", "v00070", "v00089"]
    before, after = _lines(tmp_path / "all.csv"), _lines(path)
    expected = [name for name in before if name.split(":")[0] not in bad]
    assert list(after) == expected
    assert {name: before[name] for name in expected} == after
    assert written == len(expected) < number
    first, second = skipped.files()
    assert (first.file, first.num_records) == (file, 4)
    assert first.num_bytes == len(framed[-1])
    assert "expected a tf.train" in first.reason
    assert (second.file, second.num_records) == (str(empty), 0)


@pytest.mark.slow
def test_a_record_that_the_parser_does_not_name_is_named(tmp_path):
    message = tf.train.SequenceExample.FromString(
        record_makers.make_frame_example(1, num_classes=tiny_runs.NUM_CLASSES)
    )
    steps = message.feature_lists.feature_list["rgb"].feature
    steps[0].int64_list.value.append(1)
    good = record_makers.make_frame_example(
        0, num_classes=tiny_runs.NUM_CLASSES
    )
    file = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(file, [good, message.SerializeToString()])
    predictor = predictors.predictor_from_train_dir(tiny_runs.frame_run().path)
    with pytest.raises(
        readers.DataError, match=f"^{re.escape(file)}: record 1: expected a "
    ):
        predictors.write_csv(predictor, file, str(tmp_path / "out.csv"))


@pytest.mark.slow
def test_data_of_another_kind_is_no_damage(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 3, num_files=1)
    path = str(tmp_path / "out.csv")
    skipped = readers.SkippedData()
    predictor = predictors.predictor_from_train_dir(tiny_runs.frame_run().path)
    with pytest.raises(readers.DataError, match=r"train0\.tfrecord: .*frame"):
        predictors.write_csv(predictor, pattern, path, skipped=skipped)
    exported = predictors.predictor_from_artefact(
        export(tiny_runs.frame_run(), str(tmp_path / "export"))
    )
    for choice in (skipped, None):
        with pytest.raises(
            readers.DataError, match=r"train0\.tfrecord: .*frame"
        ):
            predictors.write_csv(exported, pattern, path, skipped=choice)
    assert not skipped
    assert not list(tmp_path.glob("*out.csv*"))


@pytest.mark.slow
def test_nothing_is_left(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 3, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    framed = damaged_files.read_framed(pathlib.Path(file))
    # The first one is good enough to see what the file holds, but for its id.
    first = record_makers.make_video_example(0).replace(b"v00000", b"v0,000")
    framed[0] = damaged_files.frame(pathlib.Path(file), [first])[0]
    framed[1] = damaged_files.flip(framed[1], 20)
    framed[2] = framed[2][:-2]
    pathlib.Path(file).write_bytes(b"".join(framed))
    predictor = predictors.predictor_from_train_dir(tiny_runs.video_run().path)
    path = str(tmp_path / "out.csv")
    with pytest.raises(
        readers.DataError,
        match=r"train0\.tfrecord: expected at least one record that can be",
    ):
        predictors.write_csv(
            predictor, pattern, path, skipped=readers.SkippedData()
        )
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@pytest.mark.slow
def test_several_machines_share_the_files(tmp_path):
    run = tiny_runs.video_run()  # three files
    predictor = predictors.predictor_from_train_dir(run.path)
    path = tmp_path / "out.csv"
    predictors.write_csv(predictor, run.pattern, str(path))
    together = _lines(path)
    parts = []
    for index in range(2):
        predictors.write_csv(
            predictor, run.pattern, str(path), num_shards=2, shard_index=index
        )
        parts.append(_lines(path))
    # 14, 13 and 13 videos in the files; the second machine has one file.
    assert [len(part) for part in parts] == [27, 13]
    assert parts[0] | parts[1] == together
    for number, index, message in (
        (
            2,
            2,
            "expected shard_index to be from 0 to 1, below num_shards. "
            "Received: shard_index=2, num_shards=2",
        ),
        (
            4,
            0,
            "expected num_shards to be at most the number of files, 3. "
            "Received: num_shards=4",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            predictors.write_csv(
                predictor,
                run.pattern,
                str(path),
                num_shards=number,
                shard_index=index,
            )


def _broken_predictor(predict):
    run = tiny_runs.video_run()
    reader = run.config.prediction_reader()
    return predictors.Predictor(reader, predict), run.pattern


@pytest.mark.slow
def test_a_model_that_fails_is_no_bad_record(tmp_path):
    def predict(features):
        tf.debugging.assert_less(len(features), 3, "the model is broken")

    predictor, pattern = _broken_predictor(predict)
    skipped = readers.SkippedData()
    with pytest.raises(tf.errors.InvalidArgumentError, match="is broken"):
        predictors.write_csv(
            predictor, pattern, str(tmp_path / "out.csv"), skipped=skipped
        )
    assert not skipped
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["write_csv", "write_scores"])
def test_a_model_of_no_number_is_refused(tmp_path, name):
    def predict(features):
        predictions = np.full([len(features), 5], 0.5, np.float32)
        predictions[3, 2] = np.nan
        return {"predictions": tf.constant(predictions)}

    predictor, pattern = _broken_predictor(predict)
    with pytest.raises(
        ValueError,
        match=(
            "expected finite predictions: has the training diverged. Received: "
            "NaN or infinity for v000"
        ),
    ):
        getattr(predictors, name)(predictor, pattern, str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []


def test_saved_model_of_something_else(tmp_path):
    module = tf.Module()
    module.double = tf.function(
        lambda x: {"twice": 2 * x},
        input_signature=[tf.TensorSpec([None], tf.float32, "x")],
    )
    tf.saved_model.save(
        module, str(tmp_path), signatures={"serving_default": module.double}
    )
    message = f"{tmp_path}: expected a SavedModel that yt8m-export wrote, with"
    with pytest.raises(ValueError, match=re.escape(message)):
        predictors.predictor_from_artefact(str(tmp_path))


@pytest.mark.slow
def test_links_are_followed_and_devices_stay(tmp_path):
    run = tiny_runs.video_run()
    predictor = predictors.predictor_from_train_dir(run.path)
    target = tmp_path / "target.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    text = write(predictor, run.pattern, link)
    assert link.is_symlink()
    assert target.read_text() == text
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_text)
        predictors.write_csv(predictor, run.pattern, str(pipe))
        assert reading.result(timeout=60) == text
    assert pipe.is_fifo()


@pytest.mark.slow
def test_two_that_write_one_file(tmp_path):
    run = tiny_runs.video_run()
    path = tmp_path / "out.csv"
    predictor = predictors.predictor_from_train_dir(run.path)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        writing = [
            pool.submit(
                predictors.write_csv,
                predictor,
                run.pattern,
                str(path),
                top_k=top_k,
            )
            for top_k in (1, 5, 1, 5)
        ]
        assert [future.result() for future in writing] == [40] * 4
    # The whole of one of them.
    lengths = [len(line.split(" ")) for line in path.read_text().splitlines()]
    assert lengths in ([1] + [2] * 40, [1] + [10] * 40)
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]
