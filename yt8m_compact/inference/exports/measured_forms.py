"""In what form each projection is exported: by bytes, and by measured time."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable
from concurrent import futures
import dataclasses
import time
from typing import Any

import keras
import numpy as np

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import projection_export

# A form that takes so many times the bytes of the other is the better one where
# it is faster.
MOST_BYTES = 1.25
_ROUNDS = 5
_ROUND_SECONDS = 0.002

Predict = Callable[[dict[str, np.ndarray]], np.ndarray]
OpenFunction = Callable[[Any], Predict]


@dataclasses.dataclass(frozen=True)
class Choice:
    """The form of a product.

    Attributes:
        form: which it is.
        num_bytes: of each form.
        milliseconds: of each form; none where bytes decide.
    """

    form: structures.ProductForm
    num_bytes: dict[structures.ProductForm, int]
    milliseconds: dict[structures.ProductForm, float]

    def __str__(self) -> str:
        """Says the form, and why."""

        def described(form: structures.ProductForm) -> str:
            text = f"{self.num_bytes[form]:,} bytes"
            if form in self.milliseconds:
                text += f" {self.milliseconds[form]:.3f} ms"
            return text

        (other,) = set(self.num_bytes) - {self.form}
        return (
            f"{self.form}, {described(self.form)} ({other} {described(other)})"
        )


class MeasuredForms:
    """Chooses `DFT` or `DENSE` for each product.

    That of fewer bytes; unless the other takes at most `MOST_BYTES` times as
    many and less time, measured where it is exported, by the runtime of the
    format, on one thread.

    Args:
        rows: how many are multiplied at once.
        open_model: from a function of `portable_function` to what predicts by a
            file of it.

    Attributes:
        choices: those that were made, by structure and size.
    """

    def __init__(self, rows: int, open_model: OpenFunction) -> None:
        self._rows = rows
        self._open_model = open_model
        self.choices: dict[tuple[structures.Structure, int, int], Choice] = {}

    def form_of(
        self, structure: structures.Structure, input_dim: int, units: int
    ) -> structures.ProductForm:
        """Chooses the form of a product: a `structures.ChooseForm`.

        Args:
            structure: of the matrix, without precisions.
            input_dim: its number of rows.
            units: its number of columns.
        """
        key = structure, input_dim, units
        if key not in self.choices:
            self.choices[key] = self._choose(*key)
        return self.choices[key].form

    def to_lines(self, model: keras.Model) -> list[str]:
        """Says how the projections of a model were written.

        Args:
            model: the model.

        Returns:
            A line for each, but for dense ones, for which there is one way.
        """
        lines = []
        for layer in layers.projections(model):
            base = layer.structure.base
            for part in getattr(base, "parts", (base,)):
                choice = self.choices.get((part, *layer.sizes))
                if choice and not isinstance(part, structures.Dense):
                    lines.append(f"{layer.path}, {part}: {choice}, in float32")
        return lines

    def _choose(
        self, structure: structures.Structure, input_dim: int, units: int
    ) -> Choice:
        forms = structures.ProductForm
        num_bytes = {
            forms.DFT: projection_export.dft_bytes(structure, input_dim, units),
            forms.DENSE: 4 * input_dim * units,
        }
        # Where both are the same, it is written out.
        smaller = min(reversed(num_bytes), key=num_bytes.get)
        larger = max(num_bytes, key=num_bytes.get)
        is_dense = isinstance(structure, structures.Dense)
        if is_dense or num_bytes[larger] > MOST_BYTES * num_bytes[smaller]:
            return Choice(smaller, num_bytes, {})
        milliseconds = self._measure(structure, input_dim, units)
        faster = min(milliseconds, key=milliseconds.get)
        return Choice(faster, num_bytes, milliseconds)

    def _measure(
        self, structure: structures.Structure, input_dim: int, units: int
    ) -> dict[structures.ProductForm, float]:
        """Times both forms; no model is written where one is being traced."""
        with futures.ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(
                self._measure_here, structure, input_dim, units
            ).result()

    def _measure_here(
        self, structure: structures.Structure, input_dim: int, units: int
    ) -> dict[structures.ProductForm, float]:
        """Times both forms in turns; the best of each counts."""
        inputs = keras.Input([input_dim], name="features")
        layer = layers.Projection(units, structure, use_bias=False)
        model = keras.Model({"features": inputs}, layer(inputs))
        specs = portable_function.input_specs(model, self._rows, None)
        values = portable_function.draw_inputs(specs, self._rows)
        predict = {
            form: self._open_model(
                portable_function.make_portable_function(
                    model, specs, projection_export.ProjectionExport(form)
                )
            )
            for form in (
                structures.ProductForm.DFT,
                structures.ProductForm.DENSE,
            )
        }
        best = dict.fromkeys(predict, np.inf)
        for _ in range(_ROUNDS):
            for form, call in predict.items():
                best[form] = min(best[form], _seconds(call, values))
        return {form: 1000 * seconds for form, seconds in best.items()}


def _seconds(call: Predict, inputs: dict[str, np.ndarray]) -> float:
    """Times a call, by the mean of as many as take a while."""
    call(inputs)
    count, start = 0, time.perf_counter()
    while time.perf_counter() < start + _ROUND_SECONDS:
        call(inputs)
        count += 1
    return (time.perf_counter() - start) / max(count, 1)
