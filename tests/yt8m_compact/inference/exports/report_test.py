"""Tests of the reports of exports: what they count, measure and say."""

import json
import re
import zipfile

import numpy as np
import pytest

import small_artefacts
import tiny_runs
from yt8m_compact.inference.artefacts import measuring
from yt8m_compact.inference.exports import report
from yt8m_compact.run import train_dir as train_dir_lib


@pytest.fixture(scope="module")
def measured():
    """A report with everything in it, of a frame-level model."""
    made = small_artefacts.make("frame")
    config, model, _ = train_dir_lib.TrainDir(made.run.path).restore_model()
    reference = report.make_reference(config, model, made.run.pattern)
    row = report.measure(
        "litert",
        made.path("litert"),
        123,
        reference,
        inputs=reference.inputs,
        score=lambda config, model: 0.25,
        seconds=0.05,
    )
    twin = report.Row("dense", 456, 7_000, 6_000)
    return reference, report.make(
        config, [row, twin], reference, model_gap=0.26, machine="here"
    )


@pytest.mark.slow
def test_compares_with_the_model_on_the_records(measured):
    made = small_artefacts.make("frame")
    reference, found = measured
    expected = tiny_runs.predictions_of(made.run, made.run.pattern)
    np.testing.assert_allclose(reference.scores, expected, atol=1e-6)
    assert found.num_compared == len(expected) == 40
    # All 40 records have frames, and some fewer than are sampled.
    assert set(reference.inputs["num_frames"]) == {1, 3, 4}
    row = found.rows[0]
    assert 0 < row.mean_difference < row.max_difference < 1e-5
    assert row.gap == 0.25


def test_a_difference_is_found():
    made = small_artefacts.make("video")
    scores = tiny_runs.predictions_of(made.run, made.run.pattern)
    inputs = tiny_runs.features_of(made.run, made.run.pattern)
    scores[3, 2] += 0.5
    reference = report.Reference({"features": inputs["features"]}, scores, None)
    row = report.measure("onnx", made.path("onnx"), 1, reference)
    assert row.max_difference == pytest.approx(0.5, abs=1e-4)
    assert row.mean_difference == pytest.approx(0.5 / (40 * 5), abs=1e-5)
    assert not row.measurements
    assert row.gap is None


def test_without_records_inputs_are_drawn():
    made = small_artefacts.make("frame")
    config, model, _ = train_dir_lib.TrainDir(made.run.path).restore_model()
    reference = report.make_reference(config, model, "")
    assert reference.pattern is None
    # Of 4 frames at most, as many as are sampled.
    assert reference.inputs["frames"].shape[1:] == (4, 9)
    found = report.make(config, [report.Row("a", 1, 2, 3)], reference)
    assert "for 4 videos drawn at random" in found.to_text()
    assert "GAP" not in found.to_text()
    assert "dense equivalent" not in found.to_text()


def test_bytes_are_those_that_are_read_to_predict(tmp_path):
    for name in ("variables", "assets.extra"):
        (tmp_path / name).mkdir()
    contents = {
        "saved_model.pb": b"a" * 5_000,
        "variables/data": np.random.default_rng(0).bytes(3_000),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    warmup = "assets.extra/tf_serving_warmup_requests"
    for name in ("config.json", "report.json", "README.md", warmup):
        (tmp_path / name).write_bytes(b"b" * 1_000)
    row = report.measure("saved_model", str(tmp_path), 9, None)
    assert row.num_bytes == 8_000
    # Random bytes stay what they are, others all but vanish.
    assert 3_000 < row.zipped_bytes < 3_500
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    # But for what says whether a file can be gone back in.
    assert abs(row.zipped_bytes - path.stat().st_size) < 100


@pytest.mark.slow
def test_measured_in_a_process_without_tensorflow(measured):
    _, found = measured
    one, two = found.rows[0].measurements
    assert (one.num_threads, two.num_threads) == (1, 2)
    for value in (one, two):
        assert value.num_calls >= 20
        assert 0 < value.median_ms <= value.percentile_95_ms < 5_000
        # TensorFlow alone would take 400 MB.
        assert 10e6 < value.peak_bytes < 250e6


def test_the_dense_twin():
    config = small_artefacts.make("frame").run.config
    twin = report.dense_twin(config)
    assert str(config.model.fc_projection) == "diagonal_circulant"
    for name in ("dbof_projection", "fc_projection", "classifier_projection"):
        if hasattr(twin.model, name):
            assert str(getattr(twin.model, name)) == "dense"
    assert twin.data == config.data
    assert twin.model.dbof_cluster_size == config.model.dbof_cluster_size


def test_tables(measured):
    _, found = measured
    size, time, notes = found.to_text().split("\n\n")
    header, rule, *lines = size.splitlines()
    assert header.split() == [
        "params",
        "bytes",
        "zipped",
        "largest",
        "mean",
        "GAP@20",
    ]
    assert {len(line) for line in (header, *lines)} == {len(rule)}  # aligned
    litert, dense = (line.split() for line in lines)
    assert litert[0] == "litert"
    assert litert[1] == "123"
    assert litert[-1] == "0.2500"
    assert dense == ["dense", "456", "7,000", "6,000", "-", "-", "-"]
    # Of the twin nothing was measured.
    header, rule, line = time.splitlines()
    assert re.split("  +", header.strip()) == [
        "ms, 1 thread",
        "95 %, 1",
        "ms, 2 threads",
        "95 %, 2",
        "MB",
    ]
    name, *values = line.split()
    assert name == "litert"
    assert all(float(value) > 0 for value in values)
    assert "GAP@20 of the Keras model on the same data: 0.2600." in notes


def test_tables_of_all_formats_are_as_wide_as_a_terminal():
    """The paper's network, and times of seconds."""
    measurement = measuring.Measurement(
        num_threads=1,
        median_ms=1234.567,
        percentile_95_ms=23456.78,
        num_calls=9,
        peak_bytes=12_345 * 2**20,
    )
    rows = [
        report.Row(
            name,
            65_536_000,
            262_861_424,
            262_861_424,
            1e-4,
            1e-5,
            0.1234,
            (measurement, measurement),
        )
        for name in ("saved_model", "- dense", "litert", "- dense int8")
    ]
    found = report.Report("DbofModel", rows, 256, "a" * 30, machine="b" * 70)
    lines = found.to_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("- dense int8 ") for line in lines)


def test_markdown(measured):
    _, found = measured
    size, time, notes = report.markdown(found).split("\n\n")
    for table in (size, time):
        lines = table.splitlines()
        assert lines[0].startswith("| ")
        assert set(lines[1]) <= set("|-: ")
        assert lines[2].startswith("| litert ")
    lines = notes.splitlines()
    assert any(line.startswith("* Differences, ") for line in lines)
    assert any("Measured on here, 20" in line for line in lines)


def test_json(measured, tmp_path):
    _, found = measured
    report.write(found, str(tmp_path))
    values = json.loads((tmp_path / "report.json").read_text())
    assert values["model"] == "DbofModel"
    assert values["model_gap"] == 0.26
    assert [row["name"] for row in values["rows"]] == ["litert", "dense"]
    measurement = values["rows"][0]["measurements"][1]
    assert measurement["num_threads"] == 2
    assert measurement["peak_bytes"] > 0


def test_bytes_that_are_read_to_predict(tmp_path, monkeypatch):
    for name, size in {
        "model.xml": 3,
        "model.bin": 40,
        "other.xml": 500,
        "config.json": 6_000,
        "weights.safetensors": 70_000,
    }.items():
        (tmp_path / name).write_bytes(bytes(size))
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "model.bin").write_bytes(bytes(800_000))
    # A file counts with those of its name beside it, a folder whole.
    assert report.count_bytes(str(tmp_path / "model.xml")) == 43
    assert report.count_bytes(str(tmp_path / "other.xml")) == 500
    assert report.count_bytes(str(tmp_path)) == 870_543
    monkeypatch.chdir(tmp_path)
    assert report.count_bytes("model.xml") == 43
