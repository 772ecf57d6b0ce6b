"""Tests of the benchmark of predictions, on a tiny network."""

import re

import pytest

from benchmarks import prediction
from benchmarks.steps import network as network_lib
import tiny_runs


@pytest.mark.slow
def test_one_video(capsys):
    prediction.main(["--network=tiny", "--cases=everywhere", "--rounds=1"])
    table = capsys.readouterr().out
    (row,) = re.findall(r"^\| everywhere +\|(.+)\|$", table, re.MULTILINE)
    *times, floor = map(float, row.split("|"))
    assert len(times) == 4
    assert min(times) > 0 and floor > 0


def test_floor():
    class Rates:
        bytes_per_second = 1e6
        operations_per_second = 2e6
        transform_seconds = {4: 1e-3}

    product = network_lib.Product
    dense, shared = network_lib.DENSE, network_lib.SHARED
    for one, expected in [
        # 4 bytes a weight; and 2 x 30 x 4 x 10 operations of 30 rows.
        (product(1, 4, 10, dense), 0.16),
        (product(30, 4, 10, dense), 0.16 + 1.2),
        # Three blocks: a diagonal and three vectors, 1 + 3 transforms a row;
        # or three diagonals, 3 + 3.
        (product(2, 4, 10, shared), 0.064 + 8),
        (product(2, 4, 10, network_lib.PER_BLOCK), 0.096 + 12),
    ]:
        found = prediction._floor_ms(Rates, [one])
        assert found == pytest.approx(expected)


@pytest.mark.slow
def test_records(capsys):
    run = tiny_runs.video_run()
    prediction.main(
        [
            f"--train_dir={run.path}",
            f"--input_data_pattern={run.pattern}",
            "--rounds=1",
        ]
    )
    table = capsys.readouterr().out
    assert "40 videos" in table
    for part in ("products", "reading", "yt8m-predict", "yt8m-eval"):
        assert part in table


def test_records_need_a_run_and_files(capsys):
    with pytest.raises(SystemExit):
        prediction.main(["--train_dir=a"])
    assert "expected both of --train_dir and" in capsys.readouterr().err
