"""The models' forward passes in NumPy, written from their equations."""

import functools
import random
import weakref

import keras
import numpy as np

import numpy_poolings
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import structures

FEATURE_SIZES = (6, 3)
NUM_CLASSES = 7
# Weights and dense kernel of projections, as they were last.
_DENSE_KERNELS = weakref.WeakKeyDictionary()
BATCH_NORM_EPSILON = 1e-3  # of Keras and of the starter code
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "relu6": lambda x: np.clip(x, 0, 6),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


def build(config: models.ModelConfig, seed: int = 0) -> keras.Model:
    """Builds a small model; nothing in it is 0, 1 or constant.

    Of one configuration there is one model, which each call gives its first
    values again: building it takes longer than most of what is done with it.
    """
    policy = keras.config.dtype_policy().name
    model, values = _build_once(config, seed, policy)
    for variable, value in values:
        variable.assign(value)
    return model


@functools.lru_cache(maxsize=100)
def _build_once(
    config: models.ModelConfig, seed: int, policy: str
) -> tuple[keras.Model, list[tuple[keras.Variable, np.ndarray]]]:
    """Builds a model under the policy that is set, `policy`."""
    assert keras.config.dtype_policy().name == policy
    # All that Keras draws seeds from. Its `set_random_seed` also has TensorFlow
    # forget its kernels, and making them anew doubles the time of most tests.
    random.seed(seed)
    model = config.build(feature_sizes=FEATURE_SIZES, num_classes=NUM_CLASSES)
    rng = np.random.default_rng(seed)
    known = ("kernel", "diagonal", "bias")
    for layer in model.layers:
        for weight in layer.weights:
            name = weight.name
            if isinstance(layer, layers.Projection) and isinstance(
                layer.structure, structures.Sum
            ):
                name = name.rpartition("_")[2]  # after that of the part
            if "int" in str(weight.dtype):
                value = rng.permutation(weight.numpy())
            elif isinstance(layer, layers.Projection) and (name not in known):
                continue  # Random from the start; scaled below.
            elif name in ("gamma", "diagonal", "moving_variance"):
                value = rng.uniform(0.5, 2, weight.shape)
            elif name == "kernel" and isinstance(layer, layers.Projection):
                scale = 2 / np.sqrt(layer.input_dim)
                value = rng.normal(scale=scale, size=weight.shape)
            else:
                value = rng.normal(scale=0.5, size=weight.shape)
            weight.assign(value)
        if isinstance(layer, layers.Projection):
            _scale(layer)
    return model, [(variable, variable.numpy()) for variable in model.variables]


def _scale(layer: layers.Projection) -> None:
    """Gives the dense kernel of a product of weights the size of the others."""
    weight = layer.trainable_weights[0]
    if weight.name != "kernel":
        size = np.std(layer.as_dense_kernel())
        weight.assign(weight * (2 / np.sqrt(layer.input_dim) / size))


def make_features(num_videos: int = 5) -> dict[str, np.ndarray]:
    """Draws a batch at video level."""
    rng = np.random.default_rng(1)
    shape = (num_videos, sum(FEATURE_SIZES))
    return {"features": rng.standard_normal(shape).astype("float32")}


def make_frames(
    num_frames: tuple[int, ...] = (4, 1, 6, 3), max_frames: int = 6
) -> dict[str, np.ndarray]:
    """Draws a batch at frame level, with codes in the padding too."""
    rng = np.random.default_rng(2)
    shape = (len(num_frames), max_frames, sum(FEATURE_SIZES))
    return {
        "frames": rng.integers(0, 256, shape).astype("uint8"),
        "num_frames": np.array(num_frames, "int32"),
    }


def count_kernel_weights(kind: str, input_dim: int, units: int) -> int:
    """Counts the weights of a projection without a bias."""
    layer = layers.Projection(units, kind, use_bias=False)
    layer.build((None, input_dim))
    return layer.count_params()


def normalize(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def dense_kernel(layer: layers.Projection) -> np.ndarray:
    """Writes out a kernel in float64, anew only where its weights changed.

    A numeric gradient asks for all kernels of a model after each change of one.
    """
    weights = [weight.numpy() for weight in layer.weights]
    before, kernel = _DENSE_KERNELS.get(layer, ([], None))
    if kernel is None or not all(map(np.array_equal, weights, before)):
        # The layers' own tests compare this with SciPy.
        kernel = layer.as_dense_kernel().numpy().astype(np.float64)
        _DENSE_KERNELS[layer] = weights, kernel
    return kernel


def project(model: keras.Model, name: str, x: np.ndarray) -> np.ndarray:
    layer = model.get_layer(name)
    assert isinstance(layer, layers.Projection)
    x = x @ dense_kernel(layer)
    return x if layer.bias is None else x + layer.bias.numpy()


def batch_norm(
    model: keras.Model,
    name: str,
    rows: np.ndarray,
    statistics: dict | None,
) -> np.ndarray:
    layer = model.get_layer(name)
    weights = {weight.name: weight.numpy() for weight in layer.weights}
    mean, variance = weights["moving_mean"], weights["moving_variance"]
    if statistics is not None:
        statistics[name] = mean, variance = rows.mean(0), rows.var(0)
    normalized = (rows - mean) / np.sqrt(variance + BATCH_NORM_EPSILON)
    return normalized * weights["gamma"] + weights["beta"]


def classify(
    model: keras.Model,
    x: np.ndarray,
    num_mixtures: int | None,
    prefix: str = "",
) -> np.ndarray:
    sigmoid = ACTIVATIONS["sigmoid"]
    if num_mixtures is None:
        return sigmoid(project(model, "classifier", x))
    gates = project(model, f"{prefix}gates", x)
    gates = np.exp(gates.reshape(-1, NUM_CLASSES, num_mixtures + 1))
    experts = project(model, f"{prefix}experts", x)
    experts = sigmoid(experts.reshape(-1, NUM_CLASSES, num_mixtures))
    # The last gate's expert always says no.
    shares = gates / gates.sum(-1, keepdims=True)
    return sum(
        shares[..., mixture] * experts[..., mixture]
        for mixture in range(num_mixtures)
    )


def check_videos_differ(
    config: models.ModelConfig, predictions: np.ndarray, deviation: float
) -> None:
    """Checks that the predictions of videos can be told apart, by class.

    But for the last ones of leading columns, which have their biases alone.
    """
    is_leading = config.classifier_projection == structures.LeadingColumns()
    differing = 4 if is_leading else NUM_CLASSES
    assert predictions.std(axis=0)[:differing].min() > deviation
    assert not predictions.std(axis=0)[differing:].any()


def predict_video_level(
    config: models.LogisticConfig | models.MoeConfig,
    model: keras.Model,
    batch: dict[str, np.ndarray],
) -> np.ndarray:
    """Computes what LogisticModel or MoeModel should predict."""
    x = batch["features"].astype(np.float64)
    x = normalize(x) if config.l2_normalize else x
    return classify(model, x, getattr(config, "moe_num_mixtures", None))


def predict_chain(
    config: models.DeepCombineChainConfig,
    model: keras.Model,
    batch: dict[str, np.ndarray],
) -> list[np.ndarray]:
    """Computes what each classifier of DeepCombineChainModel predicts."""
    x = batch["features"].astype(np.float64)
    x = normalize(x) if config.l2_normalize else x
    activate = ACTIVATIONS[config.deep_chain_relu_type]
    found = []
    for number in range(config.deep_chain_layers + 1):
        prefix = f"chain_{number}_"
        found.append(classify(model, x, config.moe_num_mixtures, prefix))
        if number < config.deep_chain_layers:
            hidden = activate(project(model, f"{prefix}hidden", found[-1]))
            length = np.linalg.norm(hidden, axis=1, keepdims=True)
            # ReLUs may all be 0: then there is no direction.
            hidden = hidden / np.where(length > 0, length, 1)
            x = np.concatenate([x, hidden], axis=1)
    return found


def predict_dbof(
    config: models.DbofConfig,
    model: keras.Model,
    batch: dict[str, np.ndarray],
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what DbofModel should predict, from the real frames alone.

    Args:
        config: the model's config.
        model: the model, for its weights.
        batch: `frames` and `num_frames`.
        statistics: None for inference; for training, a dict that receives the
            mean and the variance of what each batch normalisation sees.

    Returns:
        `[batch, num_classes]`.
    """
    activate = ACTIVATIONS[config.dbof_activation]

    def layer(name: str, rows: np.ndarray) -> np.ndarray:
        rows = project(model, name, rows)
        if config.dbof_add_batch_norm:
            rows = batch_norm(model, f"{name}_bn", rows, statistics)
        return activate(rows)

    videos = zip(batch["frames"], batch["num_frames"], strict=True)
    # All videos' frames below one another; no padding is ever seen.
    rows = np.concatenate([frames[:count] for frames, count in videos])
    rows = rows * (4 / 255) + (4 / 512 - 2)
    rows = normalize(rows) if config.l2_normalize else rows
    if config.dbof_add_batch_norm:
        rows = batch_norm(model, "input_bn", rows, statistics)
    rows = layer("embedding", rows)
    ends = np.cumsum(batch["num_frames"])[:-1]
    pool = {"max": np.max, "average": np.mean}[config.dbof_pooling_method]
    pooled = np.stack([pool(part, axis=0) for part in np.split(rows, ends)])
    mixtures = (
        config.moe_num_mixtures
        if config.video_level_classifier_model == "MoeModel"
        else None
    )
    return classify(model, layer("fc", pooled), mixtures)


def predict_pooled_embedding(
    config: models.PooledEmbeddingConfig,
    model: keras.Model,
    batch: dict[str, np.ndarray],
    statistics: dict | None = None,
) -> np.ndarray:
    """Computes what PooledEmbeddingModel should predict.

    Args:
        config: the model's config.
        model: the model, for its weights.
        batch: `frames` and `num_frames`, none of them 0.
        statistics: None for inference; for training, a dict that receives the
            mean and the variance of what each batch normalisation sees.

    Returns:
        `[batch, num_classes]`.
    """
    # [video][bag]: an array [frames of the bag, feature_dim].
    videos = []
    for frames, count in zip(batch["frames"], batch["num_frames"], strict=True):
        frames = frames[:count] * (4 / 255) + (4 / 512 - 2)
        frames = normalize(frames) if config.l2_normalize else frames
        size = config.frames_per_bag or count
        videos.append(numpy_poolings.bags(frames, config.num_bags, size))
    hidden = []
    start = 0
    for number, feature_size in enumerate(FEATURE_SIZES):
        columns = slice(start, start + feature_size)
        start += feature_size
        bags = [bag[:, columns] for video in videos for bag in video]
        for embedding in config.embeddings:
            name = f"{embedding}_{number}"
            pooled = _pool_bags(config, model, name, bags, statistics)
            pooled = pooled.reshape(len(videos), config.num_bags, -1).mean(1)
            pooled = project(model, f"{name}_fc", pooled)
            pooled = batch_norm(model, f"{name}_fc_bn", pooled, statistics)
            hidden.append(ACTIVATIONS["relu6"](pooled))
    mixtures = config.moe_num_mixtures if config.classifier == "moe" else None
    result = classify(model, np.concatenate(hidden, axis=1), mixtures)
    if config.context_gating:
        gates = project(model, "gating", result)
        gates = batch_norm(model, "gating_bn", gates, statistics)
        result = result * ACTIVATIONS["sigmoid"](gates)
    return result


def _pool_bags(
    config: models.PooledEmbeddingConfig,
    model: keras.Model,
    name: str,
    bags: list[np.ndarray],
    statistics: dict | None,
) -> np.ndarray:
    embedding = name.split("_")[0]
    if embedding == "moments":
        return np.stack([numpy_poolings.moments(bag) for bag in bags])
    rows = project(model, f"{name}_clusters", np.concatenate(bags))
    rows = batch_norm(model, f"{name}_clusters_bn", rows, statistics)
    clusters = np.split(rows, np.cumsum([len(bag) for bag in bags])[:-1])
    if embedding == "dbof":
        pool = {"max": np.max, "average": np.mean}[config.dbof_pooling_method]
        activate = ACTIVATIONS["relu6"]
        return np.stack([pool(activate(rows), axis=0) for rows in clusters])
    pool = {
        "netvlad": numpy_poolings.net_vlad,
        "netfv": numpy_poolings.net_fisher_vector,
    }[embedding]
    weights = [weight.numpy() for weight in model.get_layer(name).weights]
    return np.stack(
        [
            pool(bag, rows, *weights)
            for bag, rows in zip(bags, clusters, strict=True)
        ]
    )
