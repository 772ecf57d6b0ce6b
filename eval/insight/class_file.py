"""Tables of classes as CSV files."""

from collections.abc import Mapping, Sequence
import csv
import io

import numpy as np

from yt8m_compact import files
from yt8m_compact.eval.insight import confusions as confusions_lib
from yt8m_compact.eval.insight import details as details_lib

_COLUMNS = ("average_precision", "threshold", "precision", "recall", "f1")


def write_classes(
    table: details_lib.ClassTable, path: str, names: Mapping[int, str]
) -> None:
    """Writes the metrics of every class.

    A row a class in the order of the scores: `index`, `name` (empty where it is
    not known), `videos` that have it, `average_precision`, and `threshold`,
    `precision`, `recall` and `f1` where F1 is best. What is not defined, as of
    a class that no video has, is empty.

    Args:
        table: The metrics.
        path: The file.
        names: A name for each class, as far as they are known.
    """
    rows = []
    for index, support in enumerate(table.support.tolist()):
        values = [getattr(table, column)[index] for column in _COLUMNS]
        # As short as the very number can be written.
        texts = ["" if np.isnan(one) else repr(float(one)) for one in values]
        rows.append([index, names.get(index, ""), support, *texts])
    _write(path, ["index", "name", "videos", *_COLUMNS], rows)


def write_confusions(
    confusions: Sequence[confusions_lib.Confusion],
    path: str,
    names: Mapping[int, str],
) -> None:
    """Writes which classes are predicted in the place of which others.

    Args:
        confusions: The pairs.
        path: The file.
        names: A name for each class, as far as they are known.
    """
    rows = [
        [
            one.missed,
            names.get(one.missed, ""),
            one.predicted,
            names.get(one.predicted, ""),
            repr(one.count),
            repr(one.share),
        ]
        for one in confusions
    ]
    columns = ["missed", "missed_name", "predicted", "predicted_name"]
    _write(path, [*columns, "count", "share_of_misses"], rows)


def _write(
    path: str, columns: Sequence[str], rows: Sequence[Sequence[object]]
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    with files.writing(path) as file:
        file.write(text.getvalue())
