"""The help of settings as their docstrings: an extension of Griffe.

A field of a dataclass that `settings.setting` declares has the text of its
flag, which the reference shows.
"""

import ast
from typing import Any

import griffe


class SettingsExtension(griffe.Extension):
    """Gives settings the docstring that their flag has."""

    def on_attribute_instance(self, *, node: Any, attr: Any, **_: Any) -> None:
        """Looks at one attribute of a module or a class."""
        value = getattr(node, "value", None)
        if attr.docstring or not isinstance(value, ast.Call):
            return
        function = ast.unparse(value.func)
        if function == "settings.setting":
            text = _text(value.args[1])
            attr.value = ast.unparse(value.args[0])
        elif function.endswith("_setting"):  # of several models
            first, dot, rest = function.partition(".")
            target = f"{attr.parent.resolve(first)}{dot}{rest}"
            text = f"See [`{function}`][{target}]."
        else:
            return
        attr.docstring = griffe.Docstring(text, parent=attr)


def _text(node: ast.expr) -> str:
    """Reads a literal text; what is computed in it is shown as code."""
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return f"`{ast.unparse(node.value)}`"
    return ast.literal_eval(node)
