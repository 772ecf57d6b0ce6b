"""What `yt8m_compact.eval` holds, by a name that hides no builtin.

from yt8m_compact import evaluation

report = evaluation.evaluate_run("runs/compact", "data/validate*.tfrecord")
"""

from typing import TYPE_CHECKING, Any

import yt8m_compact.eval as _package
from yt8m_compact.eval import __all__ as __all__

if TYPE_CHECKING:
    from yt8m_compact.eval import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """Returns what the package has by this name (PEP 562)."""
    return getattr(_package, name)


def __dir__() -> list[str]:
    """Lists what the package has."""
    return dir(_package)
