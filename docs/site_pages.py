"""Pages that MkDocs adds to those of this folder: a hook of mkdocs.yml.

The reference has a page a room, made of the docstrings of all its modules,
which are read and not imported. Documents that live elsewhere in the
repository, the README first, become pages too, and links between all of these
lead to pages.
"""

import ast
from collections.abc import Iterator
import os
import pathlib
import re
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = "yt8m_compact"

# Documents outside of this folder, and their pages.
DOCUMENTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "examples/phone/README.md": "examples/phone.md",
    "examples/web/README.md": "examples/web.md",
    f"{PACKAGE}/datasets/youtube8m/README.md": "youtube8m.md",
    f"{PACKAGE}/presets/README.md": "presets/index.md",
    **{
        str(path.relative_to(ROOT)): f"presets/{path.parent.name}.md"
        for path in sorted((ROOT / PACKAGE / "presets").glob("*/README.md"))
    },
}
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
_CODE = re.compile(r"(```.*?```)", re.DOTALL)


def modules() -> list[str]:
    """Lists the public modules and packages by their import names."""
    found = []
    # The links that stand for the top-level folders are followed.
    for folder, folders, names in os.walk(ROOT / PACKAGE, followlinks=True):
        folders.sort()
        for name in sorted(names):
            if not name.endswith(".py"):
                continue
            path = pathlib.Path(folder, name).relative_to(ROOT)
            parts = path.with_suffix("").parts
            if name == "__init__.py":
                parts = parts[:-1]
            if not any(part.startswith("_") for part in parts):
                found.append(".".join(parts))
    return sorted(found)


def _path(module: str) -> pathlib.Path:
    folder = ROOT.joinpath(*module.split("."))
    package = folder / "__init__.py"
    return package if package.exists() else folder.with_suffix(".py")


def reference() -> dict[str, str]:
    """Writes the reference.

    Returns:
        The text of each page by its room, the files of all rooms first.
    """
    rooms: dict[str, list[str]] = {PACKAGE: []}
    for module in modules():
        room = ".".join(module.split(".")[:2])
        is_shared = not _path(room).name.startswith("__init__")
        rooms.setdefault(PACKAGE if is_shared else room, []).append(module)
    return {
        room: "".join(_write_page(room, members))
        for room, members in rooms.items()
    }


def _write_page(room: str, members: list[str]) -> Iterator[str]:
    yield f"# {room}\n\n"
    if _path(room).name != "__init__.py" or room not in members:
        raise ValueError(f"expected a package. Received: room={room!r}")
    tree = ast.parse(_path(room).read_text(encoding="utf-8"))
    yield f"{ast.get_docstring(tree)}\n\n"
    if names := dict(_public_names(tree)):
        yield "| public name | from |\n|---|---|\n"
        short = room.rpartition(".")[2]
        for name, target in sorted(names.items()):
            place = target.removeprefix(f"{room}.")
            link = f"[`{place}`][{_anchor(target)}]"
            yield f"| `{short}.{name}` | {link} |\n"
        yield "\n"
    for module in members:
        yield f"::: {module}\n"
        if module == room:  # Its text is above, and its names are modules'.
            yield (
                "    options:\n"
                "      members: false\n"
                "      show_docstring_description: false\n"
            )
        yield "\n"


def _public_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Lists what an `__init__.py` takes from its modules, and from where."""
    for node in ast.walk(tree):
        # Modules that it needs itself are none of its names.
        if not isinstance(node, ast.ImportFrom) or node.module.count(".") < 2:
            continue
        for alias in node.names:
            name = alias.asname or alias.name
            if name == "*":
                text = _path(node.module).read_text(encoding="utf-8")
                yield from _public_names(ast.parse(text))
            elif name[0] != "_":
                yield name, f"{node.module}.{alias.name}"


def _anchor(target: str) -> str:
    """Finds what the reference shows of a name: of a value, its module."""
    module, _, name = target.rpartition(".")
    if target in modules():
        return target
    tree = ast.parse(_path(module).read_text(encoding="utf-8"))
    kinds = ast.ClassDef | ast.FunctionDef
    has_text = any(
        isinstance(node, kinds) and node.name == name for node in tree.body
    )
    return target if has_text else module


def _page_of(source: str) -> str | None:
    """Finds the page of a file of the repository, None without one."""
    if source.startswith("docs/"):
        return source.removeprefix("docs/")
    return DOCUMENTS.get(source) or DOCUMENTS.get(f"{source}/README.md")


def rewrite_links(text: str, source: str) -> str:
    """Makes links between files of the repository lead to their pages.

    Args:
        text: of a document.
        source: its file, relative to the root.

    Returns:
        The text; of a link to a file that has no page, its words are left.
    """
    page = _page_of(source)

    def rewrite(match: re.Match[str]) -> str:
        mark, words, link, anchor = match.groups(default="")
        if not link or "://" in link:
            return match[0]
        target = os.path.normpath(f"{os.path.dirname(source)}/{link}").lstrip(
            "/"
        )
        found = _page_of(target)
        if found is None:
            return words
        start = os.path.dirname(page) or "."
        return f"{mark}[{words}]({os.path.relpath(found, start)}{anchor})"

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(rewrite, part) for part in parts[::2]]
    return "".join(parts)


def on_config(config: Any) -> Any:
    """Adds the reference to the navigation."""
    pages = [{room: f"reference/{room}.md"} for room in reference()]
    config.nav.append({"API reference": pages})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages that are made of other files."""
    from mkdocs.structure import files as files_lib

    made = {f"reference/{room}.md": text for room, text in reference().items()}
    for source, page in DOCUMENTS.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        made[page] = rewrite_links(text, source)
    for page, text in made.items():
        files.append(files_lib.File.generated(config, page, content=text))
    return files


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """Rewrites the links of what lies in this folder."""
    name = page.file.src_uri
    if page.file.generated_by is not None:
        return text
    return rewrite_links(text, f"docs/{name}")
