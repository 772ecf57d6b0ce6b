"""Tests of the names of runners and of their options."""

import sys

import pytest

from yt8m_compact import pipelines
from yt8m_compact import usage_error
from yt8m_compact.pipelines import beam_options


@pytest.mark.parametrize(
    ("runner", "options", "message"),
    [
        (
            "DirctRunner",
            "",
            "such as Dir.*runner='DirctRunner' .*Unexp",
        ),
        ("no.such.Runner", "", "runner='no.such.Runner' .No module named"),
        ("direct", "--direct_num_wrkers=2", "mean --direct_num_workers?"),
        ("direct", "--direct_running_mode=a", "invalid choice: 'a'"),
        (
            "direct",
            "direct_num_workers=2",
            r"`=` before values.*\(direct_n",
        ),
        ("direct", "--job_name='a", "No closing quotation"),
        ("direct", "--runner=DirectRunner", "expected --runner by itself"),
        ("FlinkRunner", "--parallelism=2", "to have --temp_location, a"),
        (
            "DataflowRunner",
            "--temp_location=/tmp",
            "with.*option: project",
        ),
    ],
)
def test_what_is_refused(runner, options, message):
    with pytest.raises(usage_error.UsageError, match=message):
        pipelines.make_mapper(runner, options)


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(
        usage_error.UsageError,
        match=r"needs: pip install 'yt8m-compact\[beam\]'. Received: ",
    ):
        pipelines.make_mapper("DirectRunner")


def test_options_are_passed_through():
    options = beam_options.parse_options(
        "--direct_num_workers=3 --temp_location='gs://a/b c' "
        "--experiments=a --experiments=b"
    )
    values = options.get_all_options()
    assert values["direct_num_workers"] == 3
    assert values["experiments"] == ["a", "b"]
    assert beam_options.temp_location(options) == "gs://a/b c"
