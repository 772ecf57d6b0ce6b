"""Keras layers: projections, pooling, mixture of experts.

Outputs are of the layer's compute dtype where it does not say otherwise.
"""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from yt8m_compact.layers.batch_normalization import BatchNormalization
from yt8m_compact.layers.batch_normalization import moving_statistics
from yt8m_compact.layers.compactify import compactify
from yt8m_compact.layers.compactify import dense_layers
from yt8m_compact.layers.decision_attention import DecisionAttention
from yt8m_compact.layers.dequantize import Dequantize
from yt8m_compact.layers.end_of_chain import EndOfChain
from yt8m_compact.layers.frame_attention import FrameAttention
from yt8m_compact.layers.frame_bags import BagAverage
from yt8m_compact.layers.frame_bags import FrameBags
from yt8m_compact.layers.frame_mask import FrameMask
from yt8m_compact.layers.frame_moments import FrameMoments
from yt8m_compact.layers.frame_normalization import FrameNormalization
from yt8m_compact.layers.frame_pooling import FramePooling
from yt8m_compact.layers.frame_positions import FramePositions
from yt8m_compact.layers.gru_cell import GruCell
from yt8m_compact.layers.identity_rows import IdentityRows
from yt8m_compact.layers.information_bottleneck import InformationBottleneck
from yt8m_compact.layers.initializers import FanOutNormal
from yt8m_compact.layers.initializers import LogOdds
from yt8m_compact.layers.initializers import RandomSign
from yt8m_compact.layers.input_moments import InputMoments
from yt8m_compact.layers.input_moments import collect_input_moments
from yt8m_compact.layers.l2_penalty import L2Penalty
from yt8m_compact.layers.leading_values import LeadingValues
from yt8m_compact.layers.logit_mixture import LogitMixture
from yt8m_compact.layers.lstm_cell import LstmCell
from yt8m_compact.layers.mixture_of_experts import MixtureOfExperts
from yt8m_compact.layers.net_fisher_vector import NetFisherVector
from yt8m_compact.layers.net_vlad import NetVlad
from yt8m_compact.layers.net_vlagd import NetVlagd
from yt8m_compact.layers.next_vlad import NextVlad
from yt8m_compact.layers.pack import pack
from yt8m_compact.layers.pack import projections
from yt8m_compact.layers.projection import Projection
from yt8m_compact.layers.recurrent_cell import RecurrentCell
from yt8m_compact.layers.repeatable_dropout import RepeatableDropout
from yt8m_compact.layers.soft_assignment_pooling import SoftAssignmentPooling
from yt8m_compact.layers.unit_direction import UnitDirection

__all__ = [
    "pack",
    "projections",
    "BagAverage",
    "BatchNormalization",
    "DecisionAttention",
    "Dequantize",
    "EndOfChain",
    "FanOutNormal",
    "FrameAttention",
    "FrameBags",
    "FrameMask",
    "FrameMoments",
    "FrameNormalization",
    "FramePooling",
    "FramePositions",
    "GruCell",
    "IdentityRows",
    "InformationBottleneck",
    "InputMoments",
    "LogOdds",
    "L2Penalty",
    "LeadingValues",
    "LogitMixture",
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
    "SoftAssignmentPooling",
    "UnitDirection",
    "collect_input_moments",
    "compactify",
    "dense_layers",
    "moving_statistics",
]
