"""Tests of ONNX files: what they hold and refuse."""

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import tensorflow as tf

import numpy_models
import small_models
from yt8m_compact import layers
from yt8m_compact.inference.exports import litert
from yt8m_compact.inference.exports import onnx as onnx_export
from yt8m_compact.inference.exports import openvino
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export

FFT, DFT = (projection_export.ProjectionExport(name) for name in ("fft", "dft"))


def make_function(model, export, batch_size=1):
    frames = 6 if "frames" in model.input else None
    specs = portable_function.input_specs(model, batch_size, frames)
    return portable_function.make_portable_function(model, specs, export)


def make_projection(structure, size):
    features = keras.Input([size], name="features")
    outputs = layers.Projection(size, structure, name="hidden")(features)
    return keras.Model({"features": features}, outputs)


def graphs_in(graph):
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from graphs_in(attribute.g)


@pytest.fixture(scope="module")
def loops():
    """The ONNX file of a model with loops, for any number of videos."""
    kinds = ("diagonal_circulant",) * len(small_models.places("GruModel"))
    model = numpy_models.build(small_models.make_model("GruModel", kinds))
    content = onnx_export.convert(make_function(model, DFT, None))
    return onnx.load_from_string(content)


@pytest.mark.slow
def test_names_and_shapes(loops):
    def describe(value):
        dims = value.type.tensor_type.shape.dim
        return [dim.dim_param or dim.dim_value for dim in dims]

    found = {value.name: describe(value) for value in loops.graph.input}
    assert found == {"frames": ["batch", 6, 9], "num_frames": ["batch"]}
    found = {value.name: describe(value) for value in loops.graph.output}
    assert found == {"predictions": ["batch", numpy_models.NUM_CLASSES]}


@pytest.mark.slow
def test_operators_are_of_the_standard(loops):
    assert [entry.domain for entry in loops.opset_import] == [""]
    domains = {n.domain for g in graphs_in(loops.graph) for n in g.node}
    assert domains == {""}


def test_loops_carry_no_weights(loops):
    found = [
        (node, attribute.g)
        for graph in graphs_in(loops.graph)
        for node in graph.node
        if node.op_type == "Loop"
        for attribute in node.attribute
        if attribute.name == "body"
    ]
    assert len(found) == 2  # layers
    for node, body in found:
        carried = zip(body.input[2:], body.output[1:], strict=False)
        assert not [a.name for a, b in carried if a.name == b.name]
        assert len(body.input) == len(node.input)
        assert len(body.output) == len(node.output) + 1


def test_no_weights_are_there_twice(loops):
    tensors = [
        (tuple(tensor.dims), tensor.raw_data)
        for graph in graphs_in(loops.graph)
        for tensor in [
            *graph.initializer,
            *(a.t for n in graph.node for a in n.attribute if a.HasField("t")),
        ]
        if len(tensor.raw_data) >= 64
    ]
    assert len(tensors) > 5
    assert len(tensors) == len({*tensors})


class Precise(prepared.Prepared):
    """A model of rounded circulants, as it is before it is converted."""

    @classmethod
    def make(cls, structure, sizes, form):
        features = keras.Input([sizes[0]], name="features")
        outputs = layers.Projection(sizes[1], structure)(features)
        model = keras.Model({"features": features}, outputs)
        specs = portable_function.input_specs(model, 1, None)
        function = portable_function.make_portable_function(model, specs, form)
        inputs = portable_function.draw_inputs(specs)
        expected = model(inputs, training=False).numpy()
        return cls(model, specs, form, function, inputs, expected, ())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("structure", "sizes", "num_bytes"),
    [
        # 8 vectors of 1,024 values and 8 diagonals in 8 bits, each with a
        # scale of 16 bits.
        ("diagonal_circulant@int8", (1024, 8192), 16384 + 32),
        # A byte is 8 of them, and a table says which.
        ("circulant@binary", (1024, 8192), 1024 + 16 + 2048),
    ],
)
def test_spectra_are_made_of_bits(structure, sizes, num_bytes):
    made = Precise.make(structure, sizes, DFT)
    spectra = onnx_export.convert(made.function)
    content = onnx_export.convert_smallest(made)
    packed = onnx_export.find_packed(made.model, content)
    assert packed
    stored = onnx_export.store_packed(content, packed)
    # Spectra of 8 vectors of 1,024 values are 8 x 17 x 32 complex numbers.
    assert len(spectra) > 8 * 17 * 32 * 8
    # Besides, matrices of 32 and 64 values: see the test of litert above.
    matrices = 4 * (2 * 34 * 32 + 64 * 64 + 2 * 17 * 32)
    assert num_bytes < len(stored) - matrices < num_bytes + 12_000
    for opened in (
        onnx_export.open_content(stored),
        openvino.open_content(stored),
    ):
        np.testing.assert_allclose(
            opened.predict_each(made.inputs), made.expected, rtol=0, atol=1e-4
        )


@pytest.mark.slow
def test_spectra_that_are_smaller_than_what_makes_them():
    made = Precise.make("circulant@int8", (64, 64), DFT)
    spectra = onnx_export.convert(made.function)
    # But for numbers in names.
    smallest = onnx_export.convert_smallest(made)
    assert abs(len(smallest) - len(spectra)) < 50
    # By what they are in another format.
    longest = onnx_export.convert_smallest(made, lambda content: -len(content))
    assert len(longest) > len(spectra) + 500


def test_zeros_are_said_by_their_number():
    # Of a vector that is not one of length 0: `where(length > 0, x, zeros)`.
    features = keras.Input([1024], name="features")
    model = keras.Model(
        {"features": features}, layers.UnitDirection()(features)
    )
    content = onnx_export.convert(make_function(model, DFT))
    assert len(content) < 4096
    x = np.stack([np.zeros(1024), np.arange(1024)]).astype("float32")
    expected = x / [[1], [np.sqrt(np.sum(np.arange(1024.0) ** 2))]]
    opened = onnx_export.open_content(content)
    np.testing.assert_allclose(
        opened.predict_each({"features": x}), expected, rtol=1e-5
    )


@pytest.mark.slow
def test_the_file_is_as_small_as_that_of_litert():
    model = make_projection("diagonal_circulant", 1024)
    function = make_function(model, DFT)
    size = len(onnx_export.convert(function))
    # Half a spectrum, a diagonal, a bias, and small matrices: see the test of
    # `projection_export.dft_bytes`.
    values = 2 * 17 * 32 + 1024 * 2 + 2 * 34 * 32 + 64 * 64 + 2 * 17 * 32
    assert 4 * values <= size < 4 * values + 10_000
    assert size < 1.1 * len(litert.convert(function))


def test_an_operator_that_is_missing_is_refused():
    message = (
        r"expected operators that ONNX has. Received: IRFFT in \S*hidden\S*; "
        r"RFFT in \S*hidden\S*; use --projection_export=auto, or another model"
    )
    with pytest.raises(ValueError, match=message):
        onnx_export.convert(
            make_function(make_projection("circulant", 512), FFT)
        )


class Odd(keras.layers.Layer):
    """What no standard of ONNX has."""

    def call(self, inputs):
        return tf.math.lgamma(inputs)


def test_an_operator_that_the_converter_has_not_is_refused():
    features = keras.Input([3], name="features")
    model = keras.Model({"features": features}, Odd(name="odd")(features))
    message = r"that ONNX has. Received: Lgamma in \S*odd\S*; use"
    with pytest.raises(ValueError, match=message):
        onnx_export.convert(make_function(model, DFT))


def test_too_many_weights_are_refused(monkeypatch):
    model = make_projection("dense", 20)
    function = make_function(model, DFT)
    count = 4 * (20 * 20 + 20)
    monkeypatch.setattr(onnx_export, "_MAX_BYTES", count - 1)
    message = (
        r"expected at most 1,679 bytes of weights, which is all that an ONNX "
        r"file holds. Received: 1,680 bytes; use --projection_export=auto, or"
    )
    with pytest.raises(ValueError, match=message):
        onnx_export.convert(function)
    monkeypatch.setattr(onnx_export, "_MAX_BYTES", count)
    assert onnx_export.convert(function)


def test_the_complement_of_the_error_function():
    features = keras.Input([5], name="features")
    outputs = keras.layers.Activation("gelu")(features)
    model = keras.Model({"features": features}, outputs)
    content = onnx_export.convert(make_function(model, DFT))
    session = onnxruntime.InferenceSession(content)
    x = np.array([[-3, -0.5, 0, 0.5, 3]], "float32")
    (found,) = session.run(None, {"features": x})
    # x times the normal distribution function at x, from tables of it.
    expected = x * [0.00135, 0.30854, 0.5, 0.69146, 0.99865]
    np.testing.assert_allclose(found, expected, atol=2e-5)
