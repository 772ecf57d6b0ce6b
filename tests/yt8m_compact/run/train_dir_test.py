"""Tests of the folder of a run: finding and restoring checkpoints."""

import dataclasses
import errno
import gc
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
from yt8m_compact import models
from yt8m_compact import training
from yt8m_compact.run import chosen_weights
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import export_manifest
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice


@pytest.fixture
def run(tmp_path) -> tiny_runs.Run:
    """A run with checkpoints of the steps 0, 5 and 10, to be broken."""
    return tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)


def checkpoint_file(run: tiny_runs.Run, step: int, kind: str) -> pathlib.Path:
    folder = pathlib.Path(run.path, "checkpoints")
    (file,) = folder.glob(f"model.ckpt-{step}.{kind}*")
    return file


def test_names():
    run = train_dir_lib.TrainDir("runs/dbof")
    assert run.config_path == "runs/dbof/config.json"
    assert run.checkpoints_path == "runs/dbof/checkpoints"
    assert run.events_path("eval") == "runs/dbof/eval"
    assert run.events_path() == "runs/dbof"
    assert run.best_path == "runs/dbof/best"
    assert run.evaluations_path == "runs/dbof/evaluations.json"
    assert not run.exists()
    assert run.checkpoints() == {}


def test_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert train_dir_lib.TrainDir("~/runs/a").path == f"{tmp_path}/runs/a"


@pytest.mark.parametrize("path", ["", None])
def test_no_name(path):
    message = (
        f"expected train_dir, the folder of a run. Received: train_dir={path!r}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(path)


@pytest.mark.parametrize("path", ["run*", "lr[0.1]", "what?"])
def test_name_that_is_a_pattern(path):
    # TensorFlow finds the files of a checkpoint with a glob.
    message = (
        "expected train_dir without the characters * ? [: TensorFlow "
        "could save weights there, but takes their names for patterns when it "
        f"reads them. Received: train_dir={path!r}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(path)


def test_restore_model(run):
    run_dir = train_dir_lib.TrainDir(run.path)
    assert run_dir.exists()
    assert list(run_dir.checkpoints()) == [0, 5, 10]
    config, model, step = run_dir.restore_model()
    assert config == run.config
    assert step == 10
    assert model.name == "MoeModel"
    _, first, step = run_dir.restore_model(0)
    assert step == 0
    kernels = [m.get_layer("gates").kernel.numpy() for m in (model, first)]
    assert np.any(kernels[0] != kernels[1])


def test_no_config(tmp_path):
    message = (
        f"{tmp_path}/config.json: expected the config.json of a run, which "
        "yt8m-train writes to its train_dir. Received: no such file"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(str(tmp_path)).restore_model()


def test_no_checkpoint(tmp_path):
    run_dir = train_dir_lib.TrainDir(str(tmp_path / "run"))
    run_dir.save_config(tiny_runs.video_config("data*"))
    message = (
        f"{tmp_path}/run/checkpoints: expected a checkpoint. Received: none. "
        "The run has not saved one yet; start it or wait for it with "
        "yt8m-train"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_dir.restore_model()


def test_an_export_is_no_run(tmp_path):
    run_dir = train_dir_lib.TrainDir(str(tmp_path))
    run_dir.save_config(tiny_runs.video_config("data*"))
    export_manifest.write(str(tmp_path), {"format": "litert"})
    message = (
        f"{tmp_path}: expected the folder of a run. Received: what yt8m-export "
        "wrote, of the format litert, which is for yt8m-eval and yt8m-predict "
        "--model_file, and yt8m_compact.load in Python"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        run_dir.restore_model()


def test_no_checkpoint_of_a_step(run):
    message = (
        f"{run.path}/checkpoints: expected one of the steps 0, 5, 10. "
        "Received: step=7"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(run.path).restore_model(7)


def flip_bytes(run: tiny_runs.Run) -> None:
    file = checkpoint_file(run, 10, "data")
    content = bytearray(file.read_bytes())
    # Where the largest part of the weights is.
    for place in range(0, len(content), 16):
        content[place] ^= 0x10
    file.write_bytes(content)


def truncate_data(run: tiny_runs.Run) -> None:
    file = checkpoint_file(run, 10, "data")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty_data(run: tiny_runs.Run) -> None:
    checkpoint_file(run, 10, "data").write_bytes(b"")


def delete_data(run: tiny_runs.Run) -> None:
    checkpoint_file(run, 10, "data").unlink()


def delete_index(run: tiny_runs.Run) -> None:
    checkpoint_file(run, 10, "index").unlink()


def truncate_index(run: tiny_runs.Run) -> None:
    file = checkpoint_file(run, 10, "index")
    file.write_bytes(file.read_bytes()[:-30])


@pytest.mark.parametrize(
    "break_files",
    [
        flip_bytes,
        truncate_data,
        empty_data,
        delete_data,
        delete_index,
        truncate_index,
    ],
)
def test_broken_checkpoint(run, break_files):
    break_files(run)
    path = f"{run.path}/checkpoints/model.ckpt-10"
    run_dir = train_dir_lib.TrainDir(run.path)
    with pytest.raises(
        ValueError,
        match=(
            f"^{re.escape(path)}: expected a checkpoint that can be read. "
            r"Received: [^\n]+\. Use that of another step; to "
            "train on from the one before it, delete the files "
            rf"{re.escape(path)}\.\*$"
        ),
    ):
        run_dir.restore_model()
    _, _, step = run_dir.restore_model(5)
    assert step == 5


def test_broken_weights_are_one_error(run, caplog):
    # So that all that comes before the weights can be read.
    kernel = tiny_runs.weights_of(run.path)["gates/kernel"].tobytes()
    file = checkpoint_file(run, 10, "data")
    content = file.read_bytes()
    assert content.count(kernel) == 1
    broken = kernel[:5] + bytes([kernel[5] ^ 1]) + kernel[6:]
    file.write_bytes(content.replace(kernel, broken))
    with pytest.raises(
        ValueError,
        match=r"model.ckpt-10: expected a checkpoint .* Checksum does not matc",
    ):
        train_dir_lib.TrainDir(run.path).restore_model()
    gc.collect()
    assert not [r for r in caplog.records if r.name == "tensorflow"]


def test_deleted_checkpoint(run):
    checkpoint_file(run, 10, "index").unlink()
    checkpoint_file(run, 10, "data").unlink()
    run_dir = train_dir_lib.TrainDir(run.path)
    assert list(run_dir.checkpoints()) == [0, 5]
    assert run_dir.restore_model()[2] == 5


@pytest.mark.parametrize("content", ["", "no such thing"])
def test_broken_list_of_checkpoints(run, content):
    file = pathlib.Path(run.path, "checkpoints", "checkpoint")
    file.write_text(content)
    message = (
        f"{file}: expected the list of checkpoints that yt8m-train wrote. "
        "Received: a file that can't be read; restore it, or start again "
        "with another train_dir"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(run.path).checkpoints()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        # The weights of these fit, the model does not.
        ({"l2_normalize": False}, "model.l2_normalize: True -> False"),
        # And here, the shapes do not.
        ({"moe_num_mixtures": 3}, "model.moe_num_mixtures: 2 -> 3"),
    ],
)
def test_config_that_does_not_fit(run, change, text):
    model = dataclasses.replace(run.config.model, **change)
    config = dataclasses.replace(run.config, model=model)
    path = f"{run.path}/config.json"
    config_lib.save(config, path)
    message = (
        f"{path}: expected the data and the model that {run.path}/checkpoints/"
        f"model.ckpt-10 was saved with. Received: {text}. Restore the "
        "config.json that yt8m-train wrote"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        train_dir_lib.TrainDir(run.path).restore_model()


def test_config_that_leaves_out_the_diagonals(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.frame_run(), tmp_path)
    model = dataclasses.replace(run.config.model, fc_projection="circulant")
    config = dataclasses.replace(run.config, model=model)
    config_lib.save(config, f"{run.path}/config.json")
    with pytest.raises(
        ValueError,
        match="model.fc_projection: 'diagonal_circulant' -> 'circulant'",
    ):
        train_dir_lib.TrainDir(run.path).restore_model()


def test_config_of_another_model(run):
    config = dataclasses.replace(run.config, model=models.LogisticConfig())
    config_lib.save(config, f"{run.path}/config.json")
    with pytest.raises(
        ValueError, match="model.name: 'MoeModel' -> 'LogisticModel'"
    ):
        train_dir_lib.TrainDir(run.path).restore_model()


def test_training_settings_may_differ(run):
    config = tiny_runs.change_training(run.config, num_epochs=99)
    config_lib.save(config, f"{run.path}/config.json")
    found, _, _ = train_dir_lib.TrainDir(run.path).restore_model()
    assert found == config


@pytest.mark.slow
def test_run_of_a_version_that_took_unused_settings(tmp_path, monkeypatch):
    model = models.DeepCirculantConfig(
        num_layers=1, activation_every=2, leaky_relu_slope=0.25
    )
    config = tiny_runs.video_config(
        tiny_runs.write_videos(tmp_path / "data"), model, num_epochs=1
    )
    path = str(tmp_path / "run")
    with monkeypatch.context() as earlier:
        earlier.setattr(
            models.DeepCirculantConfig, "unused_settings", lambda self: {}
        )
        training.train(config, path)
    with pytest.raises(ValueError, match="with leaky_relu_slope, which is"):
        training.train(config, path)
    found, restored, _ = train_dir_lib.TrainDir(path).restore_model()
    assert found == config
    assert restored.output_shape == (None, tiny_runs.NUM_CLASSES)
    # It goes on without the setting.
    config = tiny_runs.change_training(config, num_epochs=2)
    model = dataclasses.replace(model, leaky_relu_slope=0.5)
    config = dataclasses.replace(config, model=model)
    assert training.train(config, path).epoch == 2
    found, _, step = train_dir_lib.TrainDir(path).restore_model()
    assert (found, step) == (config, 10)


def test_checkpoint_of_something_else(run):
    other = tf.train.Checkpoint(step=tf.Variable(3))
    path = f"{run.path}/checkpoints/model.ckpt-10"
    other.write(path)
    with pytest.raises(
        ValueError, match=f"^{re.escape(path)}: expected a checkpoint that can"
    ):
        train_dir_lib.TrainDir(run.path).restore_model()


def test_move_away(tmp_path, monkeypatch):
    monkeypatch.setattr(
        train_dir_lib.time, "strftime", lambda _: "20300102-030405"
    )
    run_dir = train_dir_lib.TrainDir(str(tmp_path / "run") + "/")
    moved = []
    for content in ("a", "b", "c"):
        os.makedirs(tmp_path / "run")
        (tmp_path / "run" / "file").write_text(content)
        moved.append(pathlib.Path(run_dir.move_away()))
    assert [path.name for path in moved] == [
        "run.before-20300102-030405",
        "run.before-20300102-030405-2",
        "run.before-20300102-030405-3",
    ]
    assert [(path / "file").read_text() for path in moved] == ["a", "b", "c"]
    assert not (tmp_path / "run").exists()


@pytest.fixture
def stamp(monkeypatch) -> str:
    """The time of day in names."""
    monkeypatch.setattr(
        train_dir_lib.time, "strftime", lambda _: "20300102-030405"
    )
    return "before-20300102-030405"


def make_folder(path: pathlib.Path) -> None:
    """Makes the files of a run, and others."""
    for name in (
        "config.json",
        "checkpoints/checkpoint",
        "train/events",
        "validation/events",
        "best/checkpoint",
        "evaluations.json",
        "events.out.tfevents.1.hparams",
        "export/saved_model.pb",
        "notes.txt",
        "data/train.tfrecord",
    ):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)


def check_moved_inside(path: pathlib.Path, stamp: str, moved: str) -> None:
    """Checks that the run was moved into its folder, and nothing else."""
    assert os.path.realpath(moved) == os.path.realpath(path / stamp)
    assert {p.name for p in path.iterdir()} == {"notes.txt", "data", stamp}
    files = {p.relative_to(moved) for p in pathlib.Path(moved).rglob("*.*")}
    files |= {p.relative_to(moved) for p in pathlib.Path(moved).rglob("[ce]*")}
    assert {str(f) for f in files if (pathlib.Path(moved) / f).is_file()} == {
        "config.json",
        "checkpoints/checkpoint",
        "train/events",
        "validation/events",
        "best/checkpoint",
        "evaluations.json",
        "events.out.tfevents.1.hparams",
        "export/saved_model.pb",
    }


@pytest.mark.parametrize("path", [".", "./", "./."])
def test_move_away_from_the_current_folder(tmp_path, monkeypatch, stamp, path):
    make_folder(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    moved = train_dir_lib.TrainDir(path).move_away()
    check_moved_inside(tmp_path / "run", stamp, moved)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_move_away_from_a_folder_around_the_current_one(
    tmp_path, monkeypatch, stamp
):
    make_folder(tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run" / "data")
    moved = train_dir_lib.TrainDir(str(tmp_path / "run")).move_away()
    check_moved_inside(tmp_path / "run", stamp, moved)


def test_move_away_from_a_link(tmp_path, stamp):
    make_folder(tmp_path / "disk" / "run")
    (tmp_path / "run").symlink_to(tmp_path / "disk" / "run")
    moved = train_dir_lib.TrainDir(f"{tmp_path}/run/").move_away()
    check_moved_inside(tmp_path / "disk" / "run", stamp, moved)
    assert (tmp_path / "run").is_symlink()


@pytest.mark.parametrize("name", ["EBUSY", "EACCES", "EROFS", "ENAMETOOLONG"])
def test_move_away_where_the_folder_cannot_be_renamed(
    tmp_path, monkeypatch, stamp, name
):
    make_folder(tmp_path / "run")
    rename = os.rename

    def refuse(source, target):
        if source == str(tmp_path / "run"):
            raise OSError(getattr(errno, name), "refused")
        rename(source, target)

    monkeypatch.setattr(train_dir_lib.os, "rename", refuse)
    moved = train_dir_lib.TrainDir(str(tmp_path / "run")).move_away()
    check_moved_inside(tmp_path / "run", stamp, moved)


def test_move_away_under_a_name_near_the_limit(tmp_path, stamp):
    path = tmp_path / ("r" * 250)
    make_folder(path)
    check_moved_inside(
        path, stamp, train_dir_lib.TrainDir(str(path)).move_away()
    )


def test_move_away_fails_for_another_reason(tmp_path, monkeypatch):
    make_folder(tmp_path / "run")

    def refuse(source, target):
        raise OSError(errno.EIO, "broken disk")

    monkeypatch.setattr(train_dir_lib.os, "rename", refuse)
    with pytest.raises(OSError, match="broken disk"):
        train_dir_lib.TrainDir(str(tmp_path / "run")).move_away()


def test_remove_leftovers(run):
    folder = pathlib.Path(run.path, "checkpoints")
    kept = {p.name for p in folder.iterdir()} | {"notes_temp", "model.ckpt-3"}
    (folder / "notes_temp").write_text("mine")
    (folder / "model.ckpt-3").mkdir()
    (folder / "model.ckpt-11_temp").mkdir()
    part = "part-00000-of-00001.data-00000-of-00001"
    (folder / "model.ckpt-11_temp" / part).write_bytes(b"half")
    (folder / "checkpoint.tmp0123456789abcdef").write_text("half")
    (folder / "model.ckpt-11.index.tempstate123").write_text("half")
    train_dir_lib.TrainDir(run.path).remove_leftovers()
    assert {p.name for p in folder.iterdir()} == kept
    assert list(train_dir_lib.TrainDir(run.path).checkpoints()) == [0, 5, 10]


def test_remove_leftovers_where_there_is_no_run(tmp_path):
    train_dir_lib.TrainDir(str(tmp_path / "run")).remove_leftovers()
    assert not (tmp_path / "run").exists()


def save_and_delete(run: tiny_runs.Run, kinds: list[str]) -> None:
    """Adds a checkpoint 15, and deletes files of the one of step 10.

    As CheckpointManager does, which is then stopped before it takes the old
    one off its list.
    """
    run_dir = train_dir_lib.TrainDir(run.path)
    folder = pathlib.Path(run_dir.checkpoints_path)
    for file in folder.glob("model.ckpt-10.*"):
        new = file.name.replace("-10.", "-15.")
        (folder / new).write_bytes(file.read_bytes())
    paths = [*run_dir.checkpoints().values(), str(folder / "model.ckpt-15")]
    tf.compat.v1.train.update_checkpoint_state(str(folder), paths[-1], paths)
    for kind in kinds:
        checkpoint_file(run, 10, kind).unlink()


@pytest.mark.parametrize("kinds", [["index"], ["data"], ["index", "data"]])
def test_newest_checkpoint_that_training_deletes_before_it_is_read(
    run, monkeypatch, kinds
):
    find = train_dir_lib.TrainDir.find_checkpoint
    found = []

    def find_and_delete(self, step=None):
        found.append(find(self, step))
        if len(found) == 1:
            save_and_delete(run, kinds)
        return found[-1]

    monkeypatch.setattr(
        train_dir_lib.TrainDir, "find_checkpoint", find_and_delete
    )
    run_dir = train_dir_lib.TrainDir(run.path)
    assert run_dir.restore_model()[2] == 10  # What 15 is a copy of.
    assert [os.path.basename(path) for path in found] == [
        "model.ckpt-10",
        "model.ckpt-15",
    ]


def test_what_is_broken_is_not_taken_for_deleted(run):
    run_dir = train_dir_lib.TrainDir(run.path)
    first, middle, newest = run_dir.checkpoints().values()
    assert run_dir.has(first)
    checkpoint_file(run, 5, "index").write_bytes(b"no index")
    assert run_dir.has(middle)
    checkpoint_file(run, 10, "index").unlink()
    assert run_dir.has(newest)
    checkpoint_file(run, 5, "index").unlink()
    assert not run_dir.has(middle)


def test_list_of_checkpoints_that_is_moved_away_meanwhile(run, monkeypatch):
    def move(folder):
        os.rename(run.path, f"{run.path}.moved")

    monkeypatch.setattr(train_dir_lib.tf.train, "get_checkpoint_state", move)
    assert train_dir_lib.TrainDir(run.path).checkpoints() == {}


def keep_best(run: tiny_runs.Run, step: int) -> None:
    """Makes the checkpoint of a step the best one, as training does."""
    folder = pathlib.Path(run.path, "checkpoints")
    best = pathlib.Path(run.path, "best")
    best.mkdir(exist_ok=True)
    for file in best.iterdir():
        file.unlink()
    for file in folder.glob(f"model.ckpt-{step}.*"):
        (best / file.name).write_bytes(file.read_bytes())
    (best / "checkpoint").write_text(
        f'model_checkpoint_path: "model.ckpt-{step}"\n'
        f'all_model_checkpoint_paths: "model.ckpt-{step}"\n'
    )


def test_best_checkpoint(run):
    run_dir = train_dir_lib.TrainDir(run.path)
    assert run_dir.best_checkpoint() is None
    keep_best(run, 5)
    path = f"{run.path}/best/model.ckpt-5"
    assert run_dir.best_checkpoint() == path
    assert run_dir.find_checkpoint("best") == path
    # The newest is another one, and a step's own folder comes first.
    assert run_dir.find_checkpoint().endswith("checkpoints/model.ckpt-10")
    assert run_dir.find_checkpoint(5).endswith("checkpoints/model.ckpt-5")
    assert run_dir.restore_model("best")[2] == 5
    # Where training has deleted it, the best one may still be of that step.
    for kind in ("index", "data"):
        checkpoint_file(run, 5, kind).unlink()
    assert run_dir.find_checkpoint(5) == path
    with pytest.raises(
        ValueError, match=r"one of the steps 0, 5, 10\. Received: step=7"
    ):
        run_dir.find_checkpoint(7)


def test_no_best_checkpoint(run):
    with pytest.raises(
        ValueError,
        match=(
            r"/best: expected the best checkpoint, which yt8m-train "
            r"--eval_data_pattern=\.\.\. keeps there\. Received: none; choose "
            r"a step, or leave it out for the newest$"
        ),
    ):
        train_dir_lib.TrainDir(run.path).find_checkpoint("best")


def test_best_checkpoint_that_is_replaced_while_it_is_read(run):
    keep_best(run, 5)
    run_dir = train_dir_lib.TrainDir(run.path)
    paths = []

    def read(config, found):
        (path,) = found
        paths.append(path)
        if len(paths) == 1:
            keep_best(run, 10)
        model = train_dir_lib.build_model(config)
        return chosen_weights.restore(model, config, found, weight_choice.RAW)

    assert run_dir.read_checkpoints(read, "best") == 10
    assert [os.path.basename(path) for path in paths] == [
        "model.ckpt-5",
        "model.ckpt-10",
    ]


def test_best_checkpoint_that_is_broken(run):
    keep_best(run, 5)
    pathlib.Path(run.path, "best", "model.ckpt-5.index").write_bytes(b"")
    with pytest.raises(ValueError, match="expected a checkpoint that can be"):
        train_dir_lib.TrainDir(run.path).restore_model("best")


def test_what_is_exported_is_of_the_run(tmp_path):
    run = train_dir_lib.TrainDir(str(tmp_path))
    folders = ["export", "keras", "litert", "packed"]
    for name in [*folders, "mine"]:
        (tmp_path / name).mkdir()
    assert run.own_paths() == [f"{tmp_path}/{name}" for name in folders]


def test_what_a_name_means(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    assert train_dir_lib.is_run(str(tmp_path))
    assert train_dir_lib.is_run("preset:yt8m_2018_video_100k")
    assert not train_dir_lib.is_run(str(tmp_path / "model.tflite"))
