"""Tests of loggers that are kept quiet for a while."""

import logging

import pytest

from yt8m_compact import quiet_logging


def test_only(caplog):
    logger = logging.getLogger("somebody.below")
    caplog.set_level(logging.INFO, "somebody")
    with pytest.raises(KeyError):
        with quiet_logging.only(logging.ERROR, "somebody"):
            logger.warning("no")
            logger.error("yes")
            raise KeyError
    logger.info("again")
    assert caplog.messages == ["yes", "again"]
