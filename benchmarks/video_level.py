r"""Times yt8m-train's loop on video-level records against a bare Keras fit.

    python -m benchmarks.video_level
    python -m benchmarks.video_level --batch_sizes=128 --models=logistic

`fit from memory` is `keras.Model.fit` on NumPy arrays with a Keras optimiser,
loss and no metric: what a user would write in ten lines, and reading costs it
nothing. `yt8m-train` reads records that were generated, shuffles them, counts
GAP and Hit@1, clips gradients by variable, and checks each loss; its program's
start, TensorBoard and checkpoints are left out, as the other's are. `compiled
loop` is a `tf.function` over the arrays' batches, the least that TensorFlow
can do: forward, backward, update. All train the same model from the same
weights, take turns in one process, and the best pass of each counts; the losses
of their passes are compared before.
"""

import argparse
from collections.abc import Callable
import os
import pathlib
import tempfile
import time

import keras
import numpy as np
import tabulate
import tensorflow as tf
import tqdm

from benchmarks import readers as reader_benchmark
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import batches
from yt8m_compact.training import model as model_lib
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import step as step_lib
from yt8m_compact.training import strategies

_SIZES = {"mean_rgb": 1024, "mean_audio": 128}
_CLASSES = 3862
_STEPS_OF_CALL = 10
# Losses of one pass in another order of the videos.
_TOLERANCE = 0.1


def _make_config(
    pattern: str, model: models.ModelConfig, batch_size: int
) -> config_lib.Config:
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=tuple(_SIZES),
            feature_sizes=tuple(_SIZES.values()),
            num_classes=_CLASSES,
        ),
        model=model,
        training=config_lib.TrainingConfig(
            train_data_pattern=pattern, batch_size=batch_size
        ),
    )


_MODELS = {
    "logistic": models.LogisticConfig(),
    "mixture": models.MoeConfig(),
    "compact mixture": models.MoeConfig(
        classifier_projection="diagonal_circulant",
    ),
}


class _Ours:
    """yt8m-train's loop."""

    name = "yt8m-train"

    def __init__(self, config: config_lib.Config, files: list[str]) -> None:
        self._config = config
        self._files = files
        keras.utils.set_random_seed(0)
        self.model = model_lib.make_model(config)
        self._step = step_lib.TrainingStep(self.model, position_lib.Position())

    def run(self, epoch: int) -> float:
        """Trains one pass; returns its mean loss."""
        workers = strategies.Workers(tf.distribute.get_strategy())
        dataset = batches.read(
            self._config.reader(training=True),
            self._files,
            self._config.training,
            workers,
            epoch=epoch,
            skip_examples=0,
            skipped=None,
        )
        self._step.reset_metrics()
        iterator = iter(batches.distribute(dataset, workers))
        while self._step.run(iterator, _STEPS_OF_CALL) == _STEPS_OF_CALL:
            self._step.logs()
        return self._step.logs()["loss"]


class _Rival:
    """The same model, weights, loss and optimiser, of Keras alone."""

    def __init__(
        self, config: config_lib.Config, x: np.ndarray, y: np.ndarray
    ) -> None:
        keras.utils.set_random_seed(0)
        self._batch_size = config.training.batch_size
        self.model = config.model.build(
            feature_sizes=config.data.feature_sizes,
            num_classes=config.data.num_classes,
        )
        self.model.compile(
            optimizer=keras.optimizers.Adam(config.training.base_learning_rate),
            loss=models.LabelLoss(ops.cross_entropy_loss),
            jit_compile=False,
        )
        self._x, self._y = x, y


class _Fit(_Rival):
    """`keras.Model.fit` from memory."""

    name = "fit from memory"

    def run(self, epoch: int) -> float:
        """Trains one pass; returns its mean loss."""
        del epoch
        history = self.model.fit(
            {"features": self._x},
            self._y,
            batch_size=self._batch_size,
            verbose=0,
        )
        return history.history["loss"][0]


class _Loop(_Rival):
    """A compiled loop over batches from memory."""

    name = "compiled loop"

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.model.optimizer.build(self.model.trainable_variables)

        @tf.function
        def train(dataset):
            total, number = tf.constant(0.0), tf.constant(0.0)
            for x, y in dataset:
                with tf.GradientTape() as tape:
                    predictions = self.model({"features": x}, training=True)
                    loss = self.model.compute_loss(
                        y=y, y_pred=predictions, training=True
                    )
                variables = self.model.trainable_weights
                gradients = tape.gradient(loss, variables)
                self.model.optimizer.apply(gradients, variables)
                total += loss
                number += 1.0
            return total / number

        self._train = train

    def run(self, epoch: int) -> float:
        """Trains one pass; returns its mean loss."""
        dataset = (
            tf.data.Dataset.from_tensor_slices((self._x, self._y))
            .shuffle(1024, seed=epoch)
            .batch(self._batch_size)
            .prefetch(2)
        )
        return float(self._train(dataset))


def _read_all(config: config_lib.Config, files: list[str]):
    """Reads the records into memory, as the model gets them."""
    dataset = readers.make_dataset(
        config.reader(training=True), files, batch_size=1024
    )
    parts = [(b["features"].numpy(), b["labels"].numpy()) for b in dataset]
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _compare(
    make: list[Callable], num_videos: int, repeats: int
) -> list[tuple[str, float]]:
    """Returns videos a second of each, the best of its passes."""
    runners = [one() for one in make]
    losses = [runner.run(0) for runner in runners]  # compiles, too
    if max(losses) > (1 + _TOLERANCE) * min(losses):
        raise ValueError(
            "expected the losses of a first pass to be about the same. "
            f"Received: {losses}"
        )
    best = dict.fromkeys([runner.name for runner in runners], np.inf)
    for repeat in range(repeats):
        for runner in runners:
            start = time.perf_counter()
            runner.run(repeat + 1)
            seconds = time.perf_counter() - start
            best[runner.name] = min(best[runner.name], seconds)
    return [(name, num_videos / seconds) for name, seconds in best.items()]


def main() -> None:
    """Prints videos a second of each, and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num_videos", type=int, default=16_384)
    parser.add_argument("--batch_sizes", default="128,1024")
    parser.add_argument("--models", default=",".join(_MODELS))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    names = arguments.models.split(",")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    table = []
    with tempfile.TemporaryDirectory() as folder:
        files = reader_benchmark.write_shards(
            pathlib.Path(folder),
            arguments.num_videos,
            reader_benchmark.make_video,
        )
        cases = [(name, size) for name in names for size in sizes]
        for name, size in tqdm.tqdm(cases, unit="case"):
            config = _make_config(",".join(files), _MODELS[name], size)
            x, y = _read_all(config, files)
            rates = _compare(
                [
                    lambda c=config: _Ours(c, files),
                    lambda c=config, a=x, b=y: _Fit(c, a, b),
                    lambda c=config, a=x, b=y: _Loop(c, a, b),
                ],
                arguments.num_videos,
                arguments.repeats,
            )
            fit = dict(rates)[_Fit.name]
            table += [
                (name, size, how, f"{rate:,.0f}", f"{rate / fit:.2f}")
                for how, rate in rates
            ]
    print(
        tabulate.tabulate(
            table,
            headers=("model", "batch", "how", "videos/s", "of fit"),
            tablefmt="github",
            colalign=("left", "right", "left", "right", "right"),
        )
    )


if __name__ == "__main__":
    main()
