"""The commands and the Python of the documents work, as far as is cheap to try.

Commands are parsed by the programs' own flags, not started. Of Python code all
names are looked up, and the arguments of calls bound; what is quick runs.
"""

import ast
import builtins
import functools
import importlib
import importlib.util
import inspect
import json
import re
import shlex

from absl import flags
import keras
import numpy as np
import pytest

import project_file
import small_artefacts
import tiny_runs
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import compress
from yt8m_compact.programs import demo
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.programs import train
from yt8m_compact.programs.data import main as data
from yt8m_compact.run import command_line

_ROOT = project_file.ROOT
_FOLDERS = (".", "docs", "examples/*", "yt8m_compact/**")
_DOCUMENTS = sorted(
    path.relative_to(_ROOT).as_posix()
    for folder in _FOLDERS
    for path in _ROOT.glob(f"{folder}/*.md")
    if ".venv" not in path.parts[len(_ROOT.parts)]
)
_PROGRAMS = {
    "yt8m-train": train,
    "yt8m-eval": evaluate,
    "yt8m-export": export,
    "yt8m-predict": predict,
    "yt8m-compress": compress,
    "yt8m-demo": demo,
}
# What stands for something of the reader's.
_PLACEHOLDERS = {
    "bias",
    "data",
    "dense_labels",
    "features",
    "frames",
    "kernel",
    "labels",
    "model",
    "model_of_yours",
    "name",
    "num_frames",
    "record",
    "scores",
    "strategy",
}
# Commands that find what they name in the root of a clone alone.
_OF_THE_ROOT = re.compile(
    r"python3? -m benchmarks|python3? examples/|cp -r examples|yt8m_compact/"
    r"|pip install (-e )?[\"']?\.|mkdocs"
)


def _blocks(document: str) -> list[tuple[str, str]]:
    """Finds the blocks of code of a document: language and text."""
    text = (_ROOT / document).read_text()
    return re.findall(r"```(\w*)\n(.*?)```", text, re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """Finds the commands of our programs in the text of a shell.

    Args:
        text: what a block of code holds.

    Returns:
        The words of each, variables replaced by what was assigned to them.
    """
    found, variables = [], {}
    for line in text.replace("\\\n", " ").splitlines():
        for name, value in variables.items():
            line = re.sub(rf"\${name}\b", value, line)
        if assignment := re.fullmatch(r'(\w+)="(.*)"', line):
            variables[assignment[1]] = assignment[2]
        for part in re.split(r" && | \| ", line.strip()):
            if re.match(r"yt8m-\w+( |$)", part):
                found.append(shlex.split(part, comments=True))
    return found


def _cases():
    for document in _DOCUMENTS:
        shell = "\n".join(
            text for language, text in _blocks(document) if language != "python"
        )
        for words in commands(shell):
            yield pytest.param(words, id=f"{document}-{' '.join(words):.60}")


def _parse(words: list[str]) -> flags.FlagValues | None:
    """Parses a command without starting it."""
    program, *arguments = words
    if "..." in arguments:  # The rest is as in a command before.
        arguments.remove("...")
        arguments.insert(0, "--train_dir=before")
    if program == "yt8m-data":
        return data.parse(arguments).flag_values
    return tiny_runs.parse_flags(_PROGRAMS[program].define_flags, *arguments)


@pytest.mark.parametrize("words", list(_cases()))
def test_commands_are_parsed_by_their_programs(words):
    flag_values = _parse(words)
    if "..." in words:
        return
    given = {name for name in flag_values if flag_values[name].present}
    if words[0] == "yt8m-train" and not given & {"data", "study", "init_from"}:
        command_line.config_from_flags(flag_values)
    elif words[0] == "yt8m-eval" and "parameters_only" in given:
        command_line.model_from_flags(flag_values)


def test_wrong_commands_are_not_parsed():
    (words,) = commands("a='b' yt8m\nyt8m-train --batch_sise=3 \\\n  --x # c\n")
    assert words == ["yt8m-train", "--batch_sise=3", "--x"]
    with pytest.raises(flags.UnrecognizedFlagError, match="batch_sise"):
        _parse(words)
    with pytest.raises(flags.IllegalFlagValueError, match="batch_size"):
        _parse(["yt8m-train", "--batch_size=many"])
    with pytest.raises((flags.Error, ValueError), match="repak"):
        _parse(["yt8m-data", "repak"])


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_flags_in_the_text_exist(document):
    text = re.sub(
        r"```.*?```", "", (_ROOT / document).read_text(), flags=re.DOTALL
    )
    for command in re.findall(r"`(yt8m-\w+ [^`]*)`", text):
        program, *words = command.split()
        flag_values = flags.FlagValues()
        if program == "yt8m-data":
            if words[0] not in data.VERBS:  # `yt8m-data --help`
                continue
            data.VERBS[words[0]].define_flags(flag_values)
        else:
            _PROGRAMS[program].define_flags(flag_values)
        known = {*flag_values, *(f"no{name}" for name in flag_values)}
        known |= {"help", "helpfull", "version", "verbosity"}
        assert set(re.findall(r"--(\w+)", command)) <= known, command


@pytest.mark.parametrize("document", _DOCUMENTS)
def test_commands_of_the_root_say_so(document):
    for language, text in _blocks(document):
        if language != "bash" or not _OF_THE_ROOT.search(text):
            continue
        # Of these two documents the text before does.
        if document not in ("README.md", "CONTRIBUTING.md"):
            assert text.startswith("# In the root of a clone"), text


def test_readme_has_commands_of_nearly_every_program():
    shell = "\n".join(
        text for language, text in _blocks("README.md") if language == "bash"
    )
    found = {words[0] for words in commands(shell)}
    assert found == {*_PROGRAMS} - {"yt8m-compress"}


def test_the_compact_model_of_the_readme_has_the_parameters_it_says(tmp_path):
    shell = "\n".join(
        text for language, text in _blocks("README.md") if language == "bash"
    )
    (words,) = [
        words for words in commands(shell) if "--parameters_only" in words
    ]
    path = tmp_path / "report.json"
    flag_values = _parse([*words, f"--output_json={path}"])
    assert evaluate.main(flag_values, []) == 0
    counted = json.loads(path.read_text())["weights"]
    millions = f"{counted['total'] / 1e6:.1f} million parameters"
    assert f"{millions}, {counted['percent_of_dense']:.1f} %" in shell


def _python(document: str) -> list[str]:
    return [
        text for language, text in _blocks(document) if language == "python"
    ]


def _modules(tree: ast.Module) -> dict[str, object]:
    """Imports what code imports; what is not installed stands for itself."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                module = None
                if importlib.util.find_spec(first):
                    importlib.import_module(alias.name)
                    module = importlib.import_module(first)
                found[alias.asname or first] = module
        elif isinstance(node, ast.ImportFrom):
            first = node.module.split(".")[0]
            for alias in node.names:
                found[alias.asname or alias.name] = (
                    _attribute(node.module, alias.name)
                    if importlib.util.find_spec(first)
                    else None
                )
    return found


def _attribute(module: str, name: str) -> object:
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError:
        return importlib.import_module(f"{module}.{name}")


def _look_up(node: ast.expr, names: dict[str, object]) -> object:
    """Looks up `a.b.c`, None where that is no value that is known."""
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        value = _look_up(node.value, names)
        return None if value is None else getattr(value, node.attr)
    return None


def check_names(code: str, known: dict[str, object]) -> None:
    """Fails where code names what does not exist, or calls it wrongly.

    Args:
        code: the code.
        known: names of code before; gets those of this.
    """
    tree = ast.parse(code)
    compile(tree, "document", "exec")
    known |= _modules(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.setdefault(node.id, None)
        elif isinstance(node, ast.FunctionDef):
            known.setdefault(node.name, None)
        elif isinstance(node, ast.arg):
            known.setdefault(node.arg, None)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            exists = node.id in known or hasattr(builtins, node.id)
            assert exists or node.id in _PLACEHOLDERS, node.id
        elif isinstance(node, ast.Attribute):
            _look_up(node, known)
        elif isinstance(node, ast.Call):
            function = _look_up(node.func, known)
            try:
                signature = inspect.signature(function)
            except (TypeError, ValueError):  # of C, or not known
                continue
            positional = [None] * len(node.args)
            keywords = {word.arg: None for word in node.keywords}
            signature.bind(*positional, **keywords)


@pytest.mark.parametrize(
    "document", [name for name in _DOCUMENTS if _python(name)]
)
def test_names_of_python_exist(document):
    known = {}
    for code in _python(document):
        check_names(code, known)


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("from yt8m_compact import layers\nlayers.Projektion(3)", "Projektion"),
        ("from yt8m_compact import no_room", "no_room"),
        (
            "from yt8m_compact import compression\n"
            "compression.compress(model, data, bugdet='1MB')",
            "budget|bugdet",
        ),
        ("predict(features)", "predict"),
        ("f(", "never closed"),
    ],
)
def test_wrong_python_is_found(code, error):
    errors = (
        AssertionError,
        AttributeError,
        ImportError,
        SyntaxError,
        TypeError,
    )
    with pytest.raises(errors, match=error):
        check_names(code, {})


def _run(document: str, part: str, **names) -> dict:
    """Runs the block that has a text in it; returns the names."""
    (code,) = [code for code in _python(document) if part in code]
    exec(code, names)
    return names


@functools.cache
def _features() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, 1152))


@pytest.mark.slow
@pytest.mark.parametrize(
    "document", ["README.md", "docs/usage.md", "yt8m_compact/presets/README.md"]
)
def test_presets_of_the_documents_run(document):
    import yt8m_compact

    names = _run(
        document,
        "load_preset",
        yt8m_compact=yt8m_compact,
        name="yt8m_2018_video_100k",
        features=_features(),
    )
    named = names["classifier"].predict(_features(), top_k=5)
    assert [len(of_video) for of_video in named] == [5, 5]
    assert [*named] == [*names.get("named", named)]


@pytest.mark.slow
def test_layers_of_the_readme_run():
    model = keras.Sequential(
        [keras.Input((200,)), keras.layers.Dense(300, name="dense")]
    )
    names = _run("README.md", "compactify", model_of_yours=model)
    text = (_ROOT / "README.md").read_text()
    counts = re.search(r"# ([\d,]+) against ([\d,]+)", text)
    found = names["fc"].count_params(), names["fc"].dense_weight_count
    assert [f"{count:,}" for count in found] == list(counts.groups())
    assert names["fc"].as_dense_kernel().shape == (8192, 512)
    structure = names["compact"].get_layer("dense").structure
    assert str(structure) == "low_rank(rank=64) + diagonal_circulant"


@pytest.mark.slow
def test_projections_of_the_document_run():
    document = "docs/projections.md"
    model = _run(document, "keras.Sequential")["model"]
    assert model.output_shape == (None, 3862)
    dense = keras.Sequential([keras.Input((200,)), keras.layers.Dense(300)])
    from yt8m_compact import layers

    compact = _run(document, "compact.compile", layers=layers, model=dense)
    assert compact["compact"].count_params() < dense.count_params()
    frames = _run(document, "FrameNormalization")["model"]
    assert frames.output_shape == (None, 8192)


@pytest.mark.slow
def test_compression_of_the_document_runs():
    model = keras.Sequential(
        [
            keras.Input((60,)),
            keras.layers.Dense(80, "relu"),
            keras.layers.Dense(10, "sigmoid"),
        ]
    )
    (code,) = _python("docs/compression.md")
    assert 'budget="200kB"' in code
    inputs = np.random.default_rng(0).standard_normal((64, 60), np.float32)
    names = {"model": model, "data": inputs}
    exec(code.replace("200kB", "10kB"), names)
    assert names["small"].model.output_shape == (None, 10)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "file", "format_name"),
    [
        ("Interpreter(", "model.tflite", "litert"),
        ("onnxruntime", "model.onnx", "onnx"),
        ("openvino", "model.xml", "openvino"),
        ("artefacts.load", "runs/mlp/litert/model.tflite", "litert"),
    ],
)
def test_runtimes_of_the_document_run(part, file, format_name):
    made = small_artefacts.make("video")
    (code,) = [code for code in _python("docs/export.md") if part in code]
    assert f'"{file}"' in code
    size = sum(made.run.config.data.feature_sizes)
    names = {"features": np.zeros((1, size), np.float32)}
    exec(code.replace(file, made.file(format_name)), names)
    num_classes = made.run.config.data.num_classes
    assert np.shape(names["scores"])[-1] == num_classes
