"""Tests of callbacks of a user's own."""

import re
import sys

import keras
import numpy as np
import pytest

import tiny_runs
from yt8m_compact import training
from yt8m_compact.training import user_callbacks

MODULE = """
import keras

def make(config):
    return keras.callbacks.Callback()

def fails(config):
    raise RuntimeError("no\\nnetwork")

def forgets(config):
    make(config)

def takes_nothing():
    return keras.callbacks.Callback()

number = 3
"""
_MODULES = {
    "broken": "import no_such_module\n",
    "unreadable": "def f(:\n",
    "failing": "\nraise OSError(2, 'No such file', 'x')\n",
}


class Steps(keras.callbacks.Callback):
    """Keeps the hooks that are called, and stops after some."""

    def __init__(self, last=None):
        super().__init__()
        self.calls = []
        self.last = last

    def on_train_begin(self, logs=None):
        self.calls.append("begin")

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append((batch, sorted(logs)))
        self.model.stop_training = batch == self.last

    def on_train_end(self, logs=None):
        self.calls.append("end")


class Epochs(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a module in it."""
    (tmp_path / "my_callbacks.py").write_text(MODULE)
    for name, text in _MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("my_callbacks", None)


def test_found_in_the_current_folder(folder):
    (maker,) = user_callbacks.find_makers(["my_callbacks:make"])
    made = user_callbacks.make_callbacks([maker, lambda config: []], None)
    assert [type(one) for one in made] == [keras.callbacks.Callback]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("my_callbacks", "Received: 'my_callbacks'"),
        ("my_callbacks:", "Received: 'my_callbacks:'"),
        ("my_callback:make", "Received: my_callback:make, of which there is"),
        (
            "my_callbacks:number",
            "one of make, fails, forgets, takes_nothing in my_callbacks. "
            "Received: my_callbacks:number",
        ),
        ("my_callbacks:other", "Received: my_callbacks:other"),
    ],
)
def test_no_such_function(folder, name, message):
    expected = "^expected callbacks to be module:function of Python.*"
    with pytest.raises(ValueError, match=expected + re.escape(message)):
        user_callbacks.find_makers([name])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "broken:make",
            "broken:make, where ModuleNotFoundError was raised: No module "
            "named 'no_such_module' ({folder}/broken.py, line 1)",
        ),
        (
            "unreadable:f",
            "unreadable:f, where SyntaxError was raised: invalid syntax "
            "(unreadable.py, line 1)",
        ),
        (
            "failing:f",
            "failing:f, where FileNotFoundError was raised: [Errno 2] No such "
            "file: 'x' ({folder}/failing.py, line 2)",
        ),
    ],
)
def test_a_module_that_can_not_be_imported(folder, name, message):
    expected = (
        "expected callbacks to be module:function of Python that can be "
        f"imported. Received: {message.format(folder=folder)}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        user_callbacks.find_makers([name])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fails", "RuntimeError was raised: no network ({path}, line 8)"),
        (
            "takes_nothing",
            "TypeError was raised: takes_nothing() takes 0 positional "
            "arguments but 1 was given",
        ),
    ],
)
def test_a_function_that_fails(folder, function, message):
    makers = user_callbacks.find_makers([f"my_callbacks:{function}"])
    expected = (
        f"expected my_callbacks:{function} to make callbacks of the run's "
        "configuration, its only argument. Received: "
        f"{message.format(path=folder / 'my_callbacks.py')}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        user_callbacks.make_callbacks(makers, None)


def test_a_function_that_returns_nothing(folder):
    makers = user_callbacks.find_makers(["my_callbacks:forgets"])
    with pytest.raises(
        ValueError,
        match=(
            "^expected my_callbacks:forgets to return a keras.callbacks."
            "Callback or a list of them. Received: None; it has to end with "
            "return$"
        ),
    ):
        user_callbacks.make_callbacks(makers, None)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (3, r"\[3\]$"),
        (None, r"\[None\]$"),
        (Epochs, r"\[<class '.*Epochs'>\]; make one of the class, Epochs\(\)$"),
    ],
)
def test_no_callback(made, message):
    def make(config):
        return [made]

    with pytest.raises(
        ValueError,
        match=(
            rf"^expected {__name__}:make to return a keras\.callbacks\."
            rf"Callback or a list of them\. Received: {message}"
        ),
    ):
        user_callbacks.make_callbacks([make], None)


def test_who_looks_at_steps():
    assert user_callbacks.looks_at_steps(Steps())
    assert not user_callbacks.looks_at_steps(Epochs())
    assert not user_callbacks.looks_at_steps(keras.callbacks.Callback())


@pytest.mark.slow
def test_each_step_is_seen_and_training_stopped(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "data")
    # Several steps would be taken in a call otherwise.
    config = tiny_runs.video_config(pattern, log_steps=100)
    steps = Steps(last=3)
    given = []

    def make(config):
        given.append(config)
        return [steps, Epochs()]

    result = training.train(
        config,
        str(tmp_path / "run"),
        watching=training.Watching(make_callbacks=[make]),
    )
    assert given == [config]
    names = ["gap", "hit_at_1", "loss"]
    assert steps.calls == ["begin", *((i, names) for i in range(4)), "end"]
    assert (result.step, result.epoch) == (4, 0)


@pytest.mark.slow
@pytest.mark.parametrize("log_steps", [1, 2, 100])
def test_logs_of_an_epoch_are_of_all_of_it(tmp_path, log_steps):
    """However often TensorBoard's points start the means anew."""
    pattern = tiny_runs.write_videos(tmp_path / "data")
    steps, epochs = [], []

    class Logs(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(logs)

        def on_epoch_end(self, epoch, logs=None):
            epochs.append(logs)

    config = tiny_runs.video_config(
        pattern, log_steps=log_steps, num_epochs=2, shuffle_buffer=0
    )
    training.train(
        config,
        str(tmp_path / "run"),
        watching=training.Watching(make_callbacks=[lambda config: Logs()]),
    )
    assert len(epochs) == 2
    if log_steps == 1:  # Then each step has its own, of 8 videos all.
        for number, logs in enumerate(epochs):
            own = steps[5 * number : 5 * number + 5]
            for name, value in logs.items():
                mean = np.mean([step[name] for step in own])
                assert value == pytest.approx(mean, rel=1e-5)
    assert all(value > 0 for logs in epochs for value in logs.values())


@pytest.mark.slow
def test_training_imports_no_tracker(tmp_path):
    """However many are installed; pandas comes with one of them."""
    pattern = tiny_runs.write_videos(tmp_path / "data", 8)
    flags = tiny_runs.training_flags(
        tiny_runs.video_config(pattern, num_epochs=1)
    )
    script = (
        "import sys\n"
        "from yt8m_compact.programs import train\n"
        "try:\n    train.run()\n"
        "except SystemExit as ended:\n    assert not ended.code\n"
        "print(sorted({'mlflow', 'pandas', 'wandb'} & set(sys.modules)))\n"
    )
    done = tiny_runs.execute(
        "-c", script, f"--train_dir={tmp_path}/run", *flags, folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.slow
def test_weights_and_biases_offline(tmp_path, monkeypatch):
    import wandb  # Here, as below: it takes seconds.
    from wandb.integration import keras as keras_callbacks

    monkeypatch.chdir(tmp_path)
    pattern = tiny_runs.write_videos(tmp_path / "data")

    def make(config):
        wandb.init(mode="offline", dir=tmp_path, config=config.to_dict())
        return keras_callbacks.WandbMetricsLogger()

    training.train(
        tiny_runs.video_config(pattern, num_epochs=1),
        str(tmp_path / "run"),
        watching=training.Watching(make_callbacks=[make]),
    )
    assert wandb.run.summary["epoch/gap"] > 0
    wandb.finish()


@pytest.mark.slow
def test_mlflow_offline(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    from mlflow import keras as mlflow_keras

    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    pattern = tiny_runs.write_videos(tmp_path / "data")
    with mlflow.start_run() as active:
        training.train(
            tiny_runs.video_config(pattern, num_epochs=1),
            str(tmp_path / "run"),
            watching=training.Watching(
                make_callbacks=[lambda config: mlflow_keras.MlflowCallback()]
            ),
        )
    metrics = mlflow.get_run(active.info.run_id).data.metrics
    assert metrics["gap"] > 0
