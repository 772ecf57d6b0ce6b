"""Tests of evaluations while a run trains."""

import json
import logging
import re

import keras
import pytest

import tiny_runs
from yt8m_compact import training
from yt8m_compact.run import train_dir as train_dir_lib

# By the epochs of 5 steps: the best is the second, and of the losses the last.
GAPS = {5: 0.2, 10: 0.4, 15: 0.4, 20: 0.3, 25: 0.1, 30: 0.5}
LOSSES = {5: 3.0, 10: 2.5, 15: 2.6, 20: 2.4, 25: 2.2, 30: 2.1}


class Evaluator:
    """Gives metrics from a table, and keeps the steps it was asked for."""

    def __init__(self, gaps, fail_at=None):
        self.gaps = gaps
        self.fail_at = fail_at
        self.steps = []

    def __call__(self, step):
        if step == self.fail_at:
            raise RuntimeError("killed")
        self.steps.append(step)
        return {
            "gap": self.gaps[step],
            "hit_at_1": 0.5,
            "perr": 0.25,
            "map": 0.125,
            "loss": LOSSES.get(step, 1.0),
        }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The patterns of 40 videos to train on, and of 8 others."""
    folder = tmp_path_factory.mktemp("data")
    videos = tiny_runs.write_videos(folder)
    others = tiny_runs.write_videos(folder, 8, name="validate", start=40)
    return videos, others


def make_config(data, **kwargs):
    return tiny_runs.video_config(
        data[0], **{"eval_data_pattern": data[1], "num_epochs": 6, **kwargs}
    )


@pytest.fixture(scope="module")
def reference(data, tmp_path_factory):
    """All checkpoints of 6 epochs, without an evaluation."""
    path = str(tmp_path_factory.mktemp("reference"))
    config = make_config(data, eval_data_pattern="", keep_checkpoints=9)
    training.train(config, path)
    return path


def train(config, path, evaluate, **kwargs):
    watching = training.Watching(evaluate=evaluate, **kwargs)
    return training.train(config, str(path), watching=watching)


def found_in(path):
    content = json.loads((path / "evaluations.json").read_text())
    return [(one["step"], one["metrics"]) for one in content["evaluations"]]


def assert_same_weights(path, step, reference, expected_step):
    found = tiny_runs.weights_of(str(path), step)
    expected = tiny_runs.weights_of(reference, expected_step)
    assert found.keys() == expected.keys()
    assert all((found[name] == expected[name]).all() for name in found)


@pytest.mark.slow
def test_each_epoch(tmp_path, data, reference, caplog):
    caplog.set_level(logging.INFO, "yt8m_compact")
    evaluate = Evaluator(GAPS)
    result = train(make_config(data), tmp_path, evaluate)
    assert evaluate.steps == [5, 10, 15, 20, 25, 30]
    assert (result.step, result.stopped_early) == (30, False)
    assert (result.best.step, result.best.metrics["gap"]) == (30, 0.5)
    assert found_in(tmp_path)[1] == (
        10,
        {
            "gap": 0.4,
            "hit_at_1": 0.5,
            "perr": 0.25,
            "map": 0.125,
            "loss": 2.5,
        },
    )
    # An evaluation changes nothing.
    assert_same_weights(tmp_path, None, reference, 30)
    assert (
        "step 15: val loss 2.6 gap 0.4000 hit@1 0.5000 perr 0.2500 map 0.1250"
    ) in caplog.messages
    assert (
        "step 30: val loss 2.1 gap 0.5000 hit@1 0.5000 perr 0.2500 map 0.1250 "
        "best"
    ) in caplog.messages


@pytest.mark.slow
def test_early_stopping_and_the_best_checkpoint(tmp_path, data, reference):
    evaluate = Evaluator(GAPS)
    config = make_config(data, early_stopping="gap", keep_checkpoints=1)
    result = train(config, tmp_path, evaluate)
    # Three evaluations after the best one, as equal is not better.
    assert evaluate.steps == [5, 10, 15, 20, 25]
    assert (result.step, result.epoch) == (25, 5)
    assert result.stopped_early
    assert result.best.step == 10
    run = train_dir_lib.TrainDir(str(tmp_path))
    assert list(run.checkpoints()) == [25]
    assert run.find_checkpoint("best") == f"{tmp_path}/best/model.ckpt-10"
    assert_same_weights(tmp_path, "best", reference, 10)
    assert_same_weights(tmp_path, 10, reference, 10)
    assert_same_weights(tmp_path, None, reference, 25)
    # The same command has nothing left to do.
    again = Evaluator({})
    result = train(config, tmp_path, again)
    assert (result.step, result.stopped_early) == (25, True)
    assert again.steps == []
    # With more patience it goes on, and knows what it had found.
    config = tiny_runs.change_training(config, patience=4)
    result = train(config, tmp_path, evaluate)
    assert evaluate.steps == [5, 10, 15, 20, 25, 30]
    assert (result.best.step, result.stopped_early) == (30, False)
    assert_same_weights(tmp_path, "best", reference, 30)


@pytest.mark.slow
def test_of_losses_the_smallest_is_the_best(tmp_path, data):
    config = make_config(
        data, early_stopping="loss", patience=1, keep_best="loss"
    )
    result = train(config, tmp_path, Evaluator(GAPS))
    assert (result.step, result.best.step) == (15, 10)


@pytest.mark.slow
def test_nothing_is_kept(tmp_path, data):
    config = make_config(data, keep_best="none", num_epochs=1)
    assert train(config, tmp_path, Evaluator(GAPS)).best is None
    assert not (tmp_path / "best").exists()


@pytest.mark.slow
def test_every_so_many_steps_and_at_the_end(tmp_path, data):
    gaps = dict.fromkeys([4, 8, 11], 0.5)
    evaluate = Evaluator(gaps)
    train(make_config(data, eval_steps=4, max_steps=11), tmp_path, evaluate)
    assert evaluate.steps == [4, 8, 11]


@pytest.mark.slow
@pytest.mark.parametrize("fail_at", [5, 15])
def test_killed_at_an_evaluation(tmp_path, data, reference, fail_at):
    """The checkpoint is there, and what was found of it is not."""
    config = make_config(data, early_stopping="gap", keep_checkpoints=1)
    with pytest.raises(RuntimeError, match="killed"):
        train(config, tmp_path, Evaluator(GAPS, fail_at))
    assert [step for step, _ in found_in_or_none(tmp_path)] == [
        step for step in (5, 10, 15, 20) if step < fail_at
    ]
    evaluate = Evaluator(GAPS)
    result = train(config, tmp_path, evaluate)
    assert evaluate.steps == list(range(fail_at, 26, 5))
    assert (result.step, result.best.step) == (25, 10)
    assert_same_weights(tmp_path, "best", reference, 10)
    assert [step for step, _ in found_in(tmp_path)] == [5, 10, 15, 20, 25]


def found_in_or_none(path):
    return found_in(path) if (path / "evaluations.json").exists() else []


@pytest.mark.slow
def test_stopped_between_evaluations(tmp_path, data, reference):
    config = make_config(data, early_stopping="gap", eval_steps=5)
    gaps = {**GAPS, 7: 0.0}
    stopped = tiny_runs.change_training(config, max_steps=7)
    train(stopped, tmp_path, Evaluator(gaps))
    # As if a signal had stopped it, it goes on without its last evaluation.
    path = tmp_path / "evaluations.json"
    content = json.loads(path.read_text())
    content["evaluations"] = [
        one for one in content["evaluations"] if one["step"] % 5 == 0
    ]
    path.write_text(json.dumps(content))
    result = train(config, tmp_path, Evaluator(gaps))
    assert (result.step, result.best.step) == (25, 10)
    assert_same_weights(tmp_path, "best", reference, 10)
    assert_same_weights(tmp_path, None, reference, 25)


@pytest.mark.slow
def test_other_data_is_not_compared(tmp_path, data):
    config = make_config(data, num_epochs=2)
    train(config, tmp_path / "run", Evaluator(GAPS))
    other = tiny_runs.write_videos(tmp_path / "data", 9, name="other", start=50)
    config = tiny_runs.change_training(
        config, num_epochs=3, eval_data_pattern=other
    )
    # What is there is evaluated first.
    evaluate = Evaluator({10: 0.15, 15: 0.1})
    result = train(config, tmp_path / "run", evaluate)
    assert evaluate.steps == [10, 15]
    assert (result.best.step, result.best.metrics["gap"]) == (10, 0.15)
    assert [step for step, _ in found_in(tmp_path / "run")] == [5, 10, 10, 15]


@pytest.mark.slow
def test_other_weights_are_not_compared(tmp_path, data, caplog):
    caplog.set_level(logging.INFO, "yt8m_compact")
    config = make_config(data, num_epochs=2, ema_momentum=0.9)
    train(config, tmp_path, Evaluator(GAPS))
    config = tiny_runs.change_training(config, num_epochs=3, eval_weights="ema")
    evaluate = Evaluator({10: 0.1, 15: 0.15})
    result = train(config, tmp_path, evaluate)
    assert evaluate.steps == [10, 15]
    assert (result.best.step, result.best.metrics["gap"]) == (15, 0.15)
    content = json.loads((tmp_path / "evaluations.json").read_text())
    assert [
        (one["step"], one["weights"]) for one in content["evaluations"]
    ] == [
        (5, "raw"),
        (10, "raw"),
        (10, "ema"),
        (15, "ema"),
    ]
    said = [one for one in caplog.messages if ": val " in one]
    assert [one.startswith("step 10: val (ema) loss 2.5") for one in said] == [
        False,
        False,
        True,
        False,
    ]


@pytest.mark.slow
def test_a_new_run_forgets_what_was_found(tmp_path, data):
    config = make_config(data, num_epochs=1)
    train(config, tmp_path / "run", Evaluator({5: 0.9}))
    for folder in ("checkpoints", "best"):
        for file in (tmp_path / "run" / folder).iterdir():
            file.unlink()
    (tmp_path / "run" / "config.json").unlink()
    result = train(config, tmp_path / "run", Evaluator({5: 0.1}))
    assert result.best.metrics["gap"] == 0.1


class Recorder(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.events = []

    def on_epoch_end(self, epoch, logs=None):
        self.events.append(("epoch", epoch, logs))

    def on_test_end(self, logs=None):
        self.events.append(("test", logs))


@pytest.mark.slow
def test_callbacks_get_the_metrics(tmp_path, data):
    recorder = Recorder()
    train(
        make_config(data, num_epochs=1),
        tmp_path,
        Evaluator(GAPS),
        make_callbacks=[lambda config: recorder],
    )
    (kind, metrics), (_, epoch, logs) = recorder.events
    assert (kind, epoch, metrics["map"]) == ("test", 0, 0.125)
    assert set(logs) >= {"loss", "gap", "val_loss", "val_gap"}
    assert (logs["val_gap"], logs["val_loss"]) == (0.2, 3.0)


@pytest.mark.slow
def test_files_that_are_trained_on_too(tmp_path, data, caplog):
    both = f"{data[0]},{data[1]}"
    config = make_config(data, eval_data_pattern=both, max_steps=1)
    train(config, tmp_path, Evaluator({1: 0.5}))
    assert (
        "expected eval_data_pattern to name files that are not trained on: the "
        "metrics of known videos say little. Received: 3 of 6 files that are, "
        f"such as {data[0].replace('*', '0')}"
    ) in caplog.messages


@pytest.mark.slow
def test_other_files_are_no_reason_to_warn(tmp_path, data, caplog):
    train(make_config(data, max_steps=1), tmp_path, Evaluator({1: 0.5}))
    assert "eval_data_pattern" not in caplog.text


def test_nobody_evaluates(tmp_path, data):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected watching.evaluate with eval_data_pattern, such as "
            "yt8m_compact.eval.validation.Validation. Received: None"
        ),
    ):
        training.train(make_config(data), str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        "[]",
        '{"evaluations": [{"step": 5}]}',
        '{"evaluations": [{"step": "5", "data": "", "metrics": {}}]}',
        '{"evaluations": [{"step": 5, "data": "", "metrics": {"gap": 1}}]}',
    ],
)
def test_a_broken_file(tmp_path, data, content):
    (tmp_path / "evaluations.json").write_text(content)
    with pytest.raises(
        ValueError,
        match=(
            r"evaluations\.json: expected the evaluations that yt8m-train "
            r"wrote\. Received: .*; restore the file, or delete it to start"
        ),
    ):
        train(make_config(data), tmp_path, Evaluator(GAPS))
