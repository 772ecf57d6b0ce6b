"""What to say of a name that is not known."""

from collections.abc import Iterable
import difflib


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Finds the known name that is most like another.

    Args:
        name: What was given.
        known: The names that there are.

    Returns:
        The nearest one, None where none is near.
    """
    matches = difflib.get_close_matches(name, list(known), n=1)
    return matches[0] if matches else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """Puts `nearest` into a question, to follow on what was received.

    Args:
        name: What was given.
        known: The names that there are.

    Returns:
        "; did you mean NAME?", or nothing where no name is near.
    """
    meant = nearest(name, known)
    return f"; did you mean {meant}?" if meant else ""
