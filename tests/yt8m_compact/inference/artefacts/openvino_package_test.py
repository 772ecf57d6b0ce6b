"""Tests of how OpenVINO is imported."""

import os
import subprocess
import sys

# What reports to its makers writes to the home folder as soon as it is
# imported, and sends from another thread.
_SCRIPT = """
import os, sys
from yt8m_compact.inference.artefacts import openvino_package
openvino = openvino_package.load()
assert openvino_package.load() is openvino
print(openvino.Core().available_devices)
print("openvino_telemetry" in sys.modules, os.listdir(os.environ["HOME"]))
"""


def run(home: str) -> list[str]:
    outside = {"CI", "TF_BUILD", "JENKINS_URL"}
    kept = {k: v for k, v in os.environ.items() if k not in outside}
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        env={**kept, "HOME": home},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_nothing_is_reported(tmp_path):
    devices, found = run(str(tmp_path))
    assert "CPU" in devices
    assert found == "False []"
