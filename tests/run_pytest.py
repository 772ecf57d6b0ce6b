"""Runs pytest on the folders it is given, as the `main` of BUILD's tests."""

import sys

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main(["-p", "no:cacheprovider", *sys.argv[1:]]))
