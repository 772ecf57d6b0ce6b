"""The table of a compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
import textwrap
from typing import TYPE_CHECKING

from yt8m_compact import structures
from yt8m_compact import tables
from yt8m_compact.compression import budget as budget_lib

if TYPE_CHECKING:
    from yt8m_compact.compression import places as places_lib
    from yt8m_compact.compression import plan as plan_lib
    from yt8m_compact.compression import sensitivity

FILE = "compression.txt"
_OPTIONAL = "variance kept"  # where columns are few
_STAGES = {
    "before": "before",
    "dropped": "without units",
    "projected": "after projection",
    "tuned": "after fine-tuning",
}


def to_text(
    plan: plan_lib.Plan,
    places: Sequence[places_lib.Place],
    rest: Mapping[budget_lib.Unit, int],
    max_columns: int | None = None,
) -> str:
    """Writes what was chosen, and the scores that there are.

    Args:
        plan: With a choice.
        places: The places of the run.
        rest: What it takes beside them.
        max_columns: How wide the tables may be; None for as wide as they are.

    Returns:
        Two tables.
    """
    return "\n\n".join(
        [
            choice_to_text(
                plan.choice,
                getattr(plan.baseline, plan.choice.metric),
                plan.measured,
                places,
                rest[budget_lib.Unit.BYTES],
                max_columns,
            ),
            *_scores(plan, max_columns),
        ]
    )


def choice_to_text(
    choice: plan_lib.Choice,
    before: float,
    measured: sensitivity.Measurements,
    places: Sequence[places_lib.Place],
    rest: int,
    max_columns: int | None = None,
) -> str:
    """Writes what was chosen.

    Args:
        choice: What was chosen.
        before: The choice's metric of the model as it was, on the sample.
        measured: What each place loses as each candidate.
        places: The places.
        rest: Bytes of what the model has beside them.
        max_columns: How wide the table may be; None for as wide as it is.

    Returns:
        A table of the places and a line.
    """
    unit = budget_lib.Unit.BYTES
    rows, totals = [], [0, 0]
    for place in places:
        text = choice.structures[place.name]
        counts = [
            place.count(structure, unit)
            for structure in (place.structure, structures.get(text))
        ]
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        found = measured.get(place.name, {}).get(text)
        kept = 1.0 if found is None else found.kept
        rows.append(
            (
                place.name,
                str(place.structure),
                f"{counts[0]:,}",
                text,
                f"{counts[1]:,}",
                f"{kept:.4f}",
            )
        )
    rows.append(("the rest", "", f"{rest:,}", "", f"{rest:,}", ""))
    all_before, all_after = (f"{total + rest:,}" for total in totals)
    rows.append(("all", "", all_before, "", all_after, ""))
    headers = ("place", "before", "bytes", "after", "bytes", _OPTIONAL)
    names = ("place", "before", "after")
    cost = budget_lib.describe(choice.cost, choice.budget.unit)
    line = (
        f"budget: {choice.budget}; chosen: {cost}; {choice.metric} on the "
        f"sample {before:.4f}, {choice.value:.4f} if what places lose adds up"
    )
    if max_columns is not None:
        line = textwrap.fill(line, max_columns)
    return f"{_table(rows, headers, names, max_columns)}\n\n{line}"


def losses_to_text(
    losses: Mapping[str, float], max_columns: int | None = None
) -> str:
    """Writes the losses of the stages of a compression.

    Args:
        losses: By stage: `before`, `projected`, `tuned`.
        max_columns: How wide the table may be; None for as wide as it is.

    Returns:
        A table.
    """
    rows = [
        (title, f"{losses[name]:.4f}")
        for name, title in _STAGES.items()
        if name in losses
    ]
    return _table(rows, ("", "loss"), ("",), max_columns)


def _scores(plan: plan_lib.Plan, max_columns: int | None) -> list[str]:
    rows = []
    for name, title in _STAGES.items():
        if name not in plan.scores:
            continue
        scores = plan.scores[name]
        totals = plan.totals.get(name, {})
        rows.append(
            (
                title,
                f"{scores['gap']:.4f}",
                f"{scores['loss']:.4f}",
                f"{totals['bytes']:,}" if totals else "",
                f"{totals['weights']:,}" if totals else "",
                f"{totals['ms']:.3g}" if totals else "",
            )
        )
    if not rows:
        return []
    headers = ("", "GAP@20", "loss", "bytes", "parameters", "ms of a video")
    return [_table(rows, headers, ("",), max_columns)]


def _table(
    rows: Sequence[Sequence[str]],
    headers: Sequence[str],
    names: Sequence[str],
    max_columns: int | None,
) -> str:
    return tables.to_text(
        [
            tables.Column(
                header,
                cells,
                is_name=header in names,
                rank=int(header == _OPTIONAL),
            )
            for header, cells in zip(
                headers, zip(*rows, strict=True), strict=True
            )
        ],
        max_columns,
    )
