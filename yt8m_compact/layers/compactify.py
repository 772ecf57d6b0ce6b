"""Makes the dense layers of a trained Keras model compact."""

from collections.abc import Callable, Iterator, Sequence
import tempfile
from typing import Any

import keras

from yt8m_compact.layers import dense_projection
from yt8m_compact.layers import projection
from yt8m_compact.layers import projection_kinds


def compactify(
    model: keras.Model,
    kind: str,
    *,
    layer_names: Sequence[str] | str | None = None,
    **options: Any,
) -> keras.Model:
    """Copies a model with dense layers replaced by their closest projections.

    Each layer chosen becomes a projection of `kind` whose `W` is closest to
    the layer's kernel in Frobenius norm (`Projection.from_dense`), with its
    bias, activation, regularisers, constraints, dtype and name. All other
    weights are copied. Train the copy on to win back accuracy.

    Layers are `keras.layers.Dense` (not quantised) and `DenseProjection`, also
    in models within the model, not those inside other layers (such as
    attention). It takes as long as `from_dense` of the kind: seconds a layer
    for most, minutes for `acdc`, `fastfood`, sums, and several factors of
    thousands of inputs.

    Args:
      model: a built Functional or Sequential model; it is not changed.
      kind: a key of `PROJECTIONS`.
      layer_names: names of the layers to replace, or one; None is every dense
        layer that becomes smaller.
      **options: arguments of the kind, such as `rank`; see its `options`.

    Returns:
      The copy, not compiled.

    Raises:
      ValueError: if the model is subclassed or not built, a name is not that
        of a dense layer, no layer would become smaller, or the kind or an
        option is unknown; from newer releases of Keras, if a `Lambda` layer
        holds a Python lambda and `keras.config.enable_unsafe_deserialization`
        was not called.
    """
    if isinstance(layer_names, str):
        layer_names = [layer_names]
    cls = projection_kinds.projection_class(kind)
    unknown = sorted(set(options) - set(cls.options))
    if unknown:
        raise ValueError(
            f"expected options of {kind}: {', '.join(cls.options) or 'none'}. "
            f"Received: {', '.join(unknown)}"
        )
    if not isinstance(model, keras.Sequential) and not _is_functional(model):
        raise ValueError(
            "expected a Functional or Sequential model, whose layers can be "
            f"replaced. Received: model={model.name}, of class "
            f"{type(model).__name__}"
        )
    if not model.built:
        raise ValueError(
            f"expected a built model: call it on an input first. Received: "
            f"model={model.name}"
        )
    dense = [layer for layer in _all_layers(model) if _is_dense(layer)]
    if layer_names is None:
        chosen = [layer for layer in dense if _is_smaller(layer, kind, options)]
        if not chosen:
            raise ValueError(
                f"expected a dense layer that becomes smaller as {kind}. "
                f"Received: model={model.name}, dense layers="
                f"{[layer.name for layer in dense]}"
            )
    else:
        missing = set(layer_names) - {layer.name for layer in dense}
        if missing or not layer_names:
            raise ValueError(
                "expected names of dense layers, some of "
                f"{[layer.name for layer in dense]}. Received: layer_names="
                f"{list(layer_names)}"
            )
        chosen = [layer for layer in dense if layer.name in layer_names]
    replaced = {id(layer) for layer in chosen}

    def copy_layer(layer: keras.Layer) -> keras.Layer:
        if id(layer) in replaced:
            return _make_projection(layer, kind, options)
        return type(layer).from_config(layer.get_config())

    copied = _clone(model, copy_layer)
    for old, new in zip(_all_layers(model), _all_layers(copied), strict=True):
        if id(old) in replaced:
            bias = None if old.bias is None else old.bias.numpy()
            kernel = old.kernel
            if isinstance(old, projection.Projection):
                kernel = old.as_dense_kernel()
            new.assign_dense(kernel.numpy(), bias)
        else:
            _copy_state(old, new)
    return copied


def _copy_state(old: keras.Layer, new: keras.Layer) -> None:
    # As in a file: more than weights, such as vocabularies that were adapted.
    if hasattr(old, "save_assets"):
        with tempfile.TemporaryDirectory() as folder:
            old.save_assets(folder)
            new.load_assets(folder)
    new.set_weights(old.get_weights())
    if hasattr(new, "finalize_state"):
        new.finalize_state()


def _is_functional(model: keras.Model) -> bool:
    # Keras makes one from inputs and outputs, whatever its class.
    return isinstance(model, keras.Model) and hasattr(model, "operations")


def _all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yields layers in order, those of models within the model in place."""
    for layer in model.layers:
        if isinstance(layer, keras.Sequential) or _is_functional(layer):
            yield from _all_layers(layer)
        else:
            yield layer


def _is_dense(layer: keras.Layer) -> bool:
    # A quantised kernel is made of whole numbers and a scale.
    quantized = getattr(layer, "quantization_mode", None) is not None
    return not quantized and type(layer) in (
        keras.layers.Dense,
        dense_projection.DenseProjection,
    )


def _is_smaller(layer: keras.Layer, kind: str, options: dict[str, Any]) -> bool:
    input_dim, units = layer.kernel.shape
    compact = projection_kinds.make_projection(
        kind, units, use_bias=False, kernel_initializer="zeros", **options
    )
    compact.build((None, input_dim))
    return compact.count_params() < input_dim * units


def _make_projection(
    layer: keras.Layer, kind: str, options: dict[str, Any]
) -> projection.Projection:
    config = layer.get_config()
    shared = (
        "name",
        "trainable",
        "dtype",
        "units",
        "activation",
        "use_bias",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "activity_regularizer",
        "kernel_constraint",
        "bias_constraint",
    )
    new = projection_kinds.make_projection(
        kind, layer.units, name=layer.name, **options
    )
    # As a saved layer is made, which knows how to read each of these.
    merged = {
        **new.get_config(),
        **{key: config[key] for key in shared if key in config},
    }
    return type(new).from_config(merged)


def _clone(
    model: keras.Model, copy_layer: Callable[[keras.Layer], keras.Layer]
) -> keras.Model:
    return keras.models.clone_model(
        model, clone_function=copy_layer, recursive=True
    )
