"""Examples of docstrings as code: an extension of Griffe.

Griffe knows the section `Examples:` only, and would show an `Example:` as
quoted text, its lines run together.
"""

import re
from typing import Any

import griffe


class ExamplesExtension(griffe.Extension):
    """Gives the section of one example the name that Griffe reads."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Looks at one object."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^( *)Example:$",
                r"\1Examples:",
                obj.docstring.value,
                flags=re.MULTILINE,
            )
