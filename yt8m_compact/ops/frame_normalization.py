"""Batch normalisation of frames, with what follows it: activation, pooling.

One after another, as Keras has them, these layers write the activations of all
frames once each, and half a dozen times more with a mask and gradients. Here
they are read twice and written never where frames are pooled.
"""

from collections.abc import Callable, Mapping, Sequence
import functools
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from yt8m_compact.ops import replicas
from yt8m_compact.ops import row_sums
from yt8m_compact.ops import transforms

Activation = Callable[[tf.Tensor], tf.Tensor]

# Compiling takes a second or so, which fewer values a frame do not earn back.
_LEAST_COMPILED = 256
# Of the videos, where transforms multiply: XLA shares little but the transforms
# among threads, and TensorFlow computes its programs beside each other. Not as
# many as the machine has threads, by which sums would be rounded.
_NUM_PARTS = 4


class Product(Protocol):
    """A product that `normalize_products` computes.

    Those that are equal differ in their weights only, and are compiled once.

    Attributes:
        width: the columns of the matrix.
        uses_transforms: whether it is one by transforms, which gain by XLA.
    """

    width: int
    uses_transforms: bool

    def __call__(
        self, weights: Mapping[str, tf.Tensor], x: tf.Tensor
    ) -> tf.Tensor:
        """Multiplies `[batch, max_frames, input_dim]` by a matrix."""

    def __hash__(self) -> int:
        """Hashes what it is, as `==` compares."""


class Normalized(NamedTuple):
    """What training gets from a batch of frames.

    Attributes:
        outputs: `[batch, size]` where frames are pooled, else `[batch,
            max_frames, size]`; of the dtype of the values.
        mean: `[size]`, of the values of all frames that are there; float32, or
            float64 for float64 values.
        variance: `[size]`, likewise.
    """

    outputs: tf.Tensor
    mean: tf.Tensor
    variance: tf.Tensor


def normalize_frames(
    values: tf.Tensor,
    mask: tf.Tensor | None,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    *,
    epsilon: float,
    activation: Activation,
    pooling: str | None,
) -> Normalized:
    """Normalises frames by their own moments, activates and pools them.

    With `z_t = gamma (x_t - mean) / sqrt(variance + epsilon) + beta`, the
    maximum is that of the values before: `max_t f(z_t) = f(max_t z_t)` for `f`
    that never falls, and `max_t (a x_t + b)` is `a max_t x_t + b` for `a >= 0`
    and `a min_t x_t + b` for `a < 0`. So neither `z_t` nor `f(z_t)` is written,
    and the gradient needs no more than `x_t` and the pooled values.

    The gradient of a maximum is shared by the frames that have it, as
    TensorFlow's is; frames count as equal by `x_t`, where TensorFlow would
    compare `f(z_t)` after rounding. Where gamma is 0, all `z_t` are equal:
    gamma's gradient is that of the first extreme here, of the average there.

    Moments are those of each video, by two passes, then of all (Chan et al.),
    in float32 (float64 for float64 values). What rounding the mean of a video
    costs the variance is in proportion to `mean / sqrt(variance)`, not to its
    square, as in a difference of mean squares. Passes over the frames are
    compiled by XLA, which reads them once where TensorFlow's operations would
    write every step of the way. Replicas of a `tf.distribute` strategy share
    their moments, as if theirs were one batch.

    Example:
        >>> import tensorflow as tf
        >>> frames = tf.constant([[[1.0], [3.0], [3.0]], [[1.0], [9.0], [9.0]]])
        >>> mask = tf.constant([[True, True, True], [True, False, False]])
        >>> normalized = yt8m.ops.normalize_frames(
        ...     frames, mask, tf.ones(1), tf.zeros(1),
        ...     epsilon=0.0, activation=tf.nn.relu, pooling="max",
        ... )
        >>> [value.numpy().round(3).tolist() for value in normalized]
        [[[1.0], [0.0]], [2.0], [1.0]]

    Args:
        values: `x`, float `[batch, max_frames, size]`.
        mask: bool `[batch, max_frames]`, true where there is a frame, or None
            where all are. Others count neither in moments nor in pooling.
        gamma: `[size]`, of the dtype of the moments.
        beta: `[size]`, likewise.
        epsilon: what is added to the variance.
        activation: `f`; for `max`, a function that never falls.
        pooling: `max`, `average` or None, which leaves all frames. A video
            without a frame gives zeros.

    Returns:
        The outputs, and the moments, through which there is no gradient. A
        gradient of gradients is refused with a LookupError.

    References:
        Ioffe and Szegedy, https://arxiv.org/abs/1502.03167, algorithm 1.
        Chan, Golub and LeVeque, Algorithms for computing the sample variance,
        The American Statistician 37 (1983), equation 2.1.
    """
    arguments = (epsilon, activation, pooling)

    @tf.custom_gradient
    def normalize(values, gamma, beta):
        moments = _compiled(_video_moments, values.shape[-1])(
            values, mask, gamma.dtype, pooling == "max"
        )
        normalized, pull_back = _normalize(
            [values], [mask], moments, gamma, beta, *arguments
        )

        def gradients(upstream, *_):
            write, *of_parameters = pull_back(upstream)
            of_values = write.compiled([values], [mask])
            return tuple(map(_final, (of_values, *of_parameters)))

        return tuple(normalized), gradients

    return Normalized(*normalize(values, gamma, beta))


def normalize_products(
    x: tf.Tensor,
    weights: Sequence[Mapping[str, tf.Tensor]],
    products: Sequence[Product],
    mask: tf.Tensor | None,
    gammas: Sequence[tf.Tensor],
    betas: Sequence[tf.Tensor],
    *,
    epsilon: float,
    activation: Activation,
    pooling: str | None,
    input_gradient: bool,
) -> list[Normalized]:
    """Does `normalize_frames` with products, block by block of their columns.

    Batch normalisation is by column, so that each block is multiplied,
    normalised and pooled before the next, and so are the gradients, from the
    first block to the last: of what only one block needs, one exists at a time.

    Example:
        >>> import tensorflow as tf
        >>> class Times:  # a layer makes one of a structure
        ...     width = 1
        ...     uses_transforms = False
        ...     def __call__(self, weights, x):
        ...         return x @ weights["kernel"]
        >>> frames = tf.constant([[[1.0], [3.0]]])
        >>> blocks = yt8m.ops.normalize_products(
        ...     frames, [{"kernel": tf.constant([[2.0]])}], [Times()], None,
        ...     [tf.ones(1)], [tf.zeros(1)], epsilon=0.0, pooling="max",
        ...     activation=tf.nn.relu, input_gradient=False,
        ... )
        >>> [value.numpy().round(3).tolist() for value in blocks[0]]
        [[[1.0]], [4.0], [4.0]]

    Args:
        x: `[batch, max_frames, input_dim]`, float, or complex where products
            are of spectra.
        weights: for each block, its weights by name.
        products: for each block, what gives `[batch, max_frames, width]`.
        mask: see `normalize_frames`.
        gammas: for each block, `[width]`.
        betas: for each block, `[width]`.
        epsilon: see `normalize_frames`.
        activation: see there.
        pooling: see there.
        input_gradient: whether `x` has a gradient. XLA would compute it even
            where nobody asks for it.

    Returns:
        What `normalize_frames` returns, for each block.
    """
    arguments = (epsilon, activation, pooling)
    num_parts = _num_parts(products, x.shape[-1])

    @tf.custom_gradient
    def normalize(x, gammas, betas, weights):
        rows = _split(x, num_parts)
        masks = _split(mask, num_parts)
        blocks, results, done = [], [], []
        for product, some, gamma, beta in zip(
            products, weights, gammas, betas, strict=True
        ):
            multiply, differentiate = _functions_of(product)
            values, moments = [], []
            for row, of_row in zip(rows, masks, strict=True):
                with tf.control_dependencies(done):
                    row = tf.identity(row)
                one, of_one = multiply(row, of_row, some, gamma.dtype, pooling)
                values.append(one)
                moments.append(of_one)
            normalized, pull_back = _normalize(
                values,
                masks,
                tf.nest.map_structure(_join, *moments),
                gamma,
                beta,
                *arguments,
            )
            blocks.append((differentiate, some, values, pull_back))
            results.extend(normalized)
            done = [normalized.mean]

        def gradients(*upstreams):
            of_gammas, of_betas, of_weights, done = [], [], [], []
            # A sum of its own before the first is not worth it for one block.
            of_rows = [[] for _ in rows]
            if input_gradient and blocks[1:]:
                of_rows = [[tf.zeros_like(row)] for row in rows]
            for (differentiate, some, values, pull_back), upstream in zip(
                blocks, upstreams[:: len(Normalized._fields)], strict=True
            ):
                with tf.control_dependencies(done):
                    upstream = tf.identity(upstream)
                write, of_gamma, of_beta = pull_back(upstream)
                of_rows, found = zip(
                    *(
                        differentiate(*part, some, pooling, input_gradient)
                        for part in zip(
                            rows,
                            masks,
                            values,
                            of_rows,
                            write.split(num_parts),
                            strict=True,
                        )
                    ),
                    strict=True,
                )
                of_gammas.append(of_gamma)
                of_betas.append(of_beta)
                of_weights.append(tf.nest.map_structure(_sum, *found))
                # Not of `of_rows`: where x is data, nobody computes that.
                done = [*of_weights[-1].values()]
            # One a part, or none.
            of_x = [_join(*parts) for parts in zip(*of_rows, strict=True)]
            final = [of_x, of_gammas, of_betas, of_weights]
            final = tf.nest.map_structure(_final, final)
            return *(final[0] or [None]), *final[1:]

        return tuple(results), gradients

    flat = normalize(x, list(gammas), list(betas), [*map(dict, weights)])
    size = len(Normalized._fields)
    return [
        Normalized(*flat[start : start + size])
        for start in range(0, len(flat), size)
    ]


class _Pass(NamedTuple):
    """A pass over frames.

    Attributes:
        function: of values, mask, and the arguments.
        by_video: its first arguments, which have a row for each video.
        others: its last arguments.
    """

    function: Callable
    by_video: tuple[tf.Tensor, ...]
    others: tuple[Any, ...]

    def __call__(self, values: tf.Tensor, mask: tf.Tensor | None) -> Any:
        return self.function(values, mask, *self.by_video, *self.others)

    def split(self, num_parts: int) -> list["_Pass"]:
        """Splits the videos."""
        tensors = [_split(tensor, num_parts) for tensor in self.by_video]
        return [
            self._replace(by_video=tuple(split[part] for split in tensors))
            for part in range(num_parts)
        ]

    def compiled(
        self, values: Sequence[tf.Tensor], masks: Sequence[tf.Tensor | None]
    ) -> Any:
        """Passes over parts of the videos; returns what they give, joined."""
        function = _compiled(self.function, values[0].shape[-1])
        parts = zip(self.split(len(values)), values, masks, strict=True)
        return tf.nest.map_structure(
            _join,
            *(
                one._replace(function=function)(some, of_some)
                for one, some, of_some in parts
            ),
        )


# From the gradient of outputs to the pass that gives those of values, and to
# those of gamma and beta.
_PullBack = Callable[[tf.Tensor], tuple[_Pass, tf.Tensor, tf.Tensor]]


def _num_parts(products: Sequence[Product], input_dim: int) -> int:
    """Says into how many parts of its videos a batch is to be split."""
    if any(map(tf.config.list_logical_devices, ("GPU", "TPU"))):
        return 1  # It shares each pass among all that it has.
    # Matrices for short rows are written out, and would be for each part.
    if input_dim < _LEAST_COMPILED or not any(map(_is_compiled, products)):
        return 1
    return _NUM_PARTS


def _is_compiled(product: Product) -> bool:
    """Says whether XLA makes one program of it and the passes over frames."""
    return product.uses_transforms and product.width >= _LEAST_COMPILED


def _split(x: tf.Tensor | None, num_parts: int) -> list[tf.Tensor | None]:
    """Splits the videos; the sizes of parts differ by one at most."""
    if x is None or num_parts == 1:
        return [x] * num_parts
    if x.shape[0] is None:
        sizes = (tf.shape(x)[0] + tf.range(num_parts)) // num_parts
    else:
        sizes = [(x.shape[0] + part) // num_parts for part in range(num_parts)]
    return tf.split(x, sizes)


def _join(*parts: tf.Tensor) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=0)


def _sum(*parts: tf.Tensor) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.add_n(parts)


def _normalize(
    values: Sequence[tf.Tensor],
    masks: Sequence[tf.Tensor | None],
    moments: Sequence[tf.Tensor],
    gamma: tf.Tensor,
    beta: tf.Tensor,
    epsilon: float,
    activation: Activation,
    pooling: str | None,
) -> tuple[Normalized, _PullBack]:
    """Normalises, and returns the function of the gradients, too.

    Args:
        values: of each part of the videos.
        masks: likewise.
        moments: of all videos, as `_video_moments` returns them.
        gamma: see `normalize_frames`.
        beta: see there.
        epsilon: see there.
        activation: see there.
        pooling: see there.

    Returns:
        What training gets, and the function.
    """
    by_max = pooling == "max"
    counts = _join(
        *(
            _count_by_video(some, of_some, gamma.dtype)
            for some, of_some in zip(values, masks, strict=True)
        )
    )
    mean, variance, count, extremes = _moments(moments, counts)
    deviation = tf.math.rsqrt(variance + epsilon)
    scale = gamma * deviation
    shift = beta - mean * scale
    if by_max:
        some = None if masks[0] is None else counts > 0
        extreme = _choose_extreme(extremes, some, scale, mean)
        outputs = _activate_pooled(extreme, some, scale, shift, activation)
    else:
        outputs = _Pass(
            _activate_frames, (), (scale, shift, activation, pooling)
        ).compiled(values, masks)

    def pull_back(upstream):
        upstream = tf.cast(upstream, gamma.dtype)
        if by_max:
            of_z = _through(
                lambda z: _activate_pooled(z, some, None, None, activation),
                extreme * scale + shift,
                upstream,
            )
            of_beta = tf.reduce_sum(of_z, axis=0)
            of_gamma = tf.reduce_sum(of_z * (extreme - mean), axis=0)
        else:
            sums = _Pass(
                _sum_gradients,
                (upstream,),
                (scale, shift, mean, activation, pooling),
            ).compiled(values, masks)
            of_beta, of_gamma = (tf.reduce_sum(x, axis=0) for x in sums)
        of_gamma *= deviation
        # Through the moments: what beta and gamma get, spread over frames.
        all_of_gamma, all_of_beta = replicas.sum_over_replicas(
            of_gamma, of_beta
        )
        slope = -deviation * all_of_gamma / count
        constant = -all_of_beta / count - slope * mean
        if by_max:
            write = _Pass(
                _spread_gradients, (extreme, of_z), (scale, slope, constant)
            )
        else:
            write = _Pass(
                _write_gradients,
                (upstream,),
                (scale, shift, slope, constant, activation, pooling),
            )
        return write, of_gamma, of_beta

    outputs = tf.cast(outputs, values[0].dtype)
    return Normalized(outputs, mean, variance), pull_back


def normalize_frames_by(
    values: tf.Tensor,
    mask: tf.Tensor | None,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    mean: tf.Tensor,
    variance: tf.Tensor,
    *,
    epsilon: float,
    activation: Activation,
    pooling: str | None,
) -> tf.Tensor:
    """Does `normalize_frames` with given moments, as inference does.

    Example:
        >>> import tensorflow as tf
        >>> frames = tf.constant([[[1.0], [3.0]], [[1.0], [9.0]]])
        >>> mask = tf.constant([[True, True], [True, False]])
        >>> outputs = yt8m.ops.normalize_frames_by(
        ...     frames, mask, tf.ones(1), tf.zeros(1), tf.constant([2.0]),
        ...     tf.constant([4.0]), epsilon=0.0, activation=tf.nn.relu,
        ...     pooling="max",
        ... )
        >>> outputs.numpy().round(3).tolist()
        [[0.5], [0.0]]

    Args:
        values: see there.
        mask: see there.
        gamma: see there.
        beta: see there.
        mean: `[size]`, of the dtype of gamma.
        variance: `[size]`, likewise.
        epsilon: see there.
        activation: see there.
        pooling: see there.

    Returns:
        The outputs; see `Normalized`.
    """
    scale = gamma * tf.math.rsqrt(variance + epsilon)
    shift = beta - mean * scale
    if pooling != "max":
        outputs = _activate_frames(
            values, mask, scale, shift, activation, pooling
        )
        return tf.cast(outputs, values.dtype)
    values, some = _fill_padding(values, mask)
    # As large as the product by `a` of the extreme, to the last bit.
    largest = tf.reduce_max(tf.cast(values, scale.dtype) * scale, axis=1)
    outputs = _activate_pooled(largest + shift, some, None, None, activation)
    return tf.cast(outputs, values.dtype)


def normalize_products_by(
    x: tf.Tensor,
    weights: Sequence[Mapping[str, tf.Tensor]],
    products: Sequence[Product],
    mask: tf.Tensor | None,
    gammas: Sequence[tf.Tensor],
    betas: Sequence[tf.Tensor],
    means: Sequence[tf.Tensor],
    variances: Sequence[tf.Tensor],
    *,
    epsilon: float,
    activation: Activation,
    pooling: str | None,
) -> list[tf.Tensor]:
    """Does `normalize_products` with given moments, as inference does.

    Where the maximum is taken, padding is filled with a frame of the video
    before the product, which is narrower than what comes of it.

    Example:
        >>> import tensorflow as tf
        >>> class Times:  # a layer makes one of a structure
        ...     width = 1
        ...     uses_transforms = False
        ...     def __call__(self, weights, x):
        ...         return x @ weights["kernel"]
        >>> frames = tf.constant([[[1.0], [3.0]]])
        >>> blocks = yt8m.ops.normalize_products_by(
        ...     frames, [{"kernel": tf.constant([[2.0]])}], [Times()], None,
        ...     [tf.ones(1)], [tf.zeros(1)], [tf.constant([2.0])],
        ...     [tf.constant([4.0])], epsilon=0.0, activation=tf.nn.relu,
        ...     pooling="max",
        ... )
        >>> blocks[0].numpy().round(3).tolist()
        [[2.0]]

    Args:
        x: see there.
        weights: see there.
        products: see there.
        mask: see there.
        gammas: see there.
        betas: see there.
        means: for each block, `[width]`, of the dtype of gamma.
        variances: for each block, likewise.
        epsilon: see there.
        activation: see there.
        pooling: see there.

    Returns:
        The outputs of each block; see `Normalized`.
    """
    some = None
    if pooling == "max":
        x, some = _fill_padding(x, mask)
        mask = None
    outputs = [
        normalize_frames_by(
            product(some, x),
            mask,
            *parameters,
            epsilon=epsilon,
            activation=activation,
            pooling=pooling,
        )
        for product, some, *parameters in zip(
            products, weights, gammas, betas, means, variances, strict=True
        )
    ]
    if some is None:
        return outputs
    return [tf.where(some, block, tf.zeros_like(block)) for block in outputs]


def _fill_padding(
    values: tf.Tensor, mask: tf.Tensor | None
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Puts a video's first frame where there is none: its maximum stays.

    Returns:
        Frames, one at least; and bool `[batch, 1]`, which videos have any, or
        None where all do.
    """
    if mask is None:
        return values, None
    missing = tf.maximum(1 - tf.shape(values)[1], 0)
    values = tf.pad(values, [[0, 0], [0, missing], [0, 0]])
    # LiteRT's converter of TensorFlow 2.16 pads no truth values.
    padded = tf.pad(tf.cast(mask, tf.int32), [[0, 0], [0, missing]])
    mask, place = tf.cast(padded, tf.bool), tf.argmax(padded, axis=1)
    first = tf.gather(values, place, axis=1, batch_dims=1)[:, tf.newaxis]
    some = tf.reduce_any(mask, axis=1, keepdims=True)
    return tf.where(mask[:, :, tf.newaxis], values, first), some


def _final(gradient: tf.Tensor) -> tf.Tensor:
    """Refuses to be differentiated again: the moments would be constants."""
    return tf.raw_ops.PreventGradient(
        input=gradient,
        message="FrameNormalization has no second derivatives in training",
    )


def _kept(values: tf.Tensor, mask: tf.Tensor | None, other) -> tf.Tensor:
    """Puts another value where there is no frame."""
    if mask is None:
        return values
    other = tf.constant(other, values.dtype)
    return tf.where(mask[:, :, tf.newaxis], values, other)


def _count_by_video(values, mask, dtype) -> tf.Tensor:
    """Counts the frames of each video, `[batch, 1]`."""
    if mask is None:
        batch, time = tf.unstack(tf.shape(values)[:2])
        return tf.fill([batch, 1], tf.cast(time, dtype))
    return tf.math.count_nonzero(mask, axis=1, keepdims=True, dtype=dtype)


def _moments(moments, counts):
    """Returns mean and variance, `[size]`, number of frames, and extremes.

    Of videos first, since XLA sums over the frames of one video at the speed
    of memory, and over all frames at once at a tenth of it.
    """
    means, squares, *extremes = moments
    (count,) = replicas.sum_over_replicas(tf.reduce_sum(counts))
    count = tf.maximum(count, 1)
    (sums,) = replicas.sum_over_replicas(tf.reduce_sum(means * counts, axis=0))
    mean = sums / count
    between = tf.math.squared_difference(means, mean) * counts
    (sums,) = replicas.sum_over_replicas(
        tf.reduce_sum(squares + between, axis=0)
    )
    return mean, sums / count, count, extremes


def _video_moments(values, mask, dtype, with_extremes: bool):
    """Returns `[batch, size]` each: mean, squares around it, extremes."""
    values = tf.cast(values, dtype)
    count = _count_by_video(values, mask, dtype)
    means = tf.math.divide_no_nan(
        tf.reduce_sum(_kept(values, mask, 0), axis=1), count
    )
    squares = tf.math.squared_difference(values, means[:, tf.newaxis])
    moments = (means, tf.reduce_sum(_kept(squares, mask, 0), axis=1))
    return (*moments, *_extremes(values, mask)) if with_extremes else moments


def _extremes(values, mask):
    """Returns the largest and the smallest value, `[batch, size]` each."""
    return (
        tf.reduce_max(_kept(values, mask, values.dtype.min), axis=1),
        tf.reduce_min(_kept(values, mask, values.dtype.max), axis=1),
    )


def _choose_extreme(extremes, some, scale, mean):
    """Returns the `x_t` with the largest `a x_t`, the mean without frames."""
    extreme = tf.where(scale >= 0, *extremes)
    return extreme if some is None else tf.where(some, extreme, mean)


def _activate_pooled(values, some, scale, shift, activation):
    z = values if scale is None else values * scale + shift
    outputs = activation(z)
    if some is None:
        return outputs
    return tf.where(some, outputs, tf.zeros_like(outputs))


def _activate_frames(values, mask, scale, shift, activation, pooling):
    z = (
        values
        if scale is None
        else tf.cast(values, scale.dtype) * scale + shift
    )
    outputs = activation(z)
    if pooling is None:
        return outputs
    total = row_sums.sum_rows(_kept(outputs, mask, 0))
    return tf.math.divide_no_nan(total, _count_by_video(z, mask, z.dtype))


def _spread_gradients(values, mask, extreme, of_z, scale, slope, constant):
    """Returns the gradient of frames, from that of the extreme of a video."""
    wide = tf.cast(values, scale.dtype)
    has_it = tf.equal(wide, extreme[:, tf.newaxis])
    if mask is not None:
        has_it &= mask[:, :, tf.newaxis]
    number = tf.reduce_sum(tf.cast(has_it, wide.dtype), axis=1)
    share = tf.math.divide_no_nan(of_z, number)[:, tf.newaxis]
    of_frames = tf.where(has_it, share, tf.zeros_like(wide))
    of_moments = _kept(wide * slope + constant, mask, 0)
    return tf.cast((of_frames + of_moments) * scale, values.dtype)


def _without_padding(values, mask, pooling):
    """Takes away what is no number: 0 times that would be none, either.

    Not where frames are kept, and padding is a frame like others.
    """
    return values if pooling is None else _kept(values, mask, 0)


def _gradients_of_z(values, mask, scale, shift, upstream, activation, pooling):
    return _through(
        lambda z: _activate_frames(z, mask, None, None, activation, pooling),
        tf.cast(values, scale.dtype) * scale + shift,
        upstream,
    )


def _sum_gradients(
    values, mask, upstream, scale, shift, mean, activation, pooling
):
    """Returns what beta, and gamma but for a factor, get from each video."""
    values = _without_padding(values, mask, pooling)
    of_z = _gradients_of_z(
        values, mask, scale, shift, upstream, activation, pooling
    )
    difference = tf.cast(values, scale.dtype) - mean
    return tf.reduce_sum(of_z, axis=1), tf.reduce_sum(of_z * difference, axis=1)


def _write_gradients(
    values, mask, upstream, scale, shift, slope, constant, activation, pooling
):
    """Returns the gradient of frames, from that of frames or averages."""
    values = _without_padding(values, mask, pooling)
    of_z = _gradients_of_z(
        values, mask, scale, shift, upstream, activation, pooling
    )
    wide = tf.cast(values, scale.dtype)
    of_moments = _kept(wide * slope + constant, mask, 0)
    return tf.cast((of_z + of_moments) * scale, values.dtype)


@functools.cache  # Each is traced once, and not at every step in eager mode.
def _functions_of(product: Product) -> tuple[Callable, Callable]:
    """Returns what multiplies, and what gives the gradients."""

    def product_of(x, mask, weights, pooling):
        if pooling is None or not _is_compiled(product):
            return product(weights, x)
        with transforms.paired_frames():
            return product(weights, _kept(x, mask, 0))

    def multiply(x, mask, weights, dtype, pooling):
        """Returns the product, and what `_video_moments` returns."""
        values = product_of(x, mask, weights, pooling)
        return values, inner(_video_moments)(
            values, mask, dtype, pooling == "max"
        )

    def differentiate(
        x, mask, values, before, write, weights, pooling, of_x: bool
    ):
        """Returns the gradients of `x`, a list or none, and of the weights.

        That of `x` is added to what there was before. Multiplies again as far
        as they need it.
        """
        of_values = write._replace(function=inner(write.function))(values, mask)
        with tf.GradientTape() as tape:
            trained = [w for w in weights.values() if w.dtype.is_floating]
            tape.watch([x, *trained])
            values = product_of(x, mask, weights, pooling)
        of_weights, *found = tape.gradient(
            values,
            (weights, x) if of_x else (weights,),
            output_gradients=of_values,
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        if before:
            found = [tf.add_n([*before, *found])]
        return found, of_weights

    whole = functools.partial(_compiled, size=product.width)
    if _is_compiled(product):
        inner = _as_it_is
        return whole(multiply), whole(differentiate)
    inner = whole
    return multiply, differentiate


def _as_it_is(function: Callable) -> Callable:
    return function


def _through(function, z: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Returns the gradient of a function's argument."""
    with tf.GradientTape() as tape:
        tape.watch(z)
        outputs = function(z)
    return tape.gradient(outputs, z, output_gradients=upstream)


def _compiled(function: Callable, size: int) -> Callable:
    """Compiles a function of values and mask where that pays.

    Not for few values a frame. Without the mask where all frames are there:
    with it, a pass takes 2 to 3 times as long, and few batches need it.

    Args:
        function: of values, mask, which may be None, and others.
        size: the values of a frame.

    Returns:
        The function.
    """
    if size < _LEAST_COMPILED:
        return _switch(function)
    if tf.inside_function():
        return _program(function, size)[1]
    return _switch(_program(function, size)[0])


@functools.cache
def _program(function: Callable, size: int) -> tuple[Callable, Callable]:
    """Makes one for each size: TensorFlow warns of one that is traced often.

    Returns:
        The program, and what chooses whether it gets the mask, for graphs: all
        that call it share both branches.
    """
    del size
    program = tf.function(function, jit_compile=True, autograph=False)
    return program, tf.function(_switch(program), autograph=False)


def _switch(function: Callable) -> Callable:
    """Gives a function no mask where all frames are there."""

    def call(values, mask, *arguments):
        if mask is None:
            return function(values, None, *arguments)
        return tf.cond(
            tf.reduce_all(mask),
            lambda: function(values, None, *arguments),
            lambda: function(values, mask, *arguments),
        )

    return call
