"""Tests of the functions to serve, and of the SavedModel."""

import io
import json
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import record_makers
import rest_form
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.inference import frozen_model
from yt8m_compact.inference import serving
from yt8m_compact.run import export_manifest
from yt8m_compact.run import train_dir as train_dir_lib

RUNS = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}


def make_module(
    run: tiny_runs.Run, top_k: int = 3, **kwargs
) -> serving.ServingModule:
    config, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    return serving.ServingModule(config, model, top_k, **kwargs)


def make_records(level: str, indices=range(50, 64)) -> list[bytes]:
    """Makes records that the run was not trained on, of 1 to 14 frames."""
    if level == "video":
        return [
            record_makers.make_video_example(index, num_classes=5)
            for index in indices
        ]
    return [
        record_makers.make_frame_example(index, index - 49, num_classes=5)
        for index in indices
    ]


def expected_predictions(run: tiny_runs.Run, records: list[bytes]):
    """What the Keras model predicts from what the reader gives it."""
    batch = run.config.reader(training=False).parse(tf.constant(records))
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    inputs = {name: batch[name] for name in model.input}
    return model(inputs, training=False).numpy()


@pytest.fixture(scope="module", params=["video", "frame"])
def level(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def exported(level, tmp_path_factory) -> str:
    """The folder of an exported SavedModel."""
    path = str(tmp_path_factory.mktemp(level) / "export")
    serving.save(make_module(RUNS[level]()), path)
    return path


@pytest.mark.slow
def test_saving_traces_model_and_reader_once(level, tmp_path, monkeypatch):
    predict, traced = frozen_model.FrozenModel.__call__, []
    reader = type(RUNS[level]().config.prediction_reader())
    parse, parsed = reader.parse, []

    def count(self, inputs):
        traced.append([tuple(value.shape) for value in inputs.values()])
        return predict(self, inputs)

    def count_parsed(self, serialized, **kwargs):
        parsed.append(serialized)
        return parse(self, serialized, **kwargs)

    monkeypatch.setattr(frozen_model.FrozenModel, "__call__", count)
    monkeypatch.setattr(reader, "parse", count_parsed)
    serving.save(make_module(RUNS[level]()), str(tmp_path / "export"))
    assert len(parsed) == 1
    # The 4 frames that are sampled of records, and any number of others.
    shapes = {
        "video": [[(None, 9)]],
        "frame": [[(None, 4, 9), (None,)], [(None, None, 9), (None,)]],
    }
    assert traced == shapes[level]


def test_batch_norm_statistics_are_not_the_initial_ones():
    # Else the tests below could not tell that they are exported.
    weights = tiny_runs.weights_of(tiny_runs.frame_run().path)
    # The means of the embedding are 0: its inputs are normalised.
    for name in ("input_bn", "fc_bn"):
        assert np.abs(weights[f"{name}/moving_mean"]).max() > 0.05
    for name in ("input_bn", "embedding_bn", "fc_bn"):
        assert np.abs(weights[f"{name}/moving_variance"] - 1).max() > 0.1


@pytest.mark.slow
def test_predictions_from_records(level):
    run, records = RUNS[level](), make_records(level)
    outputs = make_module(run).functions["all_scores"](tf.constant(records))
    expected = expected_predictions(run, records)
    assert set(outputs) == {"id", "predictions"}
    assert outputs["predictions"].shape == (14, 5)
    np.testing.assert_allclose(outputs["predictions"], expected, rtol=1e-5)
    assert list(outputs["id"].numpy()) == [
        record_makers.video_id(index) for index in range(50, 64)
    ]


@pytest.mark.slow
def test_top_k():
    run, records = tiny_runs.video_run(), make_records("video")
    functions = make_module(run).functions
    outputs = functions["serving_default"](tf.constant(records))
    assert set(outputs) == {"id", "class_indexes", "scores"}
    expected = functions["all_scores"](tf.constant(records))["predictions"]
    expected = expected.numpy()
    best = np.argsort(-expected, axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(outputs["class_indexes"], best)
    np.testing.assert_array_equal(
        outputs["scores"], np.take_along_axis(expected, best, axis=1)
    )
    assert outputs["class_indexes"].dtype == tf.int32
    assert outputs["scores"].dtype == tf.float32


@pytest.mark.slow
def test_more_classes_asked_for_than_there_are():
    module = make_module(tiny_runs.video_run(), top_k=20)
    predict = module.functions["serving_default"]
    outputs = predict(tf.constant(make_records("video")))
    assert outputs["scores"].shape == (14, 5)
    rows = np.sort(outputs["class_indexes"].numpy(), axis=1)
    np.testing.assert_array_equal(rows, [[0, 1, 2, 3, 4]] * 14)


def test_no_classes_asked_for():
    with pytest.raises(
        ValueError, match="expected at least 1. Received: top_k=0"
    ):
        make_module(tiny_runs.video_run(), top_k=0)


@pytest.mark.slow
def test_any_batch_size(level):
    run, records = RUNS[level](), make_records(level)
    functions = make_module(run).functions

    def predict(examples):
        return {
            **functions["serving_default"](examples),
            **functions["all_scores"](examples),
        }

    whole = predict(tf.constant(records))
    parts = [
        predict(tf.constant(records[start:end]))
        for start, end in ((0, 1), (1, 8), (8, 14))
    ]
    for name, value in whole.items():
        joined = np.concatenate([part[name] for part in parts])
        if name == "id" or name == "class_indexes":
            np.testing.assert_array_equal(joined, value)
        else:
            np.testing.assert_allclose(joined, value, rtol=1e-5)


def test_predictions_from_features():
    run, records = tiny_runs.video_run(), make_records("video")
    features = [
        np.concatenate(
            [
                record_makers.video_values(index, size, number)
                for number, size in enumerate(tiny_runs.VIDEO_SIZES.values())
            ]
        )
        for index in range(50, 64)
    ]
    outputs = make_module(run).functions["tensors"](tf.constant(features))
    np.testing.assert_allclose(
        outputs["predictions"], expected_predictions(run, records), rtol=1e-5
    )
    assert set(outputs) == {"class_indexes", "scores", "predictions"}


def make_frames(num_frames: int, index: int) -> np.ndarray:
    return np.concatenate(
        [
            record_makers.frame_values(index, num_frames, size, number)
            for number, size in enumerate(tiny_runs.FRAME_SIZES.values())
        ],
        axis=1,
    )


def make_padded_frames(max_frames: int) -> np.ndarray:
    """Makes the frames of `make_records`, with padding that is not zero."""
    frames = np.zeros((14, max_frames, 9), np.uint8)
    for row, index in enumerate(range(50, 64)):
        frames[row, : row + 1] = make_frames(row + 1, index)
        frames[row, row + 1 :] = 77 + row
    return frames


# Videos with fewer frames than the 4 that are sampled, and with more than the
# 8 that are read.
@pytest.mark.slow
@pytest.mark.parametrize("max_frames", [14, 17])
def test_predictions_from_frames(max_frames):
    run, records = tiny_runs.frame_run(), make_records("frame")
    outputs = make_module(run).functions["tensors"](
        tf.constant(make_padded_frames(max_frames)), tf.range(1, 15)
    )
    np.testing.assert_allclose(
        outputs["predictions"], expected_predictions(run, records), rtol=1e-5
    )


@pytest.mark.slow
def test_frames_of_fewer_than_are_sampled():
    run = tiny_runs.frame_run()
    outputs = make_module(run).functions["tensors"](
        tf.constant(make_frames(2, 51)[np.newaxis]), tf.constant([2])
    )
    expected = expected_predictions(run, make_records("frame", [51]))
    np.testing.assert_allclose(outputs["predictions"], expected, rtol=1e-5)


@pytest.mark.slow
def test_labels_of_a_request_are_not_looked_at(level):
    # A model of 5 classes, and records of another vocabulary.
    run, records = RUNS[level](), make_records(level)
    kind = tf.train.Example if level == "video" else tf.train.SequenceExample
    others = []
    for record in records:
        message = kind.FromString(record)
        context = message.features if level == "video" else message.context
        context.feature["labels"].int64_list.value.append(4715)
        others.append(message.SerializeToString())
    outputs = make_module(run).functions["all_scores"](tf.constant(others))
    np.testing.assert_allclose(
        outputs["predictions"], expected_predictions(run, records), rtol=1e-5
    )


@pytest.mark.slow
def test_the_configuration_travels_with_the_model(exported, level, tmp_path):
    # Away from where it was written, as to a server.
    path = str(tmp_path / "elsewhere")
    shutil.copytree(exported, path)
    run = RUNS[level]()
    config, predict = serving.load(path)
    assert config == run.config
    asset = tf.saved_model.load(path).config_asset.asset_path.numpy().decode()
    assert asset == f"{path}/assets/config.json"
    batch = run.config.reader(training=False).parse(
        tf.constant(make_records(level))
    )
    inputs = {name: batch[name] for name in serving.input_specs(config.data)}
    np.testing.assert_allclose(
        predict(**inputs)["predictions"],
        expected_predictions(run, make_records(level)),
        rtol=1e-5,
    )


def test_saved_model_without_a_configuration(exported, tmp_path):
    path = tmp_path / "export"
    shutil.copytree(exported, path)
    (path / "assets" / "config.json").unlink()
    message = (
        f"{path}: expected a SavedModel that yt8m-export wrote, with the "
        "configuration of its run in assets/config.json. Received: a "
        "SavedModel without one; export the run again"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        serving.load(str(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [{"num_classes": 6}, {"feature_sizes": [6, 4]}]
)
def test_saved_model_of_another_configuration(exported, tmp_path, change):
    path = tmp_path / "export"
    shutil.copytree(exported, path)
    file = path / "assets" / "config.json"
    values = json.loads(file.read_text())
    values["data"].update(change)
    file.write_text(json.dumps(values))
    with pytest.raises(
        ValueError,
        match=(
            f"^{re.escape(str(path))}: expected a signature tensors from .* to "
            r"predictions of [56] classes, as assets/config.json says\. "
            r"Received: signatures=\['all_scores', .*'tensors'\], from .*"
            r" to .*predictions float32 \(None, 5\).*; export the run again"
        ),
    ):
        serving.load(str(path))


def test_no_saved_model(tmp_path):
    message = (
        f"{tmp_path}: expected a SavedModel that yt8m-export wrote. Received: "
        "none there"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        serving.load(str(tmp_path))


@pytest.mark.slow
def test_bad_record_in_a_request(level):
    records = make_records(level)
    records[4] = b"not a record"
    predict = make_module(RUNS[level]()).functions["serving_default"]
    with pytest.raises(
        readers.DataError,
        match="^the request: record 4: expected a tf.train.",
    ):
        with readers.readable_errors():
            predict(tf.constant(records))


_LOAD = """
import sys
# Blocks the package where it is installed.
sys.modules["yt8m_compact"] = None
import numpy as np
import tensorflow as tf

for level in sys.argv[2:]:
    folder = sys.argv[1] + "/" + level
    loaded = tf.saved_model.load(folder + "/export")
    signatures = loaded.signatures
    assert set(signatures) == {
        "serving_default", "all_scores", "flagged", "tensors",
        "pooled" if level == "video" else "embeddings"}, signatures
    dataset = tf.data.TFRecordDataset(folder + "/records.tfrecord")
    records = tf.stack(list(dataset))
    tensors = dict(np.load(folder + "/tensors.npz"))
    expected = tensors.pop("expected")
    for size in (1, 5, 14):
        outputs = signatures["all_scores"](examples=records[:size])
        np.testing.assert_allclose(
            outputs["predictions"], expected[:size], rtol=1e-5)
        inputs = {k: tf.constant(v[:size]) for k, v in tensors.items()}
        outputs = signatures["tensors"](**inputs)
        np.testing.assert_allclose(
            outputs["predictions"], expected[:size], rtol=1e-5)
        best = np.argsort(-outputs["predictions"].numpy(), axis=1)[:, :3]
        np.testing.assert_array_equal(outputs["class_indexes"], best)
        outputs = signatures["serving_default"](examples=records[:size])
        assert set(outputs) == {
            "id", "class_indexes", "class_names", "scores"}, outputs
        np.testing.assert_array_equal(outputs["class_indexes"], best)
        names = np.array([name.encode() for name in "abcde"])[best]
        np.testing.assert_array_equal(outputs["class_names"], names)
    bad = tf.concat([records[:2], ["no record"], records[2:3]], axis=0)
    outputs = signatures["flagged"](examples=bad)
    assert outputs["valid"].numpy().tolist() == [True, True, False, True]
    try:
        signatures["serving_default"](examples=tf.constant(["no record"]))
    except tf.errors.InvalidArgumentError as error:
        print(level, str(error).replace("\\n", " "))
# Not the finder of an editable install, which has the name in its own.
names = [name for name in sys.modules if name.split(".")[0] == "yt8m_compact"]
assert names == ["yt8m_compact"], names
"""


@pytest.mark.slow
def test_saved_model_without_the_package(tmp_path):
    for level in ("video", "frame"):
        run, records = RUNS[level](), make_records(level)
        folder = tmp_path / level
        module = make_module(run, class_names="abcde")
        serving.save(module, str(folder / "export"))
        record_makers.write_tfrecord(folder / "records.tfrecord", records)
        if level == "video":
            batch = run.config.reader(training=False).parse(
                tf.constant(records)
            )
            tensors = {"features": batch["features"].numpy()}
        else:
            tensors = {
                "frames": make_padded_frames(14),
                "num_frames": np.arange(1, 15, dtype=np.int32),
            }
        expected = expected_predictions(run, records)
        np.savez(folder / "tensors.npz", expected=expected, **tensors)
    # -I: neither the current folder nor PYTHONPATH is looked at.
    done = subprocess.run(
        [sys.executable, "-I", "-c", _LOAD, str(tmp_path), "video", "frame"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # A request gets a message of ours, in the signature too.
    for line, kind in zip(
        done.stdout.splitlines(), ("Example", "SequenceExample"), strict=True
    ):
        assert f"the request: record 0: expected a tf.train.{kind}" in line


def test_signatures(exported, level):
    loaded = tf.saved_model.load(exported)
    _, inputs = loaded.signatures["serving_default"].structured_input_signature
    assert inputs == {"examples": tf.TensorSpec([None], tf.string, "examples")}
    _, inputs = loaded.signatures["tensors"].structured_input_signature
    if level == "video":
        specs = [tf.TensorSpec([None, 9], tf.float32, "features")]
    else:
        specs = [
            tf.TensorSpec([None, None, 9], tf.uint8, "frames"),
            tf.TensorSpec([None], tf.int32, "num_frames"),
        ]
    assert inputs == {spec.name: spec for spec in specs}


def scale_weights(model, factor):
    for weight in model.trainable_weights:
        weight.assign(weight * factor)


@pytest.mark.slow
def test_weights_are_those_of_the_last_refresh():
    run = tiny_runs.video_run()  # of circulants, whose spectra are kept
    config, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    module = serving.ServingModule(config, model, top_k=3)
    records = tf.constant(make_records("video"))
    predict = module.functions["all_scores"]
    before = predict(records)["predictions"]
    np.testing.assert_allclose(
        before, expected_predictions(run, make_records("video")), rtol=1e-5
    )
    scale_weights(model, -3.0)
    module.refresh()
    batch = config.reader(training=False).parse(records)
    expected = model({"features": batch["features"]}, training=False)
    assert np.abs(expected - before).max() > 1e-2
    after = predict(records)["predictions"]
    np.testing.assert_allclose(after, expected, rtol=1e-5)


@pytest.mark.slow
def test_export_has_the_weights_of_then_and_no_others(tmp_path):
    run = tiny_runs.video_run()
    config, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    module = serving.ServingModule(config, model, top_k=3)
    features = np.ones((2, 9), np.float32)
    module.functions["tensors"](tf.constant(features))
    scale_weights(model, -3.0)
    path = str(tmp_path / "export")
    serving.save(module, path)
    expected = model({"features": features}, training=False)
    _, predict = serving.load(path)
    found = predict(features=tf.constant(features))["predictions"]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # Vectors of circulants or half their spectra, in blocks of 9 columns: no
    # matrix of 9 x 10 or 9 x 15, and not both.
    sizes = [
        int(np.prod(shape))
        for name, shape in tf.train.list_variables(
            f"{path}/variables/variables"
        )
        if name.startswith("weights/")
    ]
    assert sizes and max(sizes) <= 2 * 9
    assert sum(sizes) <= sum(
        weight.size for weight in map(np.array, model.get_weights())
    )


@pytest.mark.slow
def test_save_replaces_what_is_there(tmp_path):
    path = tmp_path / "export"
    (path / "variables").mkdir(parents=True)
    (path / "old").write_text("old")
    serving.save(make_module(tiny_runs.video_run()), f"{path}/")
    assert tf.saved_model.contains_saved_model(str(path))
    assert not (path / "old").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["export"]


@pytest.mark.slow
def test_failed_save_leaves_nothing(tmp_path, monkeypatch):
    module = make_module(tiny_runs.video_run())
    path = tmp_path / "export"
    path.mkdir()
    (path / "old").write_text("old")

    def fail(module, folder, signatures):
        pathlib.Path(folder, "variables").mkdir(parents=True)
        raise tf.errors.ResourceExhaustedError(None, None, "disk is full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        serving.save(module, str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["export"]
    assert (path / "old").read_text() == "old"


NAMES = ("Game", "Véhicule", "Food", "Car", "Concert")


@pytest.fixture(scope="module")
def named(level, tmp_path_factory):
    """A SavedModel with the names of the classes, loaded."""
    path = str(tmp_path_factory.mktemp(f"named_{level}") / "export")
    module = make_module(RUNS[level](), class_names=NAMES)
    serving.save(module, path)
    return tf.saved_model.load(path)


def bad_records(level: str) -> dict[int, bytes]:
    """Makes what is wrong in several ways, by its row: each without others."""
    (good,) = make_records(level, [60])
    kind = tf.train.Example if level == "video" else tf.train.SequenceExample
    without_id = kind.FromString(good)
    context = (
        without_id.features if level == "video" else without_id.context
    ).feature
    del context["id"]
    other = make_records("frame" if level == "video" else "video", [61])[0]
    return {
        0: b"not a record",
        3: good[: len(good) // 2],
        4: without_id.SerializeToString(),
        9: other,
        13: b"",
    }


@pytest.mark.slow
def test_flagged_records_do_not_change_others(named, level):
    records, bad = make_records(level), bad_records(level)
    expected = named.signatures["serving_default"](
        examples=tf.constant(records)
    )
    mixed = [bad.get(row, record) for row, record in enumerate(records)]
    flagged = named.signatures["flagged"]
    outputs = flagged(examples=tf.constant(mixed))
    valid = np.array([row not in bad for row in range(14)])
    np.testing.assert_array_equal(outputs["valid"], valid)
    for name, value in expected.items():
        np.testing.assert_array_equal(
            outputs[name].numpy()[valid], value.numpy()[valid], err_msg=name
        )
    for row in bad:
        assert outputs["id"][row] == b""
        assert outputs["class_indexes"][row].numpy().tolist() == [-1] * 3
        assert outputs["class_names"][row].numpy().tolist() == [b""] * 3
        assert outputs["scores"][row].numpy().tolist() == [0.0] * 3
    # All good, all bad, one and none.
    whole = flagged(examples=tf.constant(records))
    assert whole["valid"].numpy().all()
    for name, value in expected.items():
        np.testing.assert_array_equal(whole[name], value, err_msg=name)
    for count in (2, 1):
        none = flagged(examples=tf.constant([b"not a record"] * count))
        assert none["valid"].numpy().tolist() == [False] * count
    assert flagged(examples=tf.constant([], tf.string))["valid"].shape == (0,)


@pytest.mark.slow
def test_class_names(named, level):
    records = tf.constant(make_records(level))
    for signature in ("serving_default", "flagged"):
        outputs = named.signatures[signature](examples=records)
        names = np.array([name.encode() for name in NAMES], object)
        np.testing.assert_array_equal(
            outputs["class_names"], names[outputs["class_indexes"].numpy()]
        )


def average_by_numpy(frames: np.ndarray, count: int) -> np.ndarray:
    # The starter code's Dequantize: 4 / 255 a step from -2 + 4 / 512.
    values = frames[:count].astype(np.float64) * 4 / 255 + 4 / 512 - 2
    return values.mean(axis=0)


def test_frames_are_averaged_for_a_video_level_model():
    run = tiny_runs.video_run()
    frames = make_padded_frames(17)
    # Also more than there are frames.
    num_frames = np.array([*range(1, 14), 20], np.int32)
    outputs = make_module(run).functions["pooled"](
        tf.constant(frames), tf.constant(num_frames)
    )
    features = np.stack(
        [
            average_by_numpy(video, min(count, 17))
            for video, count in zip(frames, num_frames, strict=True)
        ]
    )
    np.testing.assert_allclose(outputs["features"], features, atol=1e-6)
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    expected = model({"features": features.astype(np.float32)}, training=False)
    best = np.argsort(-expected.numpy(), axis=1, kind="stable")[:, :3]
    np.testing.assert_array_equal(outputs["class_indexes"], best)
    np.testing.assert_allclose(
        outputs["scores"],
        np.take_along_axis(expected.numpy(), best, axis=1),
        rtol=1e-5,
    )


def test_video_without_a_frame_averages_to_zeros():
    averaged = serving.average_frames(
        tf.constant([[[7, 9]], [[7, 9]]], tf.uint8), tf.constant([0, 1])
    )
    expected = [[0, 0], average_by_numpy(np.array([[7, 9]]), 1)]
    np.testing.assert_allclose(averaged, expected, atol=1e-6)


def test_embeddings_are_what_the_classifier_is_given(named):
    if "embeddings" not in named.signatures:
        # MoeModel, the video-level run, has no layer before its classifier.
        assert "pooled" in named.signatures
        return
    run = tiny_runs.frame_run()
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    frames, num_frames = make_padded_frames(14), np.arange(1, 15, dtype="int32")
    found = named.signatures["embeddings"](
        frames=tf.constant(frames), num_frames=tf.constant(num_frames)
    )["embeddings"]
    # From the output of the last layer before the mixture of experts.
    inner = keras.Model(model.input, model.get_layer("fc_activation").output)
    batch = run.config.prediction_reader().parse(
        tf.constant(make_records("frame"))
    )
    inputs = {name: batch[name] for name in model.input}
    np.testing.assert_allclose(found, inner(inputs), rtol=1e-5, atol=1e-6)
    # The classifier's own weights are not computed with.
    graph = named.signatures["embeddings"].graph
    assert graph.outputs[0].shape[-1] == 8


_DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs" / "serving.md"


@pytest.mark.slow
def test_rest_client_of_the_docs(named, level, monkeypatch):
    text = _DOCS.read_text()
    (code,) = [
        block
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        if "urllib" in block
    ]
    scope = {}
    exec(compile(code, "serving.md", "exec"), scope)
    bodies = []

    def open_url(request):
        assert request.full_url.endswith("/v1/models/mlp:predict")
        bodies.append(request.data)
        return io.BytesIO(rest_form.answer(named, request.data).encode())

    monkeypatch.setattr("urllib.request.urlopen", open_url)
    records = make_records(level)[:2]
    rows = scope["classify"]([records[0], b"no record", records[1]])
    expected = named.signatures["serving_default"](
        examples=tf.constant(records)
    )
    assert [row["valid"] for row in rows] == [True, False, True]
    for number, row in enumerate(rows[::2]):
        indexes = expected["class_indexes"][number].numpy().tolist()
        assert row["class_indexes"] == indexes
        # The last bits depend on the number of rows.
        np.testing.assert_allclose(
            row["scores"], expected["scores"][number], rtol=1e-6
        )
        names = [NAMES[index] for index in row["class_indexes"]]
        assert row["class_names"] == names
        assert row["id"].encode() == expected["id"][number]
    # The answer that the docs show has these fields, of these types.
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    for row in json.loads(shown)["predictions"]:
        assert {k: type(v) for k, v in row.items()} == {
            k: type(v) for k, v in rows[0].items()
        }


def test_rest_form_of_tensors(named, level):
    if level == "video":
        inputs = {"features": np.linspace(-1, 1, 18).reshape(2, 9).tolist()}
    else:
        frames = make_padded_frames(14)[:2].tolist()
        inputs = {"frames": frames, "num_frames": [1, 2]}
    expected = named.signatures["tensors"](
        **{
            name: tf.constant(value, spec.dtype)
            for name, value in inputs.items()
            for spec in [serving.input_specs(RUNS[level]().config.data)[name]]
        }
    )
    by_column = {"signature_name": "tensors", "inputs": inputs}
    outputs = json.loads(rest_form.answer(named, json.dumps(by_column)))
    found = outputs["outputs"]
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(
        np.float32(found["predictions"]), expected["predictions"]
    )
    by_row = {
        "signature_name": "tensors",
        "instances": [
            {name: value[row] for name, value in inputs.items()}
            for row in range(2)
        ],
    }
    outputs = json.loads(rest_form.answer(named, json.dumps(by_row)))
    assert outputs["predictions"] == [
        {name: value[row] for name, value in found.items()} for row in range(2)
    ]


@pytest.mark.slow
def test_damaged_file(exported, tmp_path):
    path = tmp_path / "export"
    shutil.copytree(exported, path)
    export_manifest.write(str(path), {})
    serving.load(str(path))
    file = path / "variables" / "variables.data-00000-of-00001"
    content = bytearray(file.read_bytes())
    content[7] ^= 1
    file.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=f"^{re.escape(str(file))}: expected the file that yt8m-export",
    ):
        serving.load(str(path))
