"""Pure tensor functions: structured products, losses, ranking."""

from yt8m_compact.ops.circulant import circulant_kernel
from yt8m_compact.ops.circulant import circulant_matmul
from yt8m_compact.ops.circulant import diagonal_circulant_kernel
from yt8m_compact.ops.circulant import diagonal_circulant_matmul
from yt8m_compact.ops.circulant import num_blocks
from yt8m_compact.ops.losses import LOSSES
from yt8m_compact.ops.losses import cross_entropy_loss
from yt8m_compact.ops.losses import hinge_loss
from yt8m_compact.ops.losses import softmax_loss
from yt8m_compact.ops.quantization import dequantize
from yt8m_compact.ops.quantization import quantize
from yt8m_compact.ops.ranking import batch_gap
from yt8m_compact.ops.ranking import batch_hit_at_1
from yt8m_compact.ops.ranking import rated_predictions

__all__ = [
    "LOSSES",
    "batch_gap",
    "batch_hit_at_1",
    "circulant_kernel",
    "circulant_matmul",
    "cross_entropy_loss",
    "dequantize",
    "diagonal_circulant_kernel",
    "diagonal_circulant_matmul",
    "hinge_loss",
    "num_blocks",
    "quantize",
    "rated_predictions",
    "softmax_loss",
]
