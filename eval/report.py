"""Reports of an evaluation: tables for people, JSON for programs."""

from collections.abc import Mapping, Sequence
import dataclasses
import textwrap
from typing import Any, Protocol

import tabulate

from yt8m_compact import files
from yt8m_compact import readers
from yt8m_compact import tables
from yt8m_compact.eval import comparison
from yt8m_compact.eval import metric_table
from yt8m_compact.eval import weights as weights_lib

# Metrics in the order of the tables; the JSON has the names as they are.
METRIC_NAMES = {
    **comparison.METRICS_OF_VIDEOS,
    "num_examples": "videos",
    "num_classes_with_positives": "classes with labels",
}


@dataclasses.dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        model: name of the model.
        weights: the weights of the model.
        metrics: value of each metric, None where only weights were counted.
        step: step of the checkpoint, None without one.
        weight_choice: which weights of the run: "raw", "ema" or "average:5"
            say.
        top_k: how many predictions of each video GAP counts.
        train_dir: the folder of the run, None without one.
        model_file: what yt8m-export wrote, None where it is not that.
        eval_data_pattern: the data, None without any.
        frame_seed: what frames were sampled by, None where evenly.
        skipped_files: files of which something was left out, or which are
            empty.
        skipped_records: records that were left out one by one, since they were
            damaged or wrong.
        skipped_bytes: bytes of the ends of damaged files that were left out.
        skipped: all that was left out, by file, None where nothing may be; not
            in the dict.
        starter_metrics: the values of the starter code, None if not asked for.

    Example:
        >>> import keras
        >>> inputs = keras.Input([4])
        >>> model = keras.Model(inputs, keras.layers.Dense(10)(inputs))
        >>> report = yt8m.evaluation.Report(
        ...     "MyModel",
        ...     yt8m.evaluation.count_weights(model),
        ...     metrics={"gap": 0.75, "hit_at_1": 0.8},
        ...     step=100,
        ... )
        >>> found = report.to_dict()
        >>> found["metrics"]["gap"], found["step"], found["weights"]["total"]
        (0.75, 100, 50)
    """

    model: str
    weights: weights_lib.ModelWeights
    metrics: dict[str, float] | None = None
    step: int | None = None
    weight_choice: str = "raw"
    top_k: int = 20
    train_dir: str | None = None
    model_file: str | None = None
    eval_data_pattern: str | None = None
    frame_seed: int | None = None
    skipped_files: int = 0
    skipped_records: int = 0
    skipped_bytes: int = 0
    skipped: readers.SkippedData | None = None
    starter_metrics: dict[str, float | None] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Writes the report as a dict that JSON can hold."""
        values = dataclasses.asdict(dataclasses.replace(self, skipped=None))
        del values["skipped"]
        values["weights"] = self.weights.to_dict()
        return values

    def to_text(self, max_columns: int | None = None) -> str:
        """Writes the report as tables of text.

        Args:
            max_columns: how wide they may be; None for as wide as they are.

        Returns:
            Tables.
        """
        sections = [
            f"{self.model}{self._origin()}",
            self.weights_table(max_columns),
        ]
        if self.metrics is not None:
            sections.append(self._metrics_table())
        return "\n\n".join(sections)

    def _origin(self) -> str:
        if self.model_file is not None:
            return f" of {self.model_file}"
        if self.train_dir is None:
            return ""
        at_step = "" if self.step is None else f", step {self.step}"
        if self.weight_choice != "raw":
            at_step += f", weights {self.weight_choice}"
        return f" of {self.train_dir}{at_step}"

    def weights_table(self, max_columns: int | None = None) -> str:
        """Writes the weights, layer by layer, as a table of text.

        Args:
            max_columns: how wide it may be; None for as wide as it is.

        Returns:
            A table, and what it adds up to.
        """
        weights = self.weights
        total = weights_lib.LayerWeights(
            name="total",
            kind="",
            output_size=0,  # not shown
            total=weights.total,
            trainable=weights.trainable,
            dense_equivalent=weights.dense_equivalent,
            multiply_adds=0,
            per_frame=False,
            num_bytes=weights.num_bytes,
        )
        rows = [*weights.layers, total]
        columns = [
            tables.Column("layer", [row.name for row in rows], is_name=True),
            tables.Column("kind", [row.kind for row in rows], is_name=True),
            tables.Column(
                "units",
                [*(f"{row.output_size:,}" for row in weights.layers), ""],
                rank=2,
            ),
            tables.Column("parameters", [f"{row.total:,}" for row in rows]),
            tables.Column(
                "trainable", [f"{row.trainable:,}" for row in rows], rank=3
            ),
            tables.Column(
                "dense equivalent",
                [f"{row.dense_equivalent:,}" for row in rows],
                rank=1,
            ),
            tables.Column(
                "% of dense",
                [
                    f"{100.0 * row.total / row.dense_equivalent:.2f}"
                    for row in rows
                ],
            ),
            tables.Column("bytes", [f"{row.num_bytes:,}" for row in rows]),
            tables.Column(
                "multiply-adds", [*map(_multiply_adds, weights.layers), ""]
            ),
        ]
        # A file of few bits has fewer.
        of = "" if self.model_file is None else "the run's "
        lines = [
            f"{weights.megabytes:.3f} MB of {of}parameters (1 MB = 2^20 bytes)",
            self._multiply_adds_line(),
        ]
        if max_columns is not None:
            lines = [textwrap.fill(line, max_columns) for line in lines]
        return "\n".join([tables.to_text(columns, max_columns), *lines])

    def _multiply_adds_line(self) -> str:
        weights = self.weights
        text = f"{weights.multiply_adds:,} multiply-adds a video"
        if any(layer.per_frame for layer in weights.layers):
            text += f" and {weights.multiply_adds_per_frame:,} a frame"
        text += "; not counted: layers without parameters"
        return ", ".join([text, *weights.not_counted])

    def _metrics_table(self) -> str:
        names = {
            key: name.format(top_k=self.top_k)
            for key, name in METRIC_NAMES.items()
        }
        return metric_table.format_metrics(
            names, self.metrics, self.starter_metrics
        )


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A row of a table that compares models.

    Attributes:
        name: what the row is called.
        report: the JSON report of its evaluation.
        seconds: how long training took.
    """

    name: str
    report: Mapping[str, Any]
    seconds: float


def format_comparison(
    trained: Sequence[TrainedModel], max_columns: int | None = None
) -> str:
    """Writes a table that compares models: parameters, metrics, time.

    Args:
        trained: the models.
        max_columns: how wide it may be; None for as wide as it is.

    Returns:
        A table of text, a row a model.
    """
    return tables.to_text(
        [
            tables.Column(header, cells, is_name=not place)
            for place, (header, cells) in enumerate(
                _comparison_columns(trained).items()
            )
        ],
        max_columns,
    )


def format_comparison_as_markdown(trained: Sequence[TrainedModel]) -> str:
    """Writes the table of `format_comparison` for a document.

    Args:
        trained: the models.

    Returns:
        A table of Markdown, a row a model.
    """
    columns = _comparison_columns(trained)
    return tabulate.tabulate(
        columns,
        "keys",
        tablefmt="github",
        disable_numparse=True,
        colalign=["left", *["right"] * (len(columns) - 1)],
    )


def _comparison_columns(
    trained: Sequence[TrainedModel],
) -> dict[str, list[str]]:
    """Lists the texts of each column, by its header."""
    weights = [row.report["weights"] for row in trained]
    metrics = [row.report["metrics"] for row in trained]
    names = {"GAP@20": "gap", "Hit@1": "hit_at_1", "PERR": "perr", "MAP": "map"}
    return {
        "model": [row.name for row in trained],
        "parameters": [f"{one['total']:,}" for one in weights],
        "MB": [f"{one['megabytes']:.2f}" for one in weights],
        "% of dense": [f"{one['percent_of_dense']:.1f}" for one in weights],
        **{
            header: [f"{one[name]:.4f}" for one in metrics]
            for header, name in names.items()
        },
        "seconds": [f"{row.seconds:.0f}" for row in trained],
    }


def _multiply_adds(layer: weights_lib.LayerWeights) -> str:
    if layer.multiply_adds is None:
        return "-"
    return f"{layer.multiply_adds:,}{'/frame' if layer.per_frame else ''}"


class Dictable(Protocol):
    """What an evaluation found, of whatever kind."""

    def to_dict(self) -> dict[str, Any]:
        """Writes it as a dict that JSON can hold."""


def write_json(report: Dictable, path: str) -> None:
    """Writes a report to a JSON file, whole or not at all.

    Args:
        report: the report.
        path: the file.
    """
    files.write_json(path, report.to_dict())
