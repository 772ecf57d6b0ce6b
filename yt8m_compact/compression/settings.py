"""How a run is compressed."""

from __future__ import annotations

import dataclasses

from yt8m_compact.compression import budget as budget_lib
from yt8m_compact.compression import candidates
from yt8m_compact.run import weight_choice

NUM_VIDEOS = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is compressed.

    Example:
        >>> settings = yt8m.compression.Settings(
        ...     train_dir="runs/dense",
        ...     output_dir="runs/small",
        ...     budget=yt8m.compression.parse_budget("1MB"),
        ...     train_data_pattern="data/train*.tfrecord",
        ... )
        >>> settings.num_epochs, settings.choose_by
        (10, 'loss')

    Attributes:
        train_dir: The folder of the run.
        output_dir: That of the new one.
        budget: The most that it may take.
        train_data_pattern: Files to train on.
        sample_data_pattern: Files to measure on; if empty, some of those to
            train on are held out.
        eval_data_pattern: Files of the scores before and after; if empty, they
            are those of the sample.
        weights: Which weights of the run.
        structures: The structures that places may become, as text.
        precisions: The precisions of each, as text; None for those that the
            budget asks for.
        choose_by: What is to become little worse on the sample, `loss` or
            `gap`.
        num_videos: How many videos the sample has.
        num_epochs: How often the fine-tuning goes through the data.
        teacher: Who is learned from beside the run, in the form of
            `TrainingConfig.teacher`; what is learned is the mean of all.
        teacher_weight: Share of what these say in what is learned.
        base_learning_rate: Learning rate at the start, None for the run's.
        batch_size: Videos of a step, None for the run's.
        unit_penalty: Weight of the penalty of gates that find the hidden units
            that are not needed, which are dropped first; None drops none.
        unit_epochs: How often their training goes through the data.
    """

    train_dir: str
    output_dir: str
    budget: budget_lib.Budget
    train_data_pattern: str
    sample_data_pattern: str = ""
    eval_data_pattern: str = ""
    weights: weight_choice.RunWeights = weight_choice.NEWEST
    structures: tuple[str, ...] = candidates.STRUCTURES
    precisions: tuple[str, ...] | None = None
    choose_by: str = "loss"
    num_videos: int = NUM_VIDEOS
    num_epochs: int = 10
    teacher: str = ""
    teacher_weight: float = 0.9
    base_learning_rate: float | None = None
    batch_size: int | None = None
    unit_penalty: float | None = None
    unit_epochs: int = 5
