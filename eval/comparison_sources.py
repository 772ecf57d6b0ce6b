"""What is compared: checkpoints of runs, what was exported, and files."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact.eval import comparison
from yt8m_compact.inference import artefacts
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib


@dataclasses.dataclass(frozen=True)
class Source:
    """A model to evaluate, or predictions: one of the three is given.

    Attributes:
        name: What it is called.
        train_dir: The folder of the run, None of a file.
        step: The checkpoint, or "best"; None is the newest one.
        model_file: What yt8m-export wrote, None of a run.
        predictions: Files of predictions, glob patterns, comma-separated; None
            of a model.
    """

    name: str
    train_dir: str | None = None
    step: train_dir_lib.Step = None
    model_file: str | None = None
    predictions: str | None = None

    def load_config(self) -> config_lib.Config | None:
        """Loads the configuration of a model, None of predictions."""
        if self.predictions is not None:
            return None
        if self.model_file is not None:
            return artefacts.load_config(self.model_file)
        return train_dir_lib.TrainDir(self.train_dir).load_config()


def make_sources(
    train_dirs: Sequence[str],
    steps: Sequence[train_dir_lib.Step],
    model_files: Sequence[str],
    predictions: Sequence[str] = (),
) -> list[Source]:
    """Lists what is to be compared: each step of each run, then files.

    Args:
        train_dirs: Folders of runs.
        steps: The checkpoints of each; None alone for the newest one.
        model_files: What yt8m-export wrote.
        predictions: Of each set of predictions, the patterns of its files.

    Returns:
        The sources, in that order.
    """
    names = iter(
        comparison.short_names([*train_dirs, *model_files, *predictions])
    )
    sources = []
    for train_dir in train_dirs:
        name = next(names)
        sources += [
            Source(
                name if step is None else f"{name}, step {step}",
                train_dir,
                step,
            )
            for step in steps
        ]
    sources += [Source(next(names), model_file=path) for path in model_files]
    return sources + [
        Source(next(names), predictions=pattern) for pattern in predictions
    ]
