"""Whether what was exported predicts what its model does."""

import numpy as np

# Of scores, which are from 0 to 1.
TOLERANCE = 1e-4


def expect(
    scores: np.ndarray,
    expected: np.ndarray,
    noun: str,
    tolerance: float = TOLERANCE,
) -> np.ndarray:
    """Compares scores with those of the model.

    Args:
        scores: those of the export, `[videos, num_classes]`.
        expected: those of the model, likewise.
        noun: what the export is called.
        tolerance: how much a score may differ.

    Returns:
        The differences, all positive.

    Raises:
        ValueError: if one is larger, or not a number.
    """
    differences = np.abs(np.asarray(scores) - np.asarray(expected))
    difference = float(differences.max())
    if not difference <= tolerance:
        raise ValueError(
            f"expected the scores of the model, within {tolerance}, of its "
            f"{noun}. Received: a difference of {difference}"
        )
    return differences
