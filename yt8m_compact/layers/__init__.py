"""Keras layers: projections, pooling, mixture of experts."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from yt8m_compact.layers.acdc_projection import AcdcProjection
from yt8m_compact.layers.block_circulant_projection import (
    BlockCirculantProjection,
)
from yt8m_compact.layers.circulant_projection import CirculantProjection
from yt8m_compact.layers.compactify import compactify
from yt8m_compact.layers.decision_attention import DecisionAttention
from yt8m_compact.layers.dense_projection import DenseProjection
from yt8m_compact.layers.dequantize import Dequantize
from yt8m_compact.layers.diagonal_circulant_projection import (
    DiagonalCirculantProjection,
)
from yt8m_compact.layers.fastfood_projection import FastfoodProjection
from yt8m_compact.layers.frame_attention import FrameAttention
from yt8m_compact.layers.frame_bags import BagAverage
from yt8m_compact.layers.frame_bags import FrameBags
from yt8m_compact.layers.frame_mask import FrameMask
from yt8m_compact.layers.frame_moments import FrameMoments
from yt8m_compact.layers.frame_pooling import FramePooling
from yt8m_compact.layers.frame_positions import FramePositions
from yt8m_compact.layers.gru_cell import GruCell
from yt8m_compact.layers.hashed_projection import HashedProjection
from yt8m_compact.layers.identity_rows import IdentityRows
from yt8m_compact.layers.initializers import FanOutNormal
from yt8m_compact.layers.initializers import RandomSign
from yt8m_compact.layers.logit_mixture import LogitMixture
from yt8m_compact.layers.low_rank_projection import LowRankProjection
from yt8m_compact.layers.lstm_cell import LstmCell
from yt8m_compact.layers.mixture_of_experts import MixtureOfExperts
from yt8m_compact.layers.net_fisher_vector import NetFisherVector
from yt8m_compact.layers.net_vlad import NetVlad
from yt8m_compact.layers.net_vlagd import NetVlagd
from yt8m_compact.layers.next_vlad import NextVlad
from yt8m_compact.layers.projection import Projection
from yt8m_compact.layers.projection_kinds import PROJECTIONS
from yt8m_compact.layers.projection_kinds import make_projection
from yt8m_compact.layers.projection_kinds import projection_class
from yt8m_compact.layers.projection_kinds import projection_kind
from yt8m_compact.layers.recurrent_cell import RecurrentCell
from yt8m_compact.layers.repeatable_dropout import RepeatableDropout
from yt8m_compact.layers.sign_circulant_projection import (
    SignCirculantProjection,
)
from yt8m_compact.layers.soft_assignment_pooling import SoftAssignmentPooling
from yt8m_compact.layers.sum_projection import LowRankPlusCirculantProjection
from yt8m_compact.layers.sum_projection import SumProjection
from yt8m_compact.layers.toeplitz_projection import ToeplitzProjection

__all__ = [
    "PROJECTIONS",
    "AcdcProjection",
    "BagAverage",
    "BlockCirculantProjection",
    "CirculantProjection",
    "DecisionAttention",
    "DenseProjection",
    "Dequantize",
    "DiagonalCirculantProjection",
    "FanOutNormal",
    "FastfoodProjection",
    "FrameAttention",
    "FrameBags",
    "FrameMask",
    "FrameMoments",
    "FramePooling",
    "FramePositions",
    "GruCell",
    "HashedProjection",
    "IdentityRows",
    "LogitMixture",
    "LowRankPlusCirculantProjection",
    "LowRankProjection",
    "LstmCell",
    "MixtureOfExperts",
    "NetFisherVector",
    "NetVlad",
    "NetVlagd",
    "NextVlad",
    "Projection",
    "RandomSign",
    "RecurrentCell",
    "RepeatableDropout",
    "SignCirculantProjection",
    "SoftAssignmentPooling",
    "SumProjection",
    "ToeplitzProjection",
    "compactify",
    "make_projection",
    "projection_class",
    "projection_kind",
]
