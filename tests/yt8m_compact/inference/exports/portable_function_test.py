"""Tests of a model as one portable function."""

import dataclasses

import keras
import numpy as np
import pytest

import numpy_models
import small_models
import tiny_runs
from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

DFT = projection_export.ProjectionExport.DFT
KINDS = ("diagonal_circulant",) * len(small_models.places("GruModel"))


def make_model(name):
    places = small_models.places(name)
    config = small_models.make_model(
        name, ("diagonal_circulant",) * len(places)
    )
    return numpy_models.build(config)


def test_frames_have_a_fixed_number():
    specs = portable_function.input_specs(make_model("DbofModel"), None, 7)
    assert specs["frames"].shape.as_list() == [None, 7, 9]
    assert specs["num_frames"].shape.as_list() == [None]
    specs = portable_function.input_specs(make_model("MlpModel"), 1, None)
    assert specs["features"].shape.as_list() == [1, 9]


@pytest.mark.slow
def test_weights_are_those_of_the_trace():
    model = make_model("DbofModel")
    specs = portable_function.input_specs(model, 5, 6)
    function = portable_function.make_portable_function(model, specs, DFT)
    assert not structures.are_chosen()
    inputs = portable_function.draw_inputs(specs, 5)
    expected = model(inputs, training=False).numpy()
    result = function(**inputs)["predictions"]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    # All that it reads is known, to be written.
    read = {id(value) for value in function.captured_inputs}
    assert read == {id(variable.handle) for variable in function.variables}


def make_projections():
    features = keras.Input([300], name="features")
    outputs = [
        layers.Projection(300, structure, name=name)(features)
        for name, structure in {
            "floats": "circulant",
            "dense": "dense@int8",
            "rounded": "low_rank(rank=2) + circulant@int8",
        }.items()
    ]
    return keras.Model({"features": features}, keras.layers.Add()(outputs))


def test_projections_with_spectra():
    model = make_projections()
    found = portable_function.with_spectra(model, DFT)
    assert found == [model.get_layer("rounded")]
    dense = projection_export.ProjectionExport.DENSE
    assert not portable_function.with_spectra(model, dense)


def test_weights_that_are_given():
    model = make_projections()
    specs = portable_function.input_specs(model, 1, None)
    layer = model.get_layer("rounded")
    function = portable_function.make_portable_function(
        model, specs, DFT, [layer]
    )
    decoded = layer.decoded()
    assert len(function.given) == len(decoded) == 3
    for given, value in zip(
        function.given.values(), decoded.values(), strict=True
    ):
        np.testing.assert_array_equal(given, value)
    inputs = portable_function.draw_inputs(specs, 1)
    expected = model(inputs, training=False).numpy()
    result = function(**inputs, **function.given)["predictions"]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    # What is computed of them follows what is given.
    doubled = {name: 2 * value for name, value in function.given.items()}
    other = function(**inputs, **doubled)["predictions"].numpy()
    assert np.abs(other - expected).max() > 0.1


def test_inputs_to_compare_by():
    specs = portable_function.input_specs(make_model("DbofModel"), 1, 8)
    inputs = portable_function.draw_inputs(specs, 4)
    assert inputs["frames"].shape == (4, 8, 9)
    assert inputs["frames"].std() > 1
    assert inputs["num_frames"].tolist() == [8, 6, 4, 2]
    again = portable_function.draw_inputs(specs, 4)
    np.testing.assert_array_equal(inputs["frames"], again["frames"])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_a_model_of_mixed_precision_in_float32(policy):
    config = tiny_runs.video_config(
        "none", small_models.make_model("MlpModel", ("dense",) * 2)
    )
    model = config.build_model()
    assert portable_function.in_float32(config, model) is model
    rng = np.random.default_rng(0)
    values = [rng.uniform(0.1, 0.9, w.shape) for w in model.variables]
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    mixed = dataclasses.replace(
        config,
        training=dataclasses.replace(config.training, dtype_policy=policy),
    )
    rounded = mixed.build_model()
    for variable, value in zip(rounded.variables, values, strict=True):
        variable.assign(value)
    found = portable_function.in_float32(mixed, rounded)
    inputs = numpy_models.make_features()
    expected = model(inputs, training=False).numpy()
    # 16 bits show, but in what is exported.
    assert np.abs(rounded(inputs, training=False) - expected).max() > 1e-5
    np.testing.assert_array_equal(found(inputs, training=False), expected)


@pytest.mark.slow
def test_operators_in_loops_have_a_layer():
    model = numpy_models.build(small_models.make_model("GruModel", KINDS))
    specs = portable_function.input_specs(model, 1, 6)
    function = portable_function.make_portable_function(model, specs, DFT)
    # What a step leaves is put into a list of all steps, in the loop alone.
    places = portable_function.layers_with(function, "TensorListSetItem")
    assert places
    assert all("while" in place for place in places)
    assert not portable_function.layers_with(function, "Lgamma")
