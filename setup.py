"""Maps the top-level folders to the packages they are imported as."""

import pathlib
import re

import setuptools

_ROOT = pathlib.Path(__file__).resolve().parent

# `readers/` is imported as `yt8m_compact.readers`, and so on. The links
# yt8m_compact/{readers,models,eval} say the same to whatever reads the tree
# without pip; tests/packaging/imports_test.py keeps the two equal.
PACKAGE_DIR = {
    "yt8m_compact": "yt8m_compact",
    "yt8m_compact.readers": "readers",
    "yt8m_compact.models": "models",
    "yt8m_compact.eval": "eval",
}


def find_packages() -> list[str]:
    """Lists the packages of every mapped folder under their import names.

    The links are left out, so that a clone without them (a file system or a
    git that has no symbolic links) builds the same wheel.
    """
    packages = []
    for package, folder in PACKAGE_DIR.items():
        links = [
            name.removeprefix(f"{package}.")
            for name in PACKAGE_DIR
            if name.startswith(f"{package}.")
        ]
        exclude = [pattern for name in links for pattern in (name, f"{name}.*")]
        found = setuptools.find_packages(str(_ROOT / folder), exclude=exclude)
        packages += [package, *(f"{package}.{name}" for name in found)]
    return sorted(packages)


def read_long_description() -> str:
    """Reads README.md as a package index can show it.

    There the other files of the repository are not beside it: of links to them
    the words are left, and pictures go.
    """
    text = (_ROOT / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"!\[[^\]]*\]\((?!https?:)[^)]*\)\n*", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


if __name__ == "__main__":
    setuptools.setup(
        long_description=read_long_description(),
        long_description_content_type="text/markdown",
        packages=find_packages(),
        package_dir=PACKAGE_DIR,
        package_data={
            "yt8m_compact": ["py.typed"],
            "yt8m_compact.presets": [
                "README.md",
                "*.txt",
                "*/config.json",
                "*/README.md",
                "*/weights.safetensors",
            ],
            "yt8m_compact.datasets.youtube8m": ["CITATIONS.bib", "README.md"],
        },
    )
