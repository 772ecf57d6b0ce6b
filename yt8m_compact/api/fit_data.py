"""What `fit` trains on: files that there are, or those of arrays."""

from __future__ import annotations

from collections.abc import Sequence
import os
from typing import Any

from yt8m_compact import readers
from yt8m_compact.api import array_files
from yt8m_compact.api import array_videos
from yt8m_compact.api import classifier
from yt8m_compact.api import label_lists
from yt8m_compact.datasets import spec_detection
from yt8m_compact.readers import record_rules
from yt8m_compact.run import config as config_lib

Patterns = str | os.PathLike[str] | Sequence[str]


def prepare(
    folder: str,
    name: str,
    x: Patterns | array_videos.Arrays,
    y: label_lists.Labels | None,
    *,
    frame_features: bool,
    data: config_lib.DataConfig | None,
    num_classes: int | None,
) -> tuple[str, config_lib.DataConfig]:
    """Finds the files of videos, or writes them.

    Args:
        folder: where to write arrays to.
        name: what to call them: "x", or what they are validation data of.
        x: arrays, or files.
        y: labels of arrays.
        frame_features: whether the model reads frames.
        data: what the videos must be; None where they show it.
        num_classes: how many classes there are, likewise.

    Returns:
        The pattern of the files, and what they hold.

    Raises:
        ValueError: if arrays or labels are wrong, or there are no labels of
            arrays, or some of files.
        DataError: if there are no such files.
    """
    if data is not None and num_classes not in (None, data.num_classes):
        raise ValueError(
            "expected num_classes of the data's configuration, "
            f"{data.num_classes}, or none. Received: {num_classes=}"
        )
    if classifier.is_in_files(x):
        if y is not None:
            raise ValueError(
                f"expected no labels with {name} of files, which have their "
                f"own. Received: labels beside {name}={x!r:.80}"
            )
        pattern = classifier.join_patterns(x)
        return pattern, data or _detect(pattern, num_classes)
    if y is None:
        raise ValueError(
            f"expected labels of {name}, which is given as arrays. Received: "
            "none"
        )
    if data is not None and data.segment_labels:
        raise ValueError(
            "expected files of records to train on rated segments: arrays have"
            f" no ratings. Received: {name} of arrays, segment_labels=True"
        )
    videos = array_videos.read_arrays(
        x, frame_features=frame_features, data=data, name=name
    )
    labels = label_lists.read_labels(
        y,
        num_classes=num_classes if data is None else data.num_classes,
        num_videos=len(videos),
        name=f"labels of {name}",
    )
    if not len(labels.classes):
        raise ValueError(
            f"expected at least one label of {name}. Received: none of "
            f"{len(videos)} videos"
        )
    if data is None:
        frames: dict[str, Any] = {}
        if frame_features:
            usual = config_lib.DataConfig.max_frames
            frames = {"max_frames": max(usual, videos.most_frames)}
        data = config_lib.DataConfig(
            feature_names=tuple(videos.features),
            feature_sizes=videos.feature_sizes,
            frame_features=frame_features,
            num_classes=labels.num_classes,
            **frames,
        )
    return array_files.write(folder, name, data, videos, labels), data


def _detect(pattern: str, num_classes: int | None) -> config_lib.DataConfig:
    """Finds out what files hold."""
    files = readers.expand_patterns(pattern)
    said = readers.find_features(files)
    found = spec_detection.detect_files(files, num_classes=num_classes)
    if found is None:
        raise readers.DataError(
            f"{files[0]}: expected records. Received: none that can be read in"
            f" {len(files)} files"
        )
    layouts = record_rules.Layout
    return config_lib.DataConfig(
        feature_names=found.spec.feature_names,
        feature_sizes=found.spec.feature_sizes,
        frame_features=found.spec.layout is not layouts.VIDEO,
        float_frames=found.spec.layout is layouts.FLOATS,
        num_classes=found.spec.num_classes,
        max_frames=max(
            config_lib.DataConfig.max_frames,
            (said and said.max_frames) or 0,
        ),
    )
