"""Files predicted by many processes, a file a task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
import dataclasses
import functools
import pickle

import tqdm

from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact.inference import identities
from yt8m_compact.inference import outputs
from yt8m_compact.inference import parts as parts_lib
from yt8m_compact.inference import prediction_rows


@dataclasses.dataclass(frozen=True)
class Spread:
    """How processes predict together.

    Attributes:
        mapper: has processes do it.
        open_source: makes in each of them what predicts; a function of a
            module, or `functools.partial` of one.
    """

    mapper: task_mapping.Mapper
    open_source: Callable[[], prediction_rows.Source]


def predict_parts(
    identity: str,
    spread: Spread,
    tasks: Sequence[tuple[int, str]],
    output: outputs.Output,
    parts: parts_lib.PartFiles,
    reading: prediction_rows.Reading,
    bar: tqdm.tqdm,
) -> None:
    """Predicts files, and keeps what is predicted of each as a part.

    The same rows come of it as in one process that reads file by file: a model
    always gets as many rows, whichever these are.

    Args:
        identity: which model predicts, by what predicts here.
        spread: who predicts.
        tasks: numbers of parts, and the file of each.
        output: what of it is kept.
        parts: where; all processes reach it.
        reading: how files are read.
        bar: counts the videos.

    Raises:
        DataError: as of `prediction_rows.Source.blocks`.
        ValueError: likewise, and if a process finds another model.
    """
    open_same = functools.partial(
        identities.open_same, spread.open_source, identity
    )
    predict = functools.partial(
        _predict_part,
        open_source=pickle.dumps(open_same),
        output=output,
        folder=parts.folder,
        batch_size=reading.batch_size,
        skips=reading.skipped is not None,
    )
    for _ in spread.mapper.map(predict, tasks, bar.update):
        pass


def _predict_part(
    task: tuple[int, str],
    update: task_mapping.Update,
    *,
    open_source: bytes,
    output: outputs.Output,
    folder: str,
    batch_size: int,
    skips: bool,
) -> None:
    """Predicts a file in a process of a mapper."""
    number, file = task
    source = task_mapping.opened(open_source)
    skipped = readers.SkippedData(tells=False) if skips else None
    reading = prediction_rows.Reading(batch_size, 1, skipped)
    blocks = []
    for ids, values in source.blocks([file], reading):
        blocks.append((ids, *output.choose(values)))
        update(source.count_videos(ids))
    parts_lib.PartFiles(folder).save(number, blocks, skipped)
