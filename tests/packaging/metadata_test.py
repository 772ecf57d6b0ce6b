"""What a package index shows, and what is cited."""

import re
import runpy

import yaml

import project_file

_ROOT = project_file.ROOT
_PROJECT = project_file.read_project_file()["project"]


def test_the_lowest_python_of_the_classifiers_is_the_one_required():
    names = "\n".join(_PROJECT["classifiers"])
    minors = re.findall(r"Python :: 3\.(\d+)$", names, re.MULTILINE)
    assert minors == sorted(minors)
    assert _PROJECT["requires-python"] == f">=3.{minors[0]}"


def test_the_long_description_needs_no_other_file():
    setup_file = runpy.run_path(str(_ROOT / "setup.py"), run_name="setup_file")
    text = setup_file["read_long_description"]()
    readme = (_ROOT / "README.md").read_text()
    assert readme.count("](docs/") > 10
    assert set(re.findall(r"\]\((\w+):", text)) == {"https"}
    assert not re.findall(r"\]\((?!https:)[^)]*\)", text)
    # Words of links stay, pictures go, blocks of code are as they were.
    blocks = re.findall(r"```.*?```", readme, re.DOTALL)
    assert re.findall(r"```.*?```", text, re.DOTALL) == blocks
    assert "* docs/usage.md: training" in text
    assert "![" not in text


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((_ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0"
    assert cited["version"] == _PROJECT["version"]
    assert cited["license"] == _PROJECT["license"]
    assert cited["authors"] == _PROJECT["authors"]
    (paper,) = cited["references"]
    assert paper["url"] == _PROJECT["urls"]["Paper"]
    names = [author["family-names"] for author in paper["authors"]]
    assert names == ["Araujo", "Negrevergne", "Chevaleyre", "Atif"]
