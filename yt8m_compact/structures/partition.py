"""Cuts a side of a matrix into blocks."""


def blocks_of(size: int, count: int) -> tuple[int, int]:
    """Cuts values into blocks of one size, the last of which may be cut short.

    Args:
        size: the number of values, at least 1.
        count: the number of blocks wanted, at least 1.

    Returns:
        The number of blocks, none of them empty, and so at most `count`, and
        their size, `ceil(size / count)`.
    """
    block = -(-size // count)
    return -(-size // block), block


def near_divisor(size: int, target: float) -> int:
    """Finds a number of blocks near a target that cuts no block short.

    Args:
        size: the number of values, at least 1.
        target: the number of blocks wanted.

    Returns:
        The divisor of `size` that is nearest to `target` as a ratio, the
        smaller of two, if that is at most 1.5, else `target`, rounded, which is
        at least 1 and at most `size`.
    """
    target = min(max(target, 1.0), float(size))
    divisors = [number for number in range(1, size + 1) if size % number == 0]
    # Two may be as near as each other, but for the last bits: the smaller one.
    ratio, nearest = min(
        (round(max(d / target, target / d), 9), d) for d in divisors
    )
    return nearest if ratio <= 1.5 else round(target)


def widths_of(size: int, width: int) -> tuple[int, ...]:
    """Cuts values into blocks of a width, the last of which may be cut short.

    Args:
        size: the number of values, at least 1.
        width: that of a block, at least 1.

    Returns:
        The width of each block; their sum is `size`.
    """
    return tuple(min(width, size - start) for start in range(0, size, width))
