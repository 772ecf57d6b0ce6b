"""The training step of yt8m-train."""

import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.steps import network as network_lib
from yt8m_compact import models
from yt8m_compact import structures as structures_lib
from yt8m_compact.inference import predictors
from yt8m_compact.inference import serving
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import model as model_lib
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import step as step_lib

_STRUCTURES = {
    network_lib.DENSE: structures_lib.Dense(),
    network_lib.PER_BLOCK: structures_lib.DiagonalCirculant(),
    network_lib.SHARED: structures_lib.DiagonalCirculant(shared_diagonal=True),
}


class OurStep:
    """Trains as yt8m-train does, through the functions of its loop.

    Optimiser, clipping, loss, metrics, and what of it XLA compiles are
    yt8m-train's; the records are not read, and nothing is saved.

    Args:
        network: its sizes.
        structures: by place, the structure; DENSE elsewhere.
        batch: from `network.make_batch`.
        jit_compile: whether XLA compiles the step; None is yt8m-train's choice.
        dtype_policy: what the layers compute in.

    Attributes:
        model: the model.
        losses: the mean losses up to each step of the last run.
    """

    def __init__(
        self,
        network: network_lib.Network,
        structures: dict[str, str],
        batch: dict[str, tf.Tensor],
        jit_compile: bool | None = None,
        *,
        dtype_policy: str = "float32",
    ) -> None:
        keras.utils.set_random_seed(0)
        self._network = network
        self._batch = batch
        self._config = make_config(
            network, structures, jit_compile, dtype_policy
        )
        self.model = model_lib.make_model(self._config)
        self._step = step_lib.TrainingStep(self.model, position_lib.Position())
        inputs = {name: batch[name] for name in ("frames", "num_frames")}
        records = tf.constant(network.batch_size, tf.int64)
        self._dataset = tf.data.Dataset.from_tensors(
            ((inputs, batch["labels"]), records)
        ).repeat()
        self.losses: list[float] = []
        self._predict = None

    @property
    def num_weights(self) -> int:
        """All numbers of the model, moving statistics too."""
        return self.model.count_params()

    @property
    def compiled(self) -> str:
        """Whether XLA compiles the step."""
        return "XLA" if self.model.jit_compile else "no XLA"

    def run(self, steps: int) -> list[float]:
        """Trains.

        Args:
            steps: how many steps to time; one more comes before.

        Returns:
            Seconds that each took.
        """
        self.losses = []
        ends = []
        iterator = iter(self._dataset)
        for _ in range(steps + 1):
            self._step.run(iterator, 1)
            self.losses.append(self._step.logs()["loss"])
            ends.append(time.perf_counter())
        return np.diff(ends).tolist()

    def predict(self, times: int) -> float:
        """Predicts one video through the function of yt8m-predict.

        Args:
            times: how often.

        Returns:
            Seconds that a prediction takes.
        """
        if self._predict is None:
            self._predict = predictors.predictor_from_module(
                serving.ServingModule(self._config, self.model, top_k=1)
            ).predict
        inputs = {
            name: self._batch[name][:1] for name in ("frames", "num_frames")
        }
        start = time.perf_counter()
        for _ in range(times):
            self._predict(**inputs)["predictions"].numpy()
        return (time.perf_counter() - start) / times


def make_config(
    network: network_lib.Network,
    structures: dict[str, str],
    jit_compile: bool | None,
    dtype_policy: str = "float32",
) -> config_lib.Config:
    """Makes the configuration, with the paper's learning rate."""
    projections = {
        f"{place}_projection": _STRUCTURES[structure]
        for place, structure in structures.items()
    }
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=tuple(
                f"feature_{number}"
                for number in range(len(network.feature_sizes))
            ),
            feature_sizes=network.feature_sizes,
            frame_features=True,
            num_classes=network.classes,
        ),
        model=models.PooledEmbeddingConfig(
            dbof_clusters=network.clusters,
            num_bags=1,
            frames_per_bag=network.frames,
            fc_size=network.hidden,
            moe_num_mixtures=network.mixtures,
            **projections,
        ),
        training=config_lib.TrainingConfig(
            batch_size=network.batch_size,
            base_learning_rate=2e-4,
            learning_rate_decay=0.8,
            jit_compile=jit_compile,
            dtype_policy=dtype_policy,
        ),
    )
