"""Tests of programs that workers of Apache Beam do the work of."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import tiny_runs
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import beam_flags
from yt8m_compact.programs import predict
from yt8m_compact.programs.data import main as data

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_TWO_PROCESSES = (
    "--runner_options=--direct_num_workers=2 "
    "--direct_running_mode=multi_processing"
)
_PRESET = "yt8m_2018_video_100k"


@pytest.mark.parametrize(
    ("define_flags", "arguments", "message"),
    [
        (
            predict.define_flags,
            ["--output_file=a", "--num_readers=2"],
            "no --num_readers with --runner, which reads file by file. Received"
            ": num_readers=2",
        ),
        (evaluate.define_flags, ["--num_readers=2"], "reads file by file"),
        (
            evaluate.define_flags,
            ["--ensemble=a,b"],
            "metrics of videos, of che",
        ),
        (
            evaluate.define_flags,
            ["--norun_once"],
            "no --run_once with --runner",
        ),
        (evaluate.define_flags, ["--segment_map_k=5"], "no --segment_map_k"),
    ],
)
def test_flags_that_do_not_go_with_it(define_flags, arguments, message):
    flag_values = tiny_runs.parse_flags(
        define_flags, *arguments, "--runner=direct"
    )
    module = predict if define_flags is predict.define_flags else evaluate
    if module is predict:
        refused = {"num_readers": "which reads file by file"}
    else:
        refused = evaluate._NOT_SPREAD
    with pytest.raises(usage_error.UsageError, match=message):
        beam_flags.mapper(flag_values, refused)


@pytest.mark.parametrize("verb", ["verify", "stats", "repack"])
def test_processes_of_this_machine_beside_a_runner(verb):
    flag_values = tiny_runs.parse_flags(
        data.VERBS[verb].define_flags, "--num_processes=2", "--runner=direct"
    )
    with pytest.raises(usage_error.UsageError, match="no --num_processes with"):
        beam_flags.data_mapper(flag_values)


def test_options_without_a_runner():
    flag_values = tiny_runs.parse_flags(
        predict.define_flags, "--output_file=a", "--runner_options=--a=b"
    )
    with pytest.raises(usage_error.UsageError, match="expected --runner with"):
        beam_flags.mapper(flag_values)
    flag_values.runner_options = ""
    assert beam_flags.mapper(flag_values) is None


def test_predictions_without_a_model():
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags,
        "--predictions=a.csv",
        "--labels=b.csv",
        "--runner=direct",
    )
    with pytest.raises(usage_error.UsageError, match="a model with --runner"):
        evaluate.main(flag_values, [])


@pytest.fixture
def real(shared_data, tmp_path):
    """Two real shards, which may be changed."""
    for number in range(2):
        name = f"validate000{number}.tfrecord"
        shutil.copy(shared_data / "yt8m_2018_video" / name, tmp_path)
        (tmp_path / name).chmod(0o644)
    return tmp_path


def _run(module, *arguments):
    path = os.pathsep.join(filter(None, [str(_ROOT), os.getenv("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("csv", [f"--preset={_PRESET}"]),
        (
            "parquet",
            [
                f"--ensemble=preset:{_PRESET},preset:yt8m_2018_video_350k",
                "--ensemble_weights=1,3",
            ],
        ),
    ],
)
def test_the_same_predictions_of_real_videos(real, name, model):
    contents = []
    for more in (["--num_readers=1"], ["--runner=DirectRunner"]):
        path = real / f"{len(contents)}.{name}"
        flag_values = tiny_runs.parse_flags(
            predict.define_flags,
            *model,
            f"--input_data_pattern={real}/*.tfrecord",
            f"--output_file={path}",
            *more,
        )
        assert predict.main(flag_values, []) == 0
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_runs.frame_run, None])
def test_the_same_metrics(real, make, capsys):
    train_dir, pattern = f"preset:{_PRESET}", f"{real}/*.tfrecord"
    if make is not None:
        train_dir, pattern = make().path, make().pattern
    printed, written = [], []
    for more in ([], ["--runner=DirectRunner"]):
        path = real / "report.json"
        flag_values = tiny_runs.parse_flags(
            evaluate.define_flags,
            f"--train_dir={train_dir}",
            f"--eval_data_pattern={pattern}",
            f"--output_json={path}",
            *more,
        )
        assert evaluate.main(flag_values, []) == 0
        printed.append(capsys.readouterr().out)
        written.append(json.loads(path.read_text()))
    assert printed[0] == printed[1]
    assert written[0] == written[1]


def _without_latency(value):
    """Leaves out what depends on the moment."""
    if isinstance(value, dict):
        return {
            key: _without_latency(one)
            for key, one in value.items()
            if key != "milliseconds"
        }
    return [*map(_without_latency, value)] if isinstance(value, list) else value


@pytest.mark.slow
def test_the_same_comparison_and_pages(real):
    written = []
    for more in (["--num_readers=1"], ["--runner=DirectRunner"]):
        folder = real / f"report{len(written)}"
        flag_values = tiny_runs.parse_flags(
            evaluate.define_flags,
            f"--train_dir=preset:{_PRESET}",
            "--train_dir=preset:yt8m_2018_video_350k",
            f"--eval_data_pattern={real}/*.tfrecord",
            f"--output_json={real}/comparison.json",
            f"--report_dir={folder}",
            "--bootstrap_draws=20",
            *more,
        )
        assert evaluate.main(flag_values, []) == 0
        tables = {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*.csv")
        }
        assert tables and (folder / "index.html").stat().st_size
        report = json.loads((real / "comparison.json").read_text())
        written.append((tables, _without_latency(report)))
    assert written[0] == written[1]


@pytest.mark.slow
def test_processes_and_what_they_tell(real):
    pattern = f"--input_data_pattern={real}/*.tfrecord"
    # The text and the status of one process, of good data and of bad.
    stats = ["yt8m_compact.programs.data.main", "stats", pattern]
    spread = [*stats, "--runner=DirectRunner", _TWO_PROCESSES]
    one, many = _run(*stats), _run(*spread)
    assert one.returncode == many.returncode == 0, many.stderr
    assert one.stdout == many.stdout
    # Not which packages of Google's cloud they do without, either.
    assert many.stderr == one.stderr
    path = real / "validate0001.tfrecord"
    content = path.read_bytes()
    path.write_bytes(content[:100_000] + b"????" + content[100_004:])
    one, many = _run(*stats), _run(*spread)
    assert one.returncode == many.returncode == 1
    error = one.stderr.splitlines()[-1]
    assert "validate0001.tfrecord: record 21 (byte 98,923): " in error
    assert many.stderr.splitlines()[-1] == error
    assert "Traceback" not in many.stderr
    many = _run(*stats, "--runner=DirectRunner", "--runner_options=--a=b")
    assert many.returncode == 2
    assert many.stderr.splitlines() == [
        "main.py: error: expected --runner_options to be options of Apache "
        "Beam. Received: --a"
    ]


@pytest.mark.slow
def test_processes_that_predict(real):
    outputs = []
    for more in (
        ["--num_readers=1"],
        ["--runner=DirectRunner", _TWO_PROCESSES, "--resume"],
    ):
        outputs.append(real / f"{len(outputs)}.csv")
        done = _run(
            "yt8m_compact.programs.predict",
            f"--preset={_PRESET}",
            f"--input_data_pattern={real}/*.tfrecord",
            f"--output_file={outputs[-1]}",
            *more,
        )
        assert done.returncode == 0, done.stderr
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    assert not list(real.glob("*.parts"))
