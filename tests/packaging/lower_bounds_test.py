"""pyproject.toml promises what tests/lower_bounds.txt was tested with."""

import pathlib

from packaging import requirements
from packaging import version
import pytest

import project_file

ROOT = pathlib.Path(__file__).resolve().parents[2]


def read_pins(name: str) -> dict[str, version.Version]:
    lines = (ROOT / name).read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    return {
        name.lower().replace("_", "-"): version.Version(number)
        for name, _, number in (pin.partition("==") for pin in pins)
    }


def project_requirements(*extras: str) -> list[requirements.Requirement]:
    project = project_file.read_project_file()["project"]
    texts = list(project["dependencies"])
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return [requirements.Requirement(text) for text in texts]


@pytest.mark.parametrize("requirement", project_requirements("test"), ids=str)
def test_lower_bound_is_the_tested_version(requirement):
    (bound,) = [s for s in requirement.specifier if s.operator == ">="]
    name = requirement.name.replace("_", "-")
    tested = read_pins("tests/lower_bounds.txt")[name]
    assert version.Version(bound.version) == tested


@pytest.mark.parametrize("requirement", project_requirements("test"), ids=str)
def test_bazel_lock_is_within_the_bounds(requirement):
    locked = read_pins("requirements_lock.txt")[requirement.name]
    assert locked in requirement.specifier
