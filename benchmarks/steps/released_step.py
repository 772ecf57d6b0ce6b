"""Training steps of the released codes, in the style of TensorFlow 1.

Written for this benchmark, from what the papers and the codes' documentation
say of them, as a graph that a session runs: the starter code's DbofModel
(https://github.com/google/youtube-8m) and the network of the code of Araujo et
al. (https://github.com/araujoalexandre/youtube8m-circulant). docs/benchmarks.md
says how close they come to those.
"""

from collections.abc import Callable
import math
import time

import numpy as np
import tensorflow as tf

from benchmarks import projections
from benchmarks.steps import network as network_lib
from yt8m_compact.ops import quantization

v1 = tf.compat.v1

_L2_PENALTY = 1e-8
_CLIP_NORM = 1.0
_LOSS_EPSILON = 1e-5
# Those of slim's batch normalisation.
_DECAY, _VARIANCE_EPSILON = 0.999, 1e-3


class ReleasedStep:
    """Trains as the released codes do.

    Every variable's gradient is clipped to norm 1, Adam applies it, and batch
    normalisation's statistics move before the gradients are taken. As there,
    each step also hands the predictions and the labels to Python; what is
    computed of them there every tenth step is left out.

    Args:
        network: its sizes.
        build: adds a model to the graph: from `[batch, frames, feature_dim]`,
            of unit length, to probabilities.
        batch: from `network.make_batch`.
    """

    compiled = "session"

    def __init__(
        self,
        network: network_lib.Network,
        build: Callable[[network_lib.Network, tf.Tensor], tf.Tensor],
        batch: dict[str, tf.Tensor],
    ) -> None:
        frames = quantization.dequantize(batch["frames"]).numpy()
        num_frames, labels = batch["num_frames"].numpy(), batch["labels"]
        self.losses: list[float] = []
        self._graph = tf.Graph()
        with (
            self._graph.as_default(),
            # As of TensorFlow 1: not variables of resources.
            v1.variable_scope("tower", use_resource=False),
        ):
            v1.set_random_seed(0)
            dataset = tf.data.Dataset.from_tensors(
                (frames, num_frames, labels.numpy().astype(bool))
            ).repeat()
            features, number, labels = v1.data.make_one_shot_iterator(
                dataset
            ).get_next()
            features = tf.nn.l2_normalize(features, 2)
            sample = _sample_frames(features, number, network.frames)
            predictions = build(network, sample)
            self.variables = v1.global_variables()
            self._fetches = _train(network, predictions, labels)
            initialize = v1.global_variables_initializer()
        self._session = v1.Session(
            graph=self._graph,
            config=v1.ConfigProto(allow_soft_placement=True),
        )
        self._session.run(initialize)

    @property
    def num_weights(self) -> int:
        """All numbers of the model, moving statistics too."""
        return sum(math.prod(v.shape.as_list()) for v in self.variables)

    def load(self, values: list[np.ndarray]) -> None:
        """Sets the model's variables, in the order of `variables`."""
        for variable, value in zip(self.variables, values, strict=True):
            assign = variable.initializer
            self._session.run(assign, {assign.inputs[1]: value})

    def run(self, steps: int) -> list[float]:
        """Trains.

        Args:
            steps: how many steps to time; one more comes before.

        Returns:
            Seconds that each took.
        """
        self.losses, ends = [], []
        for _ in range(steps + 1):
            _, _, loss, _, _ = self._session.run(self._fetches)
            self.losses.append(float(loss))
            ends.append(time.perf_counter())
        return np.diff(ends).tolist()


def build_starter(network: network_lib.Network, x: tf.Tensor) -> tf.Tensor:
    """Adds DbofModel: all features in one, relu6, the maximum over frames."""
    x = tf.reshape(x, [-1, sum(network.feature_sizes)])
    x = _batch_norm(x, "input_bn")
    x = _pool(network, _batch_norm(_dense(x, network.clusters, "cluster")))
    hidden = network_lib.starter_hidden(network)
    x = tf.nn.relu6(_batch_norm(_dense(x, hidden, "hidden")))
    return _mixture(network, x, network_lib.DENSE)


def make_paper_builder(
    structures: dict[str, str], *, gating: bool = True
) -> Callable[[network_lib.Network, tf.Tensor], tf.Tensor]:
    """Makes what adds the paper's network, a branch a feature.

    Args:
        structures: by place, DENSE or PER_BLOCK; DENSE elsewhere.
        gating: whether the predictions gate each other.
    """
    at = {
        place: structures.get(place, network_lib.DENSE)
        for place in network_lib.PLACES
    }

    def build(network: network_lib.Network, x: tf.Tensor) -> tf.Tensor:
        x = tf.reshape(x, [-1, sum(network.feature_sizes)])
        hidden, start = [], 0
        for number, (size, clusters) in enumerate(network.branches()):
            with v1.variable_scope(f"branch_{number}"):
                frames = x[:, start : start + size]
                start += size
                pooled = _pool(
                    network,
                    _batch_norm(
                        _project(frames, clusters, "cluster", at["embedding"])
                    ),
                )
                hidden.append(
                    tf.nn.relu6(
                        _batch_norm(
                            _project(pooled, network.hidden, "fc", at["fc"])
                        )
                    )
                )
        x = _mixture(network, tf.concat(hidden, 1), at["classifier"])
        if not gating:
            return x
        gates = _project(x, network.classes, "gating", at["gating"])
        return x * tf.sigmoid(_batch_norm(gates))

    return build


def _sample_frames(
    x: tf.Tensor, num_frames: tf.Tensor, number: int
) -> tf.Tensor:
    """Draws frames at random, with replacement."""
    batch = tf.shape(x)[0]
    places = tf.random.uniform([batch, number])
    places *= tf.cast(num_frames, tf.float32)[:, tf.newaxis]
    rows = tf.tile(tf.range(batch)[:, tf.newaxis], [1, number])
    return tf.gather_nd(x, tf.stack([rows, tf.cast(places, tf.int32)], 2))


def _variable(name: str, shape: list[int], stddev: float) -> tf.Variable:
    return v1.get_variable(
        name, shape, initializer=v1.random_normal_initializer(stddev=stddev)
    )


def _dense(x: tf.Tensor, units: int, name: str) -> tf.Tensor:
    size = x.shape[-1]
    return x @ _variable(name, [size, units], 1 / math.sqrt(size))


def _project(x: tf.Tensor, units: int, name: str, structure: str) -> tf.Tensor:
    """Multiplies by a matrix, or by blocks D·C with two variables each."""
    if structure == network_lib.DENSE:
        return _dense(x, units, name)
    size, blocks = x.shape[-1], []
    for number in range(-(-units // size)):
        circulant, diagonal = (
            _variable(f"{name}_{what}_{number}", [1, size], units**-0.5)
            for what in ("circulant", "diagonal")
        )
        blocks.append(projections.paper_block(x * diagonal, circulant))
    return tf.concat(blocks, axis=1)[:, :units]


def _batch_norm(x: tf.Tensor, name: str | None = None) -> tf.Tensor:
    """Normalises as slim does: the fused operation, over an image of 1 x 1."""
    size = x.shape[-1]
    with v1.variable_scope(name, "batch_norm"):
        beta, gamma, mean, variance = (
            v1.get_variable(
                what,
                [size],
                initializer=initializer,
                trainable=what in ("beta", "gamma"),
            )
            for what, initializer in (
                ("beta", v1.zeros_initializer()),
                ("gamma", v1.ones_initializer()),
                ("moving_mean", v1.zeros_initializer()),
                ("moving_variance", v1.ones_initializer()),
            )
        )
    y, batch_mean, batch_variance = v1.nn.fused_batch_norm(
        tf.reshape(x, [-1, 1, 1, size]), gamma, beta, epsilon=_VARIANCE_EPSILON
    )
    for moving, value in ((mean, batch_mean), (variance, batch_variance)):
        update = v1.assign_sub(moving, (moving - value) * (1 - _DECAY))
        v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, update)
    return tf.reshape(y, [-1, size])


def _pool(network: network_lib.Network, x: tf.Tensor) -> tf.Tensor:
    x = tf.reshape(tf.nn.relu6(x), [-1, network.frames, x.shape[-1]])
    return tf.reduce_max(x, 1)


def _mixture(
    network: network_lib.Network, x: tf.Tensor, structure: str
) -> tf.Tensor:
    """Adds a mixture of experts and a dummy expert for each class."""
    outputs = []
    for name, number in (
        ("gates", network.mixtures + 1),
        ("experts", network.mixtures),
    ):
        units = network.classes * number
        if structure == network_lib.DENSE:
            kernel = v1.get_variable(
                name,
                [x.shape[-1], units],
                initializer=v1.glorot_uniform_initializer(),
            )
            penalty = _L2_PENALTY * tf.nn.l2_loss(kernel)
            v1.add_to_collection(v1.GraphKeys.REGULARIZATION_LOSSES, penalty)
            outputs.append(x @ kernel)
        else:
            outputs.append(_project(x, units, name, structure))
    gates, experts = outputs
    bias = v1.get_variable(
        "bias", experts.shape[-1:], initializer=v1.zeros_initializer()
    )
    experts = tf.nn.bias_add(experts, bias)
    shares = tf.nn.softmax(tf.reshape(gates, [-1, network.mixtures + 1]))
    chances = tf.sigmoid(tf.reshape(experts, [-1, network.mixtures]))
    mixed = tf.reduce_sum(shares[:, : network.mixtures] * chances, 1)
    return tf.reshape(mixed, [-1, network.classes])


def _train(
    network: network_lib.Network, predictions: tf.Tensor, labels: tf.Tensor
) -> list[tf.Tensor]:
    """Adds loss, gradients, clipping and Adam; returns what a step fetches."""
    step = v1.get_variable(
        "global_step", [], tf.int64, v1.zeros_initializer(), trainable=False
    )
    optimizer = v1.train.AdamOptimizer(
        v1.train.exponential_decay(
            2e-4, step * network.batch_size, 4_000_000, 0.8, staircase=True
        )
    )
    truth = tf.cast(labels, tf.float32)
    loss = truth * tf.math.log(predictions + _LOSS_EPSILON)
    loss += (1 - truth) * tf.math.log(1 - predictions + _LOSS_EPSILON)
    loss = tf.reduce_mean(tf.reduce_sum(-loss, 1))
    updates = v1.get_collection(v1.GraphKeys.UPDATE_OPS)
    with tf.control_dependencies(updates):
        loss = tf.identity(loss)
    penalties = v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES)
    total = tf.add_n([loss, *penalties])
    gradients = [
        # The sum over towers, of which there is one.
        (tf.reduce_sum(tf.stack([gradient]), 0), variable)
        for gradient, variable in optimizer.compute_gradients(total)
    ]
    clipped = [
        (tf.clip_by_norm(gradient, _CLIP_NORM), variable)
        for gradient, variable in gradients
    ]
    train = optimizer.apply_gradients(clipped, global_step=step)
    return [train, step, loss, predictions, truth]
