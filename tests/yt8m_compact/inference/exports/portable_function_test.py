"""Tests of a model as one portable function."""

import numpy as np

import numpy_models
import small_models
from yt8m_compact import structures
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

DFT = projection_export.ProjectionExport.DFT


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


def test_inputs_to_compare_by():
    specs = portable_function.input_specs(make_model("DbofModel"), 1, 8)
    inputs = portable_function.draw_inputs(specs, 4)
    assert inputs["frames"].shape == (4, 8, 9)
    assert inputs["frames"].std() > 1
    assert inputs["num_frames"].tolist() == [8, 6, 4, 2]
    again = portable_function.draw_inputs(specs, 4)
    np.testing.assert_array_equal(inputs["frames"], again["frames"])
