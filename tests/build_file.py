"""Reads BUILD as Bazel does, and the imports of what it names.

What a room may import is in `MAY_IMPORT`; tests/packaging/build_test.py fails
where a room imports anything else, or BUILD says other than the imports.
"""

import ast
import dataclasses
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LINKS = ("readers", "models", "eval")  # read through yt8m_compact/
# It has names of all rooms as attributes, and imports none of them: who uses
# one of these names needs that room.
FRONT = "yt8m_compact/__init__.py"

# The order of the rooms, lowest first: what each may import. The binaries and
# tests, which are not here, may import every room.
_RUN_AND_BELOW = {
    "base",
    "ops",
    "structures",
    "layers",
    "readers",
    "models",
    "presets",
    "run",
    "progress",
}
MAY_IMPORT = {
    "base": set(),
    "program": {"base"},
    "ops": set(),
    "structures": {"base", "ops"},
    "layers": {"base", "ops", "structures"},
    "readers": {"base", "ops"},
    "predictions": {"base", "readers"},
    "progress": {"readers"},
    "datasets": {"base", "ops", "readers", "predictions", "progress"},
    "models": {"base", "ops", "structures", "layers"},
    "presets": {"base"},
    "pipelines": {"base", "program"},
    "run": {
        "base",
        "program",
        "ops",
        "structures",
        "layers",
        "readers",
        "models",
        "presets",
    },
    "training": _RUN_AND_BELOW | {"inference"},  # teachers predict
    "inference": _RUN_AND_BELOW | {"predictions"},
    "compression": _RUN_AND_BELOW | {"training", "inference"},
    "eval_lib": _RUN_AND_BELOW | {"inference", "predictions"},
    "studies": _RUN_AND_BELOW
    | {"program", "training", "inference", "eval_lib"},
    "api": _RUN_AND_BELOW | {"datasets", "training", "inference", "eval_lib"},
    "programs": {
        "base",
        "program",
        "predictions",
        "pipelines",
        "presets",
        "readers",
        "datasets",
        "run",
        "training",
        "inference",
        "eval_lib",
        "studies",
    },
}

# Top-level modules of installed packages and their Bazel labels.
LABELS = {
    "absl": "@pypi//absl_py",
    "ai_edge_litert": "@pypi//ai_edge_litert",
    "apache_beam": "@pypi//apache_beam",
    "flatbuffers": "@pypi//flatbuffers",
    "h5py": "@pypi//h5py",
    "keras": "@pypi//keras",
    "PIL": "@pypi//pillow",
    "matplotlib": "@pypi//matplotlib",
    "mlflow": "@pypi//mlflow",
    "nbclient": "@pypi//nbclient",
    "nbformat": "@pypi//nbformat",
    "numpy": "@pypi//numpy",
    "onnx": "@pypi//onnx",
    "onnxruntime": "@pypi//onnxruntime",
    "openvino": "@pypi//openvino",
    "optuna": "@pypi//optuna",
    "packaging": "@pypi//packaging",
    "pyarrow": "@pypi//pyarrow",
    "pytest": "@pypi//pytest",
    "safetensors": "@pypi//safetensors",
    "scipy": "@pypi//scipy",
    "setuptools": "@pypi//setuptools",
    "sklearn": "@pypi//scikit_learn",
    "yaml": "@pypi//pyyaml",
    "tabulate": "@pypi//tabulate",
    "tensorboard": "@pypi//tensorboard",
    "tensorflow": "@pypi//tensorflow",
    "tensorflow_serving": "@pypi//tensorflow_serving_api",
    "tensorflow_datasets": "@pypi//tensorflow_datasets",
    "tf2onnx": "@pypi//tf2onnx",
    "tqdm": "@pypi//tqdm",
    "wandb": "@pypi//wandb",
}
# These rooms import no other package.
MAY_IMPORT_LABELS = {
    "ops": {"@pypi//numpy", "@pypi//tensorflow"},
    "structures": {"@pypi//numpy", "@pypi//tensorflow"},
    "readers": {"@pypi//numpy", "@pypi//tensorflow"},
}


@dataclasses.dataclass(frozen=True)
class Target:
    """One rule of BUILD."""

    rule: str
    name: str
    srcs: tuple[str, ...] = ()
    deps: tuple[str, ...] = ()
    main: str | None = None
    attributes: dict = dataclasses.field(default_factory=dict)

    @property
    def files(self) -> tuple[str, ...]:
        """The sources this target owns: all but a test's shared `main`."""
        if self.rule != "py_test":
            return self.srcs
        return tuple(src for src in self.srcs if src != self.main)


class BuildError(ValueError):
    """A mistake in BUILD, or an import that no target provides."""


def execute(text: str) -> tuple[dict[str, Target], dict[str, str]]:
    """Executes the text of BUILD with rules that only record their arguments.

    Args:
        text: what BUILD holds.

    Returns:
        The targets by name, and the loaded rules with the file each is from.

    Raises:
        BuildError: where two targets have one name, or a rule is not loaded.
    """
    targets = {}
    loaded = {}

    def record(rule: str):
        def declare(name, srcs=(), deps=(), main=None, **attributes):
            if name in targets:
                raise BuildError(
                    f"expected one target a name. Received: {name=}"
                )
            targets[name] = Target(
                rule, name, tuple(srcs), tuple(deps), main, attributes
            )

        return declare

    def load(file: str, *rules: str):
        for rule in rules:
            loaded[rule] = file
            names[rule] = record(rule)

    names = {
        "__builtins__": {},
        "exports_files": lambda files: None,
        "glob": _glob,
        "load": load,
        "package": lambda **attributes: None,
    }
    try:
        exec(compile(text, "BUILD", "exec"), names)
    except NameError as error:
        raise BuildError(f"expected a loaded rule. Received: {error}") from None
    return targets, loaded


def _glob(include, exclude=()) -> list[str]:
    """Stands in for Bazel's `glob`, of Python files only."""
    files = python_files()
    if not any(pattern.endswith(".py") for pattern in include):
        return []  # data, which no rule of this reader looks at
    for pattern in include:
        if not any(map(_matcher(pattern), files)):
            raise BuildError(
                "expected a pattern of files that there are. Received: "
                f"{pattern=}"
            )
    return [
        file
        for file in files
        if any(_matcher(pattern)(file) for pattern in include)
        and not any(_matcher(pattern)(file) for pattern in exclude)
    ]


def _matcher(pattern: str):
    """Returns what matches a path: `**/` is any folders, `*` within one."""
    text = re.escape(pattern)
    text = text.replace(r"\*\*/", "(?:[^/]+/)*").replace(r"\*", "[^/]*")
    return re.compile(text).fullmatch


def python_files(root: pathlib.Path = ROOT) -> list[str]:
    """Lists the .py files of every room, under their import names."""
    folders = ["yt8m_compact", *LINKS, "tests", "benchmarks", "examples"]
    paths = []
    for folder in folders:
        for path in (root / folder).rglob("*.py"):
            name = path.relative_to(root).as_posix()
            if any(name.startswith(f"yt8m_compact/{link}/") for link in LINKS):
                continue  # Python 3.13 goes through the links by itself
            paths.append(f"yt8m_compact/{name}" if folder in LINKS else name)
    return sorted(paths)


def modules(root: pathlib.Path = ROOT) -> list[str]:
    """Lists the modules of the package, the packages among them."""
    stems = [
        path.removesuffix(".py").removesuffix("/__init__")
        for path in python_files(root)
        if path.startswith("yt8m_compact/")
    ]
    return sorted(stem.replace("/", ".") for stem in stems)


def source(module: str, root: pathlib.Path = ROOT) -> pathlib.Path:
    """Returns the file of a module of the package."""
    stem = module.replace(".", "/")
    file = root / f"{stem}.py"
    return file if file.is_file() else root / stem / "__init__.py"


def imported_modules(path: pathlib.Path) -> set[str]:
    """Returns the dotted names a file imports, wherever in it.

    `from a import b` gives both `a` and `a.b`: either may be the module.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level)
    return found


def dependency(module: str, files: dict[str, str]) -> str | None:
    """Returns the label that provides a module.

    Args:
        module: a dotted name.
        files: the target by file name.

    Returns:
        `:room`, `@pypi//package`, or None for the standard library and for a
        name that is no module (the `b` of `from a import b`).

    Raises:
        BuildError: where nothing provides it.
    """
    top = module.split(".")[0]
    if top in sys.stdlib_module_names:
        return None
    if top in LABELS:
        return LABELS[top]
    if f"tests/{top}.py" in files:
        return f":{files[f'tests/{top}.py']}"
    stem = module.replace(".", "/")
    for path in (f"{stem}.py", f"{stem}/__init__.py"):
        if path in files:
            return f":{files[path]}"
    if top in ("yt8m_compact", "benchmarks") and module != top:
        parent = dependency(module.rpartition(".")[0], files)
        if parent:
            return None  # a name in a module, which is listed by itself
    raise BuildError(
        "expected a module of yt8m_compact, of benchmarks/ or tests/, or of a "
        f"package in tests/build_file.py LABELS. Received: {module=}"
    )


def expected_deps(target: str, files: dict[str, str]) -> list[str]:
    """Returns the labels that the files of a target import.

    Args:
        target: the name of a target.
        files: the target by file name.
    """
    labels = set()
    for path, name in files.items():
        if name != target or path == FRONT:
            continue
        if path.startswith("yt8m_compact/"):
            labels.add(":base")
        try:
            for module in imported_modules(ROOT / path):
                labels.add(dependency(module, files))
        except BuildError as error:
            raise BuildError(f"{path}: {error}") from None
    labels -= {None, f":{target}"}
    if target.endswith("_test"):
        labels |= {":test_support", LABELS["pytest"]}
    return sorted(labels, key=lambda label: (label.startswith("@"), label))
