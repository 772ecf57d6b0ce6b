"""Positions of the entries of a sparse matrix, and their bits on disk."""

from __future__ import annotations

import dataclasses
import enum
import math

import numpy as np
import tensorflow as tf

# Of a group; more would make a table that does not pay.
_MOST_COMBINATIONS = 2**14


class PositionForm(enum.Enum):
    """How positions are written, without loss, in bits that their number gives.

    Example:
        >>> pattern = yt8m.ops.PositionPattern(64, 64, kept=2048)  # one in 2
        >>> pattern.form.name
        'BITMAP'
        >>> pattern = yt8m.ops.PositionPattern(64, 64, kept=64)  # one in 64
        >>> pattern.form.name
        'SPLIT'

    Attributes:
        BITMAP: one bit an entry of the matrix.
        SPLIT: the lowest l bits of each position as they are; of the rest, h,
            of the i-th position, which never falls, the bit `h + i` is set.
            This is Elias and Fano's code: half a bit a position above what
            random positions need, and its length follows from their number,
            which that of coded differences does not.
        COMBINATIONS: which of the choices of a group it is, a number each.
    """

    BITMAP = "bitmap"
    SPLIT = "split"
    COMBINATIONS = "combinations"


@dataclasses.dataclass(frozen=True)
class PositionPattern:
    """Which sets of positions a sparse matrix can have.

    Positions count the entries column by column, `column * rows + row`, and are
    sorted: those of a column, and of a group of its inputs, stand together.

    Example:
        >>> pattern = yt8m.ops.PositionPattern(1024, 512, kept=2, group=4)
        >>> pattern.count, pattern.form.name, pattern.num_bytes
        (262144, 'COMBINATIONS', 49152)

    Attributes:
        rows: rows of the matrix.
        columns: its columns.
        kept: how many entries are kept: of the matrix, or of each group.
        group: size of the groups that each column is cut into, from above; the
            last one is what is left of the column, and keeps `kept` too, or all
            it has. None for any entries of the matrix.
    """

    rows: int
    columns: int
    kept: int
    group: int | None = None

    @property
    def size(self) -> int:
        """The number of entries of the matrix."""
        return self.rows * self.columns

    @property
    def groups(self) -> tuple[tuple[int, int, int], ...]:
        """Lists the groups of a column: how many, their size, what is kept."""
        if self.group is None:
            raise ValueError(
                f"expected a pattern of groups. Received: group={self.group}"
            )
        whole, rest = divmod(self.rows, self.group)
        groups = ((whole, self.group, self.kept), (1, rest, self.kept))
        return tuple(
            (number, size, min(kept, size))
            for number, size, kept in groups
            if number and size
        )

    @property
    def count(self) -> int:
        """The number of positions."""
        if self.group is None:
            return self.kept
        return self.columns * sum(
            number * kept for number, _, kept in self.groups
        )

    @property
    def dtype(self) -> str:
        """The dtype of positions: whole numbers that hold them."""
        return "int32" if self.size < 2**31 else "int64"

    @property
    def form(self) -> PositionForm:
        """The form with the fewest bits."""
        return min(bits := self._bits(), key=bits.get)

    @property
    def num_bytes(self) -> int:
        """The bytes of all positions in that form."""
        return -(-self._bits()[self.form] // 8)

    @property
    def low_bits(self) -> int:
        """The number of bits of `SPLIT` that are written as they are."""
        return min(range(self.size.bit_length()), key=self._split_bits)

    def _split_bits(self, low: int) -> int:
        return self.count * (low + 1) + (self.size - 1 >> low)

    def _bits(self) -> dict[PositionForm, int]:
        bits = {
            PositionForm.BITMAP: self.size,
            PositionForm.SPLIT: self._split_bits(self.low_bits),
        }
        if self.group is None:
            return bits
        choices = [math.comb(size, kept) for _, size, kept in self.groups]
        if max(choices) <= _MOST_COMBINATIONS:
            bits[PositionForm.COMBINATIONS] = self.columns * sum(
                number * _bits_of(combinations)
                for (number, _, _), combinations in zip(
                    self.groups, choices, strict=True
                )
            )
        return bits


def _bits_of(number: int) -> int:
    """Counts the bits of the numbers below one."""
    return (number - 1).bit_length()


def largest_positions(scores: tf.Tensor, pattern: PositionPattern) -> tf.Tensor:
    """Finds where the largest values are, as many as a pattern keeps.

    Example:
        >>> import tensorflow as tf
        >>> scores = tf.constant([[1.0, 5.0], [4.0, 2.0]])
        >>> pattern = yt8m.ops.PositionPattern(rows=2, columns=2, kept=2)
        >>> yt8m.ops.largest_positions(scores, pattern).numpy().tolist()
        [1, 2]

    Args:
        scores: `[rows, columns]`, any float dtype; of equal ones, the first
            are taken, column by column.
        pattern: which positions there can be.

    Returns:
        `[count]`, sorted positions, of the dtype of the pattern.
    """
    scores = tf.transpose(scores)
    if pattern.group is None:
        flat = tf.reshape(scores, [-1])
        order = tf.argsort(flat, direction="DESCENDING", stable=True)
        positions = order[: pattern.kept]
    else:
        parts, start = [], 0
        for number, size, kept in pattern.groups:
            part = tf.reshape(
                scores[:, start : start + number * size],
                [pattern.columns, number, size],
            )
            order = tf.argsort(part, direction="DESCENDING", stable=True)
            parts.append(order[..., :kept])
            start += number * size
        positions = _in_matrix(parts, pattern)
    return tf.sort(tf.cast(positions, pattern.dtype))


def draw_positions(
    rng: np.random.Generator, pattern: PositionPattern
) -> np.ndarray:
    """Draws positions, each set of a pattern as likely as any other.

    Example:
        >>> pattern = yt8m.ops.PositionPattern(4, 2, kept=1, group=2)
        >>> drawn = yt8m.ops.draw_positions(np.random.default_rng(0), pattern)
        >>> (drawn // 2).tolist()  # one of each two
        [0, 1, 2, 3]

    Args:
        rng: what to draw from.
        pattern: which positions there can be.

    Returns:
        `[count]`, sorted positions, of the dtype of the pattern.
    """
    scores = rng.random((pattern.rows, pattern.columns))
    return largest_positions(tf.constant(scores), pattern).numpy()


def scatter_positions(
    values: tf.Tensor, positions: tf.Tensor, pattern: PositionPattern
) -> tf.Tensor:
    """Writes out a sparse matrix, transposed.

    Example:
        >>> import tensorflow as tf
        >>> values, positions = tf.constant([5.0, 7.0]), tf.constant([1, 4])
        >>> pattern = yt8m.ops.PositionPattern(rows=3, columns=2, kept=2)
        >>> dense = yt8m.ops.scatter_positions(values, positions, pattern)
        >>> dense.numpy().tolist()
        [[0.0, 5.0, 0.0], [0.0, 7.0, 0.0]]

    Args:
        values: `[count]`, any float dtype.
        positions: `[count]`, whole numbers, each once, in any order.
        pattern: the sizes of the matrix.

    Returns:
        `[columns, rows]`, of the dtype of `values`.
    """
    shape = tf.constant([pattern.size], positions.dtype)
    flat = tf.scatter_nd(positions[:, tf.newaxis], values, shape)
    return tf.reshape(flat, [pattern.columns, pattern.rows])


def encode_positions(
    positions: np.ndarray, pattern: PositionPattern
) -> np.ndarray:
    """Writes positions in the fewest bits.

    Example:
        >>> pattern = yt8m.ops.PositionPattern(rows=4, columns=2, kept=4)
        >>> codes = yt8m.ops.encode_positions(np.array([0, 1, 4, 7]), pattern)
        >>> codes.tolist()  # the bits 1 + 2 + 16 + 128
        [147]

    Args:
        positions: `[count]`, sorted whole numbers.
        pattern: which positions there can be.

    Returns:
        `[num_bytes]`, uint8. Bits fill each byte from the lowest one, numbers
        from their lowest bit, and what is left of the last byte is 0.

    Raises:
        ValueError: if these are no positions of the pattern.
    """
    _check(positions, pattern)
    positions = positions.astype(np.int64)
    form = pattern.form
    if form is PositionForm.BITMAP:
        bits = np.zeros(pattern.size, np.uint8)
        bits[positions] = 1
    elif form is PositionForm.SPLIT:
        low = pattern.low_bits
        number = np.arange(pattern.count)
        high = np.zeros(pattern.count + (pattern.size - 1 >> low), np.uint8)
        high[(positions >> low) + number] = 1
        bits = np.concatenate([_bits(positions % (1 << low), low), high])
    else:
        in_columns = positions.reshape(pattern.columns, -1) % pattern.rows
        parts, start, first = [], 0, 0
        for number, size, kept in pattern.groups:
            stop = start + number * kept
            rows = in_columns[:, start:stop].reshape(-1, number, kept)
            rows = rows - first - size * np.arange(number)[:, np.newaxis]
            # The place of a combination in colexicographic order: of those
            # before it, comb(row, i + 1) differ in the i-th row first.
            codes = sum(
                _binomials(size, i + 1)[rows[..., i]] for i in range(kept)
            )
            width = _bits_of(math.comb(size, kept))
            parts.append(_bits(codes.ravel(), width))
            start, first = stop, first + number * size
        bits = np.concatenate(parts)
    return np.packbits(bits, bitorder="little")


def decode_positions(codes: tf.Tensor, pattern: PositionPattern) -> tf.Tensor:
    """Reads positions from their bits.

    Example:
        >>> import tensorflow as tf
        >>> pattern = yt8m.ops.PositionPattern(rows=4, columns=2, kept=4)
        >>> codes = tf.constant([147], tf.uint8)
        >>> yt8m.ops.decode_positions(codes, pattern).numpy().tolist()
        [0, 1, 4, 7]

    Args:
        codes: `[num_bytes]`, uint8, that `encode_positions` wrote.
        pattern: which positions there can be.

    Returns:
        `[count]`, sorted positions, of the dtype of the pattern.
    """
    bits = tf.bitwise.right_shift(
        codes[:, tf.newaxis], np.arange(8, dtype=np.uint8)
    )
    bits = tf.bitwise.bitwise_and(tf.reshape(bits, [-1]), 1)
    bits = tf.cast(bits, pattern.dtype)
    form = pattern.form
    if form is PositionForm.BITMAP:
        return _places_of_ones(bits[: pattern.size], pattern.count)
    if form is PositionForm.SPLIT:
        low = pattern.low_bits
        lows = _numbers(bits, pattern.count, low)
        length = pattern.count + (pattern.size - 1 >> low)
        bits = bits[pattern.count * low :][:length]
        high = _places_of_ones(bits, pattern.count)
        # Below 0 where all bits are 0, as they are before they are read.
        high = tf.maximum(high - tf.range(pattern.count, dtype=high.dtype), 0)
        return tf.bitwise.left_shift(high, low) + lows
    parts = []
    for number, size, kept in pattern.groups:
        table = _combinations(size, kept)
        width = _bits_of(len(table))
        codes_of_groups = _numbers(bits, pattern.columns * number, width)
        rows = tf.gather(tf.constant(table, pattern.dtype), codes_of_groups)
        parts.append(tf.reshape(rows, [pattern.columns, number, kept]))
        bits = bits[pattern.columns * number * width :]
    return _in_matrix(parts, pattern)


def decode_positions_array(
    codes: np.ndarray, pattern: PositionPattern
) -> np.ndarray:
    """Reads positions from bits that may be wrong.

    Example:
        >>> pattern = yt8m.ops.PositionPattern(rows=4, columns=2, kept=4)
        >>> codes = np.array([147], np.uint8)
        >>> yt8m.ops.decode_positions_array(codes, pattern).tolist()
        [0, 1, 4, 7]
        >>> yt8m.ops.decode_positions_array(codes + 4, pattern)
        Traceback (most recent call last):
            ...
        ValueError: expected 4 sorted positions of PositionPattern(rows=4,
            columns=2, kept=4, group=None). Received: 5 positions

    Args:
        codes: `[num_bytes]`, uint8, that `encode_positions` wrote.
        pattern: which positions there can be.

    Returns:
        `[count]`, sorted positions, of the dtype of the pattern.

    Raises:
        ValueError: if that wrote no such bits.
    """
    if codes.dtype != np.uint8 or codes.shape != (pattern.num_bytes,):
        raise ValueError(
            f"expected {pattern.num_bytes} bytes of positions. Received: "
            f"dtype={codes.dtype}, shape={list(codes.shape)}"
        )
    bits = np.unpackbits(codes, bitorder="little")
    form = pattern.form
    if form is PositionForm.BITMAP:
        positions = np.flatnonzero(bits)
    elif form is PositionForm.SPLIT:
        low, count = pattern.low_bits, pattern.count
        high = np.flatnonzero(bits[count * low :])[:count]
        lows = bits[: count * low].reshape(count, low) @ _powers(low)
        high = (high - np.arange(high.size)) << low
        positions = high + lows[: high.size]
    else:
        parts = []
        for number, size, kept in pattern.groups:
            table = _combinations(size, kept)
            width = _bits_of(len(table))
            length = pattern.columns * number
            choices = bits[: length * width].reshape(length, width)
            rows = np.take(table, choices @ _powers(width), 0, mode="clip")
            parts.append(rows.reshape(pattern.columns, number, kept))
            bits = bits[length * width :]
        positions = _in_matrix(parts, pattern).numpy()
    positions = positions.astype(pattern.dtype)
    _check(positions, pattern)
    # Bits that mean nothing, or the same as others.
    if not np.array_equal(encode_positions(positions, pattern), codes):
        raise ValueError(
            "expected bytes of positions that were written for "
            f"{pattern}. Received: others"
        )
    return positions


def _check(positions: np.ndarray, pattern: PositionPattern) -> None:
    problem = None
    if positions.dtype.kind not in "iu" or positions.ndim != 1:
        problem = f"dtype={positions.dtype}, shape={list(positions.shape)}"
    elif positions.size != pattern.count:
        problem = f"{positions.size} positions"
    elif np.any(np.diff(positions.astype(np.int64)) <= 0):
        problem = "positions that are not sorted, or come twice"
    elif positions[0] < 0 or positions[-1] >= pattern.size:
        problem = f"positions from {positions[0]} to {positions[-1]}"
    elif pattern.group is not None:
        groups = -(-pattern.rows // pattern.group)
        columns, rows = np.divmod(positions, pattern.rows)
        kept = np.bincount(
            columns * groups + rows // pattern.group,
            minlength=pattern.columns * groups,
        )
        expected = [
            kept for number, _, kept in pattern.groups for _ in range(number)
        ]
        if np.any(kept != np.tile(expected, pattern.columns)):
            problem = f"groups of which {kept.min()} to {kept.max()} are kept"
    if problem:
        raise ValueError(
            f"expected {pattern.count} sorted positions of {pattern}. "
            f"Received: {problem}"
        )


def _in_matrix(parts: list, pattern: PositionPattern) -> tf.Tensor:
    """Puts rows within groups, `[columns, groups, kept]`, in their places."""
    columns, start = [], 0
    for (number, size, kept), part in zip(pattern.groups, parts, strict=True):
        first = start + size * tf.range(number, dtype=pattern.dtype)
        rows = tf.cast(part, pattern.dtype) + first[:, tf.newaxis]
        columns.append(tf.reshape(rows, [pattern.columns, number * kept]))
        start += number * size
    rows = tf.concat(columns, axis=1)
    above = pattern.rows * tf.range(pattern.columns, dtype=pattern.dtype)
    return tf.reshape(rows + above[:, tf.newaxis], [-1])


def _powers(width: int) -> np.ndarray:
    return 1 << np.arange(width, dtype=np.int64)


def _bits(numbers: np.ndarray, width: int) -> np.ndarray:
    """Writes numbers in as many bits each, the lowest first."""
    bits = numbers[:, np.newaxis] >> np.arange(width) & 1
    return bits.astype(np.uint8).ravel()


def _numbers(bits: tf.Tensor, count: int, width: int) -> tf.Tensor:
    """Reads numbers of as many bits each from the start of bits."""
    rows = tf.reshape(bits[: count * width], [count, width])
    return tf.reduce_sum(rows * tf.constant(_powers(width), bits.dtype), axis=1)


def _places_of_ones(bits: tf.Tensor, count: int) -> tf.Tensor:
    """Lists where bits are 1, a number of times that is known."""
    # `tf.where` would have a shape that XLA does not know.
    number = tf.cumsum(bits)
    target = tf.where(bits > 0, number - 1, count)
    places = tf.scatter_nd(
        target[:, tf.newaxis],
        tf.range(bits.shape[0], dtype=bits.dtype) * bits,
        tf.constant([count + 1], bits.dtype),
    )
    return places[:count]


def _binomials(size: int, kept: int) -> np.ndarray:
    return np.array([math.comb(row, kept) for row in range(size)])


def _combinations(size: int, kept: int) -> np.ndarray:
    """Lists the choices of a group, in colexicographic order."""
    choices = np.array(
        [[row] for row in range(size)] if kept else [[]], np.int64
    )
    for taken in range(1, kept):
        # Each with every row above its last one, by the new row first.
        choices = np.concatenate(
            [
                np.concatenate([before, np.full([len(before), 1], row)], axis=1)
                for row in range(taken, size)
                for before in [choices[: math.comb(row, taken)]]
            ]
        )
    return choices
