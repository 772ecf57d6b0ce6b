"""Names the classes of videos by a .tflite file, without TensorFlow.

    pip install ai-edge-litert numpy
    python predict.py model.tflite features.npy --classes=classes.txt

features.npy holds what `yt8m-export --format=litert` wrote the model for:
float32 [1152] or [videos, 1152] of a video-level model; uint8 [frames, 1152] of
one video, as many frames as it has, of a frame-level one. A phone does the same
with the same runtime; README.md says what to do there.
"""

import argparse
import time

from ai_edge_litert import interpreter
import numpy as np


def open_model(path: str, num_threads: int):
    """Opens a model.

    Args:
        path: the .tflite file.
        num_threads: threads that it computes with.

    Returns:
        A function of the model's inputs by name.
    """
    model = interpreter.Interpreter(path, num_threads=num_threads)
    return model.get_signature_runner("serving_default")


def make_inputs(array: np.ndarray, run) -> list[dict[str, np.ndarray]]:
    """Makes what the model takes, a dict for each video.

    Args:
        array: what the .npy file holds.
        run: of `open_model`.

    Returns:
        The inputs of each video, by name.

    Raises:
        SystemExit: if the model takes something else.
    """
    shapes = {
        name: list(details["shape"])
        for name, details in run.get_input_details().items()
    }
    if any(shape[0] != 1 for shape in shapes.values()):
        raise SystemExit(
            "expected a model that takes one video at once (yt8m-export "
            f"--batch_size=1). Received: inputs {shapes}"
        )
    if "frames" not in shapes:
        size = shapes["features"][1]
        videos = np.atleast_2d(array)
        if videos.ndim != 2 or videos.shape[1] != size:
            raise SystemExit(
                f"expected features [{size}] or [videos, {size}]. Received: "
                f"{list(array.shape)}"
            )
        return [
            {"features": video[np.newaxis].astype(np.float32)}
            for video in videos
        ]
    _, num_taken, size = shapes["frames"]
    if array.ndim != 2 or array.shape[1] != size or array.dtype != np.uint8:
        raise SystemExit(
            f"expected uint8 [frames, {size}] of one video. Received: "
            f"{array.dtype} {list(array.shape)}"
        )
    frames = np.zeros((1, num_taken, size), np.uint8)
    count = len(array)
    chosen = np.arange(count)
    if count > num_taken:  # Evenly: the middles of num_taken equal parts.
        chosen = (2 * np.arange(num_taken) + 1) * count // (2 * num_taken)
    frames[0, : len(chosen)] = array[chosen]
    return [{"frames": frames, "num_frames": np.array([len(chosen)], np.int32)}]


def main() -> None:
    """Predicts, and prints the best classes of each video."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="the .tflite file")
    parser.add_argument("features", help="the .npy file")
    parser.add_argument("--classes", help="a text file, a name a line")
    parser.add_argument("--top_k", type=int, default=5)
    parser.add_argument("--num_threads", type=int, default=1)
    arguments = parser.parse_args()

    run = open_model(arguments.model, arguments.num_threads)
    names = None
    if arguments.classes:
        with open(arguments.classes, encoding="utf-8") as file:
            names = file.read().splitlines()
    array = np.load(arguments.features, allow_pickle=False)
    for number, inputs in enumerate(make_inputs(array, run)):
        start = time.perf_counter()
        (scores,) = run(**inputs)["predictions"]
        milliseconds = 1000 * (time.perf_counter() - start)
        print(f"video {number}, {milliseconds:.2f} ms")
        for index in np.argsort(-scores, kind="stable")[: arguments.top_k]:
            name = names[index] if names else f"class {index}"
            print(f"  {scores[index]:6.1%}  {name}")


if __name__ == "__main__":
    main()
