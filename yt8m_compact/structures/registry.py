"""The structures there are, by the names they have in text.

A new one is imported here, under its own name, and gets a line in
`STRUCTURES`: the package exports every name of this file.
"""

from yt8m_compact.structures.acdc import Acdc as Acdc
from yt8m_compact.structures.block_circulant import (
    BlockCirculant as BlockCirculant,
)
from yt8m_compact.structures.circulant import Circulant as Circulant
from yt8m_compact.structures.dense import Dense as Dense
from yt8m_compact.structures.diagonal_circulant import (
    DiagonalCirculant as DiagonalCirculant,
)
from yt8m_compact.structures.fastfood import Fastfood as Fastfood
from yt8m_compact.structures.hashed import Hashed as Hashed
from yt8m_compact.structures.kronecker import Kronecker as Kronecker
from yt8m_compact.structures.leading_columns import (
    LeadingColumns as LeadingColumns,
)
from yt8m_compact.structures.low_rank import LowRank as LowRank
from yt8m_compact.structures.monarch import Monarch as Monarch
from yt8m_compact.structures.sparse import Sparse as Sparse
from yt8m_compact.structures.structure import Structure as Structure
from yt8m_compact.structures.toeplitz import Toeplitz as Toeplitz
from yt8m_compact.structures.toeplitz_like import ToeplitzLike as ToeplitzLike

STRUCTURES: dict[str, type[Structure]] = {
    "dense": Dense,
    "circulant": Circulant,
    "diagonal_circulant": DiagonalCirculant,
    "block_circulant": BlockCirculant,
    "low_rank": LowRank,
    "toeplitz": Toeplitz,
    "acdc": Acdc,
    "fastfood": Fastfood,
    "hashed": Hashed,
    "monarch": Monarch,
    "kronecker": Kronecker,
    "leading_columns": LeadingColumns,
    "toeplitz_like": ToeplitzLike,
    "sparse": Sparse,
}

# Names of structures with arguments, and of a sum.
ALIASES: dict[str, Structure] = {
    "sign_circulant": DiagonalCirculant(shared_diagonal=True, learned=False),
    "low_rank_plus_circulant": LowRank() + DiagonalCirculant(),
}
