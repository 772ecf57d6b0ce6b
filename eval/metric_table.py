"""The metrics of one evaluation as a table of text."""

from collections.abc import Mapping

import tabulate


def format_metrics(
    names: Mapping[str, str],
    metrics: Mapping[str, float | int | None],
    starter_metrics: Mapping[str, float | None] | None = None,
) -> str:
    """Writes metrics as a table, a row each.

    Args:
        names: what each is called in the table, in its order.
        metrics: the values; those that are None or missing have no row.
        starter_metrics: the starter code's values, for a column of their own;
            None without one.

    Returns:
        The table.
    """
    headers, align = ["metric", "value"], ["left", "right"]
    if starter_metrics is not None:
        headers.append("starter code")
        align.append("right")
    rows = []
    for key, name in names.items():
        if metrics.get(key) is None:
            continue
        row = [name, _text(metrics[key])]
        if starter_metrics is not None:
            row.append(_text(starter_metrics.get(key)))
        rows.append(row)
    return tabulate.tabulate(
        rows, headers, disable_numparse=True, colalign=align
    )


def _text(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
