"""What to say of a name that is not known."""

from collections.abc import Iterable
import difflib

from yt8m_compact import synonyms

_SHORTEST_PART = 3


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Finds the known name that was probably meant by another.

    It is the same one in other letters (`DBofModel`, `batch-size`), what others
    call it (`lr`), the one that is written most alike, or the shortest one that
    it is a part of, in this order.

    Args:
        name: What was given.
        known: The names that there are.

    Returns:
        The nearest one, None where none is near.
    """
    spelled = {_normal(one): one for one in reversed([*known])}
    given = _normal(name)
    for meant in (given, *map(_normal, synonyms.SYNONYMS.get(given, ()))):
        if meant in spelled:
            return spelled[meant]
    alike = difflib.get_close_matches(given, spelled, n=1)
    if alike:
        return spelled[alike[0]]
    if len(given) < _SHORTEST_PART:
        return None
    wholes = [one for one in spelled if given in one]
    return spelled[min(wholes, key=len)] if wholes else None


def suggestion(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Puts `nearest` into a question, to follow on what was received.

    Args:
        name: What was given.
        known: The names that there are.
        prefix: What stands before names where they are shown.

    Returns:
        "; did you mean NAME?", or nothing where no name is near.
    """
    meant = nearest(name, known)
    return f"; did you mean {prefix}{meant}?" if meant else ""


def _normal(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")
