"""Values for settings that are allowed and are not the defaults."""

import dataclasses
from typing import Any, TypeVar

from yt8m_compact import structures

T = TypeVar("T")

# What a setting of training needs beside it, to be away from its default alone.
NEEDED = {
    "teacher_weight": {"teacher": "other"},
    "teacher_temperature": {"teacher": "other"},
    "label_loss": {"label_loss": "FocalLoss"},
    "learning_rate_schedule": {"schedule_steps": 9},
    "schedule_steps": {"learning_rate_schedule": "cosine"},
    "final_learning_rate_fraction": {
        "learning_rate_schedule": "cosine",
        "schedule_steps": 9,
    },
    "eval_weights": {"ema_momentum": 0.75},
    "focal_gamma": {"label_loss": "FocalLoss"},
    "pruning_density": {"pruning_steps": 9},
    "pruning_group": {"pruning_density": 0.25, "pruning_steps": 9},
    "pruning_places": {"pruning_density": 0.25, "pruning_steps": 9},
    "pruning_steps": {"pruning_density": 0.25},
    "data_service": {"data_service": "other:1"},
}
# Settings that others leave unused, or refuse.
_EXCLUDED = (
    "learning_rate_decay",
    "learning_rate_decay_examples",
    "on_data_error",
)


def other_value(field: dataclasses.Field) -> Any:
    """Returns a value of a field that is allowed and not the default."""
    value = field.default
    if isinstance(value, structures.Structure):  # A sum, with an argument.
        return value + structures.LowRank(3)
    if field.metadata["choices"] and isinstance(value, tuple):
        return tuple(c for c in field.metadata["choices"] if c not in value)
    if field.metadata["choices"]:
        return next(c for c in field.metadata["choices"] if c != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "other"
    if isinstance(value, tuple):
        return (7, 8) if "int" in str(field.type) else ("a", "b")
    if isinstance(value, float):
        return value / 2 or 0.25
    if value is None:
        if "float" in str(field.type):
            return 0.75
        return True if "bool" in str(field.type) else 7
    return value + 1


def make_with_other_values(cls: type[T]) -> T:
    """Makes an instance of a settings class with no default left.

    But for settings of training that exclude each other.
    """
    values = {f.name: other_value(f) for f in dataclasses.fields(cls)}
    for needed in NEEDED.values():
        values.update({k: v for k, v in needed.items() if k in values})
    return cls(**{k: v for k, v in values.items() if k not in _EXCLUDED})
