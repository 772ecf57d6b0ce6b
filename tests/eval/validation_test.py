"""Tests of evaluations while training, and of what TensorBoard shows."""

import json

import numpy as np
import pytest
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.pr_curve import metadata as pr_curve

import tiny_runs
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import validation

METRICS = ("gap", "hit_at_1", "perr", "map", "loss")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tiny_runs.Run:
    """A run of 2 epochs, of 5 steps each, evaluated after both."""
    folder = tmp_path_factory.mktemp("run")
    pattern = tiny_runs.write_videos(folder / "data")
    others = tiny_runs.write_videos(
        folder / "data", 12, name="validate", start=40
    )
    config = tiny_runs.video_config(pattern, eval_data_pattern=others)
    path = str(folder / "run")
    names = {index: f"class *{index}*" for index in range(3)}
    training.train(
        config,
        path,
        watching=training.Watching(
            evaluate=validation.Validation(path, config.training, names),
            describe=validation.describe_weights,
        ),
    )
    return tiny_runs.Run(path, others, config)


@pytest.fixture(scope="module")
def events(run):
    return tiny_runs.read_events(f"{run.path}/validation")


@pytest.mark.slow
def test_metrics_are_those_of_the_evaluation_program(run, events):
    with open(f"{run.path}/evaluations.json") as file:
        first, second = json.load(file)["evaluations"]
    assert (first["step"], second["step"]) == (5, 10)
    for step, found in ((5, first["metrics"]), (10, second["metrics"])):
        report = evaluation.evaluate_run(run.path, run.pattern, step=step)
        assert found == {name: report.metrics[name] for name in METRICS}
    assert first["metrics"]["loss"] != second["metrics"]["loss"]
    # The curves, of the same names as those of training.
    for name in METRICS:
        points = events[f"metrics/{name}"]
        assert [step for step, _ in points] == [5, 10]
        np.testing.assert_allclose(
            [value for _, value in points],
            [first["metrics"][name], second["metrics"][name]],
            rtol=1e-6,
        )
    trained = tiny_runs.read_events(f"{run.path}/train")
    assert {"metrics/gap", "metrics/hit_at_1", "metrics/loss"} <= set(trained)
    # What the steps did meanwhile is not counted with it.
    assert [step for step, _ in trained["metrics/loss"]] == list(range(1, 11))


def train_averaged(path, config, max_steps=None):
    config = tiny_runs.change_training(config, max_steps=max_steps)
    return training.train(
        config,
        path,
        watching=training.Watching(
            evaluate=validation.Validation(path, config.training)
        ),
    )


@pytest.mark.slow
def test_the_moving_average_is_evaluated(tmp_path):
    """With its statistics of batch norm; kept, and continued, by it."""
    pattern = tiny_runs.write_frames(tmp_path / "data")
    others = tiny_runs.write_frames(
        tmp_path / "data", 12, name="validate", start=40
    )
    config = tiny_runs.frame_config(
        pattern,
        eval_data_pattern=others,
        eval_weights="ema",
        ema_momentum=0.9,
        num_epochs=3,
        base_learning_rate=0.1,
        keep_best="loss",
        keep_checkpoints=9,
    )
    path, stopped = str(tmp_path / "run"), str(tmp_path / "stopped")
    result = train_averaged(path, config)
    with open(f"{path}/evaluations.json") as file:
        found = json.load(file)["evaluations"]
    assert [one["step"] for one in found] == [5, 10, 15]
    averages, raws = (
        evaluation.Evaluator(path, others, weights=weights)
        for weights in ("ema", "raw")
    )
    for one in found:
        averaged = averages.evaluate(one["step"]).metrics
        raw = raws.evaluate(one["step"]).metrics
        for name in METRICS:
            assert one["metrics"][name] == pytest.approx(
                averaged[name], abs=1e-6
            )
        assert abs(one["metrics"]["loss"] - raw["loss"]) > 1e-3
    losses = [one["metrics"]["loss"] for one in found]
    assert result.best.step == 5 * (1 + int(np.argmin(losses)))
    best = averages.evaluate("best")
    assert best.step == result.best.step
    assert best.metrics["loss"] == pytest.approx(min(losses), abs=1e-6)
    points = tiny_runs.read_events(f"{path}/validation/ema")["metrics/loss"]
    np.testing.assert_allclose([value for _, value in points], losses, 1e-6)
    # Stopped in its second epoch: the end of that is evaluated, too.
    train_averaged(stopped, config, max_steps=7)
    again = train_averaged(stopped, config)
    assert again.best == result.best
    with open(f"{stopped}/evaluations.json") as file:
        continued = json.load(file)["evaluations"]
    assert [one for one in continued if one["step"] != 7] == found


@pytest.mark.slow
def test_weights_as_text(run):
    ((step, text),) = tiny_runs.read_events(f"{run.path}/train")["run/weights"]
    assert step == 0
    lines = [line.split() for line in text.splitlines()]
    # 9 features x 5 classes, and 5 biases.
    assert ["classifier", "dense", "5", "50", "50", "50"] in [
        line[:6] for line in lines
    ]
    assert all(line.startswith("    ") for line in text.splitlines())


def test_samples(run, events):
    (_, text) = events["samples"][-1]
    header, line, *rows = text.splitlines()
    assert header == "| video | labels | predictions |"
    assert line == "| --- | --- | --- |"
    assert len(rows) == 10
    batch = tiny_runs.features_of(run, run.pattern)
    predictions = tiny_runs.predictions_of(run, run.pattern)
    by_id = {one.decode(): i for i, one in enumerate(batch["id"])}
    for row in rows:
        _, video, labels, shown, _ = (cell.strip() for cell in row.split("|"))
        index = by_id[video]
        names = [
            r"class \*0\*",
            r"class \*1\*",
            r"class \*2\*",
            "3",
            "4",
        ]
        true = batch["labels"][index] > 0
        assert labels == ", ".join(np.array(names)[true])
        order = np.argsort(-predictions[index], kind="stable")
        expected = []
        for c in order:
            cell = f"{names[c]} {predictions[index, c]:.2f}"
            expected.append(f"**{cell}**" if true[c] else cell)
        assert shown == ", ".join(expected)


def test_precision_and_recall(run):
    accumulator = event_accumulator.EventAccumulator(
        f"{run.path}/validation",
        size_guidance={event_accumulator.TENSORS: 0},
    )
    accumulator.Reload()
    data = accumulator.SummaryMetadata("precision_recall").plugin_data
    assert data.plugin_name == pr_curve.PLUGIN_NAME
    assert pr_curve.parse_plugin_metadata(data.content).num_thresholds == 201
    curve = tiny_runs.read_events(f"{run.path}/validation")["precision_recall"]
    assert [step for step, _ in curve] == [5, 10]
    labels = tiny_runs.features_of(run, run.pattern)["labels"] > 0
    predictions = tiny_runs.predictions_of(run, run.pattern)
    found = curve[-1][1]
    assert found.shape == (6, 201)
    for index in (0, 20, 50, 100, 200):
        # There are fewer classes than GAP has predictions: all count.
        positive = predictions >= index / 200
        true = np.sum(positive & labels)
        expected = [
            true,
            np.sum(positive & ~labels),
            np.sum(~positive & ~labels),
            np.sum(~positive & labels),
            true / max(1, positive.sum()),
            true / labels.sum(),
        ]
        np.testing.assert_allclose(found[:, index], expected, rtol=1e-6)


def test_text_of_strangers_is_no_markdown():
    text = validation.format_samples(
        ["a|b"], np.array([[True]]), np.array([[0.5]]), {0: "<b>`x`"}
    )
    assert text.splitlines()[2] == (
        r"| a\|b | \<b\>\`x\` | **\<b\>\`x\` 0.50** |"
    )
