"""The metrics of one evaluation as a table of text."""

from collections.abc import Mapping

from yt8m_compact import tables


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
    shown = [key for key in names if metrics.get(key) is not None]
    columns = [
        tables.Column("metric", [names[key] for key in shown], is_name=True),
        tables.Column("value", [_text(metrics[key]) for key in shown]),
    ]
    if starter_metrics is not None:
        cells = [_text(starter_metrics.get(key)) for key in shown]
        columns.append(tables.Column("starter code", cells))
    return tables.to_text(columns)


def _text(value: float | int | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
