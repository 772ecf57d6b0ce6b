"""The training step: loss, gradients, update and metrics, on any strategy."""

from collections.abc import Callable, Iterator
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.training import norms as norms_lib
from yt8m_compact.training import position as position_lib
from yt8m_compact.training import pruning as pruning_lib
from yt8m_compact.training import teachers as teachers_lib

# Changes inputs, labels and weights, from the number of steps before.
Augmentation = Callable[[dict, tf.Tensor, tf.Tensor | None, tf.Tensor], tuple]

# Means over batches: what TensorBoard and the progress bar show.
METRICS = ("loss", "gap", "hit_at_1")


class TrainingStep:
    """Trains a model on batches, several in a call.

    What `keras.Model.train_step` does, with three differences. It runs under
    every strategy of `tf.distribute`, where Keras's `fit` fails between
    machines, and gives the weights that one replica would get from the whole
    batch: gradients and moments are of all of it, however unevenly its videos
    are shared out. One call takes several steps, without Python between them.
    And where the run is in the data is counted in the same graph, so that a
    checkpoint never holds a step without its place.

    Args:
        model: compiled, its optimiser built, under the strategy's scope; with
            several replicas an `OptimizerBase`.
        position: where the run is.
        strategy: what the model was made under.
        batch_size: videos of a batch; None where batches hold how many records
            of the pass were read.
        augment: changes a replica's videos before they are trained on; or None.
        norm_steps: after how many steps each the gradients' norms are kept;
            None for never.
        teachers: what labels are mixed with; None for labels alone. The metrics
            are those of the labels.
        pruning: what sets weights to 0; or None.
    """

    def __init__(
        self,
        model: keras.Model,
        position: position_lib.Position,
        strategy: tf.distribute.Strategy | None = None,
        batch_size: int | None = None,
        augment: Augmentation | None = None,
        norm_steps: int | None = None,
        teachers: teachers_lib.Teachers | None = None,
        pruning: pruning_lib.Pruning | None = None,
    ) -> None:
        self._model = model
        self._teachers = teachers
        self._pruning = pruning
        self._position = position
        self._strategy = strategy or tf.distribute.get_strategy()
        self._batch_size = batch_size
        self._augment = augment
        # Of each metric the sum over videos or batches, and the number.
        self._sums = tf.Variable(
            tf.zeros([2, len(METRICS)], tf.float64), trainable=False
        )
        # Those of the epoch before the last reset.
        self._earlier_sums = np.zeros([2, len(METRICS)])
        self._stopping = tf.Variable(False, trainable=False)
        self._norm_steps = norm_steps
        self._norms = norms_lib.LayerNorms(model)
        self._gradient_norms = tf.Variable(
            tf.zeros([len(self._norms.layers)]), trainable=False
        )
        self._seconds = 0.0
        self._waited = tf.Variable(0.0, trainable=False, dtype=tf.float64)
        if self._strategy.num_replicas_in_sync > 1:
            optimizer = model.optimizer
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            inner.gradients_are_sums = True
        self._step = self._train_on
        if model.jit_compile:
            self._step = tf.function(self._train_on, jit_compile=True)

    def run(
        self, iterator: Iterator[Any], limit: int, stop: bool = False
    ) -> int:
        """Trains on the next batches.

        Args:
            iterator: of a data set of the strategy, of `((inputs, labels),
                records_read)` or `((inputs, labels, label_weights),
                records_read)`, for each replica.
            limit: the most steps.
            stop: whether this worker was asked to stop.

        Returns:
            How many steps were done; fewer than `limit` at the end of the data.
        """
        start = time.perf_counter()
        done = int(
            self._run(
                iterator,
                tf.constant(limit, tf.int64),
                tf.constant(stop),
            )
        )
        self._seconds += time.perf_counter() - start
        return done

    @property
    def stopping(self) -> bool:
        """Whether any worker was asked to stop before the last call."""
        return bool(self._stopping)

    def logs(self) -> dict[str, float]:
        """Returns the metrics: means since `reset_metrics`."""
        return _means(self._sums.numpy())

    @property
    def has_logs(self) -> bool:
        """Whether there were steps since `reset_metrics`."""
        return bool(self._sums[1].numpy().any())

    def epoch_logs(self) -> dict[str, float]:
        """Returns the metrics: means since `start_epoch`."""
        return _means(self._earlier_sums + self._sums.numpy())

    def reset_metrics(self) -> None:
        """Starts the means of `logs` anew."""
        self._earlier_sums += self._sums.numpy()
        self._sums.assign(tf.zeros_like(self._sums))

    def start_epoch(self) -> None:
        """Starts all means anew."""
        self.reset_metrics()
        self._earlier_sums = np.zeros_like(self._earlier_sums)

    @property
    def seconds(self) -> float:
        """How long all steps took, with what they waited for."""
        return self._seconds

    @property
    def waited_seconds(self) -> float:
        """How long all steps have waited for their batches."""
        return float(self._waited)

    def gradient_norms(self) -> dict[str, float]:
        """Returns the norm of each layer's gradient, before it is clipped.

        It is that of the last step whose number `norm_steps` divides.
        """
        return self._by_layer(self._gradient_norms)

    def weight_norms(self) -> dict[str, float]:
        """Returns the norm of the weights that each layer trains."""
        return self._by_layer(self._norms.of_weights())

    def _by_layer(self, values: tf.Tensor) -> dict[str, float]:
        return dict(
            zip(self._norms.layers, values.numpy().tolist(), strict=True)
        )

    @tf.function
    def _run(
        self, iterator: Any, limit: tf.Tensor, stop: tf.Tensor
    ) -> tf.Tensor:
        def train(done, more, waited):
            del more
            start = tf.timestamp()
            with tf.control_dependencies([start]):
                optional = iterator.get_next_as_optional()
                has_batch = optional.has_value()
            with tf.control_dependencies([has_batch]):
                waited += tf.timestamp() - start
            tf.cond(
                has_batch,
                lambda: self._train_everywhere(optional.get_value()),
                lambda: tf.constant(False),
            )
            return done + tf.cast(has_batch, tf.int64), has_batch, waited

        done, _, waited = tf.while_loop(
            lambda done, more, waited: more & (done < limit),
            train,
            [
                tf.constant(0, tf.int64),
                tf.constant(True),
                tf.constant(0.0, tf.float64),
            ],
            parallel_iterations=1,
        )
        self._waited.assign_add(waited)
        self._stopping.assign(self._any_worker(stop))
        return done

    def _any_worker(self, flag: tf.Tensor) -> tf.Tensor:
        """Says whether a flag is set in any worker."""
        if self._strategy.num_replicas_in_sync == 1:
            return flag
        flags = self._strategy.run(lambda: tf.cast(flag, tf.float32))
        return self._strategy.reduce("SUM", flags, axis=None) > 0

    def _train_everywhere(self, batches: Any) -> tf.Tensor:
        """Trains the replicas on their shares of a batch."""
        keep_norms = tf.constant(False)
        if self._norm_steps is not None:
            step = self._position.step + 1
            keep_norms = tf.equal(step % self._norm_steps, 0)
        if self._pruning is not None:
            self._pruning.before_step()
        sums, records_read, norms = self._strategy.run(
            self._teach, (batches, keep_norms)
        )
        if self._pruning is not None:
            self._pruning.after_step(self._position.step + 1)
        self._sums.assign_add(self._strategy.reduce("SUM", sums, axis=None))
        if self._norm_steps is not None:
            # Those of the whole batch, the same in all replicas.
            norms = self._strategy.experimental_local_results(norms)[0]
            tf.cond(
                keep_norms,
                lambda: self._gradient_norms.assign(norms),
                lambda: self._gradient_norms.value(),
            )
        examples = self._position.examples
        if self._batch_size is None:
            # Shares of one batch all say how far it was.
            local = self._strategy.experimental_local_results(records_read)
            examples.assign(local[0])
        else:
            examples.assign_add(self._batch_size)
        self._position.step.assign_add(1)
        return tf.constant(True)

    def _teach(
        self, data: Any, keep_norms: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Trains on a replica's share of a batch, as `_train_on` does.

        Teachers are not part of what XLA compiles: some can't be.
        """
        if self._teachers is None:
            return self._step(data, keep_norms)
        (inputs, labels, *weights), records_read = data
        inputs, targets = self._teachers.targets(inputs, labels)
        data = (inputs, labels, *weights), records_read
        return self._step(data, keep_norms, targets)

    def _train_on(
        self,
        data: Any,
        keep_norms: tf.Tensor,
        targets: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Trains on a replica's share of a batch.

        Args:
            data: as the iterator of `run` has it.
            keep_norms: whether the gradients' norms are wanted.
            targets: what is learned in the place of the labels, if not them.

        Returns:
            What to add to the sums of metrics, float64 `[2, 3]`; how far the
            batch was in the data; and the norms of the gradients if
            `keep_norms`, else zeros.
        """
        (inputs, labels, *weights), records_read = data
        weights = weights[0] if weights else None
        if targets is not None:
            # What is learned is changed as the labels are.
            labels = tf.concat(
                [tf.cast(labels, targets.dtype), targets], axis=1
            )
        if self._augment is not None:
            inputs, labels, weights = self._augment(
                inputs, labels, weights, self._position.step
            )
        if targets is None:
            targets = labels
        else:
            labels, targets = tf.split(labels, 2, axis=1)
        model, optimizer = self._model, self._model.optimizer
        with tf.GradientTape() as tape:
            predictions = model(inputs, training=True)
            loss = model.compute_loss(
                x=inputs,
                y=targets,
                y_pred=predictions,
                sample_weight=weights,
                training=True,
            )
            loss, share, number = self._weigh(loss, tf.shape(labels)[0])
            scaled = optimizer.scale_loss(loss)
        variables = model.trainable_weights
        # Added up before they are clipped: it is the batch's gradient that is.
        gradients = _sum_gradients(tape.gradient(scaled, variables))
        norms = tf.cond(
            keep_norms,
            lambda: self._norms.of(gradients) / optimizer.scale_loss(1.0),
            lambda: tf.zeros([len(self._norms.layers)]),
        )
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        rated = ops.rated_predictions(predictions, weights)
        values = [
            loss * tf.cast(number, loss.dtype),
            share * ops.batch_gap(labels, rated),
            share * ops.batch_hit_at_1(labels, rated),
        ]
        values = tf.stack([tf.cast(value, tf.float64) for value in values])
        counts = tf.stack([tf.cast(number, tf.float64), 1.0, 1.0])
        counts /= self._strategy.num_replicas_in_sync
        # Means over no videos are no numbers.
        values = tf.where(share > 0, values, 0)
        return tf.stack([values, counts]), records_read, norms

    def _weigh(
        self, loss: tf.Tensor, number: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Weighs a replica's loss by its share of the videos.

        A replica that has no more videos has a share of 0; there the mean over
        its videos is no number, and what is computed from none of them is not
        needed.

        Args:
            loss: from `compute_loss`, which has divided the mean over the
                replica's videos by the number of replicas.
            number: of the replica's videos.

        Returns:
            What adds up to the loss of all videos; the replica's share of them;
            and how many there are in all replicas.
        """
        replicas = self._strategy.num_replicas_in_sync
        if replicas == 1:
            return loss, tf.constant(1.0), number
        (total,) = ops.sum_over_replicas(number)
        share = tf.cast(number, tf.float32) / tf.cast(
            tf.maximum(total, 1), tf.float32
        )
        weighed = loss * tf.cast(share * replicas, loss.dtype)
        return tf.where(number > 0, weighed, 0), share, total


def _means(sums_and_counts: np.ndarray) -> dict[str, float]:
    return {
        name: float(total / count) if count else 0.0
        for name, total, count in zip(METRICS, *sums_and_counts, strict=True)
    }


def _sum_gradients(gradients: list[tf.Tensor | None]) -> list[tf.Tensor | None]:
    """Adds up the replicas' gradients, where there are any."""
    given = [gradient for gradient in gradients if gradient is not None]
    sums = iter(ops.sum_over_replicas(*given))
    return [None if gradient is None else next(sums) for gradient in gradients]
