"""Trained models that come with the package."""

from yt8m_compact.presets.folders import PREFIX as PREFIX
from yt8m_compact.presets.folders import class_names as class_names
from yt8m_compact.presets.folders import folder as folder
from yt8m_compact.presets.folders import known_class_names as known_class_names
from yt8m_compact.presets.folders import names as names
