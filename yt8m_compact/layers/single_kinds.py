"""The kinds of projection that are one structure, by name."""

from yt8m_compact.layers import acdc_projection
from yt8m_compact.layers import block_circulant_projection
from yt8m_compact.layers import circulant_projection
from yt8m_compact.layers import dense_projection
from yt8m_compact.layers import diagonal_circulant_projection
from yt8m_compact.layers import fastfood_projection
from yt8m_compact.layers import hashed_projection
from yt8m_compact.layers import low_rank_projection
from yt8m_compact.layers import projection
from yt8m_compact.layers import sign_circulant_projection
from yt8m_compact.layers import toeplitz_projection

SINGLE_KINDS: dict[str, type[projection.Projection]] = {
    "dense": dense_projection.DenseProjection,
    "circulant": circulant_projection.CirculantProjection,
    "diagonal_circulant": (
        diagonal_circulant_projection.DiagonalCirculantProjection
    ),
    "sign_circulant": sign_circulant_projection.SignCirculantProjection,
    "block_circulant": block_circulant_projection.BlockCirculantProjection,
    "low_rank": low_rank_projection.LowRankProjection,
    "toeplitz": toeplitz_projection.ToeplitzProjection,
    "acdc": acdc_projection.AcdcProjection,
    "fastfood": fastfood_projection.FastfoodProjection,
    "hashed": hashed_projection.HashedProjection,
}
