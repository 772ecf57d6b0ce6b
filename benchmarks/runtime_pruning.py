r"""What it is worth to compute some hidden units only, chosen by the input.

    taskset -c 1 python -m benchmarks.runtime_pruning --data_dir=DATA

DATA holds `yt8m_2018_video/validate0000.tfrecord` to `validate0099.tfrecord`,
of which 0000 to 0069 are trained on and 0070 to 0079 evaluated on. The whole
model is an `MlpModel` that learns from labels. Its hidden units are cut into
groups of one size, of similar weights (balanced k-means); a linear gate of the
features scores the groups of each video, and those of the highest scores are
computed, the others are 0. The gate starts as the least squares prediction of
what each group adds, and is trained with all weights, straight through, with
the whole model as the teacher. A share of 1 is the whole model that learned on
like the others. `fewer units` is a dense model of as many multiply-adds, which
learns from the same teacher for as many steps as both trainings have.

Times are of one video of unit length, on one thread, batch norm folded into
the weights; the median. `gathered` copies the weights of a video's groups with
`tf.gather` and multiplies by them; `sliced` multiplies by a slice of them, one
group after the other; `copy` is the gather alone. Scores of both are compared
with those of the model that was trained.

References:
    Lin et al., Runtime neural pruning, NeurIPS 2017. There layer by layer, by
    reinforcement learning; here in one decision, by gradients.
"""

import argparse
from collections.abc import Callable, Mapping
import dataclasses
import os
import time

import keras
import numpy as np
import scipy.optimize
import tabulate
import tensorflow as tf
import tqdm

from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.run import config as config_lib

_TRAIN = "validate00[0-6]?.tfrecord"
_EVALUATE = "validate007?.tfrecord"
_CLUSTERING_ROUNDS = 8
_GATE_VIDEOS = 4096
_WARM_UP_CALLS = 20
# Gathered and trained products differ by rounding alone.
_TOLERANCE = 1e-4

_Weights = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Videos:
    """Videos in memory.

    Attributes:
        features: `[videos, features]`, float32, each video of length 1.
        labels: `[videos, classes]`, bool.
    """

    features: np.ndarray
    labels: np.ndarray


class GroupGate(keras.layers.Layer):
    """Keeps the groups of hidden units that a linear gate scores highest.

    Forward, a group is kept or 0. Backward, each is scaled by the sigmoid of
    its score, of those that are 0 too: so the gate learns what they would add.

    Args:
        num_groups: how many groups of one size there are.
        num_kept: how many of them are kept.

    Input shape:
        Features `[batch, features]` and hidden units `[batch, units]`, in the
        order of their groups.

    Output shape:
        `[batch, units]`.

    Raises:
        ValueError: if the units are not a multiple of the groups, or more
            groups are kept than there are.

    Example:
        >>> gate = GroupGate(num_groups=2, num_kept=1)
        >>> gate.build([(None, 3), (None, 4)])
        >>> gate.kernel.assign([[1, -1], [0, 0], [0, 0]])
        >>> gate([tf.constant([[2.0, 0, 0]]), tf.ones([1, 4])]).numpy()
        array([[1., 1., 0., 0.]], dtype=float32)
    """

    def __init__(self, num_groups: int, num_kept: int, **kwargs) -> None:
        super().__init__(**kwargs)
        if not 1 <= num_kept <= num_groups:
            raise ValueError(
                "expected 1 to num_groups groups to keep. Received: "
                f"num_kept={num_kept}, num_groups={num_groups}"
            )
        self.num_groups = num_groups
        self.num_kept = num_kept

    def build(self, input_shape) -> None:
        """Makes the weights."""
        (_, num_features), (_, units) = input_shape
        if units % self.num_groups:
            raise ValueError(
                "expected hidden units to be a multiple of the groups. "
                f"Received: units={units}, num_groups={self.num_groups}"
            )
        self._size = units // self.num_groups
        self.kernel = self.add_weight(
            (num_features, self.num_groups), name="kernel"
        )
        self.bias = self.add_weight(
            (self.num_groups,), name="bias", initializer="zeros"
        )

    def call(self, inputs):
        """Computes the units, those of most groups 0."""
        features, hidden = inputs
        scores = tf.matmul(features, self.kernel) + self.bias
        kept = tf.math.top_k(scores, self.num_kept).indices
        mask = tf.reduce_sum(tf.one_hot(kept, self.num_groups), axis=1)
        open_ = tf.sigmoid(scores)
        factors = mask + open_ - tf.stop_gradient(open_)
        return hidden * tf.repeat(factors, self._size, axis=1)


def read_videos(pattern: str, data: config_lib.DataConfig) -> Videos:
    """Reads all videos of some files.

    Args:
        pattern: names the files.
        data: features and classes.
    """
    config = config_lib.Config(
        data=data,
        model=models.MlpConfig(),
        training=config_lib.TrainingConfig(train_data_pattern=pattern),
    )
    files = readers.expand_patterns(pattern)
    parts = [
        (batch["features"].numpy(), batch["labels"].numpy().astype(bool))
        for batch in readers.make_dataset(
            config.reader(training=True), files, batch_size=1024
        )
    ]
    features, labels = map(np.concatenate, zip(*parts, strict=True))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return Videos(features, labels)


def count_labels(videos: Videos) -> np.ndarray:
    """Computes the share of videos that have each label.

    Args:
        videos: the videos.

    Returns:
        `[classes]`, none of them 0 or 1.
    """
    counts = videos.labels.sum(axis=0)
    return (counts + 0.5) / (len(videos.labels) + 1)


def make_model(
    data: config_lib.DataConfig,
    units: int,
    class_priors: np.ndarray | None = None,
    **kwargs: float,
) -> keras.Model:
    """Makes a dense `MlpModel`, of features that are normalised already.

    Args:
        data: features and classes.
        units: hidden units.
        class_priors: where probabilities start, `[classes]`; None is one half.
        **kwargs: of `MlpConfig`.
    """
    settings = {"drop_rate": 0.0, "batch_norm_momentum": 0.97, **kwargs}
    return models.MlpConfig(
        mlp_hidden_size=units, l2_normalize=False, **settings
    ).build(
        feature_sizes=data.feature_sizes,
        num_classes=data.num_classes,
        class_priors=class_priors,
    )


def fit(
    model: keras.Model,
    videos: Videos,
    teacher: keras.Model | None,
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
) -> None:
    """Trains a model in place, by Adam; the learning rate falls as a cosine.

    Args:
        model: of `{"features": [batch, features]}`.
        videos: what it is trained on.
        teacher: what it learns from; None for labels.
        steps: how many.
        batch_size: videos of a step.
        learning_rate: of the start, after a twentieth of the steps.
        seed: decides which videos are in which batch.
    """
    warm_up = max(1, steps // 20)
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(
            0.0,
            max(1, steps - warm_up),
            warmup_target=learning_rate,
            warmup_steps=warm_up,
        )
    )
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(features: tf.Tensor, labels: tf.Tensor) -> None:
        if teacher is not None:
            labels = teacher({"features": features}, training=False)
        with tf.GradientTape() as tape:
            found = model({"features": features}, training=True)
            loss = tf.reduce_mean(
                tf.reduce_sum(
                    keras.ops.binary_crossentropy(labels, found), axis=1
                )
            )
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)

    rng = np.random.default_rng(seed)
    order = np.empty(0, int)
    for _ in tqdm.trange(steps, desc=model.name, leave=False):
        while len(order) < batch_size:
            order = np.append(order, rng.permutation(len(videos.features)))
        batch, order = order[:batch_size], order[batch_size:]
        step(
            tf.constant(videos.features[batch]),
            tf.constant(videos.labels[batch].astype(np.float32)),
        )


def group_units(
    kernel: np.ndarray, num_groups: int, seed: int = 0
) -> np.ndarray:
    """Orders units so that groups of one size have similar weights.

    Args:
        kernel: `[features, units]`.
        num_groups: how many groups; the units are a multiple of it.
        seed: decides the first centres.

    Returns:
        `[units]`, the number of the unit at each place: group by group.
    """
    units = kernel.shape[1]
    size = units // num_groups
    points = (kernel / np.linalg.norm(kernel, axis=0)).T
    rng = np.random.default_rng(seed)
    centers = points[rng.choice(units, num_groups, replace=False)]
    for _ in range(_CLUSTERING_ROUNDS):
        costs = np.repeat(-points @ centers.T, size, axis=1)
        _, places = scipy.optimize.linear_sum_assignment(costs)
        groups = places // size
        centers = np.stack(
            [
                points[groups == group].mean(axis=0)
                for group in range(num_groups)
            ]
        )
    return np.argsort(groups, kind="stable")


def make_gated(
    whole: keras.Model,
    data: config_lib.DataConfig,
    videos: Videos,
    *,
    num_groups: int,
    num_kept: int,
    seed: int,
) -> keras.Model:
    """Copies a model with its units in groups, behind a gate.

    Args:
        whole: a model of `make_model`.
        data: features and classes.
        videos: what the gate predicts the groups of at the start.
        num_groups: how many groups.
        num_kept: how many of them are computed for a video.
        seed: of the groups.
    """
    hidden, norm, last = map(
        whole.get_layer, ("hidden_0", "hidden_0_bn", "classifier")
    )
    order = group_units(hidden.kernel.numpy(), num_groups, seed)
    copy = make_model(data, len(order))
    copy.get_layer("hidden_0").set_weights([hidden.kernel.numpy()[:, order]])
    copy.get_layer("hidden_0_bn").set_weights(
        [value[order] for value in norm.get_weights()]
    )
    classifier = copy.get_layer("classifier")
    classifier.set_weights([last.kernel.numpy()[order], last.bias.numpy()])
    features = copy.input["features"]
    units = copy.get_layer("hidden_0_relu").output
    gate = GroupGate(num_groups, num_kept, name="gate")
    logits = classifier(gate([features, units]))
    gated = keras.Model(
        {"features": features},
        copy.get_layer("predictions")(logits),
        name="gated",
    )
    kernel, bias = _predict_groups(
        keras.Model(features, units),
        np.linalg.norm(classifier.kernel.numpy(), axis=1),
        videos.features[:_GATE_VIDEOS],
        num_groups,
    )
    gate.set_weights([kernel, bias])
    return gated


def _predict_groups(
    hidden: keras.Model, norms: np.ndarray, x: np.ndarray, num_groups: int
) -> tuple[np.ndarray, np.ndarray]:
    """Predicts what each group adds, linearly from the features."""
    added = hidden.predict(x, batch_size=512, verbose=0) * norms
    added = added.reshape(len(x), num_groups, -1).sum(axis=2)
    added = (added - added.mean()) / added.std()
    rows = np.concatenate([x, np.ones([len(x), 1])], axis=1)
    # A little ridge: some features hardly vary.
    ridge = 1e-2 * len(x) * np.eye(rows.shape[1]) * np.mean(x**2)
    solution = np.linalg.solve(rows.T @ rows + ridge, rows.T @ added)
    return solution[:-1].astype(np.float32), solution[-1].astype(np.float32)


def evaluate(model: keras.Model, videos: Videos) -> float:
    """Computes GAP@20.

    Args:
        model: of `{"features": [batch, features]}`.
        videos: what it is evaluated on.
    """
    with metrics_lib.EvaluationMetrics(videos.labels.shape[1]) as metrics:
        for start in range(0, len(videos.features), 512):
            part = slice(start, start + 512)
            found = model({"features": tf.constant(videos.features[part])})
            metrics.update(found.numpy(), videos.labels[part])
        return float(metrics.result()["gap"])


def fold(model: keras.Model) -> _Weights:
    """Reads the weights of a model, batch norm folded into the hidden layer.

    Args:
        model: of `make_model` or `make_gated`.

    Returns:
        `hidden`, `hidden_bias`, `classifier` and `bias`; `gate` and
        `gate_bias`, if there is a gate.
    """
    norm = model.get_layer("hidden_0_bn")
    weights = {w.name: w.numpy() for w in norm.weights}
    scale = weights["gamma"] / np.sqrt(
        weights["moving_variance"] + norm.epsilon
    )
    last = model.get_layer("classifier")
    folded = {
        "hidden": model.get_layer("hidden_0").kernel.numpy() * scale,
        "hidden_bias": weights["beta"] - weights["moving_mean"] * scale,
        "classifier": last.kernel.numpy(),
        "bias": last.bias.numpy(),
    }
    if model.name == "gated":
        gate = model.get_layer("gate")
        folded |= {"gate": gate.kernel.numpy(), "gate_bias": gate.bias.numpy()}
    return folded


_Predict = Callable[[tf.Tensor], tf.Tensor]


def compile_whole(weights: _Weights) -> _Predict:
    """Compiles a dense model for one video.

    Args:
        weights: of `fold`.
    """
    kept = {name: tf.Variable(value) for name, value in weights.items()}

    @tf.function
    def predict(x: tf.Tensor) -> tf.Tensor:
        hidden = tf.nn.relu(tf.matmul(x, kept["hidden"]) + kept["hidden_bias"])
        return tf.sigmoid(tf.matmul(hidden, kept["classifier"]) + kept["bias"])

    return predict


def compile_gated(
    weights: _Weights, num_groups: int, num_kept: int
) -> dict[str, _Predict]:
    """Compiles a gated model for one video.

    Args:
        weights: of `fold`.
        num_groups: how many groups.
        num_kept: how many of them are computed.

    Returns:
        `gathered`, `sliced`, and `copy`, which gathers the weights alone.
    """
    num_features, units = weights["hidden"].shape
    size, num_classes = units // num_groups, weights["classifier"].shape[1]
    gate, gate_bias, bias, hidden_bias, hidden, classifier = map(
        tf.Variable,
        (
            weights["gate"],
            weights["gate_bias"],
            weights["bias"],
            weights["hidden_bias"].reshape(num_groups, size),
            np.ascontiguousarray(
                weights["hidden"]
                .reshape(num_features, num_groups, size)
                .transpose(1, 0, 2)
            ),
            weights["classifier"].reshape(num_groups, size, num_classes),
        ),
    )

    def choose(x: tf.Tensor) -> tf.Tensor:
        scores = tf.matmul(x, gate) + gate_bias
        return tf.math.top_k(scores, num_kept, sorted=False).indices[0]

    @tf.function
    def gathered(x: tf.Tensor) -> tf.Tensor:
        groups = choose(x)
        first = tf.matmul(x, tf.gather(hidden, groups))[:, 0]
        values = tf.nn.relu(first + tf.gather(hidden_bias, groups))
        second = tf.reshape(tf.gather(classifier, groups), [-1, num_classes])
        return tf.sigmoid(tf.matmul(tf.reshape(values, [1, -1]), second) + bias)

    @tf.function
    def sliced(x: tf.Tensor) -> tf.Tensor:
        groups = choose(x)
        logits = [bias[tf.newaxis]]
        for place in range(num_kept):
            group = groups[place]
            values = tf.matmul(x, hidden[group]) + hidden_bias[group]
            logits.append(tf.matmul(tf.nn.relu(values), classifier[group]))
        return tf.sigmoid(tf.add_n(logits))

    @tf.function
    def copy(x: tf.Tensor) -> tf.Tensor:
        groups = choose(x)
        # All that is gathered is needed for what is returned, and no more.
        first, second = tf.gather(hidden, groups), tf.gather(classifier, groups)
        return first[-1, -1, -1] + second[-1, -1, -1]

    return {"gathered": gathered, "sliced": sliced, "copy": copy}


def time_calls(
    calls: Mapping[str, _Predict], features: np.ndarray, rounds: int
) -> dict[str, float]:
    """Times calls on one video each, all in turn.

    Args:
        calls: by name.
        features: `[videos, features]`, which they get one after the other.
        rounds: how many times each is called.

    Returns:
        Milliseconds by name, the median.
    """
    rows = [tf.constant(features[i : i + 1]) for i in range(len(features))]
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(_WARM_UP_CALLS + rounds):
        x = rows[number % len(rows)]
        for name, call in calls.items():
            start = time.perf_counter()
            call(x).numpy()
            seconds[name].append(time.perf_counter() - start)
    return {
        name: 1000 * float(np.median(some[_WARM_UP_CALLS:]))
        for name, some in seconds.items()
    }


def _expect_same(model: keras.Model, call: _Predict, x: np.ndarray) -> None:
    wanted = model({"features": tf.constant(x)}).numpy()
    found = np.concatenate([call(tf.constant(row[None])).numpy() for row in x])
    difference = np.abs(found - wanted).max()
    if not difference < _TOLERANCE:
        raise ValueError(
            f"expected scores within {_TOLERANCE} of the trained model's. "
            f"Received: a difference of {difference}"
        )


def usage(model: keras.Model, videos: Videos) -> np.ndarray:
    """Counts of how many videos each group is computed.

    Args:
        model: of `make_gated`.
        videos: of which videos.

    Returns:
        `[groups]`, shares of the videos.
    """
    gate = model.get_layer("gate")
    scores = videos.features @ gate.kernel.numpy() + gate.bias.numpy()
    kept = np.argsort(-scores, axis=1)[:, : gate.num_kept]
    return np.bincount(kept.ravel(), minlength=gate.num_groups) / len(scores)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--feature_sizes", default="1024,128")
    parser.add_argument("--num_classes", type=int, default=3862)
    parser.add_argument("--units", type=int, default=1024)
    parser.add_argument("--groups", type=int, default=16)
    parser.add_argument("--kept", default="16,4,2", help="of the groups")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch_size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(arguments)
    args.kept = [int(text) for text in args.kept.split(",")]
    if args.units % args.groups:
        parser.error(
            "expected --units to be a multiple of --groups. Received: "
            f"--units={args.units} --groups={args.groups}"
        )
    if not all(1 <= kept <= args.groups for kept in args.kept):
        parser.error(
            "expected --kept of 1 to --groups. Received: "
            f"--kept={args.kept} --groups={args.groups}"
        )
    return args


def main(arguments: list[str] | None = None) -> None:
    """Trains and measures all, and prints a table.

    Args:
        arguments: the command line; None is that of the process.
    """
    args = _parse(arguments)
    data = config_lib.DataConfig(
        feature_names=("mean_rgb", "mean_audio"),
        feature_sizes=tuple(map(int, args.feature_sizes.split(","))),
        num_classes=args.num_classes,
    )
    folder = os.path.join(args.data_dir, "yt8m_2018_video")
    train, held_out = (
        read_videos(os.path.join(folder, name), data)
        for name in (_TRAIN, _EVALUATE)
    )
    some = held_out.features[:64]
    of_unit = sum(data.feature_sizes) + data.num_classes
    settings = {"batch_size": args.batch_size, "seed": args.seed}
    keras.utils.set_random_seed(args.seed)
    priors = count_labels(train)
    whole = make_model(
        data, args.units, priors, drop_rate=0.5, input_drop_rate=0.2
    )
    fit(whole, train, None, steps=args.steps, learning_rate=3e-3, **settings)
    calls = {"whole": compile_whole(fold(whole))}
    _expect_same(whole, calls["whole"], some[:4])
    gaps = {"whole": evaluate(whole, held_out)}
    costs = {"whole": of_unit * args.units}
    names, used = {"whole": f"whole, {args.units} units"}, {}
    for kept in args.kept:
        gated = make_gated(
            whole,
            data,
            train,
            num_groups=args.groups,
            num_kept=kept,
            seed=args.seed,
        )
        start = evaluate(gated, held_out)
        fit(
            gated,
            train,
            whole,
            steps=args.steps,
            learning_rate=2e-3,
            **settings,
        )
        compiled = compile_gated(fold(gated), args.groups, kept)
        for how in ("gathered", "sliced"):
            _expect_same(gated, compiled[how], some[:4])
        shares = usage(gated, held_out)
        used[kept] = (
            f"{kept} of {args.groups} groups: GAP@20 {start:.4f} before its "
            f"training; groups are computed for {shares.min():.1%} to "
            f"{shares.max():.1%} of the videos"
        )
        gate_cost = sum(data.feature_sizes) * args.groups
        cost = of_unit * args.units * kept // args.groups + gate_cost
        for how, call in compiled.items():
            key = f"{kept} {how}"
            names[key] = f"{kept} of {args.groups} groups, {how}"
            calls[key] = call
            if how != "copy":
                gaps[key] = evaluate(gated, held_out)
                costs[key] = cost
        if kept == args.groups:
            continue
        units = round(cost / of_unit)
        small = make_model(data, units, priors)
        fit(
            small,
            train,
            whole,
            steps=2 * args.steps,
            learning_rate=4e-3,
            **settings,
        )
        key = f"{kept} dense"
        names[key] = f"fewer units, {units}"
        calls[key] = compile_whole(fold(small))
        gaps[key], costs[key] = evaluate(small, held_out), of_unit * units
    times = time_calls(calls, some, args.rounds)
    print("\n".join(used.values()) + "\n")
    print(
        tabulate.tabulate(
            [
                (
                    names[key],
                    f"{costs[key]:,}" if key in costs else "",
                    f"{gaps[key]:.4f}" if key in gaps else "",
                    f"{times[key]:.2f}",
                )
                for key in calls
            ],
            headers=("model", "multiply-adds", "GAP@20", "ms of a video"),
            tablefmt="github",
            colalign=("left", "right", "right", "right"),
            disable_numparse=True,
        )
    )


if __name__ == "__main__":
    # Times are of one thread.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    main()
