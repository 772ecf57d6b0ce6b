"""Makes runs as those in this folder, which themselves are never made again."""

# ruff: noqa: E402
import contextlib
import json
import os
import pathlib
import shutil
import sys
import tempfile

_TESTS = pathlib.Path(__file__).resolve().parents[1]
# The package first: tests/yt8m_compact would hide it.
sys.path[:0] = [str(_TESTS.parent), str(_TESTS)]

import record_makers
import tiny_runs
from yt8m_compact import models
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.inference import predictors

_NUM_VIDEOS = 24
_RECORDS = "records.tfrecord"


def main(folder: str) -> None:
    """Makes the runs of both levels.

    Args:
        folder: Where to; it must not exist.
    """
    for name in ("video_level", "frame_level"):
        os.makedirs(os.path.join(folder, name, "checkpoints"))
    os.chdir(folder)
    _make(
        "video_level",
        tiny_runs.video_config,
        [
            record_makers.make_video_example(index, num_classes=5)
            for index in range(_NUM_VIDEOS)
        ],
        models.MoeConfig(
            moe_num_mixtures=2,
            classifier_projection="low_rank(rank=2) + diagonal_circulant",
        ),
    )
    _make(
        "frame_level",
        tiny_runs.frame_config,
        [
            record_makers.make_frame_example(
                index, 1 + index % 9, num_classes=5
            )
            for index in range(_NUM_VIDEOS)
        ],
        models.PooledEmbeddingConfig(
            embeddings=("dbof", "netvlad", "netfv"),
            dbof_clusters=8,
            netvlad_clusters=2,
            netfv_clusters=2,
            num_bags=2,
            frames_per_bag=2,
            fc_size=4,
            fc_projection="diagonal_circulant",
            moe_num_mixtures=2,
            context_gating=True,
        ),
    )


def _make(name, make_config, records, model) -> None:
    """Trains, and copies what a golden run holds."""
    # Relative names, that config.json names no folder of this machine.
    with contextlib.chdir(name), tempfile.TemporaryDirectory(dir=".") as run:
        record_makers.write_tfrecord(_RECORDS, records)
        config = make_config(
            _RECORDS, model, num_epochs=3, batch_size=8, keep_checkpoints=1
        )
        training.train(config, run)
        checkpoints = os.path.join(run, "checkpoints")
        for file in os.listdir(checkpoints):
            shutil.copy(os.path.join(checkpoints, file), "checkpoints")
        shutil.copy(os.path.join(run, "config.json"), ".")
        report = evaluation.evaluate_run(run, _RECORDS)
        csv = os.path.join(run, "predictions.csv")
        predictor = predictors.predictor_from_train_dir(run)
        predictors.write_csv(predictor, _RECORDS, csv, top_k=5)
        with open("scores.json", "w") as stream:
            json.dump(
                {
                    "metrics": report.metrics,
                    "predictions": pathlib.Path(csv).read_text().splitlines(),
                },
                stream,
                indent=1,
            )
            stream.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
