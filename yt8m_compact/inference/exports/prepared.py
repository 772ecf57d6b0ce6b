"""A model as it is before a converter takes it, and what it predicts."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_sample
from yt8m_compact.inference.exports import measured_forms
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A model in operators that other runtimes have, and a sample.

    Attributes:
        model: the model, which computes in float32.
        specs: what the function takes, by name.
        forms: chooses the form of its projections.
        function: of `portable_function.make_portable_function`.
        inputs: those that files are compared with the model on.
        expected: what the model predicts for them.
        lines: how projections are written, and why.
    """

    model: keras.Model
    specs: Mapping[str, tf.TensorSpec]
    forms: portable_function.Forms
    function: Any
    inputs: Mapping[str, np.ndarray]
    expected: np.ndarray
    lines: tuple[str, ...]


def prepare(
    about: companions.About,
    model: keras.Model,
    export: projection_export.ProjectionExport,
    batch_size: int | None,
    data_pattern: str | None,
    open_function: measured_forms.OpenFunction,
) -> Prepared:
    """Prepares a model for a format.

    Args:
        about: how the export comes about.
        model: the model of the run.
        export: the form of its projections.
        batch_size: videos to predict at once; None is any number.
        data_pattern: files of records to compare on; None draws inputs.
        open_function: opens a file of the format that is made of a function, to
            predict on one thread: what `AUTO` measures.

    Returns:
        The function, and what files of it are compared with.

    Raises:
        DataError: if the records are missing, broken or of another kind.
    """
    model = portable_function.in_float32(about.config, model)
    specs = portable_function.specs_of_run(about.config, model, batch_size)
    inputs = export_sample.take(about.config, specs, data_pattern)
    expected = model(inputs, training=False).numpy()
    forms, lines = export, ()
    if export is projection_export.ProjectionExport.AUTO:
        forms = measured_forms.MeasuredForms(batch_size or 1, open_function)
    function = portable_function.make_portable_function(model, specs, forms)
    if isinstance(forms, measured_forms.MeasuredForms):
        lines = tuple(forms.to_lines(model))
    return Prepared(model, specs, forms, function, inputs, expected, lines)
