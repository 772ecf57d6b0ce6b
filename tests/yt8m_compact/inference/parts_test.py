"""Tests of predictions that go on after they were stopped."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import formula_predictors
import record_makers
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.inference import outputs
from yt8m_compact.inference import parts as parts_lib
from yt8m_compact.inference import predictors
from yt8m_compact.predictions import formats

TASK = {"model": "formula", "files": [["a", 3]]}
BLOCKS = [
    (
        np.array([b"aa", b"bbbb"], object),
        np.array([[1, 2], [3, 4]]),
        np.array([[0.5, 0.25], [1, 0]], np.float32),
    ),
    (
        np.array([b"c"], object),
        np.array([[5, 6]]),
        np.array([[0.75, 0.5]], np.float32),
    ),
]


def test_a_part_is_read_again(tmp_path):
    parts = parts_lib.Parts(str(tmp_path / "out.parts"), TASK)
    assert parts.load(3) is None
    skipped = readers.SkippedData()
    skipped.add_record("a", 7, "bad")
    skipped.add_rest("b", 9, 100, "cut")
    parts.save(3, BLOCKS, skipped)
    ids, classes, scores = parts.load(3)
    assert ids.tolist() == [b"aa", b"bbbb", b"c"]
    assert classes.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert scores.tolist() == [[0.5, 0.25], [1, 0], [0.75, 0.5]]
    again = readers.SkippedData()
    again.add_dict(parts.load_skipped(3))
    assert again.files() == skipped.files()
    # All was left out.
    parts.save(4, [], None)
    assert parts.load(4) == ()
    assert parts.load_skipped(4) == {}
    parts.close()


@pytest.mark.parametrize("cut", [0, 1, 100, -1, -30])
def test_a_damaged_part_is_none(tmp_path, cut):
    parts = parts_lib.Parts(str(tmp_path / "out.parts"), TASK)
    parts.save(0, BLOCKS, None)
    (path,) = (tmp_path / "out.parts").glob("*.npz")
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    assert parts.load(0) is None
    # Of one flipped bit in the data of an array.
    place = content.index(b"bbbb")
    path.write_bytes(content[:place] + b"B" + content[place + 1 :])
    assert parts.load(0) is None
    parts.close()


def test_a_part_that_is_damaged_when_it_is_joined(tmp_path):
    parts = parts_lib.Parts(str(tmp_path / "out.parts"), TASK)
    parts.save(0, BLOCKS, None)
    with pytest.raises(OSError, match="00001.npz: expected to read again what"):
        list(parts.iterate([0, 1]))
    parts.close()


def test_one_task_and_one_process(tmp_path):
    folder = str(tmp_path / "out.parts")
    parts = parts_lib.Parts(folder, TASK)
    with pytest.raises(ValueError, match="expected one process that predicts"):
        parts_lib.Parts(folder, TASK)
    parts.close()
    for task, name in (
        ({**TASK, "model": "other"}, "model"),
        ({**TASK, "files": [["a", 4]]}, "files"),
        ({"model": "formula"}, "its version"),
    ):
        with pytest.raises(ValueError, match=f"differs in {name}; give the"):
            parts_lib.Parts(folder, task)
    parts_lib.Parts(folder, TASK).close()


@pytest.mark.parametrize("path", ["/dev/fd/1", "gs://bucket/out.csv", "folder"])
def test_where_nothing_can_be_kept(tmp_path, path):
    path = str(tmp_path) if path == "folder" else path
    with (
        pytest.raises(
            ValueError, match="expected a file of this system to res"
        ),
        parts_lib.keeping(path, TASK),
    ):
        pass


def _leave_parts(tmp_path, task):
    folder = tmp_path / "out.csv.parts"
    parts = parts_lib.Parts(str(folder), task)
    parts.save(0, BLOCKS, None)
    parts.close()
    return folder


def test_parts_of_a_file_that_is_written_without_them_go(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 3, num_files=1)
    (file,) = readers.expand_patterns(pattern)
    predictor = formula_predictors.make()
    task = {
        "model": predictor.identity(),
        "output": outputs.Output(formats.Format.CSV).describe(),
        "files": [[file, os.path.getsize(file)]],
        "unit": "videos",
        "num_readers": 3,  # not those of the call, and it's all the same
        "skips": False,
    }
    folder = _leave_parts(tmp_path, task)
    path = str(tmp_path / "out.csv")
    predictors.write_csv(predictor, pattern, path)
    assert not folder.exists()


@pytest.mark.parametrize("journal", ["other", "{", "[]"])
def test_parts_of_something_else_are_kept(tmp_path, caplog, journal):
    caplog.set_level("INFO", "yt8m_compact")
    folder = _leave_parts(tmp_path, TASK)
    task = {**TASK, "model": "another"}
    if journal != "other":
        (folder / "journal.json").write_text(journal)
    parts_lib.remove_needless(str(tmp_path / "out.csv"), lambda: task)
    assert (folder / "00000.npz").exists()
    assert "out.csv.parts: parts of another prediction are kept" in caplog.text


def test_parts_that_another_process_is_at_are_kept(tmp_path):
    folder = _leave_parts(tmp_path, TASK)
    parts = parts_lib.Parts(str(folder), TASK)
    parts_lib.remove_needless(str(tmp_path / "out.csv"), lambda: TASK)
    assert (folder / "00000.npz").exists()
    parts.close()


@pytest.mark.parametrize("path", ["/dev/fd/1", "gs://bucket/out.csv", "new"])
def test_where_there_are_no_parts_nothing_is_looked_for(tmp_path, path):
    path = str(tmp_path / path) if path == "new" else path
    parts_lib.remove_needless(path, lambda: pytest.fail("looked at the model"))
    assert not [*tmp_path.iterdir()]


class _StoppedError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["out.csv", "out.jsonl.gz", "out.parquet", "out.tfrecord"]
)
def test_going_on(tmp_path, name):
    pattern = tiny_runs.write_videos(tmp_path / "data", 40, num_files=3)
    calls = []

    def stop():
        calls.append(len(calls))
        if len(calls) == 3:
            raise _StoppedError

    path = tmp_path / name
    whole = str(tmp_path / f"whole-{name}")
    arguments = {"num_readers": 1, "batch_size": 3}
    expected = predictors.write_predictions(
        formula_predictors.make(), pattern, whole, **arguments
    )
    arguments["resume"] = True
    with pytest.raises(_StoppedError):
        predictors.write_predictions(
            formula_predictors.make(0, stop), pattern, str(path), **arguments
        )
    assert not path.exists()
    parts = tmp_path / f"{name}.parts"
    assert len([*parts.glob("*.npz")]) == 2
    # One that another prediction would take for its own.
    with pytest.raises(
        ValueError, match="those of another, which differs in m"
    ):
        predictors.write_predictions(
            formula_predictors.make(1), pattern, str(path), **arguments
        )
    # One that the disk lost is predicted again.
    (parts / "00001.npz").write_bytes(b"")
    calls[:] = [9] * 9
    number = predictors.write_predictions(
        formula_predictors.make(0, stop), pattern, str(path), **arguments
    )
    assert number == expected == 40
    assert len(calls) == 9 + 2
    with open(whole, "rb") as file:
        assert path.read_bytes() == file.read()
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        ["data", name, f"whole-{name}"]
    )


@pytest.mark.slow
def test_several_files_a_part(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 40, num_files=5)
    texts = []
    for resume in (False, True):
        path = tmp_path / f"{resume}.csv"
        predictors.write_csv(
            formula_predictors.make(),
            pattern,
            str(path),
            num_readers=2,
            resume=resume,
        )
        texts.append(sorted(path.read_text().splitlines()))
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_what_is_left_out_is_told_once(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 12, num_files=3)
    files = readers.expand_patterns(pattern)
    for file in files[:2]:
        with open(file, "r+b") as opened:
            opened.truncate(os.path.getsize(file) - 3)
    path = str(tmp_path / "out.csv")
    arguments = {"num_readers": 1, "resume": True}
    # Without skipping: what was predicted before is kept.
    with pytest.raises(
        readers.DataError, match="predicted of other files is k"
    ):
        predictors.write_csv(
            formula_predictors.make(), pattern, path, **arguments
        )
    shutil.rmtree(tmp_path / "out.csv.parts")
    calls = []

    def stop():
        calls.append(0)
        if len(calls) == 3:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        predictors.write_csv(
            formula_predictors.make(0, stop),
            pattern,
            path,
            skipped=readers.SkippedData(),
            **arguments,
        )
    skipped = readers.SkippedData()
    number = predictors.write_csv(
        formula_predictors.make(),
        pattern,
        path,
        skipped=skipped,
        **arguments,
    )
    assert number == 10
    assert [one.file for one in skipped.files()] == files[:2]


def test_a_model_in_memory(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 3, num_files=1)
    made = formula_predictors.make()
    predictor = predictors.Predictor(made.reader, made.predict)
    with pytest.raises(ValueError, match="a run or an artefact to resume with"):
        predictors.write_csv(
            predictor, pattern, str(tmp_path / "out.csv"), resume=True
        )


@pytest.mark.slow
def test_embeddings(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data", 9, num_files=1)
    paths = [str(tmp_path / name) for name in ("a.parquet", "b.parquet")]
    for path, resume in zip(paths, (False, True), strict=True):
        predictors.write_predictions(
            formula_predictors.make(output="embeddings"),
            pattern,
            path,
            outputs.Output(formats.Format.PARQUET, embeddings=True),
            resume=resume,
        )
    contents = [open(path, "rb").read() for path in paths]
    assert contents[0] == contents[1]


@pytest.mark.slow
def test_killed(tmp_path):
    pattern = tiny_runs.write_records(
        record_makers.make_video_example,
        tmp_path / "data",
        80,
        num_files=40,
        num_classes=3862,
        feature_sizes={"mean_rgb": 1024, "mean_audio": 128},
    )
    program = [
        sys.executable,
        "-m",
        "yt8m_compact.programs.predict",
        "--preset=yt8m_2018_video_100k",
        f"--input_data_pattern={pattern}",
        "--num_readers=1",
    ]
    resumed = [*program, f"--output_file={tmp_path}/out.jsonl", "--resume"]
    parts = tmp_path / "out.jsonl.parts"
    process = subprocess.Popen(resumed, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while len([*parts.glob("*.npz")]) < 3 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    found = len([*parts.glob("[0-9]*.npz")])
    assert 3 <= found < 40
    assert not (tmp_path / "out.jsonl").exists()
    done = subprocess.run(resumed, capture_output=True, text=True, check=True)
    assert f"going on: {found} of 40 parts were predicted" in done.stderr
    assert "wrote 80 videos to " in done.stdout
    whole = [*program, f"--output_file={tmp_path}/whole.jsonl"]
    subprocess.run(whole, capture_output=True, check=True)
    text = (tmp_path / "out.jsonl").read_text()
    assert text == (tmp_path / "whole.jsonl").read_text()
    assert len({line[:16] for line in text.splitlines()}) == 80
    assert not parts.exists()
