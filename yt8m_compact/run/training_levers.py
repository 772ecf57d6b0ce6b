"""Which settings of training can't be used together."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yt8m_compact.run import config as config_lib

# Settings that one value of another alone uses.
_USED_BY = {
    "learning_rate_decay": ("learning_rate_schedule", "exponential"),
    "learning_rate_decay_examples": ("learning_rate_schedule", "exponential"),
    "schedule_steps": ("learning_rate_schedule", "cosine"),
    "final_learning_rate_fraction": ("learning_rate_schedule", "cosine"),
    "focal_gamma": ("label_loss", "FocalLoss"),
}
# Of a dispatcher, as tf.data service has it or short.
_ADDRESS = re.compile(r"(grpc://)?[^/\s]+:\d+")
# And those that a teacher alone uses.
OF_TEACHER = ("teacher_weight", "teacher_temperature")


def check(training: config_lib.TrainingConfig) -> None:
    """Refuses settings that contradict each other or are not used.

    Args:
        training: the settings, each of which is right by itself.

    Raises:
        ValueError: naming both settings.
    """
    defaults = {
        field.name: field.default for field in dataclasses.fields(training)
    }
    for name, (user, value) in _USED_BY.items():
        if getattr(training, name) != defaults[name]:
            _expect(
                training,
                getattr(training, user) == value,
                f"{user}={value} with {name}, which is not used otherwise",
                user,
                name,
            )
    for name in OF_TEACHER:
        _expect(
            training,
            training.teacher != "" or getattr(training, name) == defaults[name],
            f"a teacher with {name}, which is not used otherwise",
            "teacher",
            name,
        )
    _check_pruning(training, defaults)
    _check_schedule(training)
    _expect(
        training,
        training.label_loss != "SoftmaxLoss" or training.positive_weight == 1.0,
        "another label_loss with positive_weight: softmax has no loss of the "
        "classes that a video does not have",
        "label_loss",
        "positive_weight",
    )
    _expect(
        training,
        training.clip_gradients == "each" or training.clip_gradient_norm > 0,
        "clip_gradient_norm above 0 with clip_gradients=global",
        "clip_gradients",
        "clip_gradient_norm",
    )
    _expect(
        training,
        training.data_service == "" or training.on_data_error == "stop",
        "on_data_error=stop with data_service, whose workers count nothing",
        "on_data_error",
        "data_service",
    )
    _expect(
        training,
        training.data_service == ""
        or _ADDRESS.fullmatch(training.data_service) is not None,
        "data_service=host:port",
        "data_service",
    )
    _expect(
        training,
        training.eval_weights == "raw" or training.ema_momentum is not None,
        "ema_momentum with eval_weights=ema, such as ema_momentum=0.999: it "
        "keeps the average",
        "ema_momentum",
        "eval_weights",
    )
    if training.optimizer == "ScheduleFreeAdamW":
        _expect(
            training,
            training.learning_rate_schedule == "constant",
            "learning_rate_schedule=constant with "
            "optimizer=ScheduleFreeAdamW, which averages instead",
            "learning_rate_schedule",
            "optimizer",
        )
        _expect(
            training,
            training.ema_momentum is None,
            "no ema_momentum with optimizer=ScheduleFreeAdamW, whose weights "
            "are an average already",
            "ema_momentum",
            "optimizer",
        )


def _check_pruning(
    training: config_lib.TrainingConfig, defaults: dict[str, object]
) -> None:
    if training.pruning_density is None:
        for name in ("pruning_group", "pruning_places", "pruning_steps"):
            _expect(
                training,
                getattr(training, name) == defaults[name],
                f"pruning_density with {name}, which is not used otherwise",
                "pruning_density",
                name,
            )
        return
    _expect(
        training,
        (training.pruning_steps or training.total_steps) is not None,
        "pruning_steps, schedule_steps or max_steps with pruning_density, "
        "which is reached at a step",
        "pruning_density",
        "pruning_steps",
        "schedule_steps",
        "max_steps",
    )
    _expect(
        training,
        training.optimizer != "ScheduleFreeAdamW",
        "another optimizer with pruning_density: weights of ScheduleFreeAdamW "
        "are an average, in which none is 0",
        "pruning_density",
        "optimizer",
    )


def _check_schedule(training: config_lib.TrainingConfig) -> None:
    if training.learning_rate_schedule != "cosine":
        return
    _expect(
        training,
        training.total_steps is not None,
        "schedule_steps or max_steps with learning_rate_schedule=cosine, "
        "which ends at a step: num_epochs times the number of videos, divided "
        "by batch_size",
        "learning_rate_schedule",
        "schedule_steps",
        "max_steps",
    )
    _expect(
        training,
        training.warmup_steps < training.total_steps,
        "fewer warmup_steps than steps of the cosine schedule",
        "warmup_steps",
        "schedule_steps",
        "max_steps",
    )


def _expect(
    training: config_lib.TrainingConfig,
    fits: bool,
    expected: str,
    *received: str,
) -> None:
    if not fits:
        values = ", ".join(
            f"{name}={getattr(training, name)}" for name in received
        )
        raise ValueError(
            f"TrainingConfig: expected {expected}. Received: {values}"
        )
