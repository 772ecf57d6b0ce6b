"""Packages that only exports need, which a plain installation has not."""

from collections.abc import Iterable
import importlib.util

_INSTALL = 'pip install "yt8m-compact[export]"'


def expect(names: Iterable[str], purpose: str) -> None:
    """Refuses to go on without packages, before anything is built.

    Args:
        names: what they are imported by.
        purpose: what needs them.

    Raises:
        ValueError: if one is not installed.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"expected the packages that {purpose} needs. Received: no "
            f"{', '.join(missing)}; {_INSTALL}"
        )
