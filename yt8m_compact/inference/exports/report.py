"""What an export is worth: bytes, scores, time and memory, beside its twin."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import datetime
import os
import platform
import textwrap
from typing import Any
import zipfile

import keras
import numpy as np
import tabulate
import tensorflow as tf

from yt8m_compact import files
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import structures
from yt8m_compact import tables
from yt8m_compact.inference import artefacts
from yt8m_compact.inference import warmup
from yt8m_compact.inference.artefacts import measuring
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.run import config as config_lib

FILE_NAME = "report.json"
NUM_THREADS = (1, 2)
# Videos that scores are compared of: the same ones for all formats.
_NUM_COMPARED = 256
# What travels with a model and is not read to predict.
_NOT_COUNTED = ("config.json", "README.md", FILE_NAME, "export_manifest.json")
_NO_VALUE = "-"
# Of a terminal.
_COLUMNS = 80


@dataclasses.dataclass(frozen=True)
class Reference:
    """What the model in memory predicts, to compare exports with.

    Attributes:
        inputs: its inputs by name.
        scores: float32 `[videos, num_classes]`.
        pattern: the records that the inputs are from, without folders; None
            where they were drawn at random.
    """

    inputs: Mapping[str, np.ndarray]
    scores: np.ndarray
    pattern: str | None


def make_reference(
    config: config_lib.Config, model: keras.Model, pattern: str | None
) -> Reference:
    """Predicts by the model in memory, before formats change it.

    Args:
        config: the configuration of its run.
        model: the model.
        pattern: records to predict, of which the first 256 are; None draws
            inputs at random.

    Returns:
        What it predicts.

    Raises:
        DataError: if the data is missing or broken.
    """
    if pattern:
        inputs = _read(config, pattern)
    else:
        num_frames = None
        if config.data.frame_features:
            num_frames = config.prediction_reader().num_output_frames
        specs = portable_function.input_specs(model, None, num_frames)
        inputs = portable_function.draw_inputs(specs)
    scores = model.predict_on_batch({k: inputs[k] for k in model.input})
    # Without folders: reports are sent away with what they are of.
    names = map(os.path.basename, (pattern or "").split(","))
    return Reference(
        inputs, np.asarray(scores, np.float32), ",".join(names) or None
    )


def _read(config: config_lib.Config, pattern: str) -> dict[str, np.ndarray]:
    """Reads the first records of some data."""
    reader = config.prediction_reader()
    paths = readers.expand_patterns(pattern)
    readers.check_format(paths, reader)
    dataset = readers.make_dataset(
        reader, paths, batch_size=_NUM_COMPARED, num_readers=1
    )
    with readers.readable_errors():
        batch = next(iter(dataset))
    names = ("features",)
    if config.data.frame_features:
        names = ("frames", "num_frames")
    return {name: batch[name].numpy() for name in names}


@dataclasses.dataclass(frozen=True)
class Row:
    """What is known of one export.

    Attributes:
        name: what it is called: the format, or "dense" for its twin.
        num_weights: how many weights the model has.
        num_bytes: of the files that are read to predict.
        zipped_bytes: of the same in a zip file.
        max_difference: the largest difference of a score to that of the model
            in memory; None of a twin, whose weights are others.
        mean_difference: the mean one.
        gap: GAP@20 of the artefact itself, None without data.
        measurements: times and memory, by `NUM_THREADS`; none where nothing
            was measured.
    """

    name: str
    num_weights: int
    num_bytes: int
    zipped_bytes: int
    max_difference: float | None = None
    mean_difference: float | None = None
    gap: float | None = None
    measurements: tuple[measuring.Measurement, ...] = ()


@dataclasses.dataclass(frozen=True)
class Report:
    """What an export is worth.

    Attributes:
        model: the name of the model.
        rows: the export, and what it is compared with.
        num_compared: how many videos scores were compared of.
        data_pattern: the records; None where inputs were drawn at random.
        model_gap: GAP@20 of the model in memory, None without data.
        machine: where it was measured.
        date: the day.
    """

    model: str
    rows: tuple[Row, ...]
    num_compared: int
    data_pattern: str | None = None
    model_gap: float | None = None
    machine: str = dataclasses.field(default_factory=lambda: _machine())
    date: str = dataclasses.field(
        default_factory=lambda: datetime.date.today().isoformat()
    )

    def to_dict(self) -> dict[str, Any]:
        """Writes the report as a dict that JSON can hold."""
        return dataclasses.asdict(self)

    def to_text(self) -> str:
        """Writes the report as tables of text, for a terminal."""
        notes = [textwrap.fill(note, _COLUMNS) for note in _notes(self)]
        return f"{_tables(self.rows, None)}\n\n" + "\n".join(notes)


def measure(
    name: str,
    folder: str,
    num_weights: int,
    reference: Reference | None,
    *,
    inputs: Mapping[str, np.ndarray] | None = None,
    score: Callable[[config_lib.Config, artefacts.Artefact], float]
    | None = None,
    seconds: float = 1.0,
) -> Row:
    """Finds out what an export is worth.

    Args:
        name: as of `Row`.
        folder: its folder.
        num_weights: as of `Row`.
        reference: what to compare its scores with; None does not.
        inputs: what to measure times with, one by one; None does not.
        score: gives its GAP@20.
        seconds: about how long it is timed with each number of threads.

    Returns:
        What was found.

    Raises:
        ValueError: if the export can't be opened.
    """
    num_bytes, zipped_bytes = _count_bytes(folder)
    largest = mean = gap = None
    if reference is not None or score is not None:
        config, model = artefacts.load(folder)
    if reference is not None:
        found = model.predict_each(
            {name: reference.inputs[name] for name in model.input_shapes}
        )
        differences = np.abs(found - reference.scores)
        largest, mean = float(differences.max()), float(differences.mean())
    if score is not None:
        gap = score(config, model)
    measurements = ()
    if inputs is not None:
        measurements = tuple(
            measuring.measure(folder, inputs, number, seconds)
            for number in NUM_THREADS
        )
    return Row(
        name=name,
        num_weights=num_weights,
        num_bytes=num_bytes,
        zipped_bytes=zipped_bytes,
        max_difference=largest,
        mean_difference=mean,
        gap=gap,
        measurements=measurements,
    )


def dense_twin(config: config_lib.Config) -> config_lib.Config:
    """Returns the configuration of the same model with dense projections.

    Args:
        config: that of a run.
    """
    dense = structures.get("dense")
    twin = {
        field.name: dense
        for field in dataclasses.fields(config.model)
        if isinstance(getattr(config.model, field.name), structures.Structure)
    }
    return dataclasses.replace(
        config, model=dataclasses.replace(config.model, **twin)
    )


def make(
    config: config_lib.Config,
    rows: Sequence[Row],
    reference: Reference,
    **kwargs: Any,
) -> Report:
    """Makes the report of an export.

    Args:
        config: the configuration of its run.
        rows: the export first.
        reference: what its scores were compared with.
        **kwargs: other attributes of `Report`.
    """
    return Report(
        model=models.model_name(config.model),
        rows=tuple(rows),
        num_compared=len(reference.scores),
        data_pattern=reference.pattern,
        **kwargs,
    )


def write(report: Report, folder: str) -> None:
    """Writes `report.json` into the folder of an export, whole or not at all.

    Args:
        report: the report.
        folder: the folder.

    Raises:
        OSError: if it can't be written.
    """
    files.write_json(os.path.join(folder, FILE_NAME), report.to_dict())


def markdown(report: Report) -> str:
    """Writes a report as a section of a model card, without its heading.

    Args:
        report: the report.
    """
    notes = "\n".join(f"* {note}" for note in _notes(report))
    return f"{_tables(report.rows, 'github')}\n\n{notes}\n"


def _tables(rows: Sequence[Row], tablefmt: str | None) -> str:
    """Writes a line for each export: of its size and scores, of its time.

    Two tables, so that both are as wide as a terminal, however many exports.
    """
    size: dict[str, Callable[[Row], str]] = {
        "params": lambda row: f"{row.num_weights:,}",
        "bytes": lambda row: f"{row.num_bytes:,}",
        "zipped": lambda row: f"{row.zipped_bytes:,}",
        "largest": lambda row: _scientific(row.max_difference),
        "mean": lambda row: _scientific(row.mean_difference),
        "GAP@20": lambda row: _fixed(row.gap),
    }
    time: dict[str, Callable[[Row], str]] = {}
    for place, number in enumerate(NUM_THREADS):
        threads = f"{number} thread{'s' if number > 1 else ''}"
        time[f"ms, {threads}"] = _value(place, "median_ms")
        time[f"95 %, {number}"] = _value(place, "percentile_95_ms")
    time["MB"] = _value(0, "peak_bytes", 2.0**-20)
    measured = [row for row in rows if row.measurements]
    found = [_table(rows, size, tablefmt)]
    if measured:
        found.append(_table(measured, time, tablefmt))
    return "\n\n".join(found)


def _table(
    rows: Sequence[Row],
    columns: Mapping[str, Callable[[Row], str]],
    tablefmt: str | None,
) -> str:
    """Writes one table, without the columns that nothing is known of."""
    cells = {
        name: [show(row) for row in rows] for name, show in columns.items()
    }
    cells = {k: v for k, v in cells.items() if set(v) != {_NO_VALUE}}
    cells = {"": [row.name for row in rows], **cells}
    if tablefmt is None:
        return tables.to_text(
            [
                tables.Column(header, texts, is_name=not header)
                for header, texts in cells.items()
            ]
        )
    return tabulate.tabulate(
        cells,
        "keys",
        tablefmt=tablefmt,
        disable_numparse=True,
        colalign=["left", *["right"] * (len(cells) - 1)],
    )


def _value(place: int, name: str, scale: float = 1.0) -> Callable[[Row], str]:
    def show(row: Row) -> str:
        if not row.measurements:
            return _NO_VALUE
        return f"{getattr(row.measurements[place], name) * scale:,.4g}"

    return show


def _scientific(value: float | None) -> str:
    return _NO_VALUE if value is None else f"{value:.1e}"


def _fixed(value: float | None) -> str:
    return _NO_VALUE if value is None else f"{value:.4f}"


def _notes(report: Report) -> list[str]:
    """Says what the numbers are of."""
    source = "drawn at random"
    if report.data_pattern:
        source = f"of {report.data_pattern}"
    notes = [
        "Differences, the largest and the mean one, are those of scores, from "
        f"0 to 1, to the Keras model, for {report.num_compared} videos "
        f"{source}."
    ]
    if report.model_gap is not None:
        notes.append(
            f"GAP@20 of the Keras model on the same data: "
            f"{report.model_gap:.4f}."
        )
    if any(row.measurements for row in report.rows):
        notes.append(
            "Times are of one video at a time, the median and the 95th "
            "percentile; memory (MB) is the most that a process with Python "
            "and the runtime in it had. Measured on "
            f"{report.machine}, {report.date}."
        )
    if len(report.rows) > 1:
        notes.append(
            "The dense equivalent (dense) is the same model with dense "
            "matrices, exported the same way; its weights are not trained."
        )
    return notes


def _count_bytes(folder: str) -> tuple[int, int]:
    """Counts the bytes of an export, and of the same in a zip file."""
    total = 0
    counter = _Counter()
    with zipfile.ZipFile(counter, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _read_to_predict(folder):
            with tf.io.gfile.GFile(path, "rb") as file:
                content = file.read()
            total += len(content)
            archive.writestr(os.path.relpath(path, folder), content)
    return total, counter.number


def _read_to_predict(folder: str) -> list[str]:
    """Lists the files of an export without those that only travel with it."""
    return sorted(
        os.path.join(where, name)
        for where, _, names in tf.io.gfile.walk(folder)
        for name in names
        if name not in _NOT_COUNTED and os.path.basename(where) != warmup.FOLDER
    )


def count_bytes(path: str) -> int:
    """Counts the bytes that are read to predict by an artefact.

    Args:
        path: its file, beside which others of the same name count, too, as
            those of OpenVINO's weights; or the folder that it is.

    Returns:
        The bytes.
    """
    if files.is_folder(path):
        paths = _read_to_predict(path)
    else:
        folder, name = os.path.split(path)
        folder = folder or "."
        stem = os.path.join(folder, os.path.splitext(name)[0])
        paths = [
            one
            for one in _read_to_predict(folder)
            if os.path.splitext(one)[0] == stem
        ]
    return sum(tf.io.gfile.stat(one).length for one in paths)


class _Counter:
    """A file that counts what is written to it."""

    def __init__(self) -> None:
        self.number = 0

    def write(self, content: bytes) -> int:
        """Counts."""
        self.number += len(content)
        return len(content)

    def flush(self) -> None:
        """Does nothing."""


def _machine() -> str:
    """Names the processor."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    name = line.partition(":")[2].strip()
                    break
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores"
