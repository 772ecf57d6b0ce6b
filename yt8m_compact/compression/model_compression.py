"""Compresses any Keras model of dense layers: measures, chooses, fine-tunes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import layers
from yt8m_compact import structures
from yt8m_compact.compression import budget as budget_lib
from yt8m_compact.compression import candidates
from yt8m_compact.compression import choosing
from yt8m_compact.compression import places as places_lib
from yt8m_compact.compression import plan as plan_lib
from yt8m_compact.compression import sample as sample_lib
from yt8m_compact.compression import sensitivity
from yt8m_compact.compression import table

_BATCH_SIZE = 256
# The loss between outputs of two models, by the activation that they have.
_LOSSES = {
    "sigmoid": "binary_crossentropy",
    "softmax": "categorical_crossentropy",
}


@dataclasses.dataclass(frozen=True)
class CompressedModel:
    """What became of a model.

    Example:
        >>> model = keras.Sequential([keras.Input([8]), keras.layers.Dense(8)])
        >>> small = yt8m.compression.compress(
        ...     model,
        ...     np.eye(8),
        ...     budget="30_weights",
        ...     structure_texts=["circulant"],
        ... )
        >>> small.cost, small.losses["before"] <= small.losses["tuned"]
        (16.0, True)

    Attributes:
        model: The smaller one, compiled.
        structures: The structure of each layer, as text.
        cost: What it takes, in the unit of the budget.
        losses: The mean loss on the sample, from what the model said: `before`
            (against itself), `projected` and `tuned`.
        measured: What each layer loses as each candidate.
        choice: What was chosen, and for which budget.
        places: The layers as they were.
        rest_bytes: What the model takes beside their kernels.
    """

    model: keras.Model
    structures: Mapping[str, str]
    cost: float
    losses: Mapping[str, float]
    measured: sensitivity.Measurements
    choice: plan_lib.Choice
    places: Sequence[places_lib.Place]
    rest_bytes: int

    def to_text(self, max_columns: int | None = None) -> str:
        """Writes what was chosen and what came of it, as yt8m-compress does.

        Bytes are what a packed file takes, headers counted as the most that
        they take. *Variance kept* is the share of the variance of a layer's
        outputs that stays, before the training.

        Example:
            >>> model = keras.Sequential(
            ...     [keras.Input([8]), keras.layers.Dense(8, name="last")]
            ... )
            >>> small = yt8m.compression.compress(
            ...     model,
            ...     np.eye(8),
            ...     budget="30_weights",
            ...     structure_texts=["circulant"],
            ... )
            >>> small.to_text().splitlines()[2].split()[:5]
            ['last', 'dense', '341', 'circulant', '117']

        Args:
            max_columns: How wide the tables may be; None for as wide as they
                are.

        Returns:
            A table of the layers, what was chosen, and a table of the losses.
        """
        chosen = table.choice_to_text(
            self.choice,
            self.losses["before"],
            self.measured,
            self.places,
            self.rest_bytes,
            max_columns,
        )
        return f"{chosen}\n\n{table.losses_to_text(self.losses, max_columns)}"


def compress(
    model: keras.Model,
    data: Any,
    *,
    budget: str | budget_lib.Budget,
    structure_texts: Sequence[str] = candidates.STRUCTURES,
    precisions: Sequence[str] | None = None,
    loss: str | keras.losses.Loss | None = None,
    epochs: int = 5,
    learning_rate: float = 1e-3,
    num_examples: int = 1024,
) -> CompressedModel:
    """Makes a smaller copy of a model, within a budget.

    Each dense layer may become each structure in each precision that is
    smaller. The loss of each is measured on the first examples, that layer
    alone replaced, and the best sum under the budget is chosen: what layers
    lose is assumed to add up. The copy is trained with the model as the
    teacher; labels are not looked at.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input([64]), keras.layers.Dense(64, name="last")]
        ... )
        >>> small = yt8m.compression.compress(
        ...     model,
        ...     np.random.default_rng(0).normal(size=[256, 64]),
        ...     budget="400_weights",
        ...     structure_texts=["low_rank(rank=2)", "low_rank(rank=4)"],
        ... )
        >>> small.structures, small.model.count_params()  # 2 * 128 + 64
        ({'last': 'low_rank(rank=2)'}, 320)

    Args:
        model: A built Functional or Sequential model with one output, whose
            `keras.layers.Dense` and dense `layers.Projection` may be replaced.
            It is not changed.
        data: What the model is called with: batches, such as a
            `tf.data.Dataset`, which may be tuples of inputs and labels; or an
            array of all.
        budget: `1MB` or `500000_parameters` say.
        structure_texts: The structures, as text.
        precisions: The precisions of each; None for those that the budget asks
            for.
        loss: The loss between outputs of the copy and the model; None for
            cross entropy after a sigmoid or a softmax, else the mean squared
            error.
        epochs: How often the training goes through the data; 0 is none.
        learning_rate: Of Adam, the start of a cosine.
        num_examples: How many examples are measured on.

    Returns:
        The copy, and what was chosen.

    Raises:
        ValueError: If the model has no such layer or weights that are not
            finite, the budget is none, is in time, is not below what the model
            takes or smaller than is possible, or there is no data.
    """
    budget = budget_lib.parse(budget)
    if budget.unit is budget_lib.Unit.MILLISECONDS:
        raise ValueError(
            "expected a budget of bytes or parameters for a Keras model; one "
            f"of time is for runs. Received: budget={budget}"
        )
    places = _find_places(model)
    _expect_finite(model)
    choices = choosing.list_choices(places, structure_texts, precisions, budget)
    kernels = {layer.kernel.path for layer in layers.dense_layers(model)}
    fixed = places_lib.count_rest(model, kernels, budget.unit)
    costs = choosing.count_costs(model.name, budget, fixed, choices)
    costs.check()
    batches = _inputs_of(data)
    sample = _first(batches, num_examples)
    if not sample:
        raise ValueError("expected data to measure on. Received: no batch")
    loss = loss or _LOSSES.get(_activation(model), "mean_squared_error")
    taught = [(inputs, model(inputs, training=False)) for inputs in sample]
    everything = {place.name: "dense" for place in places}
    twin = layers.compactify(model, everything)
    targets = {
        layer.name: sensitivity.Target(
            layer.kernel, layer.bias if layer.use_bias else None
        )
        for layer in layers.dense_layers(twin)
    }
    moments = layers.collect_input_moments(
        twin, layers.dense_layers(twin), sample
    )
    score = _make_score(twin, taught, loss)
    before = score()
    measured = sensitivity.measure(
        targets,
        choices,
        score,
        moments=dict(zip(targets, moments, strict=True)),
    )
    choice = costs.choose(measured, before)
    copy = _project(model, places, choice, sample)
    losses = {
        "before": before.loss,
        "projected": _make_score(copy, taught, loss)().loss,
    }
    _tune(copy, model, batches, loss, epochs, learning_rate)
    losses["tuned"] = _make_score(copy, taught, loss)().loss
    return CompressedModel(
        copy,
        choice.structures,
        choice.cost,
        losses,
        measured,
        choice,
        places,
        places_lib.count_rest(model, kernels, budget_lib.Unit.BYTES),
    )


def _find_places(model: keras.Model) -> list[places_lib.Place]:
    dense = layers.dense_layers(model)
    if not dense:
        raise ValueError(
            "expected a model with a dense layer, keras.layers.Dense or a "
            "Projection of a dense structure, to make it smaller. Received: "
            f"model={model.name}, without one"
        )
    names = [layer.name for layer in dense]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            "expected dense layers of different names, in models within the "
            f"model too. Received: {repeated}"
        )
    return [
        places_lib.Place(
            layer.name,
            layer.structure
            if isinstance(layer, layers.Projection)
            else structures.Dense(),
            (places_lib.Layer(layer.name, *map(int, layer.kernel.shape)),),
        )
        for layer in dense
    ]


def _expect_finite(model: keras.Model) -> None:
    for variable in model.weights:
        if not np.isfinite(variable.numpy()).all():
            raise ValueError(
                f"expected finite weights, to find the nearest to. Received: "
                f"NaN or infinity in {variable.path}"
            )


def _inputs_of(data: Any) -> Iterable[Any]:
    """Makes batches of inputs alone, to be gone through again and again."""
    if isinstance(data, np.ndarray | tf.Tensor):
        return tf.data.Dataset.from_tensor_slices(data).batch(_BATCH_SIZE)
    if isinstance(data, tf.data.Dataset):
        if isinstance(data.element_spec, tuple):
            return data.map(lambda inputs, *labels: inputs)
        return data
    return [batch[0] if isinstance(batch, tuple) else batch for batch in data]


def _first(batches: Iterable[Any], num_examples: int) -> list[Any]:
    sample, number = [], 0
    for batch in batches:
        rest = num_examples - number
        sample.append(tf.nest.map_structure(lambda x, n=rest: x[:n], batch))
        number += len(tf.nest.flatten(sample[-1])[0])
        if number >= num_examples:
            break
    return sample


def _activation(model: keras.Model) -> str:
    """Names the activation of the layer that gives the output."""
    layer = model.outputs[0]._keras_history.operation
    activation = getattr(layer, "activation", None)
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    return getattr(activation, "__name__", "")


def _make_score(
    model: keras.Model, taught: Sequence[tuple[Any, tf.Tensor]], loss: Any
) -> Callable[[], sample_lib.Scores]:
    function = keras.losses.get(loss)
    specs = tf.nest.map_structure(
        lambda x: tf.TensorSpec([None, *x.shape[1:]], x.dtype), taught[0][0]
    )
    predict = tf.function(
        lambda inputs: model(inputs, training=False), input_signature=[specs]
    )

    def score() -> sample_lib.Scores:
        total = number = 0.0
        for inputs, wanted in taught:
            values = tf.reduce_mean(function(wanted, predict(inputs)))
            total += float(values) * len(wanted)
            number += len(wanted)
        return sample_lib.Scores(total / number, None)

    return score


def _project(
    model: keras.Model,
    places: Sequence[places_lib.Place],
    choice: plan_lib.Choice,
    sample: Sequence[Any],
) -> keras.Model:
    """Copies a model with the layers that change replaced."""
    changed = {
        place.name: choice.structures[place.name]
        for place in places
        if choice.structures[place.name] != str(place.structure)
    }
    return layers.compactify(model, changed, data=sample)


def _tune(
    copy: keras.Model,
    model: keras.Model,
    batches: Iterable[Any],
    loss: Any,
    epochs: int,
    learning_rate: float,
) -> None:
    """Trains a copy to say what the model says."""
    number = sum(1 for _ in batches)
    rate = keras.optimizers.schedules.CosineDecay(
        learning_rate, max(1, epochs * number)
    )
    copy.compile(optimizer=keras.optimizers.Adam(rate), loss=loss)

    for _ in range(epochs):
        for inputs in batches:
            copy.train_on_batch(inputs, model(inputs, training=False))
