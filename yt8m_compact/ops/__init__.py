"""Pure tensor functions: structured products, losses, ranking."""

from yt8m_compact.ops.block_circulant import block_circulant_kernel
from yt8m_compact.ops.block_circulant import block_circulant_matmul
from yt8m_compact.ops.block_circulant import block_circulant_shape
from yt8m_compact.ops.circulant import circulant_kernel
from yt8m_compact.ops.circulant import circulant_matmul
from yt8m_compact.ops.circulant import diagonal_circulant_kernel
from yt8m_compact.ops.circulant import diagonal_circulant_matmul
from yt8m_compact.ops.circulant import num_blocks
from yt8m_compact.ops.losses import LOSSES
from yt8m_compact.ops.losses import cross_entropy_loss
from yt8m_compact.ops.losses import hinge_loss
from yt8m_compact.ops.losses import softmax_loss
from yt8m_compact.ops.normalization import l2_normalize
from yt8m_compact.ops.plans import diagonal_circulant_multiply_adds
from yt8m_compact.ops.plans import plan_block_circulant
from yt8m_compact.ops.plans import plan_circulant
from yt8m_compact.ops.plans import plan_toeplitz
from yt8m_compact.ops.quantization import dequantize
from yt8m_compact.ops.quantization import quantize
from yt8m_compact.ops.ranking import batch_gap
from yt8m_compact.ops.ranking import batch_hit_at_1
from yt8m_compact.ops.toeplitz import toeplitz_kernel
from yt8m_compact.ops.toeplitz import toeplitz_matmul

__all__ = [
    "LOSSES",
    "batch_gap",
    "batch_hit_at_1",
    "block_circulant_kernel",
    "block_circulant_matmul",
    "block_circulant_shape",
    "circulant_kernel",
    "circulant_matmul",
    "cross_entropy_loss",
    "dequantize",
    "diagonal_circulant_kernel",
    "diagonal_circulant_matmul",
    "diagonal_circulant_multiply_adds",
    "hinge_loss",
    "l2_normalize",
    "num_blocks",
    "plan_block_circulant",
    "plan_circulant",
    "plan_toeplitz",
    "quantize",
    "softmax_loss",
    "toeplitz_kernel",
    "toeplitz_matmul",
]
