"""Evaluation of a checkpoint over a whole data set."""

from collections.abc import Mapping

import keras
import tensorflow as tf

from yt8m_compact import config as config_lib
from yt8m_compact import models
from yt8m_compact import ops
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import train_dir as train_dir_lib
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval import report
from yt8m_compact.eval import weights

BATCH_SIZE = 256


def evaluate_run(
    train_dir: str,
    eval_data_pattern: str,
    *,
    step: int | None = None,
    batch_size: int = BATCH_SIZE,
    top_k: int = 20,
    num_readers: int = 8,
    on_data_error: str = "stop",
    frame_seed: int | None = None,
) -> report.Report:
    """Evaluates a checkpoint of a run, exactly, over all the data.

    Frames are sampled evenly, or by a seed, so that two evaluations agree.

    Args:
      train_dir: the folder of the run; all that is known of the model.
      eval_data_pattern: files to evaluate on: glob patterns, comma-separated.
      step: step of the checkpoint; None is the newest one.
      batch_size: number of videos of a batch.
      top_k: how many predictions of each video GAP counts.
      num_readers: number of files that are read at the same time.
      on_data_error: "stop", or "skip" to leave out damaged and wrong records,
        which are logged, counted for TensorBoard, and listed at the end.
      frame_seed: None samples frames evenly; a number samples them as in
        training, a function of the number and the video's id.

    Of rated segments, only the classes that are rated count.

    Returns:
      The report.

    Raises:
      ValueError: if the run is missing, broken or has no checkpoint, no video
        has a label, or there is a seed for a model that looks at all frames.
      DataError: if the data is missing or broken.
    """
    files = readers.expand_patterns(eval_data_pattern)
    run = train_dir_lib.TrainDir(train_dir)
    config, model, step = run.restore_model(step)
    reader = config.reader(training=False, random_frames=frame_seed is not None)
    skipped = readers.SkippedData() if on_data_error == "skip" else None
    found = readers.check_format(files, reader, skipped=skipped)
    has_labels = found.has_labels or config.data.segment_labels
    dataset = readers.make_dataset(
        reader,
        files,
        batch_size=batch_size,
        seed=frame_seed or 0,
        num_readers=num_readers,
        skipped=skipped,
    )
    predict = _make_predict(model, config)
    with (
        metrics_lib.EvaluationMetrics(
            config.data.num_classes, top_k
        ) as metrics,
        progress.video_bar("evaluate", files) as bar,
        readers.readable_errors(),
    ):
        for batch in dataset:
            if not (has_labels or tf.reduce_any(batch["labels"] > 0)):
                raise readers.DataError(
                    f"{files[0]}: expected labels to evaluate with. Received: "
                    f"none in the first {len(batch['labels'])} videos; the "
                    "test split has no labels, use the validation split"
                )
            has_labels = True
            predictions, loss = predict(batch)
            metrics.update(predictions, batch["labels"], loss)
            bar.update(len(predictions))
        progress.finish(bar)
        if skipped:
            print(f"left out of the data:\n{skipped.to_text()}", flush=True)
        values = metrics.result()
    return report.Report(
        model=models.model_name(config.model),
        weights=weights.count_weights(model),
        metrics=values,
        step=step,
        top_k=top_k,
        train_dir=train_dir,
        eval_data_pattern=eval_data_pattern,
        frame_seed=frame_seed,
        skipped_files=skipped.num_files if skipped else 0,
        skipped_records=skipped.num_records if skipped else 0,
        skipped_bytes=skipped.num_bytes if skipped else 0,
    )


def _make_predict(model: keras.Model, config: config_lib.Config):
    """Compiles the step from a batch to predictions and losses."""
    loss = ops.LOSSES[config.training.label_loss]

    @tf.function(reduce_retracing=True, autograph=False)
    def predict(
        batch: Mapping[str, tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        inputs = {name: batch[name] for name in model.input}
        predictions = model(inputs, training=False)
        weights = batch.get("label_weights")
        losses = loss(batch["labels"], predictions, weights)
        return ops.rated_predictions(predictions, weights), losses

    return predict


def log_report(result: report.Report, run: train_dir_lib.TrainDir) -> None:
    """Writes the metrics of a report for TensorBoard.

    Args:
      result: the report of a checkpoint.
      run: the run it belongs to.
    """
    writer = tf.summary.create_file_writer(run.events_path("eval"))
    with writer.as_default(result.step):
        for name in ("gap", "hit_at_1", "perr", "map", "loss"):
            tf.summary.scalar(name, result.metrics[name])
        tf.summary.scalar("weights", result.weights.total)
        tf.summary.scalar("skipped_files", result.skipped_files)
        tf.summary.scalar("skipped_records", result.skipped_records)
        tf.summary.scalar("skipped_bytes", result.skipped_bytes)
    writer.close()
