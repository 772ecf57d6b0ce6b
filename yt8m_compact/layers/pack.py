"""The projections of a model, and their weights as bits."""

from collections.abc import Iterator

import keras
import tensorflow as tf

from yt8m_compact.layers import projection


def projections(model: keras.Model) -> Iterator[projection.Projection]:
    """Yields the projections of a model, those within other layers too.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input([8]), yt8m.layers.Projection(4, name="fc")]
        ... )
        >>> [layer.name for layer in yt8m.layers.projections(model)]
        ['fc']

    Args:
        model: a model.

    Yields:
        Each projection once, in the order of the layers.
    """
    seen = set()
    for layer in model.layers:
        for part in tf.train.TrackableView(layer).descendants():
            is_new = isinstance(part, projection.Projection)
            if is_new and id(part) not in seen:
                seen.add(id(part))
                yield part


def pack(model: keras.Model) -> None:
    """Packs the weights of every projection whose structure has a precision.

    In place, see `Projection.pack`: the model predicts what it did, its packed
    weights can't be trained any more, and it saves and exports the bits.

    The optimiser of a model that was fitted holds moments of the floats. Where
    weights are packed, a new one of the same configuration takes its place,
    which starts at step 0 with what is still trained; but for one that can't be
    made of its own configuration, which stays.

    Example:
        >>> layer = yt8m.layers.Projection(64, "dense@int4", use_bias=False)
        >>> model = keras.Sequential([keras.Input([256]), layer])
        >>> yt8m.layers.pack(model)  # 65,536 bytes to 8,192 and 64 scales
        >>> sum(weight.numpy().nbytes for weight in model.weights)
        8320

    Args:
        model: a built model.

    Raises:
        ValueError: if a weight is not finite or can't be stored.
    """
    packing = [
        layer
        for layer in projections(model)
        if layer.structure.packed() != layer.structure
    ]
    optimizer = _new_optimizer(model) if packing else None
    for layer in packing:
        layer.pack()
    if optimizer is not None:
        model.optimizer = optimizer
        # A file of one that is not built can't be loaded without a warning.
        optimizer.build(model.trainable_variables)
    # What Keras traced holds the floats.
    model.train_function = None
    model.test_function = None
    model.predict_function = None


def _new_optimizer(model: keras.Model) -> keras.optimizers.Optimizer | None:
    """Makes an optimiser like a model's, None if that holds nothing yet."""
    old = getattr(model, "optimizer", None)
    if not isinstance(old, keras.optimizers.Optimizer) or not old.built:
        return None
    try:
        return type(old).from_config(old.get_config())
    except (TypeError, ValueError):  # Of a schedule that Keras doesn't know.
        return None
