"""Tests of what is wrong with a command line."""

import pytest

from yt8m_compact import usage_error


def test_value_errors_become_usage_errors():
    cause = ValueError("expected a. Received: b")
    with pytest.raises(usage_error.UsageError, match="^expected a. Recei") as e:
        with usage_error.from_value_errors():
            raise cause
    assert e.value.__cause__ is cause


def test_other_errors_stay():
    with pytest.raises(OSError, match="^disk$"):
        with usage_error.from_value_errors():
            raise OSError("disk")
