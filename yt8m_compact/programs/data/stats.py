"""Counts videos, labels and frames: table, JSON, plot.

  yt8m-data stats --input_data_pattern='data/*.tfrecord' --output_plot=data.png

It stops at a fault; `yt8m-data verify` lists them.
"""

from absl import flags

from yt8m_compact import datasets
from yt8m_compact import path_flags
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact.programs import beam_flags
from yt8m_compact.programs.data import outputs
from yt8m_compact.programs.data import shared_flags

NEEDED = ("input_data_pattern",)


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the verb's flags."""
    shared_flags.define_input(flag_values)
    shared_flags.define_features(flag_values)
    shared_flags.define_num_classes(flag_values)
    path_flags.define_path(
        "vocabulary_file",
        "",
        "CSV or .txt with the names of classes, to be shown; see `yt8m-data "
        "convert --help`. If not given, as yt8m_features.json beside the "
        "records says.",
        flag_values=flag_values,
    )
    shared_flags.define_output_json(flag_values)
    path_flags.define_path(
        "output_plot",
        "",
        "Picture to draw (.png, .svg, .pdf) with matplotlib, which "
        '`pip install "yt8m_compact[plot]"` brings.',
        flag_values=flag_values,
    )
    shared_flags.define_num_processes(flag_values)
    beam_flags.define(flag_values)


def main(flag_values: flags.FlagValues) -> int:
    """Counts; returns the exit status."""
    for name in ("output_json", "output_plot"):
        program.expect_folder(flag_values, name)
    readers.expect_local_files(flag_values.input_data_pattern)
    mapper = beam_flags.data_mapper(flag_values)
    if flag_values.output_plot:
        datasets.expect_plot(flag_values.output_plot)
    names = {}
    if flag_values.vocabulary_file:
        names = datasets.read_class_names(flag_values.vocabulary_file)
    stats = datasets.count_files(
        flag_values.input_data_pattern,
        **shared_flags.features(flag_values),
        num_classes=shared_flags.num_classes(flag_values),
        class_names=datasets.name_classes(names, max(names, default=-1) + 1),
        num_processes=flag_values.num_processes,
        mapper=mapper,
    )
    print(stats.to_text())
    with outputs.all_tried() as attempt:
        with attempt():
            outputs.write_json(flag_values.output_json, stats.to_dict())
        if flag_values.output_plot:
            with attempt():
                datasets.plot_stats(
                    stats,
                    flag_values.output_plot,
                    flag_values.input_data_pattern,
                )
                print(f"drew {flag_values.output_plot}")
    return 0
