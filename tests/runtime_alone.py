"""Python with a runtime and nothing else, as where a model is deployed.

The packages are those of this environment, in a folder of links, and Python
sees no others: nothing is downloaded.
"""

from collections.abc import Sequence
import importlib.metadata
import os
import pathlib
import subprocess
import sys

# What each runtime needs to predict.
PACKAGES = {
    "litert": ("ai-edge-litert", "numpy"),
    "onnx": ("onnxruntime", "numpy"),
    "openvino": ("openvino", "numpy"),
}

_START = """
import runpy, sys
folder, script, *arguments = sys.argv[1:]
sys.path.insert(0, folder)
try:
    import tensorflow
except ImportError:
    pass
else:
    sys.exit("TensorFlow is here, too")
sys.argv = [script, *arguments]
runpy.run_path(script, run_name="__main__")
"""


def make_environment(runtime: str, folder: pathlib.Path) -> pathlib.Path:
    """Links to the packages of a runtime.

    Args:
        runtime: one of `PACKAGES`.
        folder: a folder that is empty.

    Returns:
        The folder.
    """
    for name in PACKAGES[runtime]:
        distribution = importlib.metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files}
        for top in tops - {"..", "__pycache__"}:
            os.symlink(distribution.locate_file(top), folder / top)
    return folder


def run(
    environment: pathlib.Path, script: str | os.PathLike, *arguments: str
) -> subprocess.CompletedProcess:
    """Runs a script by a Python that sees an environment alone.

    Args:
        environment: of `make_environment`.
        script: the script.
        *arguments: its arguments.
    """
    command: Sequence[str] = [
        sys.executable,
        "-I",  # no PYTHONPATH
        "-S",  # no site-packages
        "-c",
        _START,
        *map(str, (environment, script, *arguments)),
    ]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
