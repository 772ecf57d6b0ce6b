"""Each artefact predicts where its runtime is installed and nothing else."""

import re

import numpy as np
import pytest

import project_file
import runtime_alone
import small_artefacts
import tiny_runs

PHONE = project_file.ROOT / "examples" / "phone" / "predict.py"
# As the documents say, by each runtime's own words.
SCRIPTS = {
    "litert": """
from ai_edge_litert.interpreter import Interpreter
predict = Interpreter(path).get_signature_runner("serving_default")
scores = [predict(**video)["predictions"] for video in videos]
""",
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(path)
scores = [session.run(["predictions"], video)[0] for video in videos]
""",
    "openvino": """
import openvino
model = openvino.compile_model(
    path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
)
scores = [model(video)["predictions"].copy() for video in videos]
""",
}
_READ = """
import sys
import numpy as np
path, inputs_path, scores_path = sys.argv[1:]
inputs = dict(np.load(inputs_path))
count = len(next(iter(inputs.values())))
videos = [{k: v[i : i + 1] for k, v in inputs.items()} for i in range(count)]
"""
_WRITE = """
np.save(scores_path, np.concatenate(scores))
"""


@pytest.fixture(scope="module")
def environments(tmp_path_factory):
    return {
        name: runtime_alone.make_environment(
            name, tmp_path_factory.mktemp(name)
        )
        for name in SCRIPTS
    }


def inputs_of(run, count):
    batch = tiny_runs.features_of(run, run.pattern)
    names = ("features",)
    if run.config.data.frame_features:
        names = ("frames", "num_frames")
    return {name: batch[name][:count] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_its_runtime_is_enough(name, level, environments, tmp_path):
    made = small_artefacts.make(level)
    np.savez(tmp_path / "inputs.npz", **inputs_of(made.run, 7))
    script = tmp_path / "script.py"
    script.write_text(_READ + SCRIPTS[name] + _WRITE)
    done = runtime_alone.run(
        environments[name],
        script,
        made.file(name),
        str(tmp_path / "inputs.npz"),
        str(tmp_path / "scores.npy"),
    )
    assert done.returncode == 0, done.stderr
    expected = tiny_runs.predictions_of(made.run, made.run.pattern)[:7]
    found = np.load(tmp_path / "scores.npy")
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def run_phone(environments, model, array, tmp_path, *arguments):
    np.save(tmp_path / "features.npy", array)
    return runtime_alone.run(
        environments["litert"],
        PHONE,
        model,
        str(tmp_path / "features.npy"),
        *arguments,
    )


@pytest.mark.slow
def test_phone_names_the_classes_of_videos(environments, tmp_path):
    made = small_artefacts.make("video")
    features = inputs_of(made.run, 3)["features"]
    names = tmp_path / "classes.txt"
    names.write_text("Zero\nOne\nTwo & more\nThree\nFour\n")
    done = run_phone(
        environments,
        made.file("litert"),
        features,
        tmp_path,
        f"--classes={names}",
        "--top_k=2",
    )
    assert done.returncode == 0, done.stderr
    scores = tiny_runs.predictions_of(made.run, made.run.pattern)[:3]
    words = names.read_text().splitlines()
    lines = done.stdout.splitlines()
    assert len(lines) == 3 * 3
    for number, row in enumerate(scores):
        first, *best = lines[3 * number : 3 * number + 3]
        assert re.fullmatch(rf"video {number}, [\d.]+ ms", first)
        for line, index in zip(best, np.argsort(-row), strict=False):
            percent, name = line.split(maxsplit=1)
            assert name == words[index]
            assert float(percent[:-1]) == pytest.approx(
                100 * row[index], abs=0.06
            )


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 4, 5])
def test_phone_chooses_frames_evenly(number, environments, tmp_path):
    made = small_artefacts.make("frame")
    # Of 1, 3, 8 and 8 frames (12, of which the run reads 8), it takes 4.
    count = {0: 1, 1: 3, 4: 8, 5: 8}[number]
    rng = np.random.default_rng(number)
    frames = rng.integers(0, 256, (count, 9), np.uint8)
    done = run_phone(environments, made.file("litert"), frames, tmp_path)
    assert done.returncode == 0, done.stderr
    # Every second one of eight: 1, 3, 5, 7, the middles of four pairs.
    chosen = frames[1::2] if count == 8 else frames
    padded = np.zeros((1, 4, 9), np.uint8)
    padded[0, : len(chosen)] = chosen
    _, model, _ = tiny_runs.train_dir_lib.TrainDir(
        made.run.path
    ).restore_model()
    inputs = {"frames": padded, "num_frames": np.array([len(chosen)])}
    (scores,) = model(inputs, training=False).numpy()
    best = done.stdout.splitlines()[1:]
    assert [line.split("  ")[-1] for line in best] == [
        f"class {index}" for index in np.argsort(-scores)
    ]


@pytest.mark.parametrize(
    ("level", "array", "message"),
    [
        (
            "video",
            np.zeros([2, 8]),
            r"expected features \[9\] or \[videos, 9\]. Received: \[2, 8\]",
        ),
        (
            "frame",
            np.zeros([2, 9]),
            r"expected uint8 \[frames, 9\] of one video. Received: float64",
        ),
    ],
)
def test_phone_refuses_others(level, array, message, environments, tmp_path):
    made = small_artefacts.make(level)
    done = run_phone(environments, made.file("litert"), array, tmp_path)
    assert done.returncode == 1
    assert re.search(message, done.stderr)
    assert "Traceback" not in done.stderr
