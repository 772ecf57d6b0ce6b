"""Runs pytest on the folders it is given, as the `main` of BUILD's tests."""

import sys

import pytest

if __name__ == "__main__":
    # All of them: pyproject.toml leaves out the slow ones.
    sys.exit(pytest.main(["-p", "no:cacheprovider", "-m", "", *sys.argv[1:]]))
