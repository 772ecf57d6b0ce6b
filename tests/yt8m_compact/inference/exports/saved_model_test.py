"""Tests of SavedModels and of what travels with them."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
from yt8m_compact.inference import serving
from yt8m_compact.inference import warmup
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import saved_model
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import export_manifest
from yt8m_compact.run import train_dir as train_dir_lib

NAMES = ("Game", "Vehicle", "Food", "Car", "Concert")


def restore():
    run = train_dir_lib.TrainDir(tiny_runs.video_run().path)
    config, model, step = run.restore_model()
    return companions.about_run(run, config, step), model


def files_in(folder) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file()
    }


PLAIN = {
    "README.md",
    "assets/config.json",
    "export_manifest.json",
    "fingerprint.pb",
    "saved_model.pb",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
}


@pytest.mark.slow
def test_versions_with_all_that_servers_take(tmp_path):
    pytest.importorskip("tensorflow_serving")
    about, model = restore()
    options = saved_model.Options(
        top_k=2, class_names=NAMES, warmup=True, max_batch=4, versioned=True
    )
    base = tmp_path / "served"
    path, size, difference = saved_model.save(str(base), about, model, options)
    assert path == f"{base}/1"
    assert saved_model.save(str(base), about, model, options)[0] == f"{base}/2"
    assert sorted(os.listdir(base)) == ["1", "2"]
    folder = base / "1"
    assert files_in(folder) == PLAIN | {
        "assets/class_names.txt",
        "assets.extra/tf_serving_warmup_requests",
        "batching_params.pbtxt",
    }
    assert (folder / "assets/class_names.txt").read_text() == (
        "Game\nVehicle\nFood\nCar\nConcert\n"
    )
    text = (folder / "batching_params.pbtxt").read_text()
    assert "max_batch_size { value: 4 }" in text
    assert "pad" not in text
    assert difference <= 1e-6
    assert size == sum(
        (folder / name).stat().st_size
        for name in (PLAIN - {"README.md", "export_manifest.json"})
        | {"assets/class_names.txt"}
    )
    assert config_lib.load(str(folder / "assets/config.json")) == about.config
    manifest = json.loads((folder / "export_manifest.json").read_text())
    assert set(manifest["files"]) == files_in(folder) - {
        "README.md",
        "export_manifest.json",
    }
    requests = tf.data.TFRecordDataset(
        str(folder / "assets.extra" / "tf_serving_warmup_requests")
    )
    loaded = tf.saved_model.load(str(folder))
    # Of one video, and of as many as come at once.
    assert len(list(requests)) == 2 * len(loaded.signatures)
    record = record_makers.make_video_example(1, num_classes=5)
    best = loaded.signatures["serving_default"](examples=tf.constant([record]))
    assert best["class_names"].numpy().tolist() == [
        [NAMES[index].encode() for index in best["class_indexes"][0]]
    ]
    card = (folder / "README.md").read_text()
    for name, signature in loaded.signatures.items():
        for key, spec in signature.structured_input_signature[1].items():
            assert f"| `{name}: {key}` | {spec.dtype.name} `[batch" in card
        for key, spec in signature.structured_outputs.items():
            assert f"| gives `{name}: {key}` | {spec.dtype.name} `" in card


@pytest.mark.slow
def test_a_plain_one_replaces_what_was_there(tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "is_possible", lambda: False)
    about, model = restore()
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "old").write_text("old")
    path, _, _ = saved_model.save(str(folder), about, model)
    assert path == str(folder)
    assert files_in(folder) == PLAIN
    assert saved_model.is_saved(path)
    assert not saved_model.is_saved(str(tmp_path))
    assert export_manifest.verify(path)


def test_requests_that_cannot_be_written_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(warmup, "is_possible", lambda: False)
    about, model = restore()
    options = saved_model.Options(warmup=True)
    with pytest.raises(ValueError, match="expected the package tensorflow-ser"):
        saved_model.save(str(tmp_path / "export"), about, model, options)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_one_that_predicts_something_else(tmp_path, monkeypatch):
    about, model = restore()
    monkeypatch.setattr(
        serving,
        "load",
        lambda folder: (None, lambda **_: {"predictions": np.full([4, 5], 2)}),
    )
    message = "expected the scores of the model, within 0.0001, of its SavedM"
    for versioned in (True, False):
        options = saved_model.Options(versioned=versioned)
        path = str(tmp_path / "export")
        with pytest.raises(ValueError, match=message):
            saved_model.save(path, about, model, options)
    assert not files_in(tmp_path)
