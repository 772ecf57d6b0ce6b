"""The kinds of projection, by name."""

from typing import Any

from yt8m_compact.layers import circulant_projection
from yt8m_compact.layers import dense_projection
from yt8m_compact.layers import diagonal_circulant_projection
from yt8m_compact.layers import projection

PROJECTIONS: dict[str, type[projection.Projection]] = {
    "dense": dense_projection.DenseProjection,
    "circulant": circulant_projection.CirculantProjection,
    "diagonal_circulant": (
        diagonal_circulant_projection.DiagonalCirculantProjection
    ),
}


def make_projection(
    kind: str, units: int, **kwargs: Any
) -> projection.Projection:
    """Makes a projection of a kind.

    Args:
      kind: a key of `PROJECTIONS`.
      units: size of the output.
      **kwargs: the other arguments of `Projection`, and those of the kind.

    Returns:
      The layer, not built.

    Raises:
      ValueError: if there is no such kind; it lists those there are.
    """
    if kind not in PROJECTIONS:
        raise ValueError(
            f"expected a kind of projection, one of {', '.join(PROJECTIONS)}."
            f" Received: kind={kind!r}"
        )
    return PROJECTIONS[kind](units, **kwargs)


def projection_kind(layer: projection.Projection) -> str:
    """Looks up the kind of a projection.

    Args:
      layer: a layer that `make_projection` can make.

    Returns:
      Its key in `PROJECTIONS`.
    """
    return next(kind for kind, cls in PROJECTIONS.items() if type(layer) is cls)
