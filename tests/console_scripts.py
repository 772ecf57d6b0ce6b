"""The console scripts: their modules, and what commands of them answer."""

from collections.abc import Sequence
import json
import pathlib
from typing import NamedTuple

import tiny_runs
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import compress
from yt8m_compact.programs import demo
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.programs import train
from yt8m_compact.programs.data import main as data

PROGRAMS = {
    "yt8m-train": train,
    "yt8m-eval": evaluate,
    "yt8m-export": export,
    "yt8m-predict": predict,
    "yt8m-data": data,
    "yt8m-compress": compress,
    "yt8m-demo": demo,
}

# One process imports, and runs each command in a child of its own.
_RUN_ALL = """
import importlib, json, os, sys, tempfile, traceback

HEAVY = [
    "tensorflow", "keras", "tensorboard", "tensorflow_datasets", "google",
    "h5py", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "apache_beam"]

def heavy():
    return [name for name in HEAVY if name in sys.modules]

modules, commands = json.loads(sys.argv[1])
for module in modules:
    importlib.import_module(module)
results = [heavy()]
for module, arguments in commands:
    streams = [tempfile.TemporaryFile("w+") for _ in range(3)]
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams[:2], start=1):
            os.dup2(stream.fileno(), number)
        sys.argv = arguments
        status = 99
        try:
            importlib.import_module(module).run()
        except SystemExit as error:
            status = error.code or 0
        except BaseException:
            traceback.print_exc()
        json.dump(heavy(), streams[2])
        for stream in (sys.stdout, sys.stderr, streams[2]):
            stream.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    texts = []
    for stream in streams:
        stream.seek(0)
        texts.append(stream.read())
    results.append([
        os.waitstatus_to_exitcode(status), *texts[:2], json.loads(texts[2])])
print(json.dumps(results))
"""


class Answer(NamedTuple):
    """What a command answered.

    Attributes:
        status: its exit status.
        output: its standard output.
        errors: its standard error.
        heavy: the heavy packages that it had imported at its end.
    """

    status: int
    output: str
    errors: str
    heavy: list[str]


def answers(
    commands: Sequence[Sequence[str]],
    folder: pathlib.Path,
    imports: Sequence[str],
) -> tuple[list[str], list[Answer]]:
    """Runs commands, each in a child of one process.

    Args:
        commands: the name of a program and its arguments, each.
        folder: where they run.
        imports: the modules that the process imports before.

    Returns:
        The heavy packages that those imported, and what each command answered.
    """
    modules = [
        (PROGRAMS[name].__name__, [name, *rest]) for name, *rest in commands
    ]
    script = json.dumps([list(imports), modules])
    done = tiny_runs.execute("-c", _RUN_ALL, script, folder=folder)
    assert done.returncode == 0, done.stderr
    at_import, *results = json.loads(done.stdout)
    return at_import, [Answer(*result) for result in results]
