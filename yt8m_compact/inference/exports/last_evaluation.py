"""What the last evaluation of a run found, as far as its folder tells."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Iterator, Mapping
import dataclasses
import os
from typing import Any

import tensorflow as tf

from yt8m_compact.run import config as config_lib
from yt8m_compact.run import evaluations_file
from yt8m_compact.run import event_tags
from yt8m_compact.run import export_manifest
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice


@dataclasses.dataclass(frozen=True)
class Found:
    """What an evaluation found.

    Attributes:
        step: of the checkpoint.
        metrics: each by its name: `gap`, `hit_at_1` and so on.
        source: who evaluated: `yt8m-eval`, or `yt8m-train`.
    """

    step: int
    metrics: Mapping[str, float]
    source: str


def find(
    run: train_dir_lib.TrainDir,
    step: int,
    choice: weight_choice.WeightChoice = weight_choice.RAW,
) -> Found | None:
    """Finds what an evaluation of some weights found.

    Args:
        run: the folder of a run, or of a packed model.
        step: of the checkpoint.
        choice: which weights.

    Returns:
        The last evaluation of that step, or else that of the latest step, by
        yt8m-eval where both programs evaluated it; None if there is none.

    Raises:
        ValueError: if the file of the evaluations is damaged.
    """
    if run.is_packed():  # Says what was found before it was packed.
        manifest = export_manifest.read(run.path)
        return _from_manifest(manifest or {})
    found = []
    if tf.io.gfile.exists(run.evaluations_path):
        found += [
            Found(one.step, one.metrics, "yt8m-train")
            for one in evaluations_file.read(run.evaluations_path)
            if one.weights == str(choice)
        ]
    found += _from_events(run.events_path("eval"), choice)
    return max(
        reversed(found),
        key=lambda one: (one.step == step, one.step, one.source == "yt8m-eval"),
        default=None,
    )


def _from_manifest(manifest: Mapping[str, Any]) -> Found | None:
    evaluation = manifest.get("evaluation")
    try:
        return Found(**evaluation) if evaluation else None
    except TypeError:
        return None


def _from_events(
    folder: str, choice: weight_choice.WeightChoice
) -> Iterator[Found]:
    """Yields what yt8m-eval wrote for TensorBoard, in the order of time."""
    if choice != weight_choice.RAW:
        folder = os.path.join(folder, str(choice).replace(":", "_"))
    if not tf.io.gfile.isdir(folder):
        return
    metrics: dict[int, dict[str, float]] = {}
    for name in sorted(tf.io.gfile.listdir(folder)):
        if "tfevents" not in name:
            continue
        try:
            path = os.path.join(folder, name)
            for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
                event = tf.compat.v1.Event.FromString(record)
                for value in event.summary.value:
                    metric = event_tags.metric_of(value.tag)
                    if metric in config_lib.BETTER:
                        number = float(tf.make_ndarray(value.tensor))
                        metrics.setdefault(event.step, {})[metric] = number
        except tf.errors.DataLossError:  # One that is being written.
            continue
    for step, values in metrics.items():
        if len(values) == len(config_lib.BETTER):
            yield Found(step, values, "yt8m-eval")
