"""Lists of classes: a number a line, as segment_label_ids.csv of 2019."""

from yt8m_compact.predictions import text_lines
from yt8m_compact.readers import errors


def read_class_list(path: str, num_classes: int) -> list[int]:
    """Reads classes; a first line that is no number is a header.

    Args:
        path: the file.
        num_classes: the number of classes.

    Returns:
        The classes, in their order.

    Raises:
        DataError: if a line is no class, or one that was there; the error
            names it.
    """
    classes: dict[int, int] = {}
    for number, line in text_lines.read_lines(path):
        text = line.strip()
        is_number = text.isdecimal() and text.isascii()
        if number == 1 and not is_number:
            continue
        label = int(text) if is_number else -1
        if not 0 <= label < num_classes or label in classes:
            expected = f"a class from 0 to {num_classes - 1}"
            if label in classes:
                expected = f"each class once, as on line {classes[label]}"
            raise errors.DataError(
                f"{path}: line {number}: expected {expected}. Received: "
                f"{text_lines.shown(line)!r}"
            )
        classes[label] = number
    if not classes:
        raise errors.DataError(
            f"{path}: expected a class or more. Received: none"
        )
    return [*classes]
