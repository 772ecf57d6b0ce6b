"""A model as one function that other runtimes have the operators of."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping, Sequence
import contextlib
import dataclasses
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.inference import frozen_function
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.exports import portable_recurrence
from yt8m_compact.run import config as config_lib

OUTPUT_NAME = artefact.OUTPUT_NAME
_GIVEN = "given"


class Forms(Protocol):
    """What chooses the form of projections: a `ProjectionExport`, say."""

    def form_of(
        self, structure: structures.Structure, input_dim: int, units: int
    ) -> structures.ProductForm:
        """Chooses one: a `structures.ChooseForm`."""


def input_specs(
    model: keras.Model, batch_size: int | None, num_frames: int | None
) -> dict[str, tf.TensorSpec]:
    """Says what the function of a model takes.

    Args:
        model: a model whose inputs are a dict.
        batch_size: number of videos; None is any.
        num_frames: frames that each video has, padding included; None where the
            model takes no frames.

    Returns:
        The model's inputs by name.
    """
    specs = {}
    for name, value in model.input.items():
        shape = [batch_size, *value.shape[1:]]
        if len(shape) == 3:
            shape[1] = num_frames
        specs[name] = tf.TensorSpec(shape, value.dtype, name)
    return specs


def in_float32(config: config_lib.Config, model: keras.Model) -> keras.Model:
    """Returns a run's model, computing in float32.

    Its weights are float32 in any case. Other runtimes have no products of
    bfloat16, and what they make of 16 bits is not what TensorFlow does.

    Args:
        config: the configuration of the run.
        model: its model.

    Returns:
        The same if it does already, otherwise another one of its weights.
    """
    if config.training.dtype_policy == "float32":
        return model
    training = dataclasses.replace(config.training, dtype_policy="float32")
    built = dataclasses.replace(config, training=training).build_model()
    for new, old in zip(built.variables, model.variables, strict=True):
        new.assign(old)
    return built


def specs_of_run(
    config: config_lib.Config, model: keras.Model, batch_size: int | None
) -> dict[str, tf.TensorSpec]:
    """Says what the function of a run's model takes: all that it samples.

    Args:
        config: the configuration of the run.
        model: its model.
        batch_size: as of `input_specs`.
    """
    num_frames = None
    if config.data.frame_features:
        num_frames = config.prediction_reader().num_output_frames
    return input_specs(model, batch_size, num_frames)


def make_portable_function(
    model: keras.Model,
    specs: Mapping[str, tf.TensorSpec],
    export: Forms,
    given: Sequence[layers.Projection] = (),
) -> Any:
    """Traces a model's predictions, by frozen weights.

    Args:
        model: a model whose inputs are a dict.
        specs: its inputs by name, as `input_specs` makes them.
        export: chooses the form of its projections, by its `form_of`.
        given: projections whose rounded weights the function is given, so that
            what comes of them is computed by its operators.

    Returns:
        A concrete function from the inputs to a dict with `predictions`, whose
        variables are those that come of weights alone. Its attribute `given`
        has the weights that are to be given, by the names of its other inputs.
    """
    weights = {
        f"{_GIVEN}_{number}_{name}": (layer, name, value)
        for number, layer in enumerate(given)
        for name, value in layer.decoded().items()
    }
    all_specs = {
        **specs,
        **{
            name: tf.TensorSpec(value.shape, value.dtype, name)
            for name, (_, _, value) in weights.items()
        },
    }

    def call_model(*tensors: tf.Tensor) -> tf.Tensor:
        inputs = dict(zip(all_specs, tensors, strict=True))
        rounded: dict[layers.Projection, dict[str, tf.Tensor]] = {}
        for name, (layer, weight, _) in weights.items():
            rounded.setdefault(layer, {})[weight] = inputs.pop(name)
        with portable_recurrence.decoded_ahead(model, rounded):
            return model(inputs, training=False)

    loops = contextlib.nullcontext()
    if any(spec.shape[0] is None for spec in specs.values()):
        # Slower than lists of tensors where there can be such.
        loops = portable_recurrence.portable_loops(model)
    with structures.product_forms(export.form_of), loops:
        frozen = frozen_function.FrozenFunction(
            call_model, list(all_specs.values())
        )

    def predict(**inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = frozen(*[inputs[name] for name in all_specs])
        # What is read by a copied operation would not be known as read.
        graph = tf.compat.v1.get_default_graph()
        captured = {id(outer) for outer, _ in graph.captures}
        for variable in model.variables:
            if id(variable.value.handle) in captured:
                tf.convert_to_tensor(variable.value)
        return {OUTPUT_NAME: outputs}

    function = tf.function(predict, autograph=False)
    concrete = function.get_concrete_function(**all_specs)
    concrete.frozen = frozen  # Its variables live as long as it does.
    concrete.given = {
        name: value.numpy() for name, (_, _, value) in weights.items()
    }
    return concrete


def with_spectra(model: keras.Model, export: Forms) -> list[layers.Projection]:
    """Lists the projections of a precision that multiply by transforms.

    What a file holds of them are spectra, in floats, unless it is given the
    rounded weights.

    Args:
        model: the model.
        export: chooses the form of its projections.
    """

    def is_transformed(layer: layers.Projection) -> bool:
        base = layer.structure.base
        return any(
            part.uses_transforms
            and export.form_of(part, *layer.sizes) is structures.ProductForm.DFT
            for part in getattr(base, "parts", (base,))
        )

    return [
        layer
        for layer in layers.projections(model)
        if layer.structure.base != layer.structure and is_transformed(layer)
    ]


def draw_inputs(
    specs: Mapping[str, tf.TensorSpec], count: int = 4
) -> dict[str, np.ndarray]:
    """Draws inputs to compare predictions by.

    Args:
        specs: what a function takes, by name.
        count: number of videos, of different lengths where they have frames.

    Returns:
        Arrays by name, the same each time.
    """
    rng = np.random.default_rng(0)
    inputs, max_frames = {}, 0
    for name, spec in specs.items():
        shape = (count, *spec.shape[1:])
        if len(shape) == 3:
            max_frames = shape[1]
        if len(shape) == 1:  # Numbers of frames come last.
            values = max_frames - np.arange(count) * max_frames // count
        elif spec.dtype.is_integer:
            values = rng.integers(0, 256, shape)
        else:
            values = rng.standard_normal(shape)
        inputs[name] = values.astype(spec.dtype.as_numpy_dtype)
    return inputs


def layers_with(function: Any, operator: str) -> list[str]:
    """Names the layers that an operator of a function comes from.

    Args:
        function: of `make_portable_function`.
        operator: its type.

    Returns:
        The scopes of the operators, sorted.
    """
    scopes = {
        node.name.rpartition("/")[0]
        for node in nodes_of(function)
        if node.op == operator
    }
    return sorted(scopes - {""})


def nodes_of(function: Any) -> list[Any]:
    """Lists the operations of a function, those in loops and branches too.

    Args:
        function: of `make_portable_function`.

    Returns:
        Each as a `NodeDef`.
    """
    graph = function.graph.as_graph_def()
    return [
        *graph.node,
        *(node for inner in graph.library.function for node in inner.node_def),
    ]
