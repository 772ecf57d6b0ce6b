"""Tests of MAP@K of all segments of videos."""

import numpy as np
import pytest

import formula_predictors
import record_makers
import tiny_runs
from yt8m_compact import predictions
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluate
from yt8m_compact.eval import prediction_evaluation
from yt8m_compact.eval import segment_evaluation
from yt8m_compact.inference import outputs
from yt8m_compact.inference import predictors


def make_predictor():
    """Predicts by the mean of the frames: no model to train."""
    reader = readers.FrameLevelReader(
        feature_names=tuple(tiny_runs.FRAME_SIZES),
        feature_sizes=tuple(tiny_runs.FRAME_SIZES.values()),
        num_classes=tiny_runs.NUM_CLASSES,
        parts=readers.VideoParts.ALL_SEGMENTS,
        with_labels=False,
        column_ids=True,
    )
    kernel = np.random.default_rng(0).normal(size=[9, tiny_runs.NUM_CLASSES])

    def predict(frames, num_frames):
        sums = frames.numpy().astype(float).sum(axis=1)
        means = sums / num_frames.numpy()[:, None] / 256
        return {"predictions": 1 / (1 + np.exp(-(means @ kernel)))}

    return predictors.Predictor(reader, predict)


def write_segments(tmp_path):
    """Writes videos of which some segments are rated; returns the ratings."""
    rng = np.random.default_rng(1)
    records, ratings = [], {}
    for index in range(30):
        starts = rng.choice(4, 2, replace=False) * 5
        segments = []
        for start in starts.tolist():
            label, score = int(rng.integers(4)), float(rng.integers(2))
            segments.append((start, label, score))
            ratings[b"v%05d:%d" % (index, start), label] = score
        records.append(
            record_makers.make_frame_example(
                index, 20, num_classes=tiny_runs.NUM_CLASSES, segments=segments
            )
        )
    path = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(path, records)
    return path, ratings


@pytest.mark.slow
@pytest.mark.parametrize("k", [120, 17])
def test_of_a_model_and_of_its_submission(tmp_path, k):
    pattern, ratings = write_segments(tmp_path)
    predictor = make_predictor()
    report = segment_evaluation.evaluate_segments(
        predictor, "model", pattern, k=k
    )
    # By hand: all scores, ranked by class.
    scores = {}
    reading = predictors.prediction_rows.Reading(num_readers=1)
    for ids, values in predictor.blocks([pattern], reading):
        scores.update(zip(ids, values, strict=True))
    assert len(scores) == 30 * 4
    precisions = []
    for label in {c for (_, c), score in ratings.items() if score}:
        positives = sum(v for (_, c), v in ratings.items() if c == label)
        ranked = sorted(scores, key=lambda one, c=label: -scores[one][c])[:k]
        rated = [ratings[s, label] for s in ranked if (s, label) in ratings]
        hits = [sum(rated[: i + 1]) / (i + 1) for i, r in enumerate(rated) if r]
        precisions.append(sum(hits) / positives)
    expected = np.mean(precisions)
    assert 0 < expected < 1
    assert report.metrics["map_at_k"] == pytest.approx(expected)
    # The same of the file that is written.
    path = str(tmp_path / "out.csv")
    output = outputs.Output(predictions.Format.SEGMENTS, segment_max_pred=k)
    number = predictors.write_predictions(predictor, pattern, path, output)
    assert number == 120
    again = prediction_evaluation.evaluate_predictions(
        path, pattern, num_classes=tiny_runs.NUM_CLASSES, segment_map_k=k
    )
    assert again.metrics["map_at_k"] == report.metrics["map_at_k"]
    # Of some classes, in the order that is asked for.
    output = outputs.Output(
        predictions.Format.SEGMENTS, classes=[3, 1], segment_max_pred=2
    )
    predictors.write_predictions(predictor, pattern, path, output)
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert lines[0] == "Class,Segments"
    for line, label in zip(lines[1:], (3, 1), strict=True):
        ranked = sorted(scores, key=lambda one, c=label: -scores[one][c])
        best = b" ".join(ranked[:2]).decode()
        assert line == f"{label},{best}"


def test_segments_of_videos_are_refused(tmp_path):
    pattern = tiny_runs.write_videos(tmp_path, 3, num_files=1)
    output = outputs.Output(predictions.Format.SEGMENTS)
    with pytest.raises(
        ValueError, match="expected segments to be predicted, wh"
    ):
        predictors.write_predictions(
            formula_predictors.make(), pattern, str(tmp_path / "out"), output
        )


def test_flags_that_are_refused():
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags,
        "--train_dir=a",
        "--eval_data_pattern=b",
        "--segment_map_k=5",
        "--frame_seed=1",
    )
    with pytest.raises(
        usage_error.UsageError,
        match="--segment_map_k or --frame_seed, not both",
    ):
        evaluate.main(flag_values, [])


@pytest.mark.slow
def test_program(tmp_path, capsys):
    pattern, _ = write_segments(tmp_path)
    run = tiny_runs.frame_run()
    output = tmp_path / "report.json"
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags,
        f"--train_dir={run.path}",
        f"--eval_data_pattern={pattern}",
        "--segment_map_k=100000",
        f"--output_json={output}",
    )
    assert evaluate.main(flag_values, []) == 0
    assert "MAP@100,000" in capsys.readouterr().out
    assert '"map_at_k"' in output.read_text()


@pytest.mark.slow
def test_values_of_the_starter_code(tmp_path):
    """What google/youtube-8m's segment_eval_inference.py said of these files.

    Run outside of this repository, under compat.v1, on the same lines without
    the header.
    """
    rng = np.random.default_rng(5)
    records, ratings = [], {}
    for index in range(400):
        segments = []
        for start in (rng.choice(12, 5, replace=False) * 5).tolist():
            label, score = int(rng.integers(40)), float(rng.random() < 0.4)
            segments.append((start, label, score))
            ratings[f"v{index:05}:{start}", label] = score
        records.append(
            record_makers.make_frame_example(
                index, 60, num_classes=40, segments=segments
            )
        )
    path = str(tmp_path / "a.tfrecord")
    record_makers.write_tfrecord(path, records)
    lines = ["Class,Segments"]
    every = [f"v{i:05}:{s}" for i in range(400) for s in range(0, 60, 5)]
    for label in range(40):
        scores = {
            one: rng.random() + 0.3 * ratings.get((one, label), 0)
            for one in every
        }
        ranked = sorted(every, key=lambda one, known=scores: -known[one])
        lines.append(f"{label},{' '.join(ranked)}")
    submission = tmp_path / "submission.csv"
    submission.write_text("\n".join(lines) + "\n")
    for k, expected in ((4000, 0.749010), (1000, 0.492467), (300, 0.371293)):
        report = prediction_evaluation.evaluate_predictions(
            str(submission), path, num_classes=40, segment_map_k=k
        )
        assert f"{report.metrics['map_at_k']:.6f}" == f"{expected:.6f}"
