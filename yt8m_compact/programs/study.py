"""What yt8m-train does with `--study`: many runs, and a table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from absl import flags

from yt8m_compact import lazy
from yt8m_compact import names
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import studies
from yt8m_compact import usage_error
from yt8m_compact.run import config as config_lib
from yt8m_compact.studies import plan as plan_lib
from yt8m_compact.studies import study_file

with lazy.imports():
    from yt8m_compact.studies import runner

# Of the whole study, not of its runs.
_OWN = ("train_dir", "study", "start_new_model")
# Of one run that somebody watches.
_OF_ONE_RUN = ("callbacks", "profile", "vocabulary_file")


def main(
    flag_values: flags.FlagValues,
    define_flags: Callable[[flags.FlagValues], None],
    make_config: Callable[[flags.FlagValues], config_lib.Config],
) -> int:
    """Runs a study.

    Args:
        flag_values: the flags of the command line; those of runs hold for all.
        define_flags: defines the flags that a study may name.
        make_config: makes the configuration of a run of its flags.

    Returns:
        The exit status.

    Raises:
        UsageError: if the study is missing or wrong, or the flags do not fit
            it.
        ValueError: see `studies.run_study`.
        DataError: see `studies.run_study`.
        OSError: see `studies.run_study`.
    """
    path = flag_values.study
    if flag_values.start_new_model:
        raise usage_error.UsageError(
            "expected no --start_new_model with --study: what is done is kept. "
            "Received: start_new_model=True; choose another --train_dir"
        )
    for name in _OF_ONE_RUN:
        if flag_values[name].present:
            raise usage_error.UsageError(
                f"expected no --{name} with --study, whose runs are many. "
                f"Received: {name}={flag_values[name].value!r}; give it to a "
                "run alone"
            )
    with usage_error.from_value_errors():
        study = studies.load_study(path)
    given = _given(flag_values, define_flags)
    _check_names(study, given, flag_values, path)

    def make_run_config(values: plan_lib.Values) -> config_lib.Config:
        texts = {
            name: study_file.value_text(value) for name, value in values.items()
        }
        return make_config(_flags_of({**given, **texts}, define_flags, path))

    # Before what is imported for seconds.
    plan = studies.make_plan(study, make_run_config, path)
    readers.expect_local_files(study.score_data_pattern)
    program.expect_writable_folder(flag_values, "train_dir")
    result = studies.run_study(
        study, plan, make_run_config, flag_values.train_dir
    )
    return _tell(study, result)


def _given(
    flag_values: flags.FlagValues,
    define_flags: Callable[[flags.FlagValues], None],
) -> dict[str, Any]:
    """Reads the flags of runs that the command line gave."""
    known = flags.FlagValues()
    define_flags(known)
    return {
        name: flag_values[name].value
        for name in known
        if flag_values[name].present and name not in _OWN
    }


def _check_names(
    study: studies.Study,
    given: Mapping[str, Any],
    flag_values: flags.FlagValues,
    path: str,
) -> None:
    """Refuses what is no flag of a run, and what is given twice."""
    for name in study.named:
        others = (*_OWN, *_OF_ONE_RUN)
        if name in others or name not in flag_values:
            known = [name for name in flag_values if name not in others]
            raise usage_error.UsageError(
                f"{path}: expected flags of yt8m-train, but for "
                f"{', '.join(others)}. Received: {name:.80}"
                f"{names.suggestion(name, known)}"
            )
        if name in given:
            raise usage_error.UsageError(
                f"expected {name} in {path} or --{name}, not both. Received: "
                f"{name}={given[name]!r}"
            )


def _flags_of(
    values: Mapping[str, Any],
    define_flags: Callable[[flags.FlagValues], None],
    path: str,
) -> flags.FlagValues:
    """Makes the flags of one run."""
    flag_values = flags.FlagValues()
    define_flags(flag_values)
    for name, value in values.items():
        try:
            flag_values[name].parse(value)
        except flags.Error as error:
            raise usage_error.UsageError(f"{path}: {error}") from error
        flag_values[name].using_default_value = False
    flag_values.mark_as_parsed()
    return flag_values


def _tell(study: studies.Study, result: runner.StudyResult) -> int:
    """Prints what there is; returns the exit status."""
    table = studies.to_text(study, result.runs, program.table_columns())
    print(table, flush=True)
    print(f"written: {', '.join(result.files)}")
    if result.signal_number is not None:
        print(
            f"stopped by signal {result.signal_number}; the same command "
            "continues"
        )
        return 128 + result.signal_number
    if not studies.can_plot():
        print('no plot: it needs pip install "yt8m_compact[plot]"')
    return 1 if not any(run.score for run in result.runs) else 0
