"""Tests of what happens beside the steps: TensorBoard, signals, progress."""

import json
import signal
import threading
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact import models
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import callbacks
from yt8m_compact.training import position as position_lib


def numpy_gap(predictions, labels, top_k=20):
    """GAP of one batch from its definition."""
    pool = []
    for scores, row in zip(predictions, labels, strict=True):
        best = np.argsort(-scores, kind="stable")[:top_k]
        pool += [(scores[c], row[c]) for c in best]
    hits = np.array([hit for _, hit in sorted(pool, key=lambda p: -p[0])])
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return np.sum(precisions * hits) / labels.sum()


def cross_entropy(predictions, labels):
    p, y = predictions.astype(np.float64), labels
    terms = y * np.log(p + 1e-5) + (1 - y) * np.log(1 - p + 1e-5)
    return -terms.sum(axis=1).mean()


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tiny_runs.Run:
    """A run of 5 steps with all that can be logged, and all checkpoints."""
    folder = tmp_path_factory.mktemp("run")
    pattern = tiny_runs.write_videos(folder / "data")
    config = tiny_runs.video_config(
        pattern,
        models.MoeConfig(l2_penalty=0.0),
        num_epochs=1,
        checkpoint_steps=1,
        keep_checkpoints=9,
        weight_histograms=True,
        base_learning_rate=0.1,
        learning_rate_decay=0.5,
        learning_rate_decay_examples=20.0,
    )
    path = str(folder / "run")
    training.train(config, path)
    return tiny_runs.Run(path, pattern, config)


@pytest.fixture(scope="module")
def events(run):
    return tiny_runs.read_events(f"{run.path}/train")


@pytest.mark.slow
def test_metrics_of_each_batch(run, events):
    training_config = run.config.training
    dataset = readers.make_dataset(
        run.config.reader(training=True),
        readers.expand_patterns(run.pattern),
        batch_size=training_config.batch_size,
        shuffle_buffer=training_config.shuffle_buffer,
        num_readers=training_config.num_readers,
    )
    run_dir = train_dir_lib.TrainDir(run.path)
    expected = {"loss": [], "gap": [], "hit_at_1": []}
    for step, batch in enumerate(dataset.as_numpy_iterator()):
        # The step starts with the weights that the one before has saved.
        _, model, _ = run_dir.restore_model(step)
        inputs = {"features": batch["features"]}
        p, y = model(inputs, training=False).numpy(), batch["labels"]
        expected["loss"].append(cross_entropy(p, y))
        expected["gap"].append(numpy_gap(p, y))
        best = y[np.arange(len(y)), p.argmax(axis=1)]
        expected["hit_at_1"].append(best.mean())
    for name, values in expected.items():
        points = events[f"metrics/{name}"]
        assert [step for step, _ in points] == [1, 2, 3, 4, 5]
        found = [value for _, value in points]
        np.testing.assert_allclose(found, values, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_learning_rate(events):
    # The rate of the next step: 0.1 * 0.5 ^ floor(8 * step / 20).
    expected = [0.1, 0.1, 0.05, 0.05, 0.025]
    found = [value for _, value in events["optimizer/learning_rate"]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_speed(events):
    points = events["speed/examples_per_second"]
    # The first step compiles, and is left out.
    assert [step for step, _ in points] == [2, 3, 4, 5]
    assert all(0 < value < 1e6 for _, value in points)


class _Steps:
    """What a logger asks of the training step."""

    seconds = 0.0
    waited_seconds = 0.0

    def reset_metrics(self):
        pass

    def gradient_norms(self):
        return {}

    weight_norms = gradient_norms


def test_speed_is_that_of_whole_batches(tmp_path):
    config = tiny_runs.video_config("data*", log_steps=6)
    position, steps = position_lib.Position(), _Steps()
    logger = callbacks.TensorBoardLogger(str(tmp_path), config, position, steps)
    model = keras.Model(x := keras.Input([1]), x)
    model.compile()
    logger.set_model(model)
    logger.on_epoch_begin(0)
    for step, examples, seconds, waited in (
        (1, 8, 5.0, 4.0),  # The first one compiles.
        (3, 24, 5.5, 4.1),
        (5, 40, 6.0, 4.2),
        (6, 45, 9.0, 4.2),  # 5 videos, of another shape: compiled anew.
    ):
        position.set(step, 0, examples)
        steps.seconds, steps.waited_seconds = seconds, waited
        logger.on_train_batch_end(step, {"gap": 0.5})
    logger.on_epoch_begin(1)
    # Nothing before the second call of an epoch.
    position.set(12, 1, 48)
    logger.on_train_batch_end(12, {"gap": 0.5})
    logger.close()
    events = tiny_runs.read_events(str(tmp_path))
    assert events["metrics/gap"] == [(6, 0.5), (12, 0.5)]
    # 32 videos in a second, 0.2 of which they waited.
    assert events["speed/examples_per_second"] == [(6, pytest.approx(32))]
    assert events["speed/input_wait"] == [(6, pytest.approx(0.2))]


def test_how_the_run_was_made(run, events):
    ((step, text),) = events["run"]
    assert step == 0
    rows = dict(
        line.removeprefix("* **").split(":** ", 1) for line in text.splitlines()
    )
    assert rows["model"] == "MoeModel"
    assert rows["features"] == "mean_rgb (6), mean_audio (3), 5 classes"
    assert rows["training data"].startswith("3 files, about 40 videos: `")
    assert "train0.tfrecord" in rows["training data"]
    assert (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
        in (rows["versions"])
    )
    assert "evaluation data" not in rows


def test_config(run, events):
    ((step, text),) = events["run/config"]
    assert step == 0
    lines = text.splitlines()
    # A block of code in Markdown.
    assert all(line.startswith("    ") for line in lines)
    assert json.loads(text) == run.config.to_dict()


def test_histograms(run, events):
    names = {"gates/kernel", "experts/kernel", "experts/bias"}
    weights = tiny_runs.weights_of(run.path)
    assert names == set(weights)
    for name in names:
        ((step, buckets),) = events[f"weights/{name}"]
        assert step == 5
        # Left, right and count of each bucket.
        assert buckets[:, 2].sum() == weights[name].size
        assert buckets[0, 0] == pytest.approx(weights[name].min())
        assert buckets[-1, 1] == pytest.approx(weights[name].max())


def test_nothing_more_without_request():
    events = tiny_runs.read_events(f"{tiny_runs.video_run().path}/train")
    assert set(events) == {
        "run",
        "run/config",
        "metrics/loss",
        "metrics/gap",
        "metrics/hit_at_1",
        "optimizer/learning_rate",
        "speed/examples_per_second",
        "speed/input_wait",
        "norms_of_gradients/experts",
        "norms_of_gradients/gates",
        "norms_of_weights/experts",
        "norms_of_weights/gates",
    }


@pytest.mark.slow
def test_log_steps(tmp_path, run, events):
    config = tiny_runs.change_training(
        run.config, log_steps=2, weight_histograms=False
    )
    training.train(config, str(tmp_path))
    found = tiny_runs.read_events(f"{tmp_path}/train")
    every = [value for _, value in events["metrics/loss"]]
    # Means over the two batches since the last point, and of the last steps,
    # which a run of fewer than log_steps has no other of.
    assert [step for step, _ in found["metrics/loss"]] == [2, 4, 5]
    np.testing.assert_allclose(
        [value for _, value in found["metrics/loss"]],
        [np.mean(every[:2]), np.mean(every[2:4]), every[4]],
        rtol=1e-5,
    )
    for tag in ("speed/examples_per_second", "optimizer/learning_rate"):
        assert [step for step, _ in found[tag]] == [2, 4, 5]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_is_noted(number):
    previous = signal.getsignal(number)
    stop = callbacks.GracefulStop()
    with stop:
        assert stop.signal_number is None
        # To this thread: another one may be slow to take it.
        signal.raise_signal(number)
        assert stop.signal_number == number
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
            time.sleep(1)
    assert signal.getsignal(number) is previous


def test_signals_off_the_main_thread():
    previous = signal.getsignal(signal.SIGTERM)
    found = []

    def use():
        with callbacks.GracefulStop() as stop:
            found.append(stop.signal_number)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert found == [None]
    assert signal.getsignal(signal.SIGTERM) is previous


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_divergence(loss):
    position = position_lib.Position()
    position.set(12, 0, 96)
    guard = callbacks.DivergenceGuard(position, lambda: 10)
    guard.on_train_batch_end(0, {"loss": 3.0})
    with pytest.raises(
        ValueError,
        match=(
            rf"^expected finite losses and weights\. Received: loss={loss} at "
            r"step 12\. Lower base_learning_rate and start again \(the last "
            r"checkpoint, of step 10, was kept\)$"
        ),
    ):
        guard.on_train_batch_end(1, {"loss": loss})


@pytest.mark.slow
def test_norms_of_layers(tmp_path):
    """Of the logistic model, by its formula."""
    pattern = tiny_runs.write_videos(tmp_path / "data")
    path = str(tmp_path / "run")
    config = tiny_runs.video_config(
        pattern,
        models.LogisticConfig(l2_penalty=0.0, l2_normalize=False),
        num_epochs=1,
        log_steps=2,
        checkpoint_steps=1,
        keep_checkpoints=9,
    )
    training.train(config, path)
    found = tiny_runs.read_events(f"{path}/train")
    training_config = config.training
    dataset = readers.make_dataset(
        config.reader(training=True),
        readers.expand_patterns(pattern),
        batch_size=training_config.batch_size,
        shuffle_buffer=training_config.shuffle_buffer,
        num_readers=training_config.num_readers,
    )
    gradients, weights = [], []
    for step, batch in enumerate(dataset.as_numpy_iterator()):
        if step not in (1, 3, 4):  # The second step, the fourth and the last.
            continue
        after = tiny_runs.weights_of(path, step + 1).values()
        weights.append(np.sqrt(sum(np.sum(part**2) for part in after)))
        if step == 4:  # Whether it is the last one is not known before.
            continue
        before = tiny_runs.weights_of(path, step)
        x, y = batch["features"].astype(np.float64), batch["labels"]
        z = x @ before["classifier/kernel"] + before["classifier/bias"]
        p = 1 / (1 + np.exp(-z))
        of_loss = (1 - y) / (1 - p + 1e-5) - y / (p + 1e-5)
        of_logits = of_loss * p * (1 - p) / len(y)
        parts = [x.T @ of_logits, of_logits.sum(axis=0)]
        gradients.append(np.sqrt(sum(np.sum(part**2) for part in parts)))
    for name, values in (("gradients", gradients), ("weights", weights)):
        points = found[f"norms_of_{name}/classifier"]
        assert [step for step, _ in points] == [2, 4, 5][: len(values)]
        np.testing.assert_allclose(
            [value for _, value in points], values, rtol=1e-4
        )
    shares = [value for _, value in found["speed/input_wait"]]
    assert len(shares) == 3
    assert all(0 <= share <= 1 for share in shares)


class _Model:
    """What a bar asks of the model."""

    stop_training = False


def _bar(monkeypatch, position, is_terminal, **training_settings):
    """Makes the bar of a run on about 200 videos, in batches of 16."""
    monkeypatch.setattr(progress, "has_terminal", lambda: is_terminal)
    monkeypatch.setattr(readers, "estimate_num_records", lambda _: 200)
    config = tiny_runs.video_config("a", batch_size=16, **training_settings)
    bar = callbacks.ProgressBar(position, config.training, ["a"])
    bar.set_model(_Model())
    return bar


@pytest.mark.parametrize("is_terminal", [True, False])
def test_bar_ends_with_the_last_step(monkeypatch, capsys, is_terminal):
    # Continued at step 4, after 64 of the videos: 3 steps are left.
    position = position_lib.Position()
    position.set(4, 0, 64)
    bar = _bar(monkeypatch, position, is_terminal, num_epochs=20, max_steps=7)
    bar.on_epoch_begin(0)
    shown = bar._bar
    assert (shown.n, shown.total) == (64, 64 + 3 * 16)
    position.set(6, 0, 96)
    bar.on_train_batch_end(1, {"loss": 2.0})
    # One that was damaged was left out: of the three batches, 49 were read.
    position.set(7, 0, 113)
    bar.on_train_batch_end(2, {"loss": 1.0})
    bar.model.stop_training = True
    bar.on_epoch_end(0)
    if is_terminal:
        assert "epoch 1/20 100%" in capsys.readouterr().err.split("\r")[-1]


@pytest.mark.parametrize(
    ("max_steps", "total"), [(None, 200), (14, 200), (13, 200), (12, 192)]
)
def test_bar_of_a_whole_epoch(monkeypatch, max_steps, total):
    bar = _bar(monkeypatch, position_lib.Position(), False, max_steps=max_steps)
    bar.on_epoch_begin(0)
    assert bar._bar.total == total


def test_bar_of_a_run_that_was_stopped_is_not_full(monkeypatch, capsys):
    position = position_lib.Position()
    bar = _bar(monkeypatch, position, True, max_steps=10)
    bar.on_epoch_begin(0)
    position.set(4, 0, 64)
    bar.on_train_batch_end(3, {"loss": 1.0})
    bar.model.stop_training = True
    bar.on_epoch_end(0)
    assert "100%" not in capsys.readouterr().err


@pytest.mark.parametrize("is_terminal", [True, False])
def test_rate_of_a_bar_leaves_out_evaluations(monkeypatch, is_terminal):
    now = [1000.0]
    clock = types.SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr(callbacks, "time", clock)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr("tqdm.std.time", lambda: now[0])
    position = position_lib.Position()
    bar = _bar(monkeypatch, position, is_terminal)
    bar.on_epoch_begin(0)
    for step in (1, 2, 3, 4):
        now[0] += 8
        position.set(step, 0, 16 * step)
        bar.on_train_batch_end(step, {"loss": 1.0})
        bar.on_test_begin()
        now[0] += 500
        bar.on_test_end()
    # 16 videos in 8 s: 136 are left.
    if is_terminal:
        assert bar._bar.format_dict["rate"] == pytest.approx(2)
        assert bar._bar.format_dict["elapsed"] == pytest.approx(32)
    else:
        assert "64 of 200 videos, 2/s, 1:08 left" in bar._bar.to_text()
    bar._bar.close()
