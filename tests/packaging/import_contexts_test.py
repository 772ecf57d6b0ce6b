"""Every module imports from a wheel, an editable install and a checkout.

Nothing is downloaded: the build runs without isolation, with the setuptools of
the test extra, and the virtual environments see the packages installed here.
"""

import importlib
import json
import os
import pathlib
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile

import pytest

import build_file
import project_file

pytestmark = pytest.mark.slow

ROOT = build_file.ROOT
FOLDERS = ("readers", "models", "eval")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
OFFLINE = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]


def run(command, **kwargs):
    process = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        **kwargs,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def copy_checkout(target):
    """Copies the checkout, so that no build leaves anything in it."""
    shutil.copytree(
        ROOT,
        target,
        symlinks=True,
        ignore=shutil.ignore_patterns(
            ".*", "__pycache__", "*.egg-info", "build", "dist", "bazel-*"
        ),
    )
    return target


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copy_checkout(tmp_path_factory.mktemp("plain") / "checkout")


@pytest.fixture(scope="module")
def checkout_without_links(tmp_path_factory):
    """A clone by a git without symbolic links: small files hold the targets."""
    path = copy_checkout(tmp_path_factory.mktemp("no_links") / "checkout")
    for folder in FOLDERS:
        link = path / "yt8m_compact" / folder
        target = os.readlink(link)
        link.unlink()
        link.write_text(target)
    return path


def build_wheel(source, folder):
    run([*PIP, "wheel", *OFFLINE, "--wheel-dir", folder, source])
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory):
    return build_wheel(checkout, tmp_path_factory.mktemp("wheel"))


def make_environment(path):
    """Makes a virtual environment that also sees the packages of this one."""
    run([sys.executable, "-m", "venv", "--without-pip", path])
    python = path / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    purelib = pathlib.Path(run([python, "-c", code]).strip())
    # A .pth file that is reached through another one is not executed: an
    # editable install of this environment stays out of sight.
    (purelib / "packages_of_the_tests.pth").write_text(
        "\n".join(site.getsitepackages())
    )
    return python, purelib


def import_every_module(python, expected_folder, *, cwd, **environment):
    variables = {**os.environ, **environment}
    if "PYTHONPATH" not in environment:
        variables.pop("PYTHONPATH", None)
    output = run(
        [python, ROOT / "tests" / "import_every_module.py", expected_folder],
        cwd=cwd,
        env=variables,
    )
    summary = json.loads(output.splitlines()[-1])
    handled = {*summary["imported"], *summary["need_extra"]}
    assert handled == set(build_file.modules())
    return summary


def check_scripts(python, summary):
    scripts = project_file.read_project_file()["project"]["scripts"]
    assert summary["scripts"] == {name: True for name in scripts}
    for name in scripts:
        assert os.access(python.parent / name, os.X_OK)


def test_wheel(wheel, tmp_path):
    python, purelib = make_environment(tmp_path / "venv")
    run([*PIP, f"--python={python}", "install", *OFFLINE, "-I", wheel])
    summary = import_every_module(python, purelib, cwd=tmp_path)
    check_scripts(python, summary)


def test_editable_install(checkout, tmp_path):
    python, _ = make_environment(tmp_path / "venv")
    run([*PIP, f"--python={python}", "install", *OFFLINE, "-I", "-e", checkout])
    summary = import_every_module(python, checkout, cwd=tmp_path)
    check_scripts(python, summary)


def test_editable_install_without_links(checkout_without_links, tmp_path):
    source = checkout_without_links
    python, _ = make_environment(tmp_path / "venv")
    run([*PIP, f"--python={python}", "install", *OFFLINE, "-I", "-e", source])
    summary = import_every_module(python, source, cwd=tmp_path)
    check_scripts(python, summary)


def test_bare_checkout(checkout, tmp_path):
    python, _ = make_environment(tmp_path / "venv")
    import_every_module(
        python, checkout, cwd=tmp_path, PYTHONPATH=str(checkout)
    )


def test_a_module_of_other_bytes_is_found(tmp_path, monkeypatch, capsys):
    # The script takes its own folder, the first, out of the path.
    monkeypatch.setattr(sys, "path", [str(ROOT / "tests"), *sys.path])
    script = importlib.import_module("import_every_module")
    other = tmp_path / "names.py"
    other.write_text("# Not what is imported.\n")

    def source(module, of=build_file.source):
        return other if module == "yt8m_compact.names" else of(module)

    monkeypatch.setattr(script.build_file, "source", source)
    assert script.main([str(ROOT)]) == 1
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not summary["not_from_these_folders"]
    (found,) = summary["not_as_in_the_checkout"]
    assert found.startswith("yt8m_compact.names from ")


def test_wheel_holds_the_package_and_nothing_else(wheel):
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    files = {name for name in names if ".dist-info/" not in name}
    listed = [
        path
        for path in build_file.python_files()
        if path.startswith("yt8m_compact/")
    ]
    # The texts that TensorFlow Datasets wants beside a builder.
    builder = "yt8m_compact/datasets/youtube8m"
    texts = {f"{builder}/CITATIONS.bib", f"{builder}/README.md"}
    presets = "yt8m_compact/presets"
    texts |= {f"{presets}/README.md", f"{presets}/yt8m_2018_classes.txt"}
    texts |= {
        f"{presets}/{name}/{file}"
        for name in ("yt8m_2018_video_100k", "yt8m_2018_video_350k")
        for file in ("README.md", "config.json", "weights.safetensors")
    }
    assert files == {*listed, *texts, "yt8m_compact/py.typed"}
    for name in files:
        assert archive.read(name) == (ROOT / name).read_bytes(), name
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_wheel_is_the_same_without_links(
    wheel, checkout_without_links, tmp_path
):
    other = build_wheel(checkout_without_links, tmp_path)
    assert (
        zipfile.ZipFile(other).namelist() == zipfile.ZipFile(wheel).namelist()
    )


def test_wheel_is_the_same_by_way_of_an_sdist(wheel, checkout, tmp_path):
    code = "from setuptools import build_meta as b; print(b.build_sdist('{}'))"
    output = run([sys.executable, "-c", code.format(tmp_path)], cwd=checkout)
    sdist = tmp_path / output.splitlines()[-1]
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        # Later releases of Python 3.11 have it, the first do not.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    assert {"BUILD", "MODULE.bazel", "tests/conftest.py"} <= names
    other = build_wheel(str(sdist).removesuffix(".tar.gz"), tmp_path)
    assert set(zipfile.ZipFile(other).namelist()) == set(
        zipfile.ZipFile(wheel).namelist()
    )
