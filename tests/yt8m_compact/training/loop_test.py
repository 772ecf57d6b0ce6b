"""Tests of the training loop: what a run learns, saves and refuses."""

import doctest
import fnmatch
import os
import pathlib
import re
import subprocess

import numpy as np
import pytest
import tensorflow as tf

import record_makers
import tiny_runs
import yt8m_compact as yt8m
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.readers import memory_need
from yt8m_compact.run import lock as run_lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import loop
from yt8m_compact.training import step as step_lib


@pytest.fixture
def videos(tmp_path) -> str:
    """The pattern of 40 videos in 3 files: 5 steps an epoch."""
    return tiny_runs.write_videos(tmp_path / "data")


def losses(path: str) -> list[float]:
    return [
        v for _, v in tiny_runs.read_events(f"{path}/train")["metrics/loss"]
    ]


@pytest.mark.slow
def test_examples(tmp_path, monkeypatch, videos):
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(
        loop, extraglobs={"yt8m": yt8m, "data_pattern": videos}
    )
    assert found == (0, 4)


@pytest.mark.slow
@pytest.mark.parametrize("run", [tiny_runs.video_run, tiny_runs.frame_run])
def test_loss_decreases(run):
    values = losses(run().path)
    assert len(values) == 10
    # Each epoch has the same videos.
    assert np.mean(values[5:]) < np.mean(values[:5])


@pytest.mark.slow
def test_loss_decreases_under_xla(tmp_path):
    config = tiny_runs.change_training(
        tiny_runs.frame_run().config, jit_compile=True
    )
    training.train(config, str(tmp_path / "run"))
    values = losses(str(tmp_path / "run"))
    assert np.mean(values[5:]) < np.mean(values[:5])
    reference = losses(tiny_runs.frame_run().path)
    np.testing.assert_allclose(values, reference, rtol=1e-3)


@pytest.mark.slow
def test_result_and_files(tmp_path, videos, caplog, capsys):
    caplog.set_level("INFO", "yt8m_compact")
    path = tmp_path / "run"
    config = tiny_runs.video_config(
        videos, num_epochs=3, checkpoint_steps=4, keep_checkpoints=2
    )
    result = training.train(config, str(path))
    assert result.step == 15
    assert result.epoch == 3
    assert result.checkpoint == str(path / "checkpoints" / "model.ckpt-15")
    assert result.signal_number is None
    run = train_dir_lib.TrainDir(str(path))
    assert run.load_config() == config
    # Saved at 0, 4, 5 (an epoch's end), 8, 10, 12 and 15.
    assert list(run.checkpoints()) == [12, 15]
    files = [
        name.split(".")[1]
        for name in os.listdir(path / "checkpoints")
        if "." in name
    ]
    assert set(files) == {"ckpt-12", "ckpt-15"}
    assert capsys.readouterr().out == ""  # Programs print, the library doesn't.
    # Before the first step, and at the end: it took less time than is between
    # two lines.
    introduction = [m for m in caplog.messages if m.startswith("model ")]
    assert len(introduction) == 1
    assert introduction[0].splitlines()[0].split() == (
        "model LogisticModel: 50 parameters".split()
    )
    lines = [line for line in caplog.messages if line.startswith("epoch ")]
    assert len(lines) == 1
    assert re.fullmatch(
        r"epoch 3/3: step 15, loss [\d.]+ gap [\d.]+ hit@1 [\d.]+", lines[0]
    )


@pytest.mark.slow
def test_checkpoints_of_all_steps(tmp_path, videos):
    config = tiny_runs.video_config(
        videos, max_steps=8, checkpoint_steps=3, keep_checkpoints=9
    )
    result = training.train(config, str(tmp_path / "run"))
    assert (result.step, result.epoch) == (8, 1)
    run = train_dir_lib.TrainDir(str(tmp_path / "run"))
    assert list(run.checkpoints()) == [0, 3, 5, 6, 8]


@pytest.mark.slow
def test_same_seed_gives_the_same_weights(tmp_path):
    run = tiny_runs.video_run()
    training.train(run.config, str(tmp_path / "again"))
    tiny_runs.assert_same_weights(str(tmp_path / "again"), run.path)


@pytest.mark.slow
def test_other_seed_gives_other_weights(tmp_path):
    run = tiny_runs.video_run()
    config = tiny_runs.change_training(run.config, seed=1, num_epochs=1)
    training.train(config, str(tmp_path / "other"))
    found = tiny_runs.weights_of(str(tmp_path / "other"), 0)
    same = tiny_runs.weights_of(run.path, 0)
    assert np.any(found["gates/kernel"] != same["gates/kernel"])
    # Counted over all videos, which the seed does not change.
    np.testing.assert_array_equal(found["experts/bias"], same["experts/bias"])


def test_classifier_starts_at_the_log_odds(tmp_path):
    run = tiny_runs.video_run()
    counts = np.zeros(tiny_runs.NUM_CLASSES)
    for index in range(40):
        counts[record_makers.video_labels(index, tiny_runs.NUM_CLASSES)] += 1
    share = (counts + 0.5) / 41
    # Two experts and a dummy, whose gates are even: 2/3 of an expert's share.
    expert = share * 3 / 2
    np.testing.assert_allclose(
        tiny_runs.weights_of(run.path, 0)["experts/bias"],
        np.repeat(np.log(expert / (1 - expert)), 2),
        rtol=1e-5,
    )


@pytest.mark.slow
def test_classifier_starts_at_zeros(tmp_path, videos):
    config = tiny_runs.video_config(
        videos, classifier_bias="zeros", max_steps=1
    )
    training.train(config, str(tmp_path / "run"))
    bias = tiny_runs.weights_of(str(tmp_path / "run"), 0)["classifier/bias"]
    np.testing.assert_array_equal(bias, np.zeros(tiny_runs.NUM_CLASSES))


@pytest.mark.slow
def test_regularization_is_part_of_the_loss(tmp_path, videos):
    first_losses = {}
    for penalty in (0.0, 0.25):
        path = str(tmp_path / f"run{penalty}")
        model = models.LogisticConfig(
            l2_penalty=2.0, regularization_penalty=penalty
        )
        config = tiny_runs.video_config(videos, model, max_steps=1)
        training.train(config, path)
        (first_losses[penalty],) = losses(path)
    kernel = tiny_runs.weights_of(path, 0)["classifier/kernel"]
    np.testing.assert_allclose(
        first_losses[0.25] - first_losses[0.0],
        # Half of the sum of squares, as in the starter code.
        0.25 * 2.0 * np.sum(kernel.astype(np.float64) ** 2) / 2,
        rtol=1e-4,
    )


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["HingeLoss", "SoftmaxLoss"])
def test_other_loss(tmp_path, videos, loss):
    path = str(tmp_path / "run")
    model = models.LogisticConfig(l2_penalty=0.0)
    config = tiny_runs.video_config(
        videos,
        model,
        label_loss=loss,
        max_steps=1,
        batch_size=40,
        base_learning_rate=1e-9,
    )
    training.train(config, path)
    (found,) = losses(path)
    run = tiny_runs.Run(path, videos, config)
    p = tiny_runs.predictions_of(run, videos)
    y = tiny_runs.features_of(run, videos)["labels"]
    # As in the starter code's losses.py.
    if loss == "HingeLoss":
        expected = np.maximum(0, 1 - (2 * y - 1) * p).sum(axis=1)
    else:
        softmax = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
        shares = y / y.sum(axis=1, keepdims=True)
        expected = -(shares * np.log(softmax)).sum(axis=1)
    np.testing.assert_allclose(found, expected.mean(), rtol=1e-5)


@pytest.mark.slow
def test_diverged_run(tmp_path, videos):
    path = str(tmp_path / "run")
    config = tiny_runs.video_config(
        videos,
        models.LogisticConfig(l2_normalize=False),
        optimizer="GradientDescentOptimizer",
        base_learning_rate=1e38,
        clip_gradient_norm=0.0,
        checkpoint_steps=1,
    )
    with pytest.raises(
        ValueError,
        match=(
            r"^expected finite losses and weights\. Received: "
            r"(loss=nan|loss=inf|weights=classifier/\w+) at step [12]; not "
            r"finite first at step [12]: .*\. Lower base_learning_rate "
            r"and start again \(the last checkpoint, of step [01], was kept\)$"
        ),
    ):
        training.train(config, path)
    for step in train_dir_lib.TrainDir(path).checkpoints():
        for name, value in tiny_runs.weights_of(path, step).items():
            assert np.isfinite(value).all(), (step, name)


@pytest.mark.slow
def test_weights_that_diverge_at_the_last_step(tmp_path, videos, monkeypatch):
    path = str(tmp_path / "run")
    config = tiny_runs.video_config(videos, max_steps=3)
    run = step_lib.TrainingStep.run

    def run_and_break(self, *args, **kwargs):
        done = run(self, *args, **kwargs)
        bias = self._model.get_layer("classifier").bias
        if int(self._position.step) == 3:
            bias.assign(np.array([0, 0, np.inf, 0, 0]))
        return done

    monkeypatch.setattr(step_lib.TrainingStep, "run", run_and_break)
    with pytest.raises(
        ValueError,
        match=re.escape(
            "Received: weights=classifier/bias at step 3; not finite first "
            "at step 3: no value of the step itself: its update of the "
            "weights. Lower "
            "base_learning_rate and start again (the last checkpoint, of "
            "step 0, was kept)"
        ),
    ):
        training.train(config, path)
    assert list(train_dir_lib.TrainDir(path).checkpoints()) == [0]


@pytest.mark.parametrize("bias", ["log_odds", "zeros"])
def test_data_without_labels(tmp_path, bias):
    pattern = tiny_runs.write_videos(tmp_path / "data", 9, labels=None)
    config = tiny_runs.video_config(pattern, classifier_bias=bias)
    with pytest.raises(
        readers.DataError,
        match=(
            r"train0\.tfrecord: record 0: expected labels, int64 values under "
            r"the key 'labels'\. Received: none\. Use files of a split that "
            r"has labels"
        ),
    ):
        training.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_missing_data(tmp_path):
    config = tiny_runs.video_config(str(tmp_path / "train*.tfrecord"))
    with pytest.raises(readers.DataError, match="no file matches the pattern"):
        training.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_empty_file(tmp_path, videos):
    empty = tmp_path / "data" / "train1.tfrecord"
    empty.write_bytes(b"")
    with pytest.raises(
        readers.DataError,
        match=re.escape(
            f"{empty}: expected a TFRecord file with at least one record. "
            "Received: an empty file (0 bytes)."
        ),
    ):
        training.train(tiny_runs.video_config(videos), str(tmp_path / "run"))


def test_records_beyond_the_memory_are_told_first(
    tmp_path, videos, monkeypatch, caplog
):
    monkeypatch.setattr(memory_need, "machine_bytes", lambda: 10)
    (tmp_path / "run").write_text("no folder, so that nothing is trained")
    config = tiny_runs.video_config(videos, batch_size=8, shuffle_buffer=20)
    with pytest.raises(OSError):
        training.train(config, str(tmp_path / "run"))
    assert re.search(
        "more than the 0.0 GB of this machine: choose a smaller "
        "shuffle_buffer or batch_size. Received: shuffle_buffer=20, "
        "batch_size=8",
        caplog.text,
    )


@pytest.mark.slow
def test_bad_record_in_the_middle(tmp_path, videos):
    records = [
        record_makers.make_video_example(index, num_classes=5)
        for index in range(20)
    ]
    records[17] = record_makers.make_video_example(17, labels=[2, 5])
    file = record_makers.write_tfrecord(
        tmp_path / "data" / "train1.tfrecord", records
    )
    config = tiny_runs.video_config(videos, classifier_bias="zeros")
    with pytest.raises(
        readers.DataError,
        match=(f"^{re.escape(file)}: record 17: expected labels .*Received: 5"),
    ):
        training.train(config, str(tmp_path / "run"))
    # What was saved before can be used.
    tiny_runs.weights_of(str(tmp_path / "run"))


@pytest.mark.slow
def test_truncated_file(tmp_path, videos):
    file = tmp_path / "data" / "train2.tfrecord"
    file.write_bytes(file.read_bytes()[:-5])
    config = tiny_runs.video_config(videos, classifier_bias="zeros")
    with pytest.raises(
        readers.DataError, match=rf"^{re.escape(str(file))}: record 12 "
    ):
        training.train(config, str(tmp_path / "run"))


@pytest.mark.slow
def test_start_new_model(tmp_path, videos, caplog):
    old = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    config = tiny_runs.video_config(videos, max_steps=1)
    caplog.set_level("INFO", "yt8m_compact")
    for _ in range(2):
        result = training.train(config, old.path, start_new_model=True)
        assert result.step == 1
    first, second = sorted(
        (p for p in tmp_path.iterdir() if p.name.startswith("run.before-")),
        key=os.path.getmtime,
    )
    moved = next(
        p
        for p in (first, second)
        if (p / "config.json").read_text() == old.config.to_json()
    )
    # All files, and the checkpoints can be found in the new place.
    reference = pathlib.Path(tiny_runs.video_run().path)
    names = {p.relative_to(reference) for p in reference.rglob("*")}
    assert {p.relative_to(moved) for p in moved.rglob("*")} == names
    tiny_runs.assert_same_weights(str(moved), str(reference))
    assert f"moved {old.path} to {moved}" in caplog.messages


@pytest.mark.slow
def test_start_new_model_where_there_is_none(tmp_path, videos):
    config = tiny_runs.video_config(videos, max_steps=1)
    path = str(tmp_path / "run")
    result = training.train(config, path, start_new_model=True)
    assert result.step == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "run"]


@pytest.mark.slow
def test_folder_that_is_no_run_is_not_moved(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path / "keep" / "data")
    config = tiny_runs.video_config(pattern, max_steps=1)
    training.train(config, str(tmp_path / "keep"), start_new_model=True)
    assert [p.name for p in tmp_path.iterdir()] == ["keep"]
    with pytest.raises(ValueError, match="expected a run without the data to"):
        training.train(config, str(tmp_path / "keep"), start_new_model=True)
    assert [p.name for p in tmp_path.iterdir()] == ["keep"]


def test_failed_start_of_a_new_model_moves_nothing(tmp_path):
    old = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    config = tiny_runs.video_config(str(tmp_path / "missing*"))
    with pytest.raises(readers.DataError):
        training.train(config, old.path, start_new_model=True)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_no_train_dir(videos):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected train_dir, the folder of a run. Received: train_dir=''"
        ),
    ):
        training.train(tiny_runs.video_config(videos), "")


def failing_save(fail_at: int):
    """Returns a CheckpointManager.save for which the disk is full."""
    save = tf.train.CheckpointManager.save

    def wrapped(self, checkpoint_number=None, **kwargs):
        if checkpoint_number == fail_at:
            raise tf.errors.ResourceExhaustedError(
                None, None, "No space left on device\nmore"
            )
        return save(self, checkpoint_number=checkpoint_number, **kwargs)

    return wrapped


@pytest.mark.slow
def test_full_disk(tmp_path, monkeypatch):
    reference = tiny_runs.video_run()
    config = tiny_runs.change_training(reference.config, checkpoint_steps=3)
    path = str(tmp_path / "run")
    with monkeypatch.context() as context:
        context.setattr(tf.train.CheckpointManager, "save", failing_save(6))
        with pytest.raises(
            OSError,
            match=re.escape(
                f"{path}/checkpoints: expected to write the checkpoint of "
                "step 6. Received: No space left on device. The checkpoint of "
                "step 5 is whole; make room and run the same command to "
                "continue"
            ),
        ):
            training.train(config, path)
    training.train(config, path)
    tiny_runs.assert_same_weights(path, reference.path)


@pytest.mark.slow
def test_full_disk_at_the_start(tmp_path, videos, monkeypatch):
    monkeypatch.setattr(tf.train.CheckpointManager, "save", failing_save(0))
    with pytest.raises(
        OSError,
        match=re.escape(
            "step 0. Received: No space left on device. There is none yet; "
            "make room and run the same command to continue"
        ),
    ):
        training.train(tiny_runs.video_config(videos), str(tmp_path / "run"))


@pytest.fixture
def small_disk(tmp_path):
    """The folder of a file system of 100 KB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no `mount`")
    if done.returncode:
        pytest.skip(f"can't mount a small file system: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.slow
def test_disk_that_is_full_indeed(tmp_path, small_disk):
    pattern = tiny_runs.write_videos(tmp_path / "data", 320)
    config = tiny_runs.video_config(
        pattern, num_epochs=1, checkpoint_steps=1, keep_checkpoints=99
    )
    path = str(small_disk / "run")
    with pytest.raises(
        OSError,
        match=(
            f"^{re.escape(path)}/checkpoints: expected to write the "
            r"checkpoint of step \d+\. Received: .*No space left on device\. "
            r"The checkpoint of step \d+ is whole; make room and run the same "
            "command to continue$"
        ),
    ) as raised:
        training.train(config, path)
    failed, whole = map(int, re.findall(r"step (\d+)", str(raised.value)))
    run = train_dir_lib.TrainDir(path)
    assert whole == failed - 1 == max(run.checkpoints())
    # With room for the newest one only, the run goes on.
    for step in list(run.checkpoints())[:-1]:
        for file in (small_disk / "run" / "checkpoints").glob(
            f"model.ckpt-{step}.*"
        ):
            file.unlink()
    config = tiny_runs.change_training(
        config, keep_checkpoints=1, log_steps=1000
    )
    training.train(config, path)
    reference = str(tmp_path / "reference")
    config = tiny_runs.change_training(config, checkpoint_steps=1000)
    training.train(config, reference)
    tiny_runs.assert_same_weights(path, reference)


@pytest.mark.parametrize("chosen", [None, True, False])
def test_compilation(chosen):
    model = models.LogisticConfig(classifier_projection="circulant").build(
        feature_sizes=[4], num_classes=3
    )
    # On a CPU, layers have compiled what gains by it.
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    expected = on_gpu if chosen is None else chosen
    assert training.model._jit_compile(chosen, model) is expected


def test_a_step_on_several_devices_is_not_compiled(monkeypatch):
    monkeypatch.setattr(training.model.ops, "num_replicas", lambda: 2)
    model = models.LogisticConfig().build(feature_sizes=[4], num_classes=3)
    assert training.model._jit_compile(None, model) is False
    assert training.model._jit_compile(False, model) is False
    with pytest.raises(
        ValueError,
        match=(
            "^expected jit_compile with one device: XLA can't compile sums "
            "over several as part of a step. Received: jit_compile=True, 2 "
            "devices; leave jit_compile out$"
        ),
    ):
        training.model._jit_compile(True, model)


def test_what_xla_cannot_compile_is_not_compiled():
    # Keras says so of layers that run in cuDNN.
    model = models.LogisticConfig(classifier_projection="circulant").build(
        feature_sizes=[4], num_classes=3
    )
    model.get_layer("l2_normalize").supports_jit = False
    assert training.model._jit_compile(None, model) is False


def test_a_setting_that_is_not_used_is_refused_first(tmp_path):
    model = tiny_runs.dbof_config(
        video_level_classifier_model="LogisticModel", moe_num_mixtures=4
    )
    config = tiny_runs.frame_config(str(tmp_path / "nothing*"), model)
    with pytest.raises(
        ValueError,
        match="expected video_level_classifier_model=MoeModel with "
        "moe_num_mixtures, which is not used otherwise. Received: "
        "moe_num_mixtures=4",
    ):
        training.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_one_trainer_a_folder(tmp_path, videos):
    path = str(tmp_path / "run")
    config = tiny_runs.video_config(videos, max_steps=1)
    with run_lock.RunLock(path):
        with pytest.raises(
            OSError, match="expected a folder that no one else trains in"
        ):
            training.train(config, path)
    assert os.listdir(path) == []
    assert training.train(config, path).step == 1
    assert not os.path.exists(os.path.join(path, "trainer.lock"))


def test_a_run_that_is_trained_is_not_moved(tmp_path, videos):
    old = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    config = tiny_runs.video_config(videos, max_steps=1)
    before = sorted(pathlib.Path(old.path).rglob("*"))
    with run_lock.RunLock(old.path):
        with pytest.raises(run_lock.HeldError, match=f"process {os.getpid()} "):
            training.train(config, old.path, start_new_model=True)
    assert sorted(pathlib.Path(old.path).rglob("*")) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "run"]


@pytest.mark.slow
def test_a_folder_that_was_taken_over_is_not_saved_to(
    tmp_path, videos, monkeypatch
):
    def lose(self):
        raise run_lock.HeldError("taken over")

    path = str(tmp_path / "run")
    run = step_lib.TrainingStep.run

    def run_and_lose(self, *args, **kwargs):
        monkeypatch.setattr(run_lock.RunLock, "check", lose)
        return run(self, *args, **kwargs)

    monkeypatch.setattr(step_lib.TrainingStep, "run", run_and_lose)
    with pytest.raises(run_lock.HeldError, match="^taken over$"):
        training.train(tiny_runs.video_config(videos, num_epochs=1), path)
    assert list(train_dir_lib.TrainDir(path).checkpoints()) == [0]


@pytest.mark.slow
def test_what_a_killed_trainer_left_is_removed(tmp_path, videos):
    path = tmp_path / "run"
    config = tiny_runs.video_config(videos, max_steps=1)
    training.train(config, str(path))
    (path / "checkpoints" / "model.ckpt-2_temp").mkdir()
    (path / "checkpoints" / "checkpoint.tmp01").write_text("half")
    (path / "trainer.lock").write_text("")
    training.train(config, str(path))
    left = {p.name.split(".data")[0] for p in (path / "checkpoints").iterdir()}
    assert left == {
        "checkpoint",
        *(f"model.ckpt-{n}{e}" for n in (0, 1) for e in ("", ".index")),
    }
    assert not (path / "trainer.lock").exists()


@pytest.mark.slow
def test_events_that_cannot_be_written(tmp_path, videos, caplog):
    path = tmp_path / "run"
    path.mkdir()
    (path / "train").write_text("a file in the place of a folder")
    config = tiny_runs.video_config(
        videos, num_epochs=1, weight_histograms=True
    )
    assert training.train(config, str(path)).step == 5
    (message,) = (m for m in caplog.messages if "TensorBoard" in m)
    assert message.startswith(
        f"{path}/train: TensorBoard's events can't be written, training goes "
        "on without them: "
    )


@pytest.mark.slow
def test_events_that_cannot_be_written_any_more(
    tmp_path, videos, caplog, monkeypatch
):
    scalar, calls = tf.summary.scalar, []

    def fail(*args, **kwargs):
        calls.append(args)
        if len(calls) > 7:
            raise tf.errors.ResourceExhaustedError(None, None, "disk is full")
        return scalar(*args, **kwargs)

    monkeypatch.setattr(tf.summary, "scalar", fail)
    config = tiny_runs.video_config(videos, num_epochs=1)
    assert training.train(config, str(tmp_path / "run")).step == 5
    assert sum("on without them: disk is full" in m for m in caplog.messages)
    assert len(calls) == 8


@pytest.mark.slow
def test_start_new_model_in_the_current_folder(tmp_path, monkeypatch):
    """The usual case of a container: data and run in the folder it mounts."""
    pattern = tiny_runs.write_videos(tmp_path / "data", 8)
    monkeypatch.chdir(tmp_path)
    config = tiny_runs.video_config(pattern, num_epochs=1)
    for _ in range(2):
        assert training.train(config, ".", start_new_model=True).step == 1
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names[0].startswith("before-")
    # How the run began, and how it ended.
    hparams = fnmatch.filter(names, "events.*.hparams")
    assert len(hparams) == 2
    names = [name for name in names if name not in hparams]
    assert names[1:] == ["checkpoints", "config.json", "data", "train"]
    tiny_runs.assert_same_weights(names[0], ".")


def test_data_among_the_files_of_the_run_are_not_moved(tmp_path, monkeypatch):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    pattern = tiny_runs.write_videos(tmp_path / "run" / "train" / "data", 8)
    monkeypatch.chdir(run.path)
    config = tiny_runs.video_config(pattern, num_epochs=1)
    with pytest.raises(ValueError, match="expected a run without the data to"):
        training.train(config, ".", start_new_model=True)
    assert train_dir_lib.TrainDir(".").exists()


@pytest.mark.slow
def test_what_is_said_of_records_of_a_run_that_never_began(tmp_path, videos):
    folder = tmp_path / "run"
    folder.mkdir()
    said = folder / readers.FEATURES_NAME
    features = readers.RecordFeatures(
        level="video",
        feature_names=("features",),
        feature_sizes=(3,),
        num_classes=4,
        class_names=("cat", "dog", "emu", "fox"),
    )
    readers.write_features(str(said), features)
    config = tiny_runs.video_config(videos, max_steps=1)
    # Nothing is said of these records.
    training.train(config, str(folder))
    assert not said.exists()
    # What a run has is not taken from it.
    readers.write_features(str(said), features)
    config = tiny_runs.change_training(config, max_steps=2)
    training.train(config, str(folder))
    assert said.exists()


def test_records_to_evaluate_on_are_looked_at_first(tmp_path, videos):
    path = tmp_path / "others.tfrecord"
    other = tf.train.Example(
        features=tf.train.Features(
            feature={
                "id": record_makers.bytes_feature(b"abcd"),
                "labels": record_makers.int64_feature([1]),
                "others": record_makers.float_feature([1.0]),
            }
        )
    )
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(other.SerializeToString())
    config = tiny_runs.video_config(videos, eval_data_pattern=str(path))
    watching = training.Watching(evaluate=lambda *_: pytest.fail("too late"))
    with pytest.raises(readers.DataError, match=r"others.*expected a feature"):
        training.train(config, str(tmp_path / "run"), watching=watching)
    assert not (tmp_path / "run").exists()
