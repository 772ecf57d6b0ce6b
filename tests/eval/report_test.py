"""Tests of the reports of an evaluation."""

import dataclasses
import json

import pytest

from yt8m_compact.eval import report as report_lib
from yt8m_compact.eval import weights as weights_lib

LAYERS = (
    weights_lib.LayerWeights(
        name="fc",
        kind="circulant",
        output_size=4096,
        total=1_000_000,
        trainable=1_000_000,
        dense_equivalent=8_000_000,
        multiply_adds=123_456,
        per_frame=False,
        num_bytes=4_000_000,
    ),
    weights_lib.LayerWeights(
        name="fc_bn",
        kind="BatchNormalization",
        output_size=4096,
        total=16_384,
        trainable=8_192,
        dense_equivalent=16_384,
        multiply_adds=4096,
        per_frame=False,
        num_bytes=65_536,
    ),
)
WEIGHTS = weights_lib.ModelWeights(
    total=1_016_384,
    trainable=1_008_192,
    dense_equivalent=8_016_384,
    num_bytes=4 * 1_016_384,
    layers=LAYERS,
)
METRICS = {
    "gap": 0.8,
    "hit_at_1": 0.87654321,
    "perr": 0.75,
    "map": 0.5,
    "loss": 12.3456,
    "num_examples": 1_112_356,
    "num_classes_with_positives": 3_862,
}


def make_report(**kwargs) -> report_lib.Report:
    values = {
        "model": "DbofModel",
        "weights": WEIGHTS,
        "metrics": METRICS,
        "step": 70,
        "top_k": 20,
        "train_dir": "runs/dbof",
        "eval_data_pattern": "data/validate*",
    }
    return report_lib.Report(**{**values, **kwargs})


WEIGHTS_TABLE = """\
layer  kind                units  parameters  trainable  dense equivalent  \
% of dense      bytes  multiply-adds
-----  ------------------  -----  ----------  ---------  ----------------  \
----------  ---------  -------------
fc     circulant           4,096   1,000,000  1,000,000         8,000,000  \
     12.50  4,000,000        123,456
fc_bn  BatchNormalization  4,096      16,384      8,192            16,384  \
    100.00     65,536          4,096
total                              1,016,384  1,008,192         8,016,384  \
     12.68  4,065,536
3.877 MB of parameters (1 MB = 2^20 bytes)
127,552 multiply-adds a video; not counted: layers without parameters"""

METRICS_TABLE = """\
metric                   value
-------------------  ---------
GAP@20                  0.8000
Hit@1                   0.8765
PERR                    0.7500
MAP                     0.5000
loss                   12.3456
videos               1,112,356
classes with labels      3,862"""


def test_text():
    assert make_report().to_text() == (
        f"DbofModel of runs/dbof, step 70\n\n{WEIGHTS_TABLE}\n\n{METRICS_TABLE}"
    )


def test_text_of_80_columns():
    report = make_report(metrics=None)
    # Full in JSON, in wider terminals, and where there is none.
    assert report.to_text(117) == report.to_text()
    lines = report.to_text(80).splitlines()
    assert lines[2:] == [
        "                                         % of",
        "layer  kind                parameters   dense      bytes  "
        "multiply-adds",
        "-----  ------------------  ----------  ------  ---------  "
        "-------------",
        "fc     circulant            1,000,000   12.50  4,000,000  "
        "      123,456",
        "fc_bn  BatchNormalization      16,384  100.00     65,536  "
        "        4,096",
        "total                       1,016,384   12.68  4,065,536",
        "(--verbosity=1 and wider terminals show: trainable, units, dense "
        "equivalent)",
        "3.877 MB of parameters (1 MB = 2^20 bytes)",
        "127,552 multiply-adds a video; not counted: layers without parameters",
    ]


def test_text_without_metrics():
    report = make_report(metrics=None, step=None)
    assert report.to_text() == f"DbofModel of runs/dbof\n\n{WEIGHTS_TABLE}"
    report = make_report(metrics=None, step=None, train_dir=None)
    assert report.to_text() == f"DbofModel\n\n{WEIGHTS_TABLE}"


def test_weights_of_a_file_are_those_of_its_run():
    text = make_report(train_dir=None, model_file="x/a.tflite").to_text()
    assert text.startswith("DbofModel of x/a.tflite\n\n")
    # The file may hold them in fewer bits.
    assert "\n3.877 MB of the run's parameters (1 MB = 2^20 bytes)\n" in text


def test_text_of_another_top_k():
    assert "\nGAP@5  " in make_report(top_k=5).to_text()


def test_multiply_adds_of_frames_and_of_what_is_not_counted():
    changed = dataclasses.replace(
        WEIGHTS,
        layers=(
            dataclasses.replace(LAYERS[0], per_frame=True),
            dataclasses.replace(LAYERS[1], name="vlad", multiply_adds=None),
        ),
    )
    lines = make_report(weights=changed).to_text().splitlines()
    (fc,) = (line for line in lines if line.startswith("fc "))
    assert fc.split()[-1] == "123,456/frame"
    (vlad,) = (line for line in lines if line.startswith("vlad"))
    assert vlad.split()[-1] == "-"
    assert (
        "0 multiply-adds a video and 123,456 a frame; not counted: layers "
        "without parameters, vlad"
    ) in lines


def test_dict():
    values = make_report().to_dict()
    assert list(values) == [
        "model",
        "weights",
        "metrics",
        "step",
        "weight_choice",
        "top_k",
        "train_dir",
        "model_file",
        "eval_data_pattern",
        "frame_seed",
        "skipped_files",
        "skipped_records",
        "skipped_bytes",
        "starter_metrics",
    ]
    assert values["metrics"] == METRICS
    assert values["weights"] == {
        "total": 1_016_384,
        "trainable": 1_008_192,
        "dense_equivalent": 8_016_384,
        "percent_of_dense": pytest.approx(12.678833),
        "megabytes": pytest.approx(3.877197),
        "multiply_adds": 127_552,
        "multiply_adds_per_frame": 0,
        "multiply_adds_not_counted": [],
        "layers": [
            {
                "name": "fc",
                "kind": "circulant",
                "output_size": 4096,
                "total": 1_000_000,
                "trainable": 1_000_000,
                "dense_equivalent": 8_000_000,
                "multiply_adds": 123_456,
                "per_frame": False,
                "num_bytes": 4_000_000,
            },
            {
                "name": "fc_bn",
                "kind": "BatchNormalization",
                "output_size": 4096,
                "total": 16_384,
                "trainable": 8_192,
                "dense_equivalent": 16_384,
                "multiply_adds": 4_096,
                "per_frame": False,
                "num_bytes": 65_536,
            },
        ],
    }


def test_json(tmp_path):
    path = tmp_path / "report.json"
    path.write_text("from before")
    report_lib.write_json(make_report(), str(path))
    assert json.loads(path.read_text()) == make_report().to_dict()
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_json_that_can_not_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match="no/"):
        report_lib.write_json(make_report(), str(tmp_path / "no" / "a.json"))


def _json_report(total: int, gap: float) -> dict:
    return {
        "weights": {
            "total": total,
            "megabytes": total * 4 / 2**20,
            "percent_of_dense": 100 * total / 4_000_000,
        },
        "metrics": {
            "gap": gap,
            "hit_at_1": 0.9,
            "perr": 0.8,
            "map": 0.7,
        },
    }


def test_comparison_lines_up():
    text = report_lib.format_comparison(
        [
            report_lib.TrainedModel(
                "dense", _json_report(4_000_000, 0.8123), 61.4
            ),
            report_lib.TrainedModel(
                "compact", _json_report(40_000, 0.7567), 9.6
            ),
        ]
    )
    rows = [line.split() for line in text.splitlines()]
    # 4,000,000 weights of 4 bytes are 15.26 MB of 2^20 bytes.
    assert rows[2] == (
        "dense 4,000,000 15.26 100.0 0.8123 0.9000 0.8000 0.7000 61".split()
    )
    assert rows[3] == (
        "compact 40,000 0.15 1.0 0.7567 0.9000 0.8000 0.7000 10".split()
    )
    assert len({len(line) for line in text.splitlines()}) == 1
