"""The networks that training steps are timed on, and one batch for each."""

import dataclasses

import numpy as np
import tensorflow as tf

DENSE, PER_BLOCK, SHARED = "dense", "per block", "shared"
PLACES = ("embedding", "fc", "classifier", "gating")


@dataclasses.dataclass(frozen=True)
class Network:
    """Sizes of the paper's network.

    Attributes:
        feature_sizes: of the features of a frame.
        clusters: of the first feature; the others have half as many.
        frames: of each video, all in one bag.
        batch_size: videos of a step.
        hidden: units of the layer after the clusters of each feature.
        mixtures: experts of each class, without the dummy.
        classes: number of classes.
    """

    feature_sizes: tuple[int, ...] = (1024, 128)
    clusters: int = 8192
    frames: int = 30
    batch_size: int = 80
    hidden: int = 512
    mixtures: int = 4
    classes: int = 3862

    def branches(self) -> list[tuple[int, int]]:
        """Lists the features' sizes and their clusters."""
        return [
            (size, self.clusters if number == 0 else self.clusters // 2)
            for number, size in enumerate(self.feature_sizes)
        ]


NETWORKS = {
    "paper": Network(),
    "tiny": Network(
        feature_sizes=(16, 8),
        clusters=32,
        frames=3,
        batch_size=8,
        hidden=6,
        mixtures=2,
        classes=10,
    ),
}


@dataclasses.dataclass(frozen=True)
class Product:
    """A projection of a step.

    Attributes:
        rows: how many vectors are projected.
        inputs: their length.
        units: length of the results.
        structure: DENSE, or where the diagonals of D·C are: PER_BLOCK, SHARED.
        input_gradient: whether the input has a gradient; frames have none.
    """

    rows: int
    inputs: int
    units: int
    structure: str
    input_gradient: bool = True

    @property
    def blocks(self) -> int:
        """Number of circulant blocks."""
        return -(-self.units // self.inputs)

    @property
    def weights(self) -> int:
        """Number of weights."""
        return {
            DENSE: self.inputs * self.units,
            PER_BLOCK: 2 * self.inputs * self.blocks,
            SHARED: self.inputs * (self.blocks + 1),
        }[self.structure]


def products(
    network: Network, structures: dict[str, str], *, gating: bool = True
) -> list[Product]:
    """Lists the projections of the paper's network.

    Args:
        network: its sizes.
        structures: by place, the structure; DENSE elsewhere.
        gating: whether predictions gate each other.
    """
    at = {place: structures.get(place, DENSE) for place in PLACES}
    batch, hidden = network.batch_size, network.hidden
    found = []
    for size, clusters in network.branches():
        rows = batch * network.frames
        found.append(Product(rows, size, clusters, at["embedding"], False))
        found.append(Product(batch, clusters, hidden, at["fc"]))
    joined = hidden * len(network.feature_sizes)
    for outputs in (network.mixtures + 1, network.mixtures):
        units = network.classes * outputs
        found.append(Product(batch, joined, units, at["classifier"]))
    if gating:
        classes = network.classes
        found.append(Product(batch, classes, classes, at["gating"]))
    return found


def starter_products(network: Network) -> list[Product]:
    """Lists the projections of the starter code's DbofModel.

    All features are one, and as many hidden units as the paper's network has
    in all of its branches; nothing is gated.
    """
    batch = network.batch_size
    size, hidden = sum(network.feature_sizes), starter_hidden(network)
    found = [
        Product(batch * network.frames, size, network.clusters, DENSE, False),
        Product(batch, network.clusters, hidden, DENSE),
    ]
    for outputs in (network.mixtures + 1, network.mixtures):
        units = network.classes * outputs
        found.append(Product(batch, hidden, units, DENSE))
    return found


def starter_hidden(network: Network) -> int:
    """Says how many hidden units the starter code's model has."""
    return network.hidden * len(network.feature_sizes)


def make_batch(network: Network) -> dict[str, tf.Tensor]:
    """Makes random videos, with three labels each on average.

    Returns:
        `frames` uint8 `[batch, frames, feature_dim]`, `num_frames` int32
        `[batch]` and `labels` float32 `[batch, classes]`, as readers give them.
    """
    rng = np.random.default_rng(0)
    batch = network.batch_size
    shape = (batch, network.frames, sum(network.feature_sizes))
    labels = rng.random((batch, network.classes)) < 3 / network.classes
    return {
        "frames": tf.constant(rng.integers(0, 256, shape, np.uint8)),
        "num_frames": tf.fill([batch], network.frames),
        "labels": tf.constant(labels, tf.float32),
    }
