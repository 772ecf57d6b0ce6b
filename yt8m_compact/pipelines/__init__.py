"""Work on many machines, by Apache Beam."""

from yt8m_compact.pipelines.beam_mapper import BeamMapper
from yt8m_compact.pipelines.beam_mapper import make_mapper

__all__ = ["BeamMapper", "make_mapper"]
