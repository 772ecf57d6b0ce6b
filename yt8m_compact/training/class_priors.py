"""The share of videos that have each label."""

from collections.abc import Sequence
import dataclasses

import numpy as np

from yt8m_compact import readers
from yt8m_compact.training import teachers as teachers_lib

_BATCH_SIZE = 256


def count_class_priors(
    reader: readers.Reader,
    files: Sequence[str],
    num_examples: int,
    seed: int,
    skipped: readers.SkippedData | None = None,
    teachers: teachers_lib.Teachers | None = None,
) -> np.ndarray:
    """Counts labels over part of the training data.

    Args:
        reader: the reader of the data.
        files: the files to read.
        num_examples: how many videos to count, from files in random order.
        seed: seed of that order.
        skipped: where to count damaged records, or None to stop at one.
        teachers: what the labels are mixed with; where nothing is left of
            labels, what teachers say is counted in their place.

    Returns:
        float64 `[num_classes]`: `(n_c + 1/2) / (n + 1)`, with `n_c` of the `n`
        videos in class c, so that none is 0 or 1. Of rated segments, n is the
        number of those that are rated for the class.

    Raises:
        DataError: if a record is broken, or no video has a label.
    """
    if teachers is not None and teachers.weight < 1:
        teachers = None
    if reader.frame_features and not (teachers and teachers.need_inputs):
        # Labels only: a single frame is the least that can be decoded.
        reader = dataclasses.replace(
            reader,
            frame_sampling=readers.FrameSampling.EVEN,
            num_sampled_frames=1,
        )
    dataset = readers.make_dataset(
        reader,
        files,
        batch_size=_BATCH_SIZE,
        shuffle_buffer=1,
        seed=seed,
        skipped=skipped,
    )
    if teachers is not None:
        dataset = dataset.map(teachers.add_scores)
    counts = np.zeros(reader.num_classes)
    rated = np.zeros(reader.num_classes)
    seen = 0
    with readers.readable_errors():
        for batch in dataset.take(-(-num_examples // _BATCH_SIZE)):
            labels = batch["labels"]
            if teachers is not None:
                _, labels = teachers.targets(batch, labels)
            if "label_weights" in batch:
                labels *= batch["label_weights"]
            labels = labels.numpy()[: num_examples - seen]
            counts += labels.sum(axis=0)
            seen += len(labels)
            if "label_weights" in batch:
                weights = batch["label_weights"].numpy()
                rated += weights[: len(labels)].sum(axis=0)
            else:
                rated += len(labels)
    if not counts.any():
        raise readers.DataError(
            f"{files[0]}: expected labels to train on. Received: none in the "
            f"first {seen} videos; the test split has no labels, use the "
            "train split, or a teacher with teacher_weight=1"
        )
    return (counts + 0.5) / (rated + 1)
