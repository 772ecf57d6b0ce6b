"""Tests of the registry of models."""

import pytest

from yt8m_compact import models


def test_names_are_the_starter_codes():
    assert models.MODELS == {
        "LogisticModel": models.LogisticConfig,
        "MoeModel": models.MoeConfig,
        "DbofModel": models.DbofConfig,
    }


@pytest.mark.parametrize("name", models.MODELS)
def test_config_class_and_name_lead_to_each_other(name):
    cls = models.get_model_config(name)
    assert issubclass(cls, models.ModelConfig)
    assert models.model_name(cls()) == name


def test_levels_of_features():
    assert [cls.frame_features for cls in models.MODELS.values()] == [
        False,
        False,
        True,
    ]


def test_unknown_model_is_refused():
    with pytest.raises(
        ValueError,
        match=r"expected a model, one of LogisticModel, MoeModel, DbofModel\. "
        r"Received: model='NetVLADModelLF'",
    ):
        models.get_model_config("NetVLADModelLF")
