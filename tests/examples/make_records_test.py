"""Tests of the script that writes records for the examples."""

import json
import runpy

import numpy as np
import pytest

import project_file
import small_artefacts
import tiny_runs

SCRIPT = project_file.ROOT / "examples" / "make_records.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["make_records.py", *map(str, arguments)])
    script["main"]()


@pytest.mark.slow
def test_videos(script, monkeypatch, tmp_path):
    made = small_artefacts.make("video").run
    given = [f"--train_dir={made.path}", f"--input={made.pattern}", "--count=6"]
    names = tmp_path / "classes.txt"
    names.write_text("zero\none\ntwo\nthree\nfour\n")
    for name in ("x.npy", "x.json"):
        output = f"--output={tmp_path}/{name}"
        run(script, monkeypatch, *given, output, f"--classes={names}")
    batch = tiny_runs.features_of(made, made.pattern)
    array = np.load(tmp_path / "x.npy")
    np.testing.assert_array_equal(array, batch["features"][:6])
    records = json.loads((tmp_path / "x.json").read_text())
    assert [r["id"] for r in records] == [i.decode() for i in batch["id"][:6]]
    words = names.read_text().split()
    for record, labels in zip(records, batch["labels"], strict=False):
        assert record["labels"] == [words[i] for i in np.flatnonzero(labels)]
    found = [record["features"] for record in records]
    np.testing.assert_allclose(found, array, atol=1e-6)


@pytest.mark.slow
def test_frames(script, monkeypatch, tmp_path):
    made = small_artefacts.make("frame").run
    given = [f"--train_dir={made.path}", f"--input={made.pattern}", "--count=3"]
    for name in ("x.npy", "x.json"):
        run(script, monkeypatch, *given, f"--output={tmp_path}/{name}")
    records = json.loads((tmp_path / "x.json").read_text())
    # Every third video of those of 1, 3, 4, 5, 8, 12 frames and so on.
    assert [len(record["frames"]) for record in records] == [1, 5, 1]
    frames = np.load(tmp_path / "x.npy")
    assert frames.dtype == np.uint8
    np.testing.assert_array_equal(frames, records[0]["frames"])
    assert records[0]["labels"][0].startswith("class ")


@pytest.mark.slow
def test_another_ending(script, monkeypatch, tmp_path):
    made = small_artefacts.make("video").run
    with pytest.raises(
        SystemExit, match=r"to end with .npy or .json. .*'.txt'"
    ):
        run(
            script,
            monkeypatch,
            f"--train_dir={made.path}",
            f"--input={made.pattern}",
            f"--output={tmp_path}/x.txt",
        )


@pytest.mark.slow
def test_records_for_a_preset(script, monkeypatch, tmp_path, shared_data):
    files = sorted((shared_data / "yt8m_2018_video").glob("*.tfrecord"))
    run(
        script,
        monkeypatch,
        "--train_dir=preset:yt8m_2018_video_100k",
        f"--input={files[-1]}",
        "--count=2",
        f"--output={tmp_path}/x.npy",
    )
    assert np.load(tmp_path / "x.npy").shape == (2, 1152)
