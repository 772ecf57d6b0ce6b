"""Tests of the places of models."""

import dataclasses
import re

import pytest

import small_models
import tiny_runs
from yt8m_compact import models
from yt8m_compact import structures
from yt8m_compact.compression import budget
from yt8m_compact.compression import places


def make_config(name: str, **kwargs):
    model = models.MODELS[name](**{**small_models.SMALL[name], **kwargs})
    make = tiny_runs.video_config
    if model.frame_features:
        make = tiny_runs.frame_config
    return make("data*", model.without_unused())


@pytest.mark.parametrize("name", small_models.SMALL)
def test_each_projection_is_at_one_place(name):
    config = make_config(name)
    found = places.find_places(config)
    assert {p.name for p in found} == set(
        small_models.used_places(config.model)
    )
    # Each place by another structure, as in the model that is built of them.
    kinds = {p.name: structures.LowRank(1 + i) for i, p in enumerate(found)}
    model = places.with_structures(config, kinds).build_model()
    expected = sorted(
        (str(layer.structure), layer.input_dim, layer.units)
        for layer in small_models.projections_of(model)
    )
    assert expected == sorted(
        (str(kinds[place.name]), *layer.size)
        for place in found
        for layer in place.layers
    )


def test_names_and_counts():
    found = places.find_places(
        make_config("MoeModel", classifier_projection="low_rank(rank=2)")
    )
    # 9 features, 5 classes, 2 experts and a dummy each.
    assert found == (
        places.Place(
            "classifier_projection",
            structures.LowRank(2),
            (places.Layer("gates", 9, 15), places.Layer("experts", 9, 10)),
        ),
    )
    count = found[0].count
    assert count(structures.Dense(), budget.Unit.WEIGHTS) == 9 * 25
    # And an entry of each in a header.
    found = count(structures.Dense(), budget.Unit.BYTES)
    assert 0 < found - 4 * 9 * 25 < 200
    # 2 (9 + 15) + 2 (9 + 10)
    assert count(structures.LowRank(2), budget.Unit.WEIGHTS) == 86


def test_a_setting_that_is_not_used_is_no_place():
    config = make_config("NetVladModel", gating=False, context_gating=False)
    assert "gating_projection" not in places.structure_fields(config.model)


def test_a_model_without_projections(monkeypatch):
    config = make_config("LogisticModel")
    monkeypatch.setattr(
        type(config.model),
        "unused_settings",
        lambda self: {"classifier_projection": "nothing"},
    )
    assert dataclasses.is_dataclass(config)
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected a run whose model has a projection, to make it smaller. "
            "Received: model=LogisticModel, without one"
        ),
    ):
        places.find_places(config)
