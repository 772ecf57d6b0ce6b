"""What a compressed model may take: bytes, parameters, or milliseconds."""

from __future__ import annotations

import dataclasses
import enum
import re

from yt8m_compact import names


class Unit(enum.StrEnum):
    """What is counted.

    Example:
        >>> [unit.value for unit in yt8m.compression.Unit]
        ['bytes', 'weights', 'ms']

    Attributes:
        BYTES: Of the packed file.
        WEIGHTS: Parameters that are stored.
        MILLISECONDS: Of the prediction of one video, measured here.
    """

    BYTES = "bytes"
    WEIGHTS = "weights"
    MILLISECONDS = "ms"


_UNITS = {
    "B": (Unit.BYTES, 1.0),
    "bytes": (Unit.BYTES, 1.0),
    "kB": (Unit.BYTES, 1e3),
    "MB": (Unit.BYTES, 1e6),
    "GB": (Unit.BYTES, 1e9),
    "KiB": (Unit.BYTES, 2.0**10),
    "MiB": (Unit.BYTES, 2.0**20),
    "GiB": (Unit.BYTES, 2.0**30),
    "weights": (Unit.WEIGHTS, 1.0),
    "parameters": (Unit.WEIGHTS, 1.0),
    "us": (Unit.MILLISECONDS, 1e-3),
    "ms": (Unit.MILLISECONDS, 1.0),
    "s": (Unit.MILLISECONDS, 1e3),
}
_TEXT = re.compile(
    r"(?P<number>\d[\d_]*(?:\.\d+)?|\.\d+) *_?(?P<unit>[a-zA-Z]+)"
)


@dataclasses.dataclass(frozen=True)
class Budget:
    """The most that a model may take.

    Example:
        >>> budget = yt8m.compression.Budget(1e6, yt8m.compression.Unit.BYTES)
        >>> print(budget)
        1,000,000 bytes
        >>> budget == yt8m.compression.parse_budget("1MB")
        True

    Attributes:
        amount: How much, above 0.
        unit: Of what.
    """

    amount: float
    unit: Unit

    def __str__(self) -> str:
        """Writes the budget for people."""
        return describe(self.amount, self.unit)


def parse(text: str | Budget) -> Budget:
    """Reads a budget.

    Example:
        >>> yt8m.compression.parse_budget("100kB").amount
        100000.0
        >>> print(yt8m.compression.parse_budget("500us"))
        0.5 ms

    Args:
        text: `1MB` (a million bytes; `1MiB` is 2^20), `500000_parameters`, or
            `_weights`, or `2ms` say; or a budget, returned as it is.

    Returns:
        The budget.

    Raises:
        ValueError: If it is anything else.
    """
    if isinstance(text, Budget):
        return text
    match = _TEXT.fullmatch(text.strip())
    by_lower_case = {name.lower(): name for name in _UNITS}
    unit = match and by_lower_case.get(match["unit"].lower())
    if not unit:
        near = names.suggestion(match["unit"], _UNITS) if match else ""
        raise ValueError(
            "expected budget to be a number and a unit, one of "
            f"{', '.join(_UNITS)}, such as 1MB, 500000_parameters or 2ms. "
            f"Received: budget={text!r:.80}{near}"
        )
    kind, factor = _UNITS[unit]
    amount = float(match["number"].replace("_", "")) * factor
    if not amount > 0:
        raise ValueError(
            f"expected a budget above 0. Received: budget={text!r:.80}"
        )
    return Budget(amount, kind)


def describe(amount: float, unit: Unit) -> str:
    """Writes an amount with its unit.

    Args:
        amount: How much.
        unit: Of what.

    Returns:
        The text: `1,000,000 bytes`, or `2.00 ms`.
    """
    if unit is Unit.MILLISECONDS:
        return f"{amount:.3g} ms"
    # The unit's value is in files of plans, where the count is that of weights.
    name = "parameters" if unit is Unit.WEIGHTS else unit
    return f"{amount:,.0f} {name}"
