"""Shows the whole way on synthetic videos: a dense and a compact DBoF.

Makes a small synthetic data set in YouTube-8M's frame-level format, trains a
dense and a compact DBoF model on it, evaluates both with yt8m-eval, compares
them, and shows what both say of one video. It takes a few minutes on two cores
and about 0.7 GB of disk.

Example:
    yt8m-demo
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
import contextlib
import json
import os
import subprocess
import sys
import time

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import models
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import tables
from yt8m_compact.run import config as config_lib

with lazy.imports():
    import numpy as np

    from yt8m_compact import datasets
    from yt8m_compact import readers
    from yt8m_compact import training
    from yt8m_compact.eval import report
    from yt8m_compact.eval import validation
    from yt8m_compact.inference import latency
    from yt8m_compact.run import lock as run_lock
    from yt8m_compact.run import train_dir as train_dir_lib

_COMPACT = "diagonal_circulant"
_TOP_K = 5
# Enough videos for one of them to have this many labels, the usual number.
_BATCH_SIZE = 64
_NUM_LABELS = 3


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    path_flags.define_path(
        "output_dir",
        "yt8m_demo",
        "Folder for the data, the runs and the reports.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_train_videos",
        2048,
        "Number of synthetic videos to train on; a quarter as many are made "
        "to evaluate on.",
        lower_bound=100,
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Whether synthetic videos of other settings in --output_dir are "
        "replaced.",
        flag_values=flag_values,
    )
    flags.DEFINE_integer(
        "num_epochs",
        6,
        "How often training goes through the data.",
        lower_bound=1,
        flag_values=flag_values,
    )


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Runs the demo; returns the exit status."""
    program.expect_no_arguments(arguments)
    program.expect_no_file(flag_values, "output_dir")
    program.expect_writable_folder(flag_values, "output_dir")
    output_dir = flag_values.output_dir
    data_dir = os.path.join(output_dir, "data")
    runs_dir = os.path.join(output_dir, "runs")
    num_train_videos = flag_values.num_train_videos
    print(f"1/3 synthetic videos in {data_dir}", flush=True)
    synthetic = datasets.SyntheticConfig(
        num_train_videos=num_train_videos,
        num_validate_videos=num_train_videos // 4,
    )
    datasets.write_synthetic(
        data_dir, synthetic, overwrite=flag_values.overwrite
    )
    results = []
    kinds = {"dense": "dense", "compact": _COMPACT}
    moved = _move_away(runs_dir, kinds)
    if moved is not None:
        print(f"moved the runs of the last time to {moved}", flush=True)
    for run, (name, projection) in enumerate(kinds.items(), start=2):
        train_dir = os.path.join(runs_dir, name)
        print(f"\n{run}/3 {name} DBoF in {train_dir}", flush=True)
        config = _config(
            synthetic, data_dir, projection, flag_values.num_epochs
        )
        start = time.perf_counter()
        watching = training.Watching(summarize=validation.summarize_weights)
        training.train(
            config, train_dir, start_new_model=True, watching=watching
        )
        seconds = time.perf_counter() - start
        values = _evaluate(train_dir, data_dir)
        results.append(report.TrainedModel(name, values, seconds))
    table = report.format_comparison(results, program.table_columns())
    print(f"\n{table}\n")
    print(f"{_show_video(results, runs_dir, data_dir)}\n")
    print(
        "The data are synthetic: the scores compare the two models, and no "
        "others.\nLook at both runs: tensorboard --logdir "
        f"{runs_dir}"
    )
    return 0


def _move_away(runs_dir: str, names: Iterable[str]) -> str | None:
    """Moves the runs of an earlier demo away, together.

    Beside each other they would be four in TensorBoard, then six.

    Args:
        runs_dir: the folder of the runs.
        names: their names in it.

    Returns:
        Where they are now; None where there are none, or where the folder
        can't be renamed, and each is moved within it.

    Raises:
        OSError: if another process trains in one of them.
    """
    folder = train_dir_lib.TrainDir(runs_dir)
    paths = [os.path.join(runs_dir, name) for name in names]
    if not any(map(os.path.isdir, paths)) or not folder.can_be_renamed():
        return None
    with contextlib.ExitStack() as locks:
        for path in filter(os.path.isdir, paths):
            locks.enter_context(run_lock.RunLock(path))
    return folder.move_away()


def _config(
    synthetic: datasets.SyntheticConfig,
    data_dir: str,
    projection: str,
    num_epochs: int,
) -> config_lib.Config:
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=synthetic.feature_names,
            feature_sizes=synthetic.feature_sizes,
            frame_features=True,
            num_classes=synthetic.num_classes,
        ),
        model=models.DbofConfig(
            dbof_cluster_size=1152,
            dbof_hidden_size=512,
            batch_norm_momentum=0.9,
            embedding_projection=projection,
            fc_projection=projection,
        ),
        training=config_lib.TrainingConfig(
            train_data_pattern=os.path.join(data_dir, "train-*.tfrecord"),
            batch_size=64,
            num_epochs=num_epochs,
            base_learning_rate=0.003,
            log_steps=5,
        ),
    )


def _evaluate(train_dir: str, data_dir: str) -> dict:
    """Evaluates a run with yt8m-eval, in a process of its own."""
    path = os.path.join(train_dir, "evaluation.json")
    pattern = os.path.join(data_dir, "validate-*.tfrecord")
    command = [
        sys.executable,
        "-m",
        "yt8m_compact.eval.evaluate",
        f"--train_dir={train_dir}",
        f"--eval_data_pattern={pattern}",
        f"--output_json={path}",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise OSError(
            f"expected yt8m-eval to evaluate {train_dir}. Received: exit "
            f"status {done.returncode}\n{done.stderr}"
        )
    with open(path) as file:
        return json.load(file)


def _show_video(
    results: Sequence[report.TrainedModel], runs_dir: str, data_dir: str
) -> str:
    """Writes what the models say of one video, beside each other."""
    columns, headers, batch, row = [], [], None, 0
    for result in results:
        run = train_dir_lib.TrainDir(os.path.join(runs_dir, result.name))
        config, model, _ = run.restore_model()
        if batch is None:
            batch = _read_batch(config, data_dir)
            counts = np.count_nonzero(batch["labels"], axis=1)
            # The first such one, whatever the models say.
            row = int(np.argmax(counts == _NUM_LABELS))
            batch = {
                name: value[row : row + 1] for name, value in batch.items()
            }
        milliseconds = latency.measure(config, model, batch)
        inputs = {tensor.name: batch[tensor.name] for tensor in model.inputs}
        scores = np.asarray(model(inputs, training=False))[0]
        best = np.argsort(-scores, kind="stable")[:_TOP_K]
        labels = np.flatnonzero(batch["labels"][0])
        columns.append(
            [
                f"{scores[index]:.3f}  class {index}"
                f"{'  right' if index in labels else ''}"
                for index in best
            ]
        )
        megabytes = result.report["weights"]["megabytes"]
        headers.append(
            f"{result.name}: {megabytes:.2f} MB, {milliseconds:.2f} ms a video"
        )
    video = batch["id"][0].numpy().decode()
    names = ", ".join(f"class {index}" for index in labels)
    table = tables.to_text(
        [
            tables.Column(header, texts, is_name=True)
            for header, texts in zip(headers, columns, strict=True)
        ]
    )
    return (
        f"The likeliest classes of video {video} (labels: {names}):\n\n{table}"
    )


def _read_batch(config: config_lib.Config, data_dir: str) -> dict:
    """Reads the first videos that the models were evaluated on."""
    pattern = os.path.join(data_dir, "validate-*.tfrecord")
    dataset = readers.make_dataset(
        config.reader(training=False),
        readers.expand_patterns(pattern),
        batch_size=_BATCH_SIZE,
    )
    return next(iter(dataset))


def run() -> None:
    """Runs yt8m-demo."""
    program.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()
