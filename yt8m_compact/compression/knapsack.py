"""The best sum of one option a place under a budget."""

from collections.abc import Sequence
import dataclasses

import numpy as np

# Of sums of the places so far, each cheaper than all that are better. Beyond
# it sums of nearly the same cost are thinned out, and the result is the best
# but for what that loses.
_MAX_SUMS = 100_000
# A budget that is met but for rounding is met.
_ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Choice:
    """An option of each place.

    Attributes:
        options: The number of the option of each place.
        cost: The sum of their costs.
        loss: The sum of their losses.
    """

    options: tuple[int, ...]
    cost: float
    loss: float


def smallest_cost(costs: Sequence[Sequence[float]]) -> float:
    """Sums the cheapest option of each place.

    Args:
        costs: Those of the options of each place.

    Returns:
        The sum.
    """
    return float(sum(min(options) for options in costs))


def choose(
    costs: Sequence[Sequence[float]],
    losses: Sequence[Sequence[float]],
    budget: float,
    *,
    max_sums: int = _MAX_SUMS,
) -> Choice:
    """Chooses an option of each place: the smallest loss under a budget.

    The multiple-choice knapsack, by dynamic programming: place by place, all
    sums are kept that are cheaper than every better one. Costs and losses of
    places add up. Among equal losses the cheaper one is chosen.

    Args:
        costs: Those of the options of each place; of any sign.
        losses: Likewise.
        budget: The largest sum of costs.
        max_sums: How many sums are kept at most. With fewer than there are the
            choice still fits the budget, and may not be the best.

    Returns:
        The choice.

    Raises:
        ValueError: If even the cheapest options cost more, or a number is
            missing or not finite.
    """
    _check(costs, losses)
    smallest = smallest_cost(costs)
    allowed = budget + _ROUNDING * max(abs(budget), abs(smallest))
    if smallest > allowed:
        raise ValueError(
            f"expected a budget of at least {smallest:.9g}, the sum of the "
            f"cheapest options. Received: budget={budget:.9g}"
        )
    cost, loss = np.zeros(1), np.zeros(1)
    cheapest = [min(options) for options in costs]
    steps = []
    for place, (its_costs, its_losses) in enumerate(
        zip(costs, losses, strict=True)
    ):
        cost = np.add.outer(cost, np.asarray(its_costs, np.float64)).ravel()
        loss = np.add.outer(loss, np.asarray(its_losses, np.float64)).ravel()
        rest = float(sum(cheapest[place + 1 :]))
        kept = _best_sums(cost, loss, allowed - rest, max_sums)
        steps.append((kept, len(its_costs)))
        cost, loss = cost[kept], loss[kept]
    index = len(cost) - 1  # The dearest is the best.
    found = float(cost[index]), float(loss[index])
    options = []
    for kept, number in reversed(steps):
        index, option = divmod(int(kept[index]), number)
        options.append(option)
    return Choice(tuple(reversed(options)), *found)


def _best_sums(
    cost: np.ndarray, loss: np.ndarray, allowed: float, max_sums: int
) -> np.ndarray:
    """Finds the sums that are better than all cheaper ones, cheapest first."""
    order = np.lexsort((loss, cost))
    # The cheapest stays, whatever rounding says of it.
    order = order[: max(1, np.searchsorted(cost[order], allowed, "right"))]
    best = np.minimum.accumulate(loss[order])
    better = np.concatenate([[True], best[1:] < best[:-1]])
    order = order[better]
    if len(order) <= max_sums:
        return order
    low, high = cost[order[0]], cost[order[-1]]
    part = np.floor((cost[order] - low) / (high - low) * (max_sums - 1))
    # The last of each part is its best.
    last = np.concatenate([part[1:] > part[:-1], [True]])
    return order[last | (np.arange(len(order)) == 0)]


def _check(
    costs: Sequence[Sequence[float]], losses: Sequence[Sequence[float]]
) -> None:
    sizes = [len(options) for options in costs]
    other = [len(options) for options in losses]
    if sizes != other or not all(sizes):
        raise ValueError(
            "expected a cost and a loss of each option, and an option of each "
            f"place. Received: {sizes} costs, {other} losses"
        )
    for name, values in (("costs", costs), ("losses", losses)):
        for place, options in enumerate(values):
            if not np.isfinite(options).all():
                raise ValueError(
                    f"expected finite {name}. Received: {name}[{place}]="
                    f"{list(options)}"
                )
