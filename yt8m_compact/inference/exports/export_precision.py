"""In what precision the weights of an exported file are stored."""

import enum


class ExportPrecision(enum.StrEnum):
    """What the constants of an exported file are stored in, where they can be.

    Attributes:
        FLOAT32: as they are.
        FLOAT16: floats of 16 bits.
        INT8: whole numbers of 8 bits, with scales.
        INT4: whole numbers of 4 bits, with scales.
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    INT4 = "int4"
