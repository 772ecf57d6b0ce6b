"""Fixtures that all tests share."""

import os
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real data, beside the repository or $YT8M_SHARED_DATA."""
    named = os.environ.get("YT8M_SHARED_DATA")
    folder = pathlib.Path(named) if named else _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        reason = (
            f"the real data are not in {folder}; set YT8M_SHARED_DATA to the "
            "folder that holds them"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a test by its argument, not by bytes that vary between runs.

    Serialized protos have their maps in an order that changes, and workers
    that run in parallel must collect the same tests.
    """
    return argname if isinstance(val, bytes) else None
