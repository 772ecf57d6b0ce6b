"""Tests of what the last evaluation of a run found."""

import json

import pytest
import tensorflow as tf

from yt8m_compact.inference.exports import last_evaluation
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

NAMES = ("gap", "hit_at_1", "perr", "map", "loss")


def metrics(start: float) -> dict[str, float]:
    # Numbers that float32 holds.
    return {name: start + n / 64 for n, name in enumerate(NAMES)}


def write_evaluations(path, values: dict[int, float], **rest: str) -> None:
    content = [
        {"step": step, "data": "0" * 16, "metrics": metrics(value), **rest}
        for step, value in values.items()
    ]
    (path / "evaluations.json").write_text(json.dumps({"evaluations": content}))


def write_events(
    folder, values: dict[int, float], names=NAMES, group="metrics/"
) -> None:
    writer = tf.summary.create_file_writer(str(folder))
    for step, value in values.items():
        with writer.as_default(step):
            for name in names:
                tf.summary.scalar(group + name, metrics(value)[name])
            tf.summary.scalar(f"{group}weights", 7)
    writer.close()


def find(path, step: int, choice: str = "raw"):
    run = train_dir_lib.TrainDir(str(path))
    return last_evaluation.find(run, step, weight_choice.parse(choice))


def test_none(tmp_path):
    assert find(tmp_path, 10) is None


def test_the_step_goes_before_later_ones(tmp_path):
    write_evaluations(tmp_path, {5: 0.25, 10: 0.5})
    assert find(tmp_path, 5) == last_evaluation.Found(
        5, metrics(0.25), "yt8m-train"
    )
    # Of no evaluation: the last one, which says whose it is.
    assert find(tmp_path, 7).step == 10


def test_yt8m_eval_goes_before_yt8m_train(tmp_path):
    write_evaluations(tmp_path, {5: 0.25, 10: 0.5})
    write_events(tmp_path / "eval", {10: 0.75})
    assert find(tmp_path, 10) == last_evaluation.Found(
        10, metrics(0.75), "yt8m-eval"
    )
    assert find(tmp_path, 5).source == "yt8m-train"
    # One that was not written to its end does not count.
    write_events(tmp_path / "eval", {20: 0.75}, NAMES[:3])
    assert find(tmp_path, 20).step == 10


def test_tags_of_older_versions(tmp_path):
    write_events(tmp_path / "eval", {10: 0.75}, group="")
    assert find(tmp_path, 10) == last_evaluation.Found(
        10, metrics(0.75), "yt8m-eval"
    )


def test_other_weights_have_their_own(tmp_path):
    write_evaluations(tmp_path, {10: 0.5})
    write_events(tmp_path / "eval" / "average_2", {10: 0.25})
    assert find(tmp_path, 10, "average:2").metrics == metrics(0.25)
    assert find(tmp_path, 10).metrics == metrics(0.5)
    assert find(tmp_path, 10, "ema") is None


def test_training_may_have_evaluated_the_moving_average(tmp_path):
    write_evaluations(tmp_path, {10: 0.5}, weights="ema")
    assert find(tmp_path, 10, "ema") == last_evaluation.Found(
        10, metrics(0.5), "yt8m-train"
    )
    assert find(tmp_path, 10) is None


def test_a_packed_model_says_what_was_found_before(tmp_path):
    (tmp_path / "weights.safetensors").touch()
    path = tmp_path / "export_manifest.json"
    content = {"format_version": 1, "files": {}}
    path.write_text(json.dumps(content))
    assert find(tmp_path, 3) is None
    found = {"step": 3, "metrics": metrics(0.25), "source": "yt8m-eval"}
    path.write_text(json.dumps({**content, "evaluation": found}))
    assert find(tmp_path, 3) == last_evaluation.Found(**found)
    path.write_text(json.dumps({**content, "evaluation": {"gap": 1}}))
    assert find(tmp_path, 3) is None


def test_damaged_evaluations(tmp_path):
    (tmp_path / "evaluations.json").write_text("{}")
    with pytest.raises(ValueError, match="expected the evaluations that yt8m"):
        find(tmp_path, 10)
