"""Structures of matrices, as values: what a compact projection is made of."""

from yt8m_compact.structures.acdc import Acdc
from yt8m_compact.structures.block_circulant import BlockCirculant
from yt8m_compact.structures.circulant import Circulant
from yt8m_compact.structures.dense import Dense
from yt8m_compact.structures.diagonal_circulant import DiagonalCirculant
from yt8m_compact.structures.fastfood import Fastfood
from yt8m_compact.structures.hashed import Hashed
from yt8m_compact.structures.low_rank import LowRank
from yt8m_compact.structures.registry import ALIASES
from yt8m_compact.structures.registry import STRUCTURES
from yt8m_compact.structures.structure import Structure
from yt8m_compact.structures.structure import check_positive
from yt8m_compact.structures.sum_structure import Sum
from yt8m_compact.structures.text import get
from yt8m_compact.structures.text import signatures
from yt8m_compact.structures.toeplitz import Toeplitz
from yt8m_compact.structures.weight_spec import Start
from yt8m_compact.structures.weight_spec import WeightSpec

__all__ = [
    "ALIASES",
    "STRUCTURES",
    "Acdc",
    "BlockCirculant",
    "Circulant",
    "Dense",
    "DiagonalCirculant",
    "Fastfood",
    "Hashed",
    "LowRank",
    "Start",
    "Structure",
    "Sum",
    "Toeplitz",
    "WeightSpec",
    "check_positive",
    "get",
    "signatures",
]
