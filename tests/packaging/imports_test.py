"""The import scheme: setup.py's mapping and the links say the same."""

import importlib.metadata
import os
import pathlib
import runpy
import subprocess
import sys

import pytest

import project_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("readers", "models", "eval")


@pytest.fixture(scope="module")
def setup_file() -> dict:
    return runpy.run_path(str(ROOT / "setup.py"), run_name="setup_file")


def folders_with_python(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted({path.parent for path in folder.rglob("*.py")})


def test_links_equal_package_dir(setup_file):
    links = {
        f"yt8m_compact.{path.name}": os.readlink(path)
        for path in (ROOT / "yt8m_compact").iterdir()
        if path.is_symlink()
    }
    mapped = {
        package: f"../{folder}"
        for package, folder in setup_file["PACKAGE_DIR"].items()
        if package != "yt8m_compact"
    }
    assert links == mapped
    assert set(mapped) == {f"yt8m_compact.{folder}" for folder in FOLDERS}


def test_every_folder_has_an_init():
    missing = [
        str(path.relative_to(ROOT))
        for folder in ("yt8m_compact", *FOLDERS)
        for path in folders_with_python(ROOT / folder)
        if not (path / "__init__.py").is_file()
    ]
    assert not missing, f"these would vanish from the wheel: {missing}"


def test_setup_finds_every_folder(setup_file):
    on_disk = {
        ".".join(path.relative_to(ROOT).parts)
        for path in folders_with_python(ROOT / "yt8m_compact")
        if path.relative_to(ROOT).parts[1:2] not in [(f,) for f in FOLDERS]
    }
    for folder in FOLDERS:
        on_disk |= {
            ".".join(("yt8m_compact", *path.relative_to(ROOT).parts))
            for path in folders_with_python(ROOT / folder)
        }
    assert setup_file["find_packages"]() == sorted(on_disk)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_module_beside_a_link_of_its_name(folder):
    assert not (ROOT / "yt8m_compact" / f"{folder}.py").exists()


def test_lint_bans_the_folders_as_import_roots():
    lint = project_file.read_project_file()["tool"]["ruff"]["lint"]
    assert set(lint["flake8-tidy-imports"]["banned-api"]) == set(FOLDERS)


def test_coverage_measures_every_folder():
    tool = project_file.read_project_file()["tool"]
    assert tool["coverage"]["run"]["source"] == ["yt8m_compact", *FOLDERS]


def test_settings_and_texts_need_no_tensorflow():
    code = """
import sys
import yt8m_compact
from yt8m_compact import datasets, models, ops, readers, structures
from yt8m_compact.eval import evaluation
from yt8m_compact.run import command_line, config, train_dir

structure = structures.get("low_rank(rank=3) + diagonal_circulant")
settings = config.Config(
    data=config.DataConfig(frame_features=True),
    model=models.DbofConfig(fc_projection=structure),
    training=config.TrainingConfig(),
)
assert config.Config.from_json(settings.to_json(), "here") == settings
datasets.DownloadConfig()
datasets.SyntheticConfig()
datasets.ConvertConfig()
print({"tensorflow", "keras", "numpy"} & {*sys.modules})
"""
    output = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert output.strip() == "set()"


def test_version_of_an_installed_package_is_its_metadata(monkeypatch):
    monkeypatch.setattr(
        importlib.metadata, "version", {"yt8m-compact": "7"}.get
    )
    package = runpy.run_path(str(ROOT / "yt8m_compact" / "__init__.py"))
    assert package["__version__"] == "7"


def test_version_of_a_bare_checkout_is_unknown(monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    package = runpy.run_path(str(ROOT / "yt8m_compact" / "__init__.py"))
    assert package["__version__"] == "0+unknown"
