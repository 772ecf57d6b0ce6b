"""What a run says of itself before its first step."""

from collections.abc import Mapping, Sequence
import math
import os
import textwrap

import tensorflow as tf

from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import strategies

_COLUMNS = 80  # of a terminal


def describe_run(
    config: config_lib.Config,
    *,
    train_dir: str,
    weights: str,
    files: Sequence[str],
    eval_files: Sequence[str] | None,
    device: str,
    is_compiled: bool,
    position: tuple[int, int, int] = (0, 0, 0),
) -> str:
    """Describes a run: model, data, device, steps, and where it goes.

    Args:
        config: its configuration.
        train_dir: its folder.
        weights: how many the model has.
        files: what is trained on.
        eval_files: what is evaluated on, if anything is.
        device: what trains, as `describe_device` says.
        is_compiled: whether XLA compiles the whole step.
        position: what is done: steps, epochs, and videos of the next one.

    Returns:
        Lines, each with what it is about first.
    """
    training = config.training
    num_videos = readers.estimate_num_records(files)
    xla = "the whole step" if is_compiled else "the layers that gain by it"
    lines = {
        "model": f"{models.model_name(config.model)}: {weights}",
        "data": _describe_files(files, num_videos, training.train_data_pattern),
        "device": f"{device}; XLA compiles {xla}",
        "steps": _describe_steps(training, num_videos, position),
        "folder": train_dir,
    }
    if eval_files:
        lines["evaluation"] = _describe_files(
            eval_files,
            readers.estimate_num_records(eval_files),
            training.eval_data_pattern,
        )
    return _table(
        {
            name: lines[name]
            for name in (
                "model",
                "data",
                "evaluation",
                "device",
                "steps",
                "folder",
            )
            if name in lines
        }
    )


def _describe_files(
    files: Sequence[str], num_videos: int | None, pattern: str
) -> str:
    texts = [f"{len(files):,} file{'s' if len(files) != 1 else ''}"]
    if num_videos is not None:
        texts.append(f"about {num_videos:,} videos")
    return f"{', '.join(texts)}: {pattern}"


def _describe_steps(
    training: config_lib.TrainingConfig,
    num_videos: int | None,
    position: tuple[int, int, int],
) -> str:
    epochs = training.num_epochs
    first_step, epochs_done, examples = position
    total = math.inf
    if num_videos is not None:
        # Those that are done may have been of another batch size.
        of_epoch = math.ceil(num_videos / training.batch_size)
        total = first_step + (epochs - epochs_done) * of_epoch
        total -= examples // training.batch_size
    all_epochs = f"{epochs} epoch{'s' if epochs != 1 else ''}"
    if training.max_steps is not None and training.max_steps <= total:
        text = f"{training.max_steps:,}, in at most {all_epochs}"
    elif num_videos is not None:
        text = f"about {total:,}, in {all_epochs}"
    else:
        text = all_epochs
    text += f", in batches of {training.batch_size:,} videos"
    return f"{text}; {first_step:,} are done" if first_step else text


def describe_device(workers: strategies.Workers) -> str:
    """Describes what trains: "CPU, 2 cores", or "4 x NVIDIA H100".

    Args:
        workers: who trains.

    Returns:
        The devices, and how many processes have them.
    """
    number = workers.strategy.num_replicas_in_sync
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        name = details.get("device_name", "GPU")
    else:
        name = "CPU"
    text = f"{number} x {name}" if number > 1 else name
    if not gpus and number == 1:
        cores = _num_cores()
        text += f", {cores} core{'s' if cores != 1 else ''}"
    if workers.number > 1:
        text += f" of {workers.number} workers"
    return text


def _num_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def _table(lines: Mapping[str, str]) -> str:
    """Writes lines beside their names, within 80 columns where words allow."""
    width = max(map(len, lines)) + 2
    return "\n".join(
        textwrap.fill(
            text,
            _COLUMNS,
            initial_indent=f"{name:{width}}",
            subsequent_indent=" " * width,
            break_long_words=False,
            break_on_hyphens=False,
            expand_tabs=False,
            replace_whitespace=False,
        )
        for name, text in lines.items()
    )
