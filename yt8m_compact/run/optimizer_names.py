"""The names of the optimisers: Keras's, and those of the starter code."""

from typing import Any

from yt8m_compact import names

# Of `--optimizer` and config.json; `Momentum` is SGD with a momentum of 0.9.
OPTIMIZERS = (
    "Adam",
    "AdamW",
    "Lion",
    "Muon",
    "ScheduleFreeAdamW",
    "SGD",
    "Momentum",
    "Adagrad",
    "RMSprop",
)
# The starter code's names, which runs and command lines may have.
ALIASES = {
    "AdamOptimizer": "Adam",
    "AdagradOptimizer": "Adagrad",
    "RMSPropOptimizer": "RMSprop",
    "MomentumOptimizer": "Momentum",
    "GradientDescentOptimizer": "SGD",
}


def parse(name: Any) -> str:
    """Reads the name of an optimiser.

    Args:
        name: one of `OPTIMIZERS` or of `ALIASES`.

    Returns:
        The one of `OPTIMIZERS`, which config.json holds.

    Raises:
        ValueError: if it is another name.
    """
    if name in OPTIMIZERS:
        return name
    if isinstance(name, str) and name in ALIASES:
        return ALIASES[name]
    known = [*OPTIMIZERS, *ALIASES]
    raise ValueError(
        f"expected one of {', '.join(OPTIMIZERS)}, or a name of the starter "
        f"code's: {', '.join(ALIASES)}. Received: {name!r:.80}"
        f"{names.suggestion(str(name), known)}"
    )
