"""In how many bits the weights of a structure are kept, as values."""

from yt8m_compact.structures.precisions.bfloat16 import BFloat16 as BFloat16
from yt8m_compact.structures.precisions.binary import Binary as Binary
from yt8m_compact.structures.precisions.float16 import Float16 as Float16
from yt8m_compact.structures.precisions.float32 import Float32 as Float32
from yt8m_compact.structures.precisions.int2 import Int2 as Int2
from yt8m_compact.structures.precisions.int4 import Int4 as Int4
from yt8m_compact.structures.precisions.int8 import Int8 as Int8
from yt8m_compact.structures.precisions.precision import Precision as Precision
from yt8m_compact.structures.precisions.ternary import Ternary as Ternary

PRECISIONS: dict[str, type[Precision]] = {
    "float32": Float32,
    "bfloat16": BFloat16,
    "float16": Float16,
    "int8": Int8,
    "int4": Int4,
    "int2": Int2,
    "ternary": Ternary,
    "binary": Binary,
}
