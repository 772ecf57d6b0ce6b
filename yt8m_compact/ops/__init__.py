"""Pure tensor functions: structured products, losses, ranking."""

from yt8m_compact import lazy

with lazy.imports():
    from yt8m_compact.ops.block_circulant import as_rows
    from yt8m_compact.ops.block_circulant import block_circulant_kernel
    from yt8m_compact.ops.block_circulant import block_circulant_matmul
    from yt8m_compact.ops.block_circulant import block_circulant_shape
    from yt8m_compact.ops.block_circulant import multiply_spectra
    from yt8m_compact.ops.block_circulant import row_spectra
    from yt8m_compact.ops.block_circulant import with_leading_dims_of
    from yt8m_compact.ops.circulant import circulant_kernel
    from yt8m_compact.ops.circulant import circulant_matmul
    from yt8m_compact.ops.circulant import diagonal_circulant_kernel
    from yt8m_compact.ops.circulant import diagonal_circulant_matmul
    from yt8m_compact.ops.circulant import num_blocks
    from yt8m_compact.ops.cosine import acdc_kernel
    from yt8m_compact.ops.cosine import acdc_matmul
    from yt8m_compact.ops.cosine import cosine_matrix
    from yt8m_compact.ops.cosine import cosine_multiply_adds
    from yt8m_compact.ops.cosine import cosine_transform
    from yt8m_compact.ops.cosine import inverse_cosine_transform
    from yt8m_compact.ops.dense import dense_matmul
    from yt8m_compact.ops.distillation import mix_labels
    from yt8m_compact.ops.distillation import soften
    from yt8m_compact.ops.frame_normalization import normalize_frames
    from yt8m_compact.ops.frame_normalization import normalize_frames_by
    from yt8m_compact.ops.frame_normalization import normalize_products
    from yt8m_compact.ops.frame_normalization import normalize_products_by
    from yt8m_compact.ops.hadamard import fastfood_kernel
    from yt8m_compact.ops.hadamard import fastfood_matmul
    from yt8m_compact.ops.hadamard import fastfood_shape
    from yt8m_compact.ops.hadamard import hadamard_matrix
    from yt8m_compact.ops.hadamard import hadamard_multiply_adds
    from yt8m_compact.ops.hadamard import hadamard_transform
    from yt8m_compact.ops.hashed import hashed_buckets
    from yt8m_compact.ops.hashed import hashed_kernel
    from yt8m_compact.ops.hashed import sum_by_bucket
    from yt8m_compact.ops.losses import LOSSES
    from yt8m_compact.ops.losses import cross_entropy_loss
    from yt8m_compact.ops.losses import focal_loss
    from yt8m_compact.ops.losses import hinge_loss
    from yt8m_compact.ops.losses import make_label_loss
    from yt8m_compact.ops.losses import smooth_labels
    from yt8m_compact.ops.losses import softmax_loss
    from yt8m_compact.ops.normalization import l2_normalize
    from yt8m_compact.ops.packing import codes_per_byte
    from yt8m_compact.ops.packing import pack_codes
    from yt8m_compact.ops.packing import packed_size
    from yt8m_compact.ops.packing import unpack_codes
    from yt8m_compact.ops.plans import diagonal_circulant_multiply_adds
    from yt8m_compact.ops.plans import few_values
    from yt8m_compact.ops.plans import plan_block_circulant
    from yt8m_compact.ops.plans import plan_circulant
    from yt8m_compact.ops.plans import plan_toeplitz
    from yt8m_compact.ops.positions import PositionForm
    from yt8m_compact.ops.positions import PositionPattern
    from yt8m_compact.ops.positions import decode_positions
    from yt8m_compact.ops.positions import decode_positions_array
    from yt8m_compact.ops.positions import draw_positions
    from yt8m_compact.ops.positions import encode_positions
    from yt8m_compact.ops.positions import largest_positions
    from yt8m_compact.ops.positions import scatter_positions
    from yt8m_compact.ops.quantization import dequantize
    from yt8m_compact.ops.quantization import quantize
    from yt8m_compact.ops.ranking import batch_gap
    from yt8m_compact.ops.ranking import batch_hit_at_1
    from yt8m_compact.ops.ranking import rated_predictions
    from yt8m_compact.ops.replicas import num_replicas
    from yt8m_compact.ops.replicas import replica_index
    from yt8m_compact.ops.replicas import sum_over_replicas
    from yt8m_compact.ops.row_sums import sum_rows
    from yt8m_compact.ops.toeplitz import toeplitz_kernel
    from yt8m_compact.ops.toeplitz import toeplitz_matmul
    from yt8m_compact.ops.toeplitz_like import toeplitz_like_matmul
    from yt8m_compact.ops.toeplitz_like import toeplitz_like_multiply_adds
    from yt8m_compact.ops.top_classes import top_k
    from yt8m_compact.ops.top_classes import top_k_classes
    from yt8m_compact.ops.transforms import portable_operators
    from yt8m_compact.ops.xla import is_compiling

__all__ = [
    "LOSSES",
    "PositionForm",
    "PositionPattern",
    "acdc_kernel",
    "acdc_matmul",
    "as_rows",
    "batch_gap",
    "batch_hit_at_1",
    "block_circulant_kernel",
    "block_circulant_matmul",
    "block_circulant_shape",
    "circulant_kernel",
    "circulant_matmul",
    "codes_per_byte",
    "cosine_matrix",
    "cosine_multiply_adds",
    "cosine_transform",
    "cross_entropy_loss",
    "decode_positions",
    "decode_positions_array",
    "dense_matmul",
    "dequantize",
    "diagonal_circulant_kernel",
    "diagonal_circulant_matmul",
    "diagonal_circulant_multiply_adds",
    "draw_positions",
    "encode_positions",
    "fastfood_kernel",
    "fastfood_matmul",
    "fastfood_shape",
    "few_values",
    "focal_loss",
    "hadamard_matrix",
    "hadamard_multiply_adds",
    "hadamard_transform",
    "hashed_buckets",
    "hashed_kernel",
    "hinge_loss",
    "inverse_cosine_transform",
    "is_compiling",
    "l2_normalize",
    "largest_positions",
    "make_label_loss",
    "mix_labels",
    "multiply_spectra",
    "normalize_frames",
    "normalize_frames_by",
    "normalize_products",
    "normalize_products_by",
    "num_blocks",
    "num_replicas",
    "pack_codes",
    "packed_size",
    "plan_block_circulant",
    "plan_circulant",
    "plan_toeplitz",
    "portable_operators",
    "quantize",
    "rated_predictions",
    "replica_index",
    "row_spectra",
    "scatter_positions",
    "smooth_labels",
    "soften",
    "softmax_loss",
    "sum_by_bucket",
    "sum_over_replicas",
    "sum_rows",
    "toeplitz_kernel",
    "toeplitz_like_matmul",
    "toeplitz_like_multiply_adds",
    "toeplitz_matmul",
    "top_k",
    "top_k_classes",
    "unpack_codes",
    "with_leading_dims_of",
]
