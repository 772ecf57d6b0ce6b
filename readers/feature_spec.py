"""Names and sizes of the features that a reader reads."""

from collections.abc import Sequence


def validate(
    feature_names: Sequence[str],
    feature_sizes: Sequence[int],
    num_classes: int,
) -> None:
    """Checks what a reader is made with.

    Args:
        feature_names: Keys of the features.
        feature_sizes: Their sizes.
        num_classes: The number of classes.

    Raises:
        ValueError: If they can't be names and sizes of features.
    """
    if isinstance(feature_names, str) or not feature_names:
        raise ValueError(
            "`feature_names` is expected to be a sequence of at least one "
            f"name. Received: {feature_names=}"
        )
    if len(set(feature_names)) != len(feature_names) or "" in feature_names:
        raise ValueError(
            "`feature_names` is expected to hold different, non-empty names. "
            f"Received: {feature_names=}"
        )
    if len(feature_names) != len(feature_sizes):
        raise ValueError(
            "`feature_sizes` is expected to hold one size for each name. "
            f"Received: {feature_names=}, {feature_sizes=}"
        )
    if any(size < 1 for size in feature_sizes):
        raise ValueError(
            "`feature_sizes` is expected to hold positive sizes. Received: "
            f"{feature_sizes=}"
        )
    if num_classes < 1:
        raise ValueError(
            "`num_classes` is expected to be at least 1. Received: "
            f"{num_classes=}"
        )
