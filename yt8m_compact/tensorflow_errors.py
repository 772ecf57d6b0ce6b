"""What TensorFlow says in an error, without the names of its nodes."""

import re

from yt8m_compact import files

_NODES = re.compile(
    r"\s*\[\[\{\{node .*?\]\]|\{\{(?:function_)?node .*?\}\}\s*|"
    r"\s*\[Op:[^\]]*\](?: name:)?"
)
_IN_GRAPH = "Graph execution error:"
# What comes between that and what it was.
_PREAMBLE = re.compile(
    r"$|\s*File |Detected at node |<stack traces|Node: |"
    r"\d+ root error\(s\) found"
)
_STATUS = re.compile(r"\s*\(\d+\) [A-Z_]+: +")


def without_nodes(text: str) -> str:
    """Takes out of a text what only TensorFlow's own developers can use.

    Args:
        text: What an error says.

    Returns:
        The text without `{{node ...}}`, `{{function_node ...}}`,
        `[[...]]` and `[Op:...]`, with the names of files that were asked for
        instead of their temporary ones.
    """
    return files.show_whole_names(_NODES.sub("", text)).strip()


def first_line(text: str) -> str:
    """Returns what TensorFlow says first of what went wrong.

    Args:
        text: The message of an error.

    Returns:
        A line, of at most 300 characters.
    """
    lines = [without_nodes(line) for line in text.strip().splitlines()]
    if lines and lines[0] == _IN_GRAPH:
        rest = [line for line in lines[1:] if not _PREAMBLE.match(line)]
        lines = rest or lines
    shown = next(filter(None, lines), "")
    return " ".join(_STATUS.sub("", shown).split())[:300]
