"""What was measured and chosen for a run, and the file that keeps it."""

from __future__ import annotations

from collections.abc import Mapping
import dataclasses
import enum
import json
import os
import types
import typing
from typing import Any

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import untrusted
from yt8m_compact.compression import budget as budget_lib

with lazy.imports():
    from yt8m_compact.compression import sample as sample_lib
    from yt8m_compact.compression import sensitivity

FILE = "compression.json"
_FORMAT_VERSION = 1
_EXPECTED = "what yt8m-compress keeps of a run"
_MAX_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True)
class Source:
    """What is compressed, and on what it is measured.

    Attributes:
        train_dir: The folder of the run, absolute.
        step: The step of its checkpoint.
        weights: Which weights, as text.
        sampled: The files that the sample is read from.
        num_videos: How many videos of them, from the first.
        held_out: Whether these files are not trained on.
        unit_penalty: That of the gates that are trained before, or None.
        unit_epochs: How long these are trained, or None.
    """

    train_dir: str
    step: int
    weights: str
    sampled: tuple[str, ...]
    num_videos: int
    held_out: bool
    unit_penalty: float | None = None
    unit_epochs: int | None = None


@dataclasses.dataclass(frozen=True)
class Choice:
    """What places become under a budget.

    Attributes:
        budget: The budget.
        structures: The structure of each place, as text.
        cost: What the model takes then, by the sum of the measured.
        metric: What was to become little worse, `loss` or `gap`.
        value: It on the sample, if what places lose adds up.
        structure_texts: The structures that places could become, as text; None
            where an earlier version chose.
        precisions: The precisions of each, likewise.
    """

    budget: budget_lib.Budget
    structures: Mapping[str, str]
    cost: float
    metric: str
    value: float
    structure_texts: tuple[str, ...] | None = None
    precisions: tuple[str, ...] | None = None


@dataclasses.dataclass
class Plan:
    """What is known so far.

    Attributes:
        source: What is compressed.
        baseline: Scores of the model as it is, on the sample.
        measured: What each place loses as each candidate.
        latencies: Milliseconds of one video: of the model as it is by "", and
            with one place replaced by the place's name and the structure.
        choice: What was chosen, None before.
        scores: What the evaluations found: `before`, `dropped` where units
            were, `projected`, `tuned`.
        totals: Bytes, weights and milliseconds, of these but `projected`.
    """

    source: Source
    baseline: sample_lib.Scores | None = None
    measured: sensitivity.Measurements = dataclasses.field(default_factory=dict)
    latencies: dict[str, dict[str, float]] = dataclasses.field(
        default_factory=dict
    )
    choice: Choice | None = None
    scores: dict[str, dict[str, float]] = dataclasses.field(
        default_factory=dict
    )
    totals: dict[str, dict[str, float]] = dataclasses.field(
        default_factory=dict
    )


def save(plan: Plan, folder: str) -> str:
    """Writes a plan.

    Args:
        plan: The plan.
        folder: Where to.

    Returns:
        The file.
    """
    path = os.path.join(folder, FILE)
    content = {"format_version": _FORMAT_VERSION, **dataclasses.asdict(plan)}
    with files.writing(path) as file:
        file.write(json.dumps(content, indent=1) + "\n")
    return path


def load(folder: str) -> Plan | None:
    """Reads a plan.

    Args:
        folder: Where it is.

    Returns:
        The plan, None if there is none.

    Raises:
        ValueError: If the file is broken, or of another version.
    """
    path = os.path.join(folder, FILE)
    if not files.exists(path):
        return None
    content = untrusted.read_json(path, _EXPECTED, _MAX_BYTES)
    try:
        if content.pop("format_version") != _FORMAT_VERSION:
            raise ValueError("another format_version")
        return _read(content, Plan)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: expected {_EXPECTED}. Received: {error}; remove the file "
            "to measure again"
        ) from error


def _read(value: Any, kind: Any, name: str = "") -> Any:
    """Makes what a plan is made of from its JSON.

    Args:
        value: What JSON has.
        kind: The type to make of it.
        name: The place in the file, for errors.

    Returns:
        A value of the type.

    Raises:
        TypeError: If the value is of another type.
        ValueError: If it is none of the values of an enum.
    """
    options = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if origin is types.UnionType:
        if value is None:
            return None
        return _read(value, options[0], name)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        _expect(isinstance(value, dict), value, name)
        for key, item in value.items():
            _expect(key in hints, item, f"{name}.{key}".lstrip("."))
        return kind(
            **{
                key: _read(item, hints[key], f"{name}.{key}".lstrip("."))
                for key, item in value.items()
            }
        )
    if origin is tuple:
        _expect(isinstance(value, list), value, name)
        return tuple(_read(item, options[0], name) for item in value)
    if origin is not None:
        _expect(isinstance(value, dict), value, name)
        return {
            key: _read(item, options[1], f"{name}.{key}")
            for key, item in value.items()
        }
    if issubclass(kind, enum.Enum):
        return kind(value)
    if kind is float:
        _expect(type(value) in (int, float), value, name)
        return float(value)
    _expect(type(value) is kind, value, name)
    return value


def _expect(is_right: bool, value: Any, name: str) -> None:
    if not is_right:
        raise TypeError(f"{name}={value!r:.80}")
