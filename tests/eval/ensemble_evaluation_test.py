"""Tests of the evaluation of ensembles."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

import formula_predictors
import tiny_runs
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.eval import ensemble_evaluation
from yt8m_compact.eval import evaluate
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.inference import ensembles

NAMES = ["a", "b"]


def metrics_of(pattern, weights):
    """Computes the metrics of a blend of the formulas 0 and 1, by NumPy."""
    files = readers.expand_patterns(pattern)
    records = [record.numpy() for record in tf.data.TFRecordDataset(files)]
    reader = formula_predictors.make(with_labels=True).reader
    batch = reader.parse(tf.constant(records))
    features = batch["features"].numpy()
    predictions = sum(
        weight * formula_predictors.values_of(features, seed).astype(float)
        for seed, weight in enumerate(weights)
    )
    with metrics_lib.EvaluationMetrics(tiny_runs.NUM_CLASSES, 3) as metrics:
        metrics.update(predictions.astype(np.float32), batch["labels"].numpy())
        return metrics.result()


def evaluate_formulas(pattern, **kwargs):
    members = [formula_predictors.make(seed) for seed in (0, 1)]
    return ensemble_evaluation.evaluate_ensemble(
        NAMES, members, pattern, top_k=3, num_readers=1, **kwargs
    )


@pytest.mark.slow
def test_weights_are_found(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 90)
    report = evaluate_formulas(pattern)
    for weights, found in zip(
        ([1, 0], [0, 1], [0.5, 0.5]), report.members, strict=True
    ):
        expected = metrics_of(pattern, weights)
        for key, value in found.items():
            assert value == pytest.approx(expected[key]), (weights, key)
    expected = metrics_of(pattern, report.weights)
    assert report.metrics == pytest.approx(expected)
    assert report.metrics["gap"] >= max(one["gap"] for one in report.members)
    assert report.search_videos == 90
    text = report.to_text()
    assert text.splitlines()[0].split() == [
        *("model", "weight", "GAP@3", "Hit@1", "PERR", "MAP")
    ]
    weights = ",".join(f"{weight:g}" for weight in report.weights)
    assert text.endswith(
        "\nof 90 videos; weights of 90 of them\n--ensemble=a,b "
        f"--ensemble_weights={weights}"
    )
    gap = f"{report.members[2]['gap']:.4f}"
    assert f"\nequal weights {gap} " in re.sub(" +", " ", text)


@pytest.mark.slow
def test_weights_are_given(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 40)
    report = evaluate_formulas(pattern, weights=[3, 1])
    assert report.weights == (0.75, 0.25)
    assert report.members is None
    assert report.metrics == pytest.approx(metrics_of(pattern, [0.75, 0.25]))
    text = report.to_text()
    assert "equal weights" not in text
    assert "\nof 40 videos\n--ensemble=a,b --ensemble_weights=0.75,0.25" in text


@pytest.mark.slow
def test_program(tmp_path, monkeypatch, capsys):
    pattern = tiny_runs.write_videos(tmp_path, 40)
    seeds = {"preset:a": 0, "preset:b": 1}
    monkeypatch.setattr(
        ensembles,
        "load_member",
        lambda name: formula_predictors.make(seeds[name]),
    )
    monkeypatch.setattr(
        evaluate.ensemble_flags, "expect_members", lambda names: None
    )
    output = tmp_path / "report.json"
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags,
        "--ensemble=preset:a,preset:b",
        f"--eval_data_pattern={pattern}",
        "--top_k=3",
        f"--output_json={output}",
    )
    assert evaluate.main(flag_values, []) == 0
    report = json.loads(output.read_text())
    assert report["ensemble"] == ["preset:a", "preset:b"]
    assert report["metrics"] == pytest.approx(
        metrics_of(pattern, report["weights"])
    )
    text = capsys.readouterr().out
    assert "--ensemble=preset:a,preset:b --ensemble_weights=" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--train_dir=c"],
            "expected --ensemble or --train_dir, not both. Rec",
        ),
        (
            ["--norun_once"],
            "expected --ensemble or --norun_once, not both. Received: "
            "ensemble='a,b'",
        ),
        (["--weights=ema"], "expected --ensemble or --weights, not both"),
        (["--segment_map_k=5"], "expected --ensemble or --segment_map_k, not"),
        (["--model=MoeModel"], "expected no --model: the models are read from"),
        ([], "expected --eval_data_pattern."),
        (
            ["--eval_data_pattern=x", "--ensemble_weights=1"],
            "expected 2 weights of an ensemble",
        ),
        (["--predictions=x", "--labels=y"], "--ensemble or --predictions, not"),
    ],
)
def test_flags_that_are_refused(arguments, message):
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags, "--ensemble=a,b", *arguments
    )
    with pytest.raises(usage_error.UsageError, match=message):
        evaluate.main(flag_values, [])
