"""Tests of the evaluation of files of predictions."""

import json
import re

from absl import flags
import pytest

import tiny_runs
from yt8m_compact import readers
from yt8m_compact import usage_error
from yt8m_compact.eval import evaluate
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import prediction_evaluation
from yt8m_compact.inference import predictors

PREDICTIONS = """VideoId,LabelConfidencePairs
aaaa,4 0.75 1 0.5 2 0.25
bbbb,1 0.625 0 0.375
"""
LABELS = "VideoId,Labels\nbbbb,0\naaaa,1 3\n"


def write(tmp_path, predictions=PREDICTIONS, labels=LABELS):
    paths = [tmp_path / "predictions", tmp_path / "labels"]
    for path, text in zip(paths, (predictions, labels), strict=True):
        path.write_text(text)
    return [str(path) for path in paths]


def run(*arguments):
    flag_values = tiny_runs.parse_flags(evaluate.define_flags, *arguments)
    return evaluate.main(flag_values, [])


def test_program(tmp_path, capsys):
    predictions, labels = write(tmp_path)
    output = tmp_path / "report.json"
    status = run(
        f"--predictions={predictions}",
        f"--labels={labels}",
        "--num_classes=5",
        "--top_k=2",
        f"--output_json={output}",
    )
    assert status == 0
    report = json.loads(output.read_text())
    # As in listed_metrics_test.py, without its third video.
    assert report["metrics"] == pytest.approx(
        {
            "gap": (1 / 3 + 2 / 4) / 3,
            "hit_at_1": 0,
            "perr": (1 / 2) / 2,
            "map": (1 + 1 / 2 + 0) / 3,
            "loss": None,
            "num_examples": 2,
            "num_classes_with_positives": 3,
        }
    )
    assert report["format"] == "csv"
    assert report["top_k"] == 2
    text = capsys.readouterr().out
    assert text.startswith(f"{predictions} against {labels}\n")
    assert "GAP@2                0.2778\n" in text
    assert "loss" not in text
    said = readers.RecordFeatures(
        feature_names=("clip",), feature_sizes=(4,), num_classes=4
    )
    readers.write_features(str(tmp_path / readers.FEATURES_NAME), said)
    with pytest.raises(readers.DataError, match="predictions: .* from 0 to 3"):
        run(f"--predictions={predictions}", f"--labels={labels}")


@pytest.mark.parametrize("beside", [True, False])
def test_labels_by_name_and_by_class(tmp_path, beside):
    names = ("ant", "bee", "cat", "dog", "emu")
    lists = "id,labels\nbbbb,ant\naaaa,bee;dog\n"
    columns = "id,ant,dog,bee\nbbbb,1,0,0\naaaa,0,1,1\n"
    given = ()
    if beside:
        said = readers.RecordFeatures(
            feature_names=("clip",),
            feature_sizes=(4,),
            num_classes=5,
            class_names=names,
        )
        readers.place_features(str(tmp_path), said)
    else:
        (tmp_path / "names.txt").write_text("\n".join(names))
        given = (f"--vocabulary_file={tmp_path}/names.txt",)
    reports = []
    for text in (LABELS, lists, columns):
        predictions, labels = write(tmp_path, labels=text)
        output = tmp_path / "report.json"
        status = run(
            f"--predictions={predictions}",
            f"--labels={labels}",
            f"--output_json={output}",
            *given,
        )
        assert status == 0
        reports.append(json.loads(output.read_text()))
    assert reports[0]["metrics"]["num_classes_with_positives"] == 3
    assert reports[1:] == reports[:1] * 2
    # Classes of a comparison, too.
    two = [f"--predictions={predictions}"] * 2
    run(*two, f"--labels={labels}", f"--output_json={output}", *given)
    (member, _) = json.loads(output.read_text())["members"]
    assert member["metrics"]["gap"] == reports[0]["metrics"]["gap"]


def test_starter_metrics_and_a_comparison(tmp_path, capsys):
    predictions, labels = write(tmp_path)
    output = tmp_path / "report.json"
    arguments = [
        f"--predictions={predictions}",
        f"--labels={labels}",
        "--num_classes=5",
        "--top_k=2",
        "--starter_metrics",
        f"--output_json={output}",
    ]
    assert run(*arguments) == 0
    found = json.loads(output.read_text())["starter_metrics"]
    # Among the first two of each: class 0, of bbbb; class 1, second of two.
    assert found["map"] == (1 + 1 / 2 + 0) / 3
    assert found["gap"] == (1 / 3 + 2 / 4) / 3
    line = "GAP@2                0.2778        0.2778\n"
    assert line in capsys.readouterr().out
    assert run(*arguments, *arguments[:1], "--bootstrap_draws=9") == 0
    text = capsys.readouterr().out
    assert "predictions: GAP@2 0.2778\n" in text
    assert "B - A: MAP +0.0000 [+0.0000, +0.0000]" in text
    assert re.search(r"starter code.*\n.*\nA predictions +0.2778", text)
    values = json.loads(output.read_text())
    assert [one["name"] for one in values["members"]] == ["predictions"] * 2
    assert values["num_draws"] == 9
    assert values["eval_data_pattern"] == labels


def test_files_that_are_missing_are_named_as_what_they_are(tmp_path):
    predictions, labels = write(tmp_path)
    formats = "(CSV, JSON lines, Parquet, or what yt8m-predict wrote)"
    label_formats = (
        "one file of labels (CSV of VideoId,Labels, of id,labels, or of id and "
        "a column of 0 and 1 for each class; JSON lines, Parquet)"
    )
    for missing, message in (
        (
            (f"{tmp_path}/no.csv", labels),
            f"'{tmp_path}/no.csv': expected at least one file of predictions "
            f"{formats}. The folder",
        ),
        (
            (str(tmp_path), labels),
            f"'{tmp_path}' is a folder: expected files of predictions "
            f"{formats}. Name the files in it, such as '{tmp_path}/*.csv'. The",
        ),
        (
            (predictions, f"{tmp_path}/no.csv"),
            f"'{tmp_path}/no.csv': expected at least one TFRecord file, or "
            f"{label_formats}. The folder",
        ),
        (
            (predictions, str(tmp_path)),
            f"'{tmp_path}' is a folder: expected TFRecord files, or "
            f"{label_formats}. Name the files in it, such as "
            f"'{tmp_path}/*.tfrecord'. The",
        ),
    ):
        with pytest.raises(readers.DataError, match=re.escape(message)):
            prediction_evaluation.evaluate_predictions(*missing, num_classes=5)


@pytest.mark.parametrize("name", ["labels", "ensemble", "ensemble_weights"])
def test_what_commas_separate_is_given_once(name):
    with pytest.raises(flags.IllegalFlagValueError, match="=2: already"):
        run(f"--{name}=1", f"--{name}=2")


def test_segments(tmp_path):
    predictions, labels = write(
        tmp_path,
        "Class,Segments\n3,x:0 a:0 a:5\n",
        "SegmentId,Class,Score\na:0,3,0\na:5,3,1\n",
    )
    report = prediction_evaluation.evaluate_predictions(
        predictions, labels, num_classes=5, segment_map_k=3
    )
    assert report.metrics["map_at_k"] == 1 / 2
    assert "MAP@3                  0.5000\n" in report.to_text()
    report = prediction_evaluation.evaluate_predictions(
        predictions, labels, num_classes=5, segment_map_k=2
    )
    assert report.metrics["map_at_k"] == 0


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        (
            PREDICTIONS + "cccc,1 0.5\n",
            LABELS,
            "predictions: line 4: expected a video of .*labels. Received: "
            "'cccc', which has no labels there; name the labels of all",
        ),
        (
            PREDICTIONS + "cccc,1 0.5\nd{}d,1 0.5\nee,1 0.5\n",
            LABELS,
            "line 4: .*'cccc', which has no labels there, as 2 more are; name",
        ),
        (
            PREDICTIONS + "{a}:5,1 0.5\n",
            LABELS,
            "line 4: .*'{a}:5', which has no labels there; predictions of "
            "segments are compared as Class,Segments, which yt8m-predict",
        ),
        (
            PREDICTIONS + "aaaa,1 0.5\n",
            LABELS,
            "predictions: line 4: expected each video once. Received: 'aaaa', "
            "which is on line 2 of .*predictions too",
        ),
        (
            PREDICTIONS[: PREDICTIONS.index("bbbb")],
            LABELS + "cc,\ndd,\nee,\n",
            "predictions: expected predictions of all 5 videos of .*labels. "
            "Received: none of 4 of them, such as bbbb, cc, dd, ...",
        ),
        (
            PREDICTIONS,
            LABELS + "cc,9\n",
            "labels: line 4: expected labels from",
        ),
        (
            PREDICTIONS + "c,9 1\n",
            LABELS,
            "predictions: line 4: expected classe",
        ),
    ],
)
def test_what_is_refused(tmp_path, predictions, labels, message):
    paths = write(tmp_path, predictions, labels)
    with pytest.raises(readers.DataError, match=message):
        prediction_evaluation.evaluate_predictions(*paths, num_classes=5)


def test_a_video_in_two_files_and_in_two_blocks(tmp_path):
    lines = PREDICTIONS.splitlines(keepends=True)
    parts = {"a.csv": lines[:2], "b.csv": [lines[0], *lines[2:]]}
    for name, text in parts.items():
        (tmp_path / name).write_text("".join(text))
    _, labels = write(tmp_path)
    pattern = str(tmp_path / "*.csv")
    report = prediction_evaluation.evaluate_predictions(
        pattern, labels, num_classes=5
    )
    assert report.metrics["num_examples"] == 2
    (tmp_path / "b.csv").write_text("".join([*lines[:1], *lines[2:], lines[1]]))
    message = "b.csv: line 3: .* 'aaaa', which is on line 2 of .*a.csv too"
    with pytest.raises(readers.DataError, match=message):
        prediction_evaluation.evaluate_predictions(
            pattern, labels, num_classes=5
        )


def test_files_that_do_not_go_together(tmp_path):
    predictions, labels = write(tmp_path, "Class,Segments\n3,x:0\n")
    with pytest.raises(
        readers.DataError, match="expected one file of segments"
    ):
        prediction_evaluation.evaluate_predictions(
            f"{predictions},{labels}", labels, num_classes=5
        )
    predictions, labels = write(tmp_path)
    with pytest.raises(readers.DataError, match="expected one file of labels"):
        prediction_evaluation.evaluate_predictions(
            predictions, f"{labels},{predictions}", num_classes=5
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--labels=a"], "--labels with --predictions alone;.*labels='a'"),
        (
            ["--labels=a", "--predictions=b", "--train_dir=c"],
            "--labels with --predictions alone;.*labels='a'",
        ),
        (["--predictions=a"], "expected --labels."),
        (
            ["--predictions=a", "--eval_data_pattern=b"],
            "expected --labels with --predictions and no model.*pattern='b'",
        ),
        (
            ["--predictions=a", "--predictions=", "--labels=b"],
            "expected --predictions to name files. Received: predictions=''",
        ),
        (
            ["--predictions=a", "--labels=b", "--ensemble_seed=3"],
            "expected --predictions or --ensemble_seed, not both",
        ),
        (
            ["--predictions=a", "--ensemble=b,c"],
            "expected --ensemble or --predictions, not both",
        ),
        (
            ["--starter_metrics", "--ensemble=b,c"],
            "expected --ensemble or --starter_metrics, not both",
        ),
        (
            ["--starter_metrics", "--train_dir=a", "--segment_map_k=9"],
            "expected --segment_map_k or --starter_metrics, not both",
        ),
        (
            ["--starter_metrics", "--train_dir=a", "--norun_once"],
            "expected --norun_once or --starter_metrics, not both",
        ),
        (
            ["--predictions=a", "--labels=b", "--norun_once"],
            "expected --predictions or --norun_once, not both",
        ),
        (
            ["--predictions=a", "--labels=b", "--on_data_error=skip"],
            "expected --predictions or --on_data_error, not both",
        ),
        (
            ["--predictions=a", "--labels=b", "--model=MoeModel"],
            "expected no --model: --predictions need no model",
        ),
    ],
)
def test_flags_that_are_refused(arguments, message):
    with pytest.raises(usage_error.UsageError, match=message):
        run(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize("level", ["video", "frame"])
def test_as_of_the_run(tmp_path, level):
    made = {"video": tiny_runs.video_run, "frame": tiny_runs.frame_run}[level]()
    expected = evaluation.evaluate_run(made.path, made.pattern, top_k=3).metrics
    for name in ("out.jsonl", "out.parquet"):
        path = str(tmp_path / name)
        predictors.write_predictions(
            predictors.predictor_from_train_dir(made.path),
            made.pattern,
            path,
        )
        report = prediction_evaluation.evaluate_predictions(
            path, made.pattern, num_classes=5, top_k=3
        )
        # All digits of all classes: the last bits of the predictions are
        # those of blocks of another size.
        assert report.metrics == pytest.approx({**expected, "loss": None})


def test_names_of_metrics_of_numbers():
    report = prediction_evaluation.PredictionReport(
        "p",
        "l",
        "segments",
        {"map_at_k": 0.25, "num_rated_listed": 1234},
        20,
        10**5,
    )
    assert re.search(r"MAP@100,000\s+0.2500\n", report.to_text())
    assert re.search(r"rated segments listed\s+1,234$", report.to_text())
