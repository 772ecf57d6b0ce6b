"""Which structure each place of a model becomes, under a budget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
import dataclasses

from yt8m_compact.compression import budget as budget_lib
from yt8m_compact.compression import candidates as candidates_lib
from yt8m_compact.compression import knapsack
from yt8m_compact.compression import places as places_lib
from yt8m_compact.compression import plan as plan_lib
from yt8m_compact.compression import sample as sample_lib
from yt8m_compact.compression import sensitivity

# What may be summed of places, and the sign of what is worse.
METRICS = {"loss": 1, "gap": -1}
# What places may become.
Choices = dict[places_lib.Place, list[candidates_lib.Candidate]]


def list_choices(
    places: Sequence[places_lib.Place],
    structure_texts: Iterable[str],
    precisions: Iterable[str] | None,
    budget: budget_lib.Budget,
) -> Choices:
    """Lists what places may become: what is smaller than they are.

    The structure that a place has is among them, in each of the precisions.

    Args:
        places: The places.
        structure_texts: Structures, as text.
        precisions: The precisions of each; None for those that the budget asks
            for.
        budget: Says what is counted; bytes where it is one of time.

    Returns:
        The candidates of each place.

    Raises:
        ValueError: If a text is no structure or no precision.
    """
    unit = budget.unit
    if precisions is None:
        precisions = candidates_lib.default_precisions(unit)
    if unit is budget_lib.Unit.MILLISECONDS:
        unit = budget_lib.Unit.BYTES
    choices = {}
    for place in places:
        now = place.count(place.structure, unit)
        texts = dict.fromkeys((str(place.structure.base), *structure_texts))
        choices[place] = [
            one
            for one in candidates_lib.make(texts, precisions)
            if one.structure != place.structure
            and candidates_lib.fits(one.structure, place.sizes)
            and place.count(one.structure, unit) < now
        ]
    return choices


@dataclasses.dataclass(frozen=True)
class Costs:
    """What a model takes.

    Attributes:
        model: What to call it in errors.
        budget: What it may take.
        fixed: What it takes beside its places; in milliseconds, what it takes
            as it is.
        now: What each place takes as it is, by its name.
        options: What each place takes as each structure, as text; as it is
            first.
    """

    model: str
    budget: budget_lib.Budget
    fixed: float
    now: Mapping[str, float]
    options: Mapping[str, Mapping[str, float]]

    def check(self, *, may_stay: bool = False) -> None:
        """Compares the budget with what is possible.

        Args:
            may_stay: Whether the model may be within the budget as it is.

        Raises:
            ValueError: If it is too small, or not below what there is.
        """
        budget = self.budget
        smallest = self.fixed + knapsack.smallest_cost(
            [list(options.values()) for options in self.options.values()]
        )
        now = self.fixed + sum(self.now.values())
        shown = {
            name: budget_lib.describe(amount, budget.unit)
            for name, amount in (
                ("smallest", smallest),
                ("fixed", self.fixed),
                ("now", now),
            )
        }
        if budget.amount < smallest:
            of_which = f", of which {shown['fixed']} are not its projections'"
            if budget.unit is budget_lib.Unit.MILLISECONDS:
                of_which = ""  # What is fixed is the time of all.
            raise ValueError(
                f"expected a budget of at least {shown['smallest']}, the "
                f"smallest that {self.model} can take with these structures and"
                f" precisions{of_which}. Received: budget={budget}"
            )
        if budget.amount >= now and not may_stay:
            raise ValueError(
                f"expected a budget below {shown['now']}, which {self.model} "
                f"takes as it is. Received: budget={budget}"
            )

    def choose(
        self,
        measured: sensitivity.Measurements,
        baseline: sample_lib.Scores,
        metric: str = "loss",
    ) -> plan_lib.Choice:
        """Chooses the best sum.

        Args:
            measured: The scores with each place as each candidate.
            baseline: Those of the model as it is.
            metric: What is to become little worse, one of `METRICS`.

        Returns:
            The choice.
        """
        sign = METRICS[metric]
        before = getattr(baseline, metric)
        texts = [list(options) for options in self.options.values()]
        losses = [
            [
                sign * (getattr(measured[place][text], metric) - before)
                if text in measured.get(place, {})
                else 0.0
                for text in options
            ]
            for place, options in self.options.items()
        ]
        chosen = knapsack.choose(
            [list(options.values()) for options in self.options.values()],
            losses,
            self.budget.amount - self.fixed,
        )
        return plan_lib.Choice(
            budget=self.budget,
            structures={
                place: names[option]
                for place, names, option in zip(
                    self.options, texts, chosen.options, strict=True
                )
            },
            cost=self.fixed + chosen.cost,
            metric=metric,
            value=before + sign * chosen.loss,
        )


def count_costs(
    model: str,
    budget: budget_lib.Budget,
    fixed: float,
    choices: Choices,
) -> Costs:
    """Counts bytes or weights.

    Args:
        model: What to call the model.
        budget: In bytes or weights.
        fixed: What the model takes beside its places.
        choices: What places may become.

    Returns:
        The costs.
    """
    unit = budget.unit
    now = {place.name: place.count(place.structure, unit) for place in choices}
    options = {
        place.name: {
            str(place.structure): now[place.name],
            **{
                str(one.structure): place.count(one.structure, unit)
                for one in candidates
            },
        }
        for place, candidates in choices.items()
    }
    return Costs(model, budget, fixed, now, options)


def timed_costs(
    model: str,
    budget: budget_lib.Budget,
    choices: Choices,
    latencies: Mapping[str, Mapping[str, float]],
) -> Costs:
    """Compares times that were measured.

    Args:
        model: What to call the model.
        budget: In milliseconds.
        choices: What places may become.
        latencies: See `plan.Plan`.

    Returns:
        The costs: of a place, what the model takes more, or less, with it.
    """
    now = latencies[""]["now"]
    options = {
        place.name: {
            str(place.structure): 0.0,
            **{
                str(one.structure): latencies[place.name][str(one.base)] - now
                for one in candidates
            },
        }
        for place, candidates in choices.items()
    }
    as_it_is = {place.name: 0.0 for place in choices}
    return Costs(model, budget, now, as_it_is, options)
