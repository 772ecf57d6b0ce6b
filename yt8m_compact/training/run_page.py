"""The page of text that TensorBoard shows of a run: how it was made."""

from collections.abc import Sequence
import os
import platform
import shlex
import sys

import keras
import tensorflow as tf

import yt8m_compact
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib

_SHOWN_FILES = 3


def describe_run(
    config: config_lib.Config,
    files: Sequence[str],
    eval_files: Sequence[str] | None,
    strategy: tf.distribute.Strategy,
    step: int,
) -> str:
    """Writes how a run is made: command, versions, devices and data.

    Args:
        config: the run's configuration.
        files: what is trained on.
        eval_files: what is evaluated on, if anything.
        strategy: what the model is trained under.
        step: where it starts.

    Returns:
        Markdown.
    """
    data = config.data
    features = ", ".join(
        f"{name} ({size})"
        for name, size in zip(
            data.feature_names, data.feature_sizes, strict=True
        )
    )
    rows = {
        "command": _code(_command()),
        "folder": _code(os.getcwd()),
        "from step": f"{step:,}",
        "model": str(config.to_dict()["model"]["name"]),
        "versions": (
            f"yt8m_compact {yt8m_compact.__version__}, TensorFlow "
            f"{tf.__version__}, Keras {keras.__version__}, Python "
            f"{platform.python_version()}"
        ),
        "machine": f"{platform.node()}, {platform.platform()}, "
        f"{os.cpu_count()} CPUs",
        "devices": f"{strategy.num_replicas_in_sync} ({_devices()})",
        "features": f"{features}, {data.num_classes:,} classes",
        "training data": _describe_files(files),
    }
    if eval_files:
        rows["evaluation data"] = _describe_files(eval_files)
    # A list, since TensorBoard breaks the words of a table's first column.
    return "\n".join(f"* **{name}:** {text}" for name, text in rows.items())


def _command() -> str:
    name, *arguments = sys.argv or [""]
    return shlex.join([os.path.basename(name), *arguments])


def _code(text: str) -> str:
    """Makes code of Markdown."""
    return f"`{text.replace('`', chr(39))}`"


def _devices() -> str:
    """Names the accelerators, or else the processor."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return platform.processor() or platform.machine()
    details = map(tf.config.experimental.get_device_details, gpus)
    return ", ".join(str(one.get("device_name", "GPU")) for one in details)


def _describe_files(files: Sequence[str]) -> str:
    """Counts files and their videos, and names the first."""
    number = readers.estimate_num_records(files)
    videos = "" if number is None else f", about {number:,} videos"
    shown = ", ".join(map(_code, files[:_SHOWN_FILES]))
    more = ", ..." if len(files) > _SHOWN_FILES else ""
    count = f"{len(files):,} file{'s' if len(files) > 1 else ''}"
    return f"{count}{videos}: {shown}{more}"
