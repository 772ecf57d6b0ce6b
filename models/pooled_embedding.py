"""PooledEmbeddingModel: the network of the paper, on frame-level features."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses

from yt8m_compact import lazy
from yt8m_compact import pooling_methods
from yt8m_compact import settings
from yt8m_compact import structures
from yt8m_compact.models import context_gating
from yt8m_compact.models import frame_model
from yt8m_compact.models import model_config
from yt8m_compact.models import moe

with lazy.imports():
    import keras
    import numpy as np

    from yt8m_compact import layers

EMBEDDINGS = ("dbof", "netvlad", "netfv", "moments")
_CLASSIFIERS = ("moe", "logistic")


@dataclasses.dataclass(frozen=True, kw_only=True)
class PooledEmbeddingConfig(context_gating.ContextGatingConfig):
    """Settings of PooledEmbeddingModel, the network of the paper.

    Each feature has a branch of its own, with the given clusters in the first
    and half as many in the others. Its frames become one vector by each of
    `embeddings`: robust pooling pools each of `num_bags` samples of
    `frames_per_bag` frames and averages them, `(1/n) sum_b pool{v W : v in
    S_b}`. Each vector goes through a layer of `fc_size` units of its own; the
    outputs are concatenated, classified, and the classes gated by each other.
    Batch normalisation comes before every non-linearity, in place of a bias.

    Example:
        >>> config = yt8m.models.PooledEmbeddingConfig(
        ...     embedding_projection="diagonal_circulant",
        ...     fc_projection="diagonal_circulant",
        ...     classifier_projection="circulant",
        ...     gating_projection="circulant",
        ... )
        >>> model = config.build(feature_sizes=[1024], num_classes=3862)
        >>> model.count_params()  # 45,359,764 if dense
        137670

    References:
        Araujo et al., https://arxiv.org/abs/1810.01140, sections 3 and 4.
    """

    embeddings: tuple[str, ...] = settings.setting(
        ("dbof",),
        f"How frames become a vector: {', '.join(EMBEDDINGS)}, or several of "
        "them, comma-separated, side by side.",
        choices=EMBEDDINGS,
    )
    dbof_clusters: int = settings.setting(
        8192,
        "Number of clusters of the embedding dbof: for the first feature; the "
        "others have half as many.",
        minimum=1,
    )
    netvlad_clusters: int = settings.setting(
        64,
        "Number of clusters of the embedding netvlad: for the first feature; "
        "the others have half as many.",
        minimum=1,
    )
    netfv_clusters: int = settings.setting(
        64,
        "Number of clusters of the embedding netfv: for the first feature; the"
        " others have half as many.",
        minimum=1,
    )
    dbof_pooling_method: str = settings.setting(
        "max",
        "How DBoF pools frames.",
        choices=pooling_methods.POOLING_METHODS,
    )
    num_bags: int = settings.setting(
        10,
        "Number of samples of frames that are pooled, each by itself, and then"
        " averaged; 1 pools all frames that are sampled at once.",
        minimum=1,
    )
    frames_per_bag: int = settings.setting(
        15,
        "Number of frames of each of --num_bags samples: random ones in "
        "training, evenly spaced ones otherwise; 0, with --num_bags=1, is all "
        "frames.",
        minimum=0,
    )
    fc_size: int = settings.setting(
        512,
        "Number of units of the layer after each embedding of each feature.",
        minimum=1,
    )
    classifier: str = settings.setting(
        "moe",
        "What predicts the classes: a mixture of experts or logistic "
        "regression.",
        choices=_CLASSIFIERS,
    )
    moe_num_mixtures: int = moe.num_mixtures_setting(4)
    context_gating: bool = settings.setting(
        True, "Whether predictions gate each other: p * sigmoid(bn(p W))."
    )
    embedding_projection: structures.Structure = model_config.structure_setting(
        "from a frame to the clusters"
    )
    fc_projection: structures.Structure = model_config.structure_setting(
        "from the pooled clusters to the hidden layer"
    )

    def __post_init__(self) -> None:
        """Checks every field, and that all frames are asked for once."""
        super().__post_init__()
        if not self.frames_per_bag and self.num_bags > 1:
            raise ValueError(
                f"{type(self).__name__}: expected frames_per_bag to be at "
                "least 1, or num_bags to be 1. Received: "
                f"frames_per_bag={self.frames_per_bag}, "
                f"num_bags={self.num_bags}"
            )

    def unused_settings(self) -> dict[str, str]:
        """Lists the settings that others leave unused, and what each needs."""
        unused = super().unused_settings()
        users = {
            "dbof_clusters": {"dbof"},
            "dbof_pooling_method": {"dbof"},
            "netvlad_clusters": {"netvlad"},
            "netfv_clusters": {"netfv"},
            "embedding_projection": {"dbof", "netvlad", "netfv"},
        }
        for name, embeddings in users.items():
            if not embeddings & {*self.embeddings}:
                unused[name] = f"embeddings={' or '.join(sorted(embeddings))}"
        if not self._has_mixture:
            unused["moe_num_mixtures"] = "classifier=moe"
        return unused

    @property
    def num_sampled_frames(self) -> int | None:
        """How many frames of a video the model looks at; None is all."""
        return self.num_bags * self.frames_per_bag or None

    def build(
        self,
        *,
        feature_sizes: Sequence[int],
        num_classes: int,
        class_priors: np.ndarray | None = None,
    ) -> keras.Model:
        self.check_options()
        inputs, x, mask = self._read_frames(feature_sizes)
        hidden = [
            self._branch(embedding, number, feature, mask)
            for number, feature in enumerate(
                frame_model.split_features(x, feature_sizes)
            )
            for embedding in self.embeddings
        ]
        x = hidden[0]
        if len(hidden) > 1:
            x = keras.layers.Concatenate(name="embeddings")(hidden)
        return keras.Model(
            inputs,
            self._classify_and_gate(x, num_classes, class_priors),
            name="PooledEmbeddingModel",
        )

    @property
    def _has_mixture(self) -> bool:
        return self.classifier == "moe"

    def _choose_frames(
        self, frames: keras.KerasTensor, num_frames: keras.KerasTensor
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Adds what draws the bags of frames, if not all frames are one."""
        if not self.frames_per_bag:
            return super()._choose_frames(frames, num_frames)
        return layers.FrameBags(
            self.num_bags, self.frames_per_bag, name="frame_bags"
        )([frames, num_frames])

    def _branch(
        self,
        embedding: str,
        number: int,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
    ) -> keras.KerasTensor:
        """Pools one feature, by its number, in one way, up to its FC layer."""
        name = f"{embedding}_{number}"
        if embedding == "moments":
            x = layers.FrameMoments(name=name)([x, mask])
        else:
            x = self._pool_clusters(embedding, number, x, mask)
        if self.num_bags > 1:
            x = layers.BagAverage(self.num_bags, name=f"{name}_average")(x)
        x = layers.Projection(
            self.fc_size, self.fc_projection, use_bias=False, name=f"{name}_fc"
        )(x)
        x = self._batch_norm(f"{name}_fc_bn")(x)
        return keras.layers.Activation("relu6", name=f"{name}_fc_activation")(x)

    def _pool_clusters(
        self,
        embedding: str,
        number: int,
        x: keras.KerasTensor,
        mask: keras.KerasTensor,
    ) -> keras.KerasTensor:
        name = f"{embedding}_{number}"
        num_clusters = {
            "dbof": self.dbof_clusters,
            "netvlad": self.netvlad_clusters,
            "netfv": self.netfv_clusters,
        }[embedding]
        if number > 0:
            num_clusters = max(num_clusters // 2, 1)
        names = (f"{name}_clusters", f"{name}_clusters_bn")
        if embedding == "dbof":
            return self._pool_projected(
                x,
                mask,
                num_clusters,
                self.embedding_projection,
                names=names,
                activation="relu6",
                pooling=self.dbof_pooling_method,
                input_gradient=False,  # of frames as they are read
            )
        clusters = layers.Projection(
            num_clusters,
            self.embedding_projection,
            use_bias=False,
            name=names[0],
        )(x)
        clusters = self._frame_norm(names[1])(clusters, mask=mask)
        if embedding == "netvlad":
            return layers.NetVlad(name=name)([x, clusters, mask])
        return layers.NetFisherVector(name=name)([x, clusters, mask])
