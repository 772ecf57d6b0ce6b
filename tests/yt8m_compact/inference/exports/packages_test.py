"""Tests of packages that only exports need."""

import re

import pytest

from yt8m_compact.inference.exports import packages


def test_what_is_missing_is_told():
    packages.expect(("numpy", "absl"), "--format=onnx")
    message = (
        "expected the packages that --format=onnx needs. Received: no nowhere, "
        'missing; pip install "yt8m-compact[export]"'
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        packages.expect(("nowhere", "numpy", "missing"), "--format=onnx")
