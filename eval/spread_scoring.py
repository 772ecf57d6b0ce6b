"""Files scored by many processes, a file a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import functools
import pickle

import numpy as np
import tqdm

from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact.eval import scoring
from yt8m_compact.inference import identities
from yt8m_compact.inference import parts as parts_lib
from yt8m_compact.inference import prediction_rows


def score_files(
    scorer: scoring.Scorer,
    open_scorer: Callable[[], scoring.Scorer],
    mapper: task_mapping.Mapper,
    files: Sequence[str],
    skipped: readers.SkippedData | None,
    bar: tqdm.tqdm,
) -> Iterator[scoring.ScoredBatch]:
    """Has other processes score files; the same as of `Scorer.score`.

    What is predicted of a file is kept in a folder until all are done: 16 kB a
    video with 3,862 classes.

    Args:
        scorer: scores here, and is only asked what it is.
        open_scorer: makes it in another process; a `functools.partial` of a
            function of a module.
        mapper: has other processes score.
        files: names of files.
        skipped: where to count what is left out, None to stop at it.
        bar: counts the videos.

    Yields:
        What they scored, in the order of the files.

    Raises:
        DataError: if the data is missing or broken.
        ValueError: if a process finds another model.
    """
    files, _ = readers.filled_files(files, skipped)
    open_same = functools.partial(
        identities.open_same, open_scorer, scorer.identity()
    )
    with mapper.shared_folder() as folder:
        score = functools.partial(
            _score_part,
            open_scorer=pickle.dumps(open_same),
            folder=folder,
            skips=skipped is not None,
        )
        for _ in mapper.map(score, [*enumerate(files)], bar.update):
            pass
        parts = parts_lib.PartFiles(folder)
        if skipped is not None:
            for number in range(len(files)):
                skipped.add_dict(parts.load_skipped(number))
        num_classes = scorer.config.data.num_classes
        for ids, predictions, labels, losses in prediction_rows.in_blocks(
            parts.iterate(range(len(files))), scorer.rows
        ):
            is_label = np.unpackbits(labels, axis=1, count=num_classes)
            yield scoring.ScoredBatch(ids, predictions, is_label, losses)


def _score_part(
    task: tuple[int, str],
    update: task_mapping.Update,
    *,
    open_scorer: bytes,
    folder: str,
    skips: bool,
) -> None:
    """Scores a file in a process of a mapper."""
    number, file = task
    scorer = task_mapping.opened(open_scorer)
    skipped = readers.SkippedData(tells=False) if skips else None
    blocks = []
    for scored in scorer.score([file], 1, skipped):
        labels = np.packbits(scored.labels > 0, axis=1)
        blocks.append((scored.ids, scored.predictions, labels, scored.losses))
        update(len(labels))
    parts_lib.PartFiles(folder).save(number, blocks, skipped)
