"""Names and sizes of the features that a reader reads."""

from collections.abc import Sequence

# Of YouTube-8M of 2018, where nothing else is said.
NUM_CLASSES = 3862


def validate(
    feature_names: Sequence[str],
    feature_sizes: Sequence[int],
    num_classes: int = 1,
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
            "expected feature_names to be a sequence of at least one name. "
            f"Received: {feature_names=}"
        )
    shown = ",".join(map(str, feature_names))
    sizes = ",".join(map(str, feature_sizes))
    if len(set(feature_names)) != len(feature_names) or "" in feature_names:
        raise ValueError(
            "expected feature_names that differ and are not empty. Received: "
            f"feature_names={shown}"
        )
    if len(feature_names) != len(feature_sizes) or any(
        size < 1 for size in feature_sizes
    ):
        raise ValueError(
            "expected one size above 0 for each feature name. Received: "
            f"feature_names={shown}, feature_sizes={sizes}"
        )
    if num_classes < 1:
        raise ValueError(
            f"expected num_classes to be at least 1. Received: {num_classes=}"
        )
