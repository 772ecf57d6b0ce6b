"""Accuracy and weights of dense and compact models, on real data.

    python -m benchmarks.accuracy --data_dir=DATA --output_dir=OUT

DATA holds `yt8m_2018_video/validate0000.tfrecord` to `validate0099.tfrecord`
(video-level YouTube-8M of 2018) and `audioset/bal_train.tfrecord`. Trains on
YouTube-8M's files 0000 to 0079, evaluates on 0080 to 0099; splits AudioSet by
a hash of the video id, 90 to 10. Prints the commands, and a table.

The settings were chosen on parts of the training files (YouTube-8M: train on
0000 to 0069, evaluate on 0070 to 0079; AudioSet: 11 % of the training videos,
by the same hash). About 25 minutes on 2 cores.
"""

import argparse
import json
import pathlib
import shlex
import subprocess
import sys
import time

from yt8m_compact.eval import report

_VIDEO = [
    "--feature_names=mean_rgb,mean_audio",
    "--feature_sizes=1024,128",
]
_AUDIO = [
    "--frame_features",
    "--feature_names=audio_embedding",
    "--feature_sizes=128",
    "--num_classes=527",
    "--max_frames=10",
    "--iterations=10",
    "--model=DbofModel",
    "--dbof_cluster_size=2048",
    "--dbof_hidden_size=512",
    "--dbof_pooling_method=average",
    "--batch_size=128",
]
_COMPACT_CLASSIFIER = "--classifier_projection=diagonal_circulant"
_COMPACT_FRAMES = [
    "--embedding_projection=diagonal_circulant",
    "--fc_projection=diagonal_circulant",
]
_DECAY = ["--learning_rate_decay=0.7", "--learning_rate_decay_examples=40000"]

_LOW_RANK_CLASSIFIER = "--classifier_projection=low_rank(rank=64)"

# Name, data set, flags.
RUNS = [
    (
        "logistic, dense",
        "YouTube-8M",
        [
            "--model=LogisticModel",
            "--batch_size=128",
            "--num_epochs=5",
            "--base_learning_rate=0.02",
        ],
    ),
    (
        "logistic, diagonal circulant",
        "YouTube-8M",
        [
            "--model=LogisticModel",
            _COMPACT_CLASSIFIER,
            "--batch_size=128",
            "--num_epochs=20",
            "--base_learning_rate=0.1",
            *_DECAY,
        ],
    ),
    (
        "logistic, four diagonal circulants",
        "YouTube-8M",
        [
            "--model=LogisticModel",
            f"{_COMPACT_CLASSIFIER}(num_factors=4)",
            "--batch_size=128",
            "--num_epochs=20",
            "--base_learning_rate=0.03",
            *_DECAY,
        ],
    ),
    (
        "logistic, low rank",
        "YouTube-8M",
        [
            "--model=LogisticModel",
            _LOW_RANK_CLASSIFIER,
            "--batch_size=128",
            "--num_epochs=5",
            "--base_learning_rate=0.02",
        ],
    ),
    (
        "MoE, dense",
        "YouTube-8M",
        [
            "--model=MoeModel",
            "--batch_size=256",
            "--num_epochs=6",
            "--base_learning_rate=0.02",
            "--learning_rate_decay=0.5",
            "--learning_rate_decay_examples=40000",
        ],
    ),
    (
        "MoE, diagonal circulant",
        "YouTube-8M",
        [
            "--model=MoeModel",
            _COMPACT_CLASSIFIER,
            "--batch_size=128",
            "--num_epochs=20",
            "--base_learning_rate=0.05",
            *_DECAY,
        ],
    ),
    (
        "DBoF, dense",
        "AudioSet",
        ["--num_epochs=5", "--base_learning_rate=0.001"],
    ),
    (
        "DBoF, compact embedding and FC",
        "AudioSet",
        [*_COMPACT_FRAMES, "--num_epochs=5", "--base_learning_rate=0.001"],
    ),
    (
        "DBoF, compact embedding and FC, low-rank classifier",
        "AudioSet",
        [
            *_COMPACT_FRAMES,
            _LOW_RANK_CLASSIFIER,
            "--num_epochs=5",
            "--base_learning_rate=0.001",
        ],
    ),
    (
        "DBoF, compact everywhere",
        "AudioSet",
        [
            *_COMPACT_FRAMES,
            _COMPACT_CLASSIFIER,
            "--num_epochs=15",
            "--base_learning_rate=0.01",
        ],
    ),
]


def _run(module: str, *flags: str) -> None:
    """Runs a program of the package, and prints its command."""
    print(f"$ {module} {shlex.join(flags)}", flush=True)
    command = [sys.executable, "-m", module, *flags]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _split(data: pathlib.Path, output: pathlib.Path) -> dict:
    """Makes the patterns of the training and the evaluation files."""
    audioset = output / "audioset"
    _run(
        "yt8m_compact.programs.data.main",
        "split",
        f"--input_data_pattern={data}/audioset/bal_train.tfrecord",
        f"--output_dir={audioset}",
        "--validate_percent=10",
    )
    video = data / "yt8m_2018_video"
    return {
        "YouTube-8M": (
            f"{video}/validate00[0-7]?.tfrecord",
            f"{video}/validate00[89]?.tfrecord",
        ),
        "AudioSet": (
            f"{audioset}/train.tfrecord",
            f"{audioset}/validate.tfrecord",
        ),
    }


def main() -> None:
    """Runs everything and prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", type=pathlib.Path, required=True)
    parser.add_argument("--output_dir", type=pathlib.Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    patterns = _split(args.data_dir, args.output_dir)
    rows = []
    for name, data, flags in RUNS:
        train, evaluate = patterns[data]
        slug = name.replace(",", "").replace(" ", "_").lower()
        train_dir = args.output_dir / f"{slug}_seed{args.seed}"
        features = _VIDEO if data == "YouTube-8M" else _AUDIO
        start = time.perf_counter()
        _run(
            "yt8m_compact.programs.train",
            f"--train_dir={train_dir}",
            "--start_new_model",
            f"--train_data_pattern={train}",
            *features,
            *flags,
            f"--seed={args.seed}",
        )
        seconds = time.perf_counter() - start
        path = train_dir / "report.json"
        _run(
            "yt8m_compact.eval.evaluate",
            f"--train_dir={train_dir}",
            f"--eval_data_pattern={evaluate}",
            f"--output_json={path}",
        )
        values = json.loads(path.read_text())
        rows.append(report.TrainedModel(f"{data}: {name}", values, seconds))
    print(report.format_comparison_as_markdown(rows))


if __name__ == "__main__":
    main()
