"""The report that yt8m-export makes of what it writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import os
from typing import Any

from absl import flags

from yt8m_compact import files
from yt8m_compact import lazy
from yt8m_compact import path_flags
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib

with lazy.imports():
    import keras

    from yt8m_compact.eval import evaluation
    from yt8m_compact.eval import weights
    from yt8m_compact.inference import artefacts
    from yt8m_compact.inference.exports import companions
    from yt8m_compact.inference.exports import report as report_lib
    from yt8m_compact.run import train_dir as train_dir_lib


# Exports a model of a configuration to a folder.
Save = Callable[[str, config_lib.Config, Any], object]


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the flags of the report."""
    path_flags.define_pattern(
        "report_data_pattern",
        "",
        "Records with labels that report.json is about, glob patterns, "
        "comma-separated: GAP@20 of what was written is computed on all of "
        "them, and its scores are compared with the model's on the first 256. "
        "Without any, inputs are drawn at random.",
        flag_values=flag_values,
    )
    flags.DEFINE_bool(
        "measure",
        None,
        "Whether the report has times, memory and a dense equivalent, too, "
        "which take from ten seconds to minutes; if not given, it does with "
        "--report_data_pattern.",
        flag_values=flag_values,
    )


def check_flags(flag_values: flags.FlagValues) -> None:
    """Tells early what is wrong with the flags of the report.

    Args:
        flag_values: the flags.

    Raises:
        DataError: if there are no such files.
    """
    if flag_values.report_data_pattern:
        readers.expect_local_files(flag_values.report_data_pattern)


def make_reporter(
    flag_values: flags.FlagValues,
    config: config_lib.Config,
    model: keras.Model,
) -> Reporter:
    """Makes what reports on exports of a model, as the flags say.

    Args:
        flag_values: the flags.
        config: the configuration of its run.
        model: the model, which no format has changed yet.
    """
    pattern = flag_values.report_data_pattern
    measured = flag_values.measure
    if measured is None:
        measured = bool(pattern)
    return Reporter(config, model, pattern, measured)


def to_text(reports: Sequence[report_lib.Report]) -> str:
    """Writes reports on exports of one model as one table.

    Args:
        reports: at least one.
    """
    rows = []
    for report in reports:
        first, *others = report.rows
        rows.append(first)
        if len(reports) > 1:  # Each format has its own.
            others = [
                dataclasses.replace(row, name=f"- {row.name}") for row in others
            ]
        rows += others
    return dataclasses.replace(reports[0], rows=tuple(rows)).to_text()


class Reporter:
    """Reports on exports of one model.

    Args:
        config: the configuration of its run.
        model: the model, which no format has changed yet.
        data_pattern: records with labels; "" for none.
        measured: whether times, memory and dense equivalents are wanted.
    """

    def __init__(
        self,
        config: config_lib.Config,
        model: keras.Model,
        data_pattern: str,
        measured: bool,
    ) -> None:
        self._config = config
        self._measured = measured
        self._num_weights = weights.count_weights(model).total
        self._reference = report_lib.make_reference(config, model, data_pattern)
        self._evaluator = self._gap = None
        if data_pattern:
            self._evaluator = evaluation.Evaluator(None, data_pattern)
            found = self._evaluator.evaluate_model(config, model)
            self._gap = found.metrics["gap"]

    def report(
        self,
        name: str,
        folder: str,
        twins: Mapping[str, Save],
    ) -> report_lib.Report:
        """Reports on an export: `report.json`, and a section of its card.

        Args:
            name: the format.
            folder: where it was written.
            twins: what exports the same model with dense projections, by the
                name of its column: in the same way, or in fewer bits.

        Returns:
            The report.

        Raises:
            ValueError: if the export can't be opened.
            OSError: if the report can't be written.
        """
        inputs = self._reference.inputs if self._measured else None
        rows = [
            report_lib.measure(
                name,
                folder,
                self._num_weights,
                self._reference,
                inputs=inputs,
                score=self._score if self._evaluator else None,
            )
        ]
        if self._measured:
            rows += [
                self._measure_twin(twin, save) for twin, save in twins.items()
            ]
        result = report_lib.make(
            self._config, rows, self._reference, model_gap=self._gap
        )
        report_lib.write(result, folder)
        companions.add_section(
            folder, "Size, scores and time", report_lib.markdown(result)
        )
        return result

    def _measure_twin(self, name: str, save: Save) -> report_lib.Row:
        config = report_lib.dense_twin(self._config)
        twin = train_dir_lib.build_model(config)
        number = weights.count_weights(twin).total
        with files.temporary_folder() as scratch:
            path = os.path.join(scratch, "twin")
            save(path, config, twin)
            return report_lib.measure(
                name, path, number, None, inputs=self._reference.inputs
            )

    def _score(
        self, config: config_lib.Config, model: artefacts.Artefact
    ) -> float:
        found = self._evaluator.evaluate_artefact(config, model)
        return found.metrics["gap"]
