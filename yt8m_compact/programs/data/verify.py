r"""Looks at every byte and record; writes what is good to new files.

  yt8m-data verify --input_data_pattern='data/train*.tfrecord' \
    --official_split=2018/train --repair=repaired

The exit status is 1 where anything is wrong. It finds damaged and missing
bytes, records that don't parse or lack a feature, wrong sizes, labels out of
range, no or duplicate ids, NaN, videos without frames, and files with another
number of records than a manifest says.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import task_mapping
from yt8m_compact.programs import beam_flags
from yt8m_compact.programs.data import outputs
from yt8m_compact.programs.data import shared_flags

NEEDED = ("input_data_pattern",)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_input(flag_values)
    shared_flags.define_features(flag_values)
    shared_flags.define_num_classes(flag_values)
    path_flags.define_paths(
        "manifest",
        [],
        "Files that say how many records each file has: JSON or CSV, comma-"
        "separated; names are paths from its folder. Those that yt8m-data "
        "wrote next to the data are read anyway.",
        flag_values=flag_values,
    )
    flags.DEFINE_enum(
        "official_split",
        "",
        ["", *datasets.OFFICIAL_COUNTS],
        "The files are this whole split of YouTube-8M and must hold its "
        "published number of videos.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "repair",
        "",
        "Folder to write the good records of files with faults to; the files "
        "themselves stay as they are.",
        flag_values=flag_values,
    )
    path_flags.define_path(
        "write_manifest",
        "",
        "JSON file to write the number of records of each file to, for later "
        "runs; next to the data as yt8m_manifest.json it is found by itself.",
        flag_values=flag_values,
    )
    shared_flags.define_output_json(flag_values)
    shared_flags.define_num_processes(flag_values)
    beam_flags.define(flag_values)


def main(flag_values: flags.FlagValues) -> int:
    """Verifies; returns the exit status."""
    for name in ("output_json", "write_manifest"):
        program.expect_folder(flag_values, name)
    features = shared_flags.features(flag_values)
    num_classes = shared_flags.num_classes(flag_values)
    readers.expect_local_files(flag_values.input_data_pattern)
    mapper = beam_flags.data_mapper(flag_values)
    if flag_values.repair:
        datasets.expect_repair_folder(
            readers.expand_patterns(flag_values.input_data_pattern),
            flag_values.repair,
        )
    report = datasets.verify_files(
        flag_values.input_data_pattern,
        **features,
        num_classes=num_classes,
        manifests=flag_values.manifest,
        official_split=flag_values.official_split,
        num_processes=flag_values.num_processes,
        mapper=mapper,
    )
    print(report.to_text(program.table_columns()))
    # Each by itself, and before the repair, which may fail: the reading may
    # have taken hours.
    values = report.to_dict()
    with outputs.all_tried() as attempt:
        with attempt():
            outputs.write_json(flag_values.output_json, values)
        with attempt():
            _write_manifest(flag_values.write_manifest, report)
        if flag_values.repair:
            with attempt():
                values |= _repair(report, flag_values, mapper)
                outputs.write_json(flag_values.output_json, values, say=False)
    return 0 if report.good else 1


def _write_manifest(path: str, report: datasets.Report) -> None:
    if not path:
        return
    datasets.write_manifest(
        path,
        {
            datasets.name_in_manifest(file.file, path): datasets.Expected(
                file.num_videos, file.num_bytes
            )
            for file in report.files
            if not file.counts
        },
    )
    bad = sum(bool(file.counts) for file in report.files)
    left_out = f", without {bad} files with faults" if bad else ""
    print(f"wrote {path}{left_out}")


def _repair(
    report: datasets.Report,
    flag_values: flags.FlagValues,
    mapper: task_mapping.Mapper | None,
) -> dict[str, Any]:
    """Repairs, says what was done, and returns it for the JSON."""
    repaired = datasets.repair_files(
        report,
        flag_values.repair,
        num_processes=flag_values.num_processes,
        mapper=mapper,
    )
    for file in repaired:
        print(
            f"{file.output or f'nothing of {file.file}'}: "
            f"{file.num_written:,} records written; left out: "
            f"{file.num_left_out:,} records with faults, and "
            f"{file.lost_bytes:,} bytes that hold no record"
        )
    not_repaired = datasets.explain_unrepaired(report)
    for file, text in not_repaired.items():
        print(f"{file}: {text}")
    if not repaired:
        print(f"nothing to repair: no file was written to {flag_values.repair}")
    return {
        "repaired": [dataclasses.asdict(file) for file in repaired],
        "not_repaired": not_repaired,
    }
