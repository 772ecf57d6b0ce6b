"""The kinds of projection, by name."""

from typing import Any

from yt8m_compact.layers import projection
from yt8m_compact.layers import single_kinds
from yt8m_compact.layers import sum_projection

PROJECTIONS: dict[str, type[projection.Projection]] = {
    **single_kinds.SINGLE_KINDS,
    "low_rank_plus_circulant": sum_projection.LowRankPlusCirculantProjection,
}


def make_projection(
    kind: str, units: int, **kwargs: Any
) -> projection.Projection:
    """Makes a projection of a kind.

    Args:
      kind: a key of `PROJECTIONS`.
      units: size of the output.
      **kwargs: the other arguments of `Projection`, and those of the kind;
        its class names them in `options`.

    Returns:
      The layer, not built.

    Raises:
      ValueError: if there is no such kind; it lists those there are.
    """
    return projection_class(kind)(units, **kwargs)


def projection_class(kind: str) -> type[projection.Projection]:
    """Looks up the class of a kind.

    Args:
      kind: a key of `PROJECTIONS`.

    Returns:
      The class.

    Raises:
      ValueError: if there is no such kind; it lists those there are.
    """
    if kind not in PROJECTIONS:
        raise ValueError(
            f"expected a kind of projection, one of {', '.join(PROJECTIONS)}."
            f" Received: kind={kind!r}"
        )
    return PROJECTIONS[kind]


def projection_kind(layer: projection.Projection) -> str:
    """Looks up the kind of a projection.

    Args:
      layer: a layer that `make_projection` can make.

    Returns:
      Its key in `PROJECTIONS`.
    """
    return next(kind for kind, cls in PROJECTIONS.items() if type(layer) is cls)
