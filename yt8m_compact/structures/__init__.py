"""Structures of matrices, as values: what a compact projection is made of."""

# Every structure, so that a new one is named in one file, and the names of
# `STRUCTURES` and `ALIASES`.
from yt8m_compact.structures.arguments import check_positive as check_positive
from yt8m_compact.structures.coded_weight import CodedWeight as CodedWeight
from yt8m_compact.structures.precisions import *  # noqa: F403
from yt8m_compact.structures.product_form import ChooseForm as ChooseForm
from yt8m_compact.structures.product_form import ProductForm as ProductForm
from yt8m_compact.structures.product_form import are_chosen as are_chosen
from yt8m_compact.structures.product_form import product_forms as product_forms
from yt8m_compact.structures.quantized import Quantized as Quantized
from yt8m_compact.structures.registry import *  # noqa: F403
from yt8m_compact.structures.structure import Weights as Weights
from yt8m_compact.structures.sum_structure import Sum as Sum
from yt8m_compact.structures.sum_structure import sum_of as sum_of
from yt8m_compact.structures.text import get as get
from yt8m_compact.structures.text import (
    precision_signatures as precision_signatures,
)
from yt8m_compact.structures.text import signatures as signatures
from yt8m_compact.structures.weight_spec import Start as Start
from yt8m_compact.structures.weight_spec import WeightSpec as WeightSpec
