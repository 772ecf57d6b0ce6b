"""The pages of the site that the hook of MkDocs makes."""

import re
import runpy
import types

import pytest
import yaml

import build_file

ROOT = build_file.ROOT


@pytest.fixture(scope="module")
def site_pages():
    return types.SimpleNamespace(
        **runpy.run_path(str(ROOT / "docs" / "site_pages.py"))
    )


def test_every_public_module_is_in_the_reference_once(site_pages):
    pages = site_pages.reference()
    shown = re.findall(r"^::: (\S+)$", "\n".join(pages.values()), re.MULTILINE)
    assert sorted(shown) == build_file.modules()
    rooms = {module.split(".")[1] for module in shown if module.count(".") > 1}
    assert set(pages) == {
        "yt8m_compact",
        *(f"yt8m_compact.{room}" for room in rooms),
    }


def test_what_a_room_takes_from_its_modules_is_not_described_again(site_pages):
    for room, page in site_pages.reference().items():
        options = page.partition(f"::: {room}\n")[2].partition(":::")[0]
        assert "      members: false\n" in options, room


def test_public_names_lead_to_where_they_are_described(site_pages):
    page = site_pages.reference()["yt8m_compact.structures"]
    # A class, one of a package that has them all, and a mere value.
    module = "yt8m_compact.structures"
    for name, place, anchor in (
        ("LowRank", "low_rank.LowRank", f"{module}.low_rank.LowRank"),
        (
            "Int4",
            "precisions.int4.Int4",
            f"{module}.precisions.int4.Int4",
        ),
        ("Weights", "structure.Weights", f"{module}.structure"),
    ):
        assert f"| `structures.{name}` | [`{place}`][{anchor}] |" in page


def test_an_example_is_shown_as_code():
    griffe = pytest.importorskip("griffe")
    path = ROOT / "docs" / "examples_in_reference.py"
    extension = runpy.run_path(str(path))["ExamplesExtension"]()
    text = "A.\n\nExample:\n    >>> 1\n    1\n\nArgs:\n    b: c.\n"
    thing = types.SimpleNamespace(docstring=griffe.Docstring(text))
    extension.on_instance(obj=thing)
    _, examples, _ = thing.docstring.parse("google", warnings=False)
    [(kind, code)] = examples.value
    assert (kind.value, code) == ("examples", ">>> 1\n1")
    extension.on_instance(obj=types.SimpleNamespace(docstring=None))


def test_every_document_is_in_the_navigation(site_pages):
    text = (ROOT / "mkdocs.yml").read_text()
    named = re.findall(r"(\S+\.md)$", text, re.MULTILINE)
    documents = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert sorted(named) == sorted({*documents, *site_pages.DOCUMENTS.values()})
    assert yaml.safe_load(text)["hooks"] == ["docs/site_pages.py"]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        # Of the README, which becomes the first page of the folder docs/.
        ("README.md", "[a](docs/data.md#b)", "[a](data.md#b)"),
        ("README.md", "![a](docs/images/b.png)", "![a](images/b.png)"),
        ("README.md", "[a](LICENSE) b", "a b"),
        ("README.md", "[a](#b), [c](https://d/e)", "[a](#b), [c](https://d/e)"),
        ("docs/data.md", "[a](../README.md)", "[a](index.md)"),
        ("docs/export.md", "[a](../examples/web)", "[a](examples/web.md)"),
        ("examples/web/README.md", "[a](../../docs/b.md)", "[a](../b.md)"),
        ("docs/a.md", "```\n[a](LICENSE)\n```", "```\n[a](LICENSE)\n```"),
    ],
)
def test_links_lead_to_pages(site_pages, source, text, expected):
    assert site_pages.rewrite_links(text, source) == expected


def test_a_room_is_a_package(site_pages):
    with pytest.raises(
        ValueError, match=r"expected a package. Received: room='yt8m_compact.f"
    ):
        list(site_pages._write_page("yt8m_compact.files", []))
