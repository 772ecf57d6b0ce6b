"""The structures there are, by the names they have in text."""

from yt8m_compact.structures import acdc
from yt8m_compact.structures import block_circulant
from yt8m_compact.structures import circulant
from yt8m_compact.structures import dense
from yt8m_compact.structures import diagonal_circulant
from yt8m_compact.structures import fastfood
from yt8m_compact.structures import hashed
from yt8m_compact.structures import low_rank
from yt8m_compact.structures import structure
from yt8m_compact.structures import toeplitz

STRUCTURES: dict[str, type[structure.Structure]] = {
    "dense": dense.Dense,
    "circulant": circulant.Circulant,
    "diagonal_circulant": diagonal_circulant.DiagonalCirculant,
    "block_circulant": block_circulant.BlockCirculant,
    "low_rank": low_rank.LowRank,
    "toeplitz": toeplitz.Toeplitz,
    "acdc": acdc.Acdc,
    "fastfood": fastfood.Fastfood,
    "hashed": hashed.Hashed,
}

# Names of structures with arguments, and of a sum.
ALIASES: dict[str, structure.Structure] = {
    "sign_circulant": diagonal_circulant.DiagonalCirculant(
        shared_diagonal=True, learned=False
    ),
    "low_rank_plus_circulant": (
        low_rank.LowRank() + diagonal_circulant.DiagonalCirculant()
    ),
}
