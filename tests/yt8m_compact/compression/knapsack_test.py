"""Tests of the best sum under a budget."""

import itertools
import re

import numpy as np
import pytest

from yt8m_compact.compression import knapsack


def brute_force(costs, losses, budget) -> tuple[float, float]:
    """Tries all; returns the smallest loss and the smallest cost of it."""
    best = []
    for options in itertools.product(*(range(len(c)) for c in costs)):
        cost = sum(c[i] for c, i in zip(costs, options, strict=True))
        if cost <= budget:
            loss = sum(x[i] for x, i in zip(losses, options, strict=True))
            best.append((loss, cost))
    return min(best)


@pytest.mark.parametrize("seed", range(40))
def test_as_good_as_trying_all(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, rng.integers(1, 6))
    # Whole numbers, so that sums are exact and many are equal.
    costs = [rng.integers(-3, 20, size).tolist() for size in sizes]
    losses = [rng.integers(-2, 12, size).tolist() for size in sizes]
    smallest = knapsack.smallest_cost(costs)
    assert smallest == sum(min(c) for c in costs)
    for budget in (smallest, smallest + 5, smallest + 25, 1000):
        choice = knapsack.choose(costs, losses, budget)
        assert (choice.loss, choice.cost) == brute_force(costs, losses, budget)
        pairs = list(zip(costs, losses, choice.options, strict=True))
        assert choice.cost == sum(c[i] for c, _, i in pairs)
        assert choice.loss == sum(x[i] for _, x, i in pairs)


def test_better_than_the_best_of_each_by_itself():
    # 6 of budget: one place alone may be dear, and the second one gains more.
    costs = [[1, 5], [1, 5]]
    losses = [[3.0, 1.0], [9.0, 2.0]]
    assert knapsack.choose(costs, losses, 6).options == (0, 1)
    assert knapsack.choose(costs, losses, 10).options == (1, 1)
    assert knapsack.choose(costs, losses, 5).options == (0, 0)


def test_thinned_sums_fit_the_budget_and_are_nearly_the_best():
    rng = np.random.default_rng(0)
    costs = [rng.random(12) for _ in range(6)]
    # The dearer the better, so that hardly a sum is worse than a cheaper one.
    losses = [1 / (0.1 + cost) for cost in costs]
    exact = knapsack.choose(costs, losses, 3.0)
    thin = knapsack.choose(costs, losses, 3.0, max_sums=200)
    assert exact.cost <= 3.0 and thin.cost <= 3.0
    assert exact.loss <= thin.loss < 1.02 * exact.loss
    assert sum(c[i] for c, i in zip(costs, thin.options, strict=True)) == (
        pytest.approx(thin.cost)
    )


def test_a_budget_that_rounding_alone_exceeds():
    # 0.1 + 0.2 is above 0.3.
    assert knapsack.choose([[0.1], [0.2]], [[1], [1]], 0.3).options == (0, 0)


def test_a_budget_below_what_is_possible():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected a budget of at least 5, the sum of the cheapest options."
            " Received: budget=4"
        ),
    ):
        knapsack.choose([[2, 3], [3, 9]], [[1, 1], [1, 1]], 4)


@pytest.mark.parametrize(
    ("costs", "losses", "message"),
    [
        ([[1, 2]], [[1]], "[2] costs, [1] losses"),
        ([[]], [[]], "[0] costs, [0] losses"),
        ([[1], [1]], [[1]], "[1, 1] costs, [1] losses"),
        ([[np.inf]], [[1]], "expected finite costs. Received: costs[0]=[inf]"),
        (
            [[1]],
            [[np.nan]],
            "expected finite losses. Received: losses[0]=[nan]",
        ),
    ],
)
def test_options_that_are_none(costs, losses, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        knapsack.choose(costs, losses, 9)
