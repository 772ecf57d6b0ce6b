"""The table of a compression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import tabulate

from yt8m_compact import structures
from yt8m_compact.compression import budget as budget_lib

if TYPE_CHECKING:
    from yt8m_compact.compression import places as places_lib
    from yt8m_compact.compression import plan as plan_lib

FILE = "compression.txt"
_STAGES = {
    "before": "before",
    "projected": "after projection",
    "tuned": "after fine-tuning",
}


def to_text(
    plan: plan_lib.Plan,
    places: Sequence[places_lib.Place],
    rest: Mapping[budget_lib.Unit, int],
) -> str:
    """Writes what was chosen, and the scores that there are.

    Args:
        plan: With a choice.
        places: The places of the run.
        rest: What it takes beside them.

    Returns:
        Two tables.
    """
    unit = budget_lib.Unit.BYTES
    rows, totals = [], [0, 0]
    for place in places:
        text = plan.choice.structures[place.name]
        counts = [
            place.count(structure, unit)
            for structure in (place.structure, structures.get(text))
        ]
        totals = [a + b for a, b in zip(totals, counts, strict=True)]
        found = plan.measured.get(place.name, {}).get(text)
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
    rows.append(("the rest", "", f"{rest[unit]:,}", "", f"{rest[unit]:,}", ""))
    before, after = (f"{total + rest[unit]:,}" for total in totals)
    rows.append(("all", "", before, "", after, ""))
    headers = ("place", "before", "bytes", "after", "bytes", "variance kept")
    align = ("left", "left", "right", "left", "right", "right")
    choice = plan.choice
    cost = budget_lib.describe(choice.cost, choice.budget.unit)
    return "\n\n".join(
        [
            _table(rows, headers, align),
            f"budget: {choice.budget}; chosen: {cost}; {choice.metric} on the "
            f"sample {getattr(plan.baseline, choice.metric):.4f}, "
            f"{choice.value:.4f} if what places lose adds up",
            *_scores(plan),
        ]
    )


def _scores(plan: plan_lib.Plan) -> list[str]:
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
    align = ("left", *["right"] * 5)
    return [_table(rows, headers, align)]


def _table(
    rows: Sequence[Sequence[str]],
    headers: Sequence[str],
    align: Sequence[str],
) -> str:
    return tabulate.tabulate(
        rows, headers, colalign=align, disable_numparse=True
    )
