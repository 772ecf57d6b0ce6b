"""Second moments of a layer's inputs, as what weights an error."""

from __future__ import annotations

from typing import Any

from yt8m_compact import lazy

with lazy.imports():
    import numpy as np

# Share of the mean moment that is added to each input's own: of weights that
# the outputs do not depend on (constant or unused inputs), the nearest ones.
_RIDGE = 1e-6
# How far apart two mirrored entries may be, as a share of the largest.
_ASYMMETRY = 1e-5


def check(values: Any, input_dim: int) -> np.ndarray:
    """Checks second moments.

    Args:
        values: `E[x^T x]` for rows x, `[input_dim, input_dim]`, symmetric and
            positive semi-definite.
        input_dim: the number of inputs.

    Returns:
        Them, float64, exactly symmetric.

    Raises:
        ValueError: if they are none.
    """
    array = np.asarray(values, np.float64)
    if array.shape != (input_dim, input_dim):
        raise ValueError(
            "expected second moments of all pairs of inputs, of shape "
            f"{[input_dim, input_dim]}. Received: second_moments.shape="
            f"{list(array.shape)}"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "expected finite second moments. Received: second_moments, not "
            f"finite: {np.count_nonzero(~np.isfinite(array))}"
        )
    difference = np.abs(array - array.T).max()
    if difference > _ASYMMETRY * np.abs(array).max():
        raise ValueError(
            "expected symmetric second moments, E[x^T x]. Received: "
            f"second_moments, mirrored entries {difference:.3g} apart"
        )
    array = (array + array.T) / 2
    scaled = _with_ridge(array)
    try:
        np.linalg.cholesky(scaled)
    except np.linalg.LinAlgError:
        smallest = np.linalg.eigvalsh(array)[0]
        raise ValueError(
            "expected positive semi-definite second moments, E[x^T x]. "
            f"Received: second_moments, smallest eigenvalue={smallest:.3g}"
        ) from None
    return array


def as_metric(moments: np.ndarray) -> np.ndarray | None:
    """Makes checked moments ready to weight an error with.

    Args:
        moments: `[input_dim, input_dim]`, see `check`.

    Returns:
        Them with a mean of 1 along their diagonal and a small ridge, so that
        they have an inverse; None where they weight all kernels alike, and the
        Frobenius norm is as good: those of inputs that are all 0, and white.
    """
    mean = np.trace(moments) / len(moments)
    white = mean * np.eye(len(moments))
    if np.abs(moments - white).max() <= 1e-12 * mean:
        return None
    return _with_ridge(moments)


def _with_ridge(moments: np.ndarray) -> np.ndarray:
    mean = np.trace(moments) / len(moments)
    # Without a positive mean there is none that an input could have.
    scaled = moments / mean if mean > 0 else moments
    return scaled + _RIDGE * np.eye(len(moments))
