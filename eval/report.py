"""Reports of an evaluation: tables for people, JSON for programs."""

from collections.abc import Mapping, Sequence
import dataclasses
from typing import Any, Protocol

import tabulate

from yt8m_compact import files
from yt8m_compact import readers
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

    def to_text(self) -> str:
        """Writes the report as tables of text."""
        sections = [f"{self.model}{self._origin()}", self.weights_table()]
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

    def weights_table(self) -> str:
        """Writes the weights, layer by layer, as a table of text."""
        rows = [
            [
                layer.name,
                layer.kind,
                f"{layer.output_size:,}",
                *_counts(layer.total, layer.trainable, layer.dense_equivalent),
                f"{layer.num_bytes:,}",
                _multiply_adds(layer),
            ]
            for layer in self.weights.layers
        ]
        weights = self.weights
        total = _counts(
            weights.total, weights.trainable, weights.dense_equivalent
        )
        rows.append(["total", "", "", *total, f"{weights.num_bytes:,}", ""])
        megabytes = f"{weights.megabytes:.3f} MB"
        # A file of few bits has fewer.
        of = "" if self.model_file is None else "the run's "
        return (
            _table(
                rows,
                [
                    "layer",
                    "kind",
                    "units",
                    "parameters",
                    "trainable",
                    "dense equivalent",
                    "% of dense",
                    "bytes",
                    "multiply-adds",
                ],
                "llrrrrrrr",
            )
            + f"\n{megabytes} of {of}parameters (1 MB = 2^20 bytes)\n"
            + self._multiply_adds_line()
        )

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
    trained: Sequence[TrainedModel], tablefmt: str = "simple"
) -> str:
    """Writes a table that compares models: weights, metrics, time.

    Args:
        trained: the models.
        tablefmt: one of tabulate's formats, such as `github`.

    Returns:
        A table of text, a row a model.
    """
    rows = []
    for row in trained:
        weights, metrics = row.report["weights"], row.report["metrics"]
        names = ("gap", "hit_at_1", "perr", "map")
        rows.append(
            [
                row.name,
                f"{weights['total']:,}",
                f"{weights['megabytes']:.2f}",
                f"{weights['percent_of_dense']:.1f}",
                *(f"{metrics[name]:.4f}" for name in names),
                f"{row.seconds:.0f}",
            ]
        )
    headers = ["model", "parameters", "MB", "% of dense", "GAP@20", "Hit@1"]
    headers += ["PERR", "MAP", "seconds"]
    align = "l" + "r" * (len(headers) - 1)
    return _table(rows, headers, align, tablefmt)


def _counts(total: int, trainable: int, dense: int) -> list[str]:
    percent = f"{100.0 * total / dense:.2f}"
    return [f"{total:,}", f"{trainable:,}", f"{dense:,}", percent]


def _multiply_adds(layer: weights_lib.LayerWeights) -> str:
    if layer.multiply_adds is None:
        return "-"
    return f"{layer.multiply_adds:,}{'/frame' if layer.per_frame else ''}"


def _table(
    rows: list[list[str]],
    headers: list[str],
    align: str,
    tablefmt: str = "simple",
) -> str:
    names = {"l": "left", "r": "right"}
    return tabulate.tabulate(
        rows,
        headers,
        tablefmt=tablefmt,
        disable_numparse=True,
        colalign=[names[letter] for letter in align],
    )


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
