"""What was measured: a row a case and seed, in a CSV file that grows."""

import csv
import dataclasses
import io
import os
import pathlib


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured of one model.

    Attributes:
        data: the data set.
        split: what it was evaluated on, "test" or "validation".
        family: its line in the picture.
        case: the name of the case.
        precision: of its weights.
        places: structures and sizes.
        weights: how many weights it has.
        bytes: of the files that are shipped, weights and configuration.
        metric: what `value` is, "gap" or "map".
        value: the metric.
        low: start of its interval of 95 %.
        high: end of it.
        gap: GAP@20.
        map: MAP.
        seed: of the training.
        steps: of the training.
        row_ms: milliseconds for one row on one thread, the median.
        date: when.
    """

    data: str
    split: str
    family: str
    case: str
    precision: str
    places: str
    weights: int
    bytes: int
    metric: str
    value: float
    low: float
    high: float
    gap: float
    map: float
    seed: int
    steps: int
    row_ms: float
    date: str

    @property
    def key(self) -> tuple[str, str, str, int]:
        """What there is one row of."""
        return self.data, self.split, self.case, self.seed


_FIELDS = {field.name: field.type for field in dataclasses.fields(Row)}
_DIGITS = {"row_ms": 4, "value": 5, "low": 5, "high": 5, "gap": 5, "map": 5}


def read(path: str | os.PathLike[str]) -> list[Row]:
    """Reads all rows.

    Args:
        path: the file; there may be none.

    Returns:
        The rows, in the order in which they were measured.

    Raises:
        ValueError: if the file has other columns.
    """
    if not os.path.exists(path):
        return []
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != list(_FIELDS):
            raise ValueError(
                f"{path}: expected the columns {', '.join(_FIELDS)}. Received: "
                f"{', '.join(reader.fieldnames or ())}"
            )
        return [
            Row(**{name: _FIELDS[name](text) for name, text in row.items()})
            for row in reader
        ]


def append(path: str | os.PathLike[str], row: Row) -> None:
    """Adds a row in one write, so that several processes may share the file.

    Args:
        path: the file, made if need be.
        row: the row.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(",".join(_FIELDS) + "\n")
    except FileExistsError:
        pass
    text = io.StringIO()
    values = dataclasses.asdict(row)
    csv.writer(text, lineterminator="\n").writerow(
        round(value, _DIGITS[name]) if name in _DIGITS else value
        for name, value in values.items()
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, text.getvalue().encode())
    finally:
        os.close(descriptor)
