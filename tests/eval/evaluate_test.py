"""Tests of yt8m-eval."""

import importlib
import inspect
import itertools
import json
import os
import re
import shutil
import threading
import time
import types

from absl import flags
import pytest

import record_makers
import small_artefacts
import tiny_runs
from yt8m_compact import models
from yt8m_compact import program
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact import usage_error
from yt8m_compact.eval import comparing
from yt8m_compact.eval import comparison_sources
from yt8m_compact.eval import evaluate
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import follow_checkpoints
from yt8m_compact.eval import weights
from yt8m_compact.run import train_dir as train_dir_lib

METRICS = {"gap", "hit_at_1", "perr", "map", "loss", "num_examples"}
WEIGHTS = {"total", "trainable", "dense_equivalent", "megabytes", "layers"}


def run_evaluate(*arguments: str) -> int:
    flag_values = tiny_runs.parse_flags(evaluate.define_flags, *arguments)
    return evaluate.main(flag_values, [])


@pytest.mark.slow
def test_damaged_data_stops_or_is_skipped(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    pattern = tiny_runs.write_videos(tmp_path / "data", 12)
    path = tmp_path / "data" / "train1.tfrecord"
    path.write_bytes(path.read_bytes()[:-1])
    arguments = [f"--train_dir={run.path}", f"--eval_data_pattern={pattern}"]
    with pytest.raises(readers.DataError, match=f"^{path}: record 3 "):
        run_evaluate(*arguments)
    output = tmp_path / "report.json"
    run_evaluate(*arguments, "--on_data_error=skip", f"--output_json={output}")
    values = json.loads(output.read_text())
    assert values["metrics"]["num_examples"] == 11
    assert values["skipped_files"] == 1
    assert values["skipped_records"] == 0
    size = len(record_makers.make_video_example(10, num_classes=5))
    assert values["skipped_bytes"] == size + 15
    table = capsys.readouterr().out.partition("left out of the data:\n")[2]
    assert str(path) in table


@pytest.mark.slow
def test_evaluate(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    path = tmp_path / "report.json"
    status = run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={run.pattern}",
        f"--output_json={path}",
        "--top_k=3",
        "--batch_size=9",
        "--num_readers=2",
    )
    assert status == 0
    values = json.loads(path.read_text())
    assert set(values) == {
        "model",
        "weights",
        "metrics",
        "step",
        "weight_choice",
        "top_k",
        "train_dir",
        "model_file",
        "eval_data_pattern",
        "frame_seed",
        "skipped_files",
        "skipped_records",
        "skipped_bytes",
        "starter_metrics",
    }
    assert values["starter_metrics"] is None
    assert METRICS < set(values["metrics"])
    assert WEIGHTS < set(values["weights"])
    assert values["metrics"]["num_examples"] == 40
    assert values["step"] == 10
    assert values["top_k"] == 3
    # Two circulants of 9 for 15 gates, two for 10 experts, which have biases.
    assert values["weights"]["total"] == 2 * 9 + 2 * 9 + 10
    assert values["weights"]["dense_equivalent"] == 9 * 15 + 9 * 10 + 10
    text = capsys.readouterr().out
    assert f"MoeModel of {run.path}, step 10" in text
    assert f"GAP@3                {values['metrics']['gap']:.4f}" in text
    events = tiny_runs.read_events(os.path.join(run.path, "eval"))
    ((step, gap),) = events["metrics/gap"]
    assert step == 10
    assert gap == pytest.approx(values["metrics"]["gap"], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("level", small_artefacts.LEVELS)
@pytest.mark.parametrize("name", small_artefacts.FORMATS)
def test_file_of_any_format(name, level, tmp_path, capsys):
    made = small_artefacts.make(level)
    before = sorted(os.listdir(made.path(name)))
    found = []
    for source in (
        f"--train_dir={made.run.path}",
        f"--model_file={made.path(name)}",
    ):
        output = tmp_path / f"{len(found)}.json"
        status = run_evaluate(
            source,
            f"--eval_data_pattern={made.run.pattern}",
            f"--output_json={output}",
            "--batch_size=7",
            "--top_k=3",
        )
        assert status == 0
        found.append(json.loads(output.read_text()))
    run, file = found
    # Packed, weights are rounded to 16 bits.
    tolerance = 5e-3 if name == "packed" else 1e-4
    for metric, value in run["metrics"].items():
        assert file["metrics"][metric] == pytest.approx(value, rel=tolerance)
    assert file["weights"]["total"] == run["weights"]["total"]
    assert file["step"] is file["train_dir"] is None
    assert file["model_file"].startswith(made.path(name))
    text = capsys.readouterr().out
    assert f"{file['model']} of {file['model_file']}\n" in text
    # No events of TensorBoard beside it.
    assert sorted(os.listdir(made.path(name))) == before


@pytest.mark.slow
def test_compare_checkpoints_and_files(tmp_path, capsys):
    made = small_artefacts.make("video")
    run = tiny_runs.copy_run(made.run, tmp_path)
    # Of tests that evaluated the run before.
    shutil.rmtree(f"{run.path}/eval", ignore_errors=True)
    path = tmp_path / "comparison.json"
    status = run_evaluate(
        f"--train_dir={run.path}",
        "--checkpoint_step=10",
        "--checkpoint_step=0",
        f"--model_file={made.path('litert')}",
        f"--eval_data_pattern={run.pattern}",
        f"--output_json={path}",
        "--top_k=3",
        "--batch_size=9",
        "--bootstrap_draws=30",
        "--bootstrap_seed=4",
    )
    assert status == 0
    values = json.loads(path.read_text())
    last, first, file = values["members"]
    name = os.path.basename(run.path)
    assert last["name"] == f"{name}, step 10"
    assert first["name"] == f"{name}, step 0"
    assert file["name"] == "litert"
    assert (values["num_draws"], values["seed"]) == (30, 4)
    assert values["num_videos"] == 40
    for member, step in ((last, 10), (first, 0)):
        alone = evaluation.evaluate_run(
            run.path, run.pattern, step=step, top_k=3
        )
        for metric in ("gap", "hit_at_1", "perr", "map", "loss"):
            assert member["metrics"][metric] == pytest.approx(
                alone.metrics[metric], rel=1e-6
            )
        assert member["costs"]["num_bytes"] == alone.weights.num_bytes
        assert member["report"]["step"] == step
    assert file["costs"]["num_bytes"] == os.path.getsize(made.file("litert"))
    assert all(m["costs"]["milliseconds"] > 0 for m in values["members"])
    of_first, of_file = values["differences"]
    assert (of_first["of"], of_first["minus"]) == ("B", "A")
    for metric, difference in of_first["metrics"].items():
        assert difference["value"] == pytest.approx(
            first["metrics"][metric] - last["metrics"][metric]
        )
        assert difference["low"] <= difference["value"] <= difference["high"]
    # The same model, but for rounding.
    assert abs(of_file["metrics"]["loss"]["high"]) < 1e-3
    text = capsys.readouterr().out
    gaps = [
        f"{m['name']}: GAP@3 {m['metrics']['gap']:.4f}" for m in (last, file)
    ]
    assert all(line in text.splitlines() for line in gaps)
    assert f"B - A: GAP@3 {of_first['metrics']['gap']['value']:+.4f} [" in text
    # Each checkpoint in its curve.
    events = tiny_runs.read_events(os.path.join(run.path, "eval"))
    assert sorted(step for step, _ in events["metrics/gap"]) == [0, 10]


@pytest.mark.slow
def test_other_videos_are_not_compared(tmp_path):
    run = tiny_runs.video_run()
    comparer = comparing.Comparer(tiny_runs.write_videos(tmp_path, 12))
    sources = (
        comparison_sources.Source(name, train_dir=run.path)
        for name in ("one", "other")
    )
    evaluations = comparer.evaluate(sources)
    next(evaluations)
    # Files that change while they are evaluated on.
    tiny_runs.write_videos(tmp_path, 12, start=90)
    with pytest.raises(ValueError, match="as video 0 of other, where one has"):
        next(evaluations)


@pytest.mark.slow
def test_report_folder(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    vocabulary = tmp_path / "vocabulary.csv"
    lines = [f"{i},Class {i},{'AB'[i % 2]}\n" for i in range(5)]
    vocabulary.write_text("Index,Name,Vertical1\n" + "".join(lines))
    folder, path = tmp_path / "report", tmp_path / "report.json"
    # An earlier report, of three models, of which nothing stays.
    folder.mkdir()
    stale = {"classes_C.csv", "gap_against_bytes.png", "events.out.tfevents.1"}
    for name in ("index.html", "insight.json", *stale):
        (folder / name).touch()
    run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={run.pattern}",
        f"--report_dir={folder}",
        f"--vocabulary_file={vocabulary}",
        f"--output_json={path}",
    )
    text = capsys.readouterr().out
    assert f"MoeModel of {run.path}, step 10\n" in text
    assert text.endswith(f"wrote {folder}/index.html\n")
    # Of one model, the JSON is what it is without a page.
    assert METRICS < set(json.loads(path.read_text())["metrics"])
    assert not stale & {*os.listdir(folder)}
    (insight,) = json.loads((folder / "insight.json").read_text()).values()
    assert [group["name"] for group in insight["verticals"]] == ["A", "B"]
    labels = tiny_runs.features_of(run, run.pattern)["labels"]
    rows = (folder / "classes.csv").read_text().splitlines()[1:]
    for index, row in enumerate(rows):
        number = int(labels[:, index].sum())
        assert row.startswith(f"{index},Class {index},{number},")
    assert len(rows) == 5
    pictures = {"precision_recall", "class_frequency", "groups", "reliability"}
    for events in (folder, os.path.join(run.path, "eval")):
        assert pictures < {*tiny_runs.read_events(str(events)), "gap"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--parameters_only"],
            "expected --model_file or --parameters_only, not both. Received: "
            "model_file='a'",
        ),
        (
            ["--norun_once"],
            "expected --model_file or --norun_once, not both. ",
        ),
        (
            ["--checkpoint_step=3"],
            "expected no --checkpoint_step: --model_file holds one. Received: "
            "checkpoint_step=3",
        ),
        (
            ["--weights=ema"],
            "expected no --weights: --model_file holds those that were "
            "exported. Received: weights=ema",
        ),
        (
            ["--model=MoeModel"],
            "expected no --model: the model is read from --model_file. ",
        ),
    ],
)
def test_flags_that_do_not_fit_a_file(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run_evaluate("--model_file=a", "--eval_data_pattern=b", *arguments)


@pytest.mark.slow
def test_mean_of_checkpoints(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    path = tmp_path / "report.json"
    run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={run.pattern}",
        f"--output_json={path}",
        "--weights=average:2",
    )
    text = capsys.readouterr().out
    assert f"MoeModel of {run.path}, step 10, weights average:2\n" in text
    assert json.loads(path.read_text())["weight_choice"] == "average:2"
    # TensorBoard shows a curve of its own.
    events = tiny_runs.read_events(f"{run.path}/eval/average_2")
    assert [step for step, _ in events["metrics/gap"]] == [10]
    assert "gap" not in tiny_runs.read_events(f"{run.path}/eval")


@pytest.mark.slow
def test_results_come_before_what_cannot_be_written(tmp_path, capsys, caplog):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    (tmp_path / "run" / "eval").write_text("a file in the place of a folder")
    path = tmp_path / "report.json"
    status = run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={run.pattern}",
        f"--output_json={path}",
    )
    assert status == 0
    assert "\nGAP@20 " in capsys.readouterr().out
    assert json.loads(path.read_text())["metrics"]["num_examples"] == 40
    assert "TensorBoard's events can't be written" in caplog.text


@pytest.mark.slow
def test_table_comes_before_a_json_that_cannot_be_written(
    tmp_path, capsys, monkeypatch
):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)

    def fail(result, path):
        raise OSError("No space left on device")

    monkeypatch.setattr(evaluate.report, "write_json", fail)
    with pytest.raises(OSError, match="No space left"):
        run_evaluate(
            f"--train_dir={run.path}",
            f"--eval_data_pattern={run.pattern}",
            f"--output_json={tmp_path}/report.json",
        )
    assert "\nGAP@20 " in capsys.readouterr().out
    events = tiny_runs.read_events(os.path.join(run.path, "eval"))
    assert events["metrics/gap"]


@pytest.mark.slow
def test_checkpoint_step(tmp_path, capsys):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={run.pattern}",
        "--checkpoint_step=0",
    )
    assert f"MoeModel of {run.path}, step 0\n" in capsys.readouterr().out


GIVEN = ["--train_dir=run", "--eval_data_pattern=data*"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--eval_data_pattern=data*"],
            "expected train_dir, the folder of a run. Received: train_dir=None",
        ),
        (
            ["--train_dir=run"],
            "expected --eval_data_pattern. Files to evaluate on: glob "
            "patterns, comma-separated. Received: eval_data_pattern=''",
        ),
        (
            [*GIVEN, "--model=MoeModel"],
            "expected no --model: the model is read from --train_dir. "
            "Received: model='MoeModel'",
        ),
        (
            [*GIVEN, "--num_classes=5"],
            "expected no --num_classes: the model is read from --train_dir",
        ),
        (
            [*GIVEN, "--moe_num_mixtures=4"],
            "expected no --moe_num_mixtures: the model is read from",
        ),
        (
            ["--parameters_only", "--train_dir=run", "--frame_features=false"],
            "expected no --frame_features: the model is read from --train_dir",
        ),
        (
            ["--parameters_only", "--frame_features"],
            "LogisticModel reads video-level features: expected "
            "frame_features=False",
        ),
        (
            ["--parameters_only", "--dbof_cluster_size=8"],
            "--dbof_cluster_size is not used by LogisticModel",
        ),
        (
            [*GIVEN, "--segment_labels"],
            "expected no --segment_labels: the model is read from",
        ),
        (
            [*GIVEN, "--weights=best"],
            "expected weights to be raw, ema, or average:N with N checkpoints, "
            "2 or more. Received: weights='best'",
        ),
        (
            [*GIVEN, "--label_loss=HingeLoss"],
            "--label_loss is not supported: the loss is that of --train_dir",
        ),
        (
            [*GIVEN, "--output_json=no/such/report.json"],
            "expected --output_json in a folder that exists. Received: "
            "output_json='no/such/report.json'",
        ),
        (
            [*GIVEN, "--report_dir=/proc/report"],
            "expected --report_dir to be a folder that can be written. "
            "Received: report_dir='/proc/report', which can't be (",
        ),
        (
            GIVEN,
            "no file matches the pattern 'data*'",
        ),
        (
            [*GIVEN, "--train_dir=other", "--norun_once"],
            "expected one model and no --report_dir with --norun_once. "
            "Received: 2 models or files, report_dir=None",
        ),
        (
            [*GIVEN, "--report_dir=x", "--segment_map_k=9"],
            "expected --segment_map_k or --report_dir, not both: the page is "
            "about videos and their classes. Received: report_dir='x'",
        ),
        (
            [*GIVEN, "--report_dir=x", "--norun_once"],
            "expected one model and no --report_dir with --norun_once. "
            "Received: 1 models or files, report_dir='x'",
        ),
        (
            [*GIVEN, "--vocabulary_file=x"],
            "expected --report_dir with --vocabulary_file, which is for that "
            "alone. Received: vocabulary_file='x'",
        ),
        (
            ["--parameters_only", "--train_dir=a", "--train_dir=b"],
            "expected one model and no --report_dir with --parameters_only. ",
        ),
    ],
)
def test_flags_that_do_not_fit(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        run_evaluate(*arguments)


def test_preset_that_there_is_not():
    for name in ("train_dir", "ensemble"):
        with pytest.raises(
            usage_error.UsageError, match="expected a preset, .*preset='nope'"
        ):
            run_evaluate(f"--{name}=preset:nope", "--eval_data_pattern=x")


def test_report_folder_with_something_else(tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(
        usage_error.UsageError, match="with 'precious' in it; name another"
    ):
        run_evaluate(*GIVEN, f"--report_dir={tmp_path}")


def test_arguments_that_are_not_flags():
    flag_values = tiny_runs.parse_flags(evaluate.define_flags, *GIVEN)
    with pytest.raises(ValueError, match="Received: runs/dbof"):
        evaluate.main(flag_values, ["runs/dbof"])


def test_run_without_a_checkpoint(tmp_path):
    run = tiny_runs.video_run()
    train_dir_lib.TrainDir(str(tmp_path)).save_config(run.config)
    with pytest.raises(ValueError, match="expected a checkpoint. Received: no"):
        run_evaluate(
            f"--train_dir={tmp_path}", f"--eval_data_pattern={run.pattern}"
        )


def test_parameters_of_a_model(tmp_path, capsys):
    path = tmp_path / "report.json"
    run_evaluate(
        "--parameters_only",
        "--model=DbofModel",
        "--frame_features",
        "--feature_names=rgb,audio",
        "--feature_sizes=12,4",
        "--num_classes=10",
        "--dbof_cluster_size=40",
        "--dbof_hidden_size=6",
        "--embedding_projection=circulant",
        f"--output_json={path}",
    )
    values = json.loads(path.read_text())
    config = models.DbofConfig(
        dbof_cluster_size=40,
        dbof_hidden_size=6,
        embedding_projection="circulant",
    )
    model = config.build(feature_sizes=[12, 4], num_classes=10)
    assert values["weights"] == weights.count_weights(model).to_dict()
    assert values["model"] == "DbofModel"
    assert values["metrics"] is None
    assert values["step"] is None
    text = capsys.readouterr().out
    assert text.startswith("DbofModel\n\nlayer")
    assert "GAP" not in text


def test_tables_fit_into_the_terminal(monkeypatch, capsys):
    command = ["--parameters_only", "--model=MoeModel", "--num_classes=5"]
    run_evaluate(*command)
    assert "dense equivalent" in capsys.readouterr().out
    monkeypatch.setattr(program, "table_columns", lambda: 66)
    run_evaluate(*command)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 66
    # 1,024 features to 5 classes with 2 experts, and a gate more: 1,024 x 15
    # and 1,024 x 10 + 10 parameters of 4 bytes.
    (total,) = (line for line in lines if line.startswith("total"))
    assert total.split() == ["total", "25,610", "100.00", "102,440"]


def test_parameters_of_a_run_without_a_checkpoint(tmp_path, capsys):
    config = tiny_runs.video_run().config
    train_dir_lib.TrainDir(str(tmp_path)).save_config(config)
    run_evaluate("--parameters_only", f"--train_dir={tmp_path}")
    text = capsys.readouterr().out
    assert text.startswith(f"MoeModel of {tmp_path}\n\nlayer")
    assert re.search(r"\ntotal +46 +46 +235 +19\.57 +184\n", text)
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.slow
def test_no_checkpoint_ever_comes(tmp_path, capsys):
    run = tiny_runs.video_run()
    with pytest.raises(
        ValueError,
        match="expected a checkpoint. Received: none for 1 s; is train_dir",
    ):
        run_evaluate(
            f"--train_dir={tmp_path}/mistyped",
            f"--eval_data_pattern={run.pattern}",
            "--norun_once",
            "--timeout_secs=1",
            "--eval_interval_secs=1",
        )
    assert "waiting for checkpoints in" in capsys.readouterr().out


def test_one_checkpoint_or_each_new_one():
    run = tiny_runs.video_run()
    with pytest.raises(
        ValueError, match="expected --checkpoint_step or --norun_once, not both"
    ):
        run_evaluate(
            f"--train_dir={run.path}",
            f"--eval_data_pattern={run.pattern}",
            "--norun_once",
            "--checkpoint_step=10",
        )


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("weights.safetensors", "a packed model"),
        ("saved_model.pb", "a SavedModel"),
        ("model.tflite", "a LiteRT model"),
    ],
)
def test_what_was_exported_gets_no_checkpoints(file, kind, tmp_path):
    data = tmp_path / "data"
    data.touch()
    folder = tmp_path / "exported"
    folder.mkdir()
    (folder / file).touch()
    message = (
        "expected --norun_once with the folder of a run, which gets "
        f"checkpoints. Received: train_dir='{folder}', {kind}, which stays as "
        "it is; leave out --norun_once"
    )
    arguments = (
        f"--eval_data_pattern={data}",
        "--norun_once",
        "--timeout_secs=1",
    )
    with pytest.raises(usage_error.UsageError, match=re.escape(message)):
        run_evaluate(f"--train_dir={folder}", *arguments)
    preset = "preset:yt8m_2018_video_100k"
    with pytest.raises(usage_error.UsageError, match=f"'{preset}', a packed"):
        run_evaluate(f"--train_dir={preset}", *arguments)


@pytest.mark.slow
def test_each_new_checkpoint_until_none_comes(tmp_path, capsys, monkeypatch):
    run = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path)
    pattern = tiny_runs.write_videos(tmp_path / "data", 8)
    config = tiny_runs.change_training(
        run.config, num_epochs=3, train_data_pattern=pattern
    )

    def train_on():
        # Once the newest checkpoint was evaluated.
        for _ in range(2000):
            if os.path.exists(os.path.join(run.path, "eval")):
                training.train(config, run.path)
                return
            time.sleep(0.1)

    evaluated = []
    evaluate_found = evaluation.Evaluator.evaluate_found

    def remember(self, path):
        evaluated.append(path)
        return evaluate_found(self, path)

    hours = itertools.count()

    def pass_hours():
        # Nobody waits for a third checkpoint.
        passed = next(hours) if len(evaluated) > 1 else 0
        return time.monotonic() + 3600 * passed

    monkeypatch.setattr(evaluation.Evaluator, "evaluate_found", remember)
    clock = types.SimpleNamespace(monotonic=pass_hours, sleep=time.sleep)
    monkeypatch.setattr(follow_checkpoints, "time", clock)
    trainer = threading.Thread(target=train_on, daemon=True)
    trainer.start()
    status = run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={pattern}",
        "--norun_once",
        "--eval_interval_secs=1",
        "--timeout_secs=300",
    )
    trainer.join()
    assert status == 0
    output = capsys.readouterr().out
    # The weights once, a line for each.
    assert output.count("dense equivalent") == 1
    lines = re.findall(r"^ +(\d+)( +[.\d]+){5} +8(  best)?$", output, re.M)
    assert [(step, best) for step, _, best in lines][0] == ("10", "  best")
    assert [step for step, _, _ in lines] == ["10", "11"]
    assert re.search(r"^best: GAP@20 [.\d]+ at step 1[01] \(--", output, re.M)
    events = tiny_runs.read_events(os.path.join(run.path, "eval"))
    assert [step for step, _ in events["metrics/gap"]] == [10, 11]


def test_package_keeps_its_names():
    # A function of a module's name would be replaced by the module.
    package = importlib.import_module("yt8m_compact.eval")
    for name in package.__all__:
        assert not inspect.ismodule(getattr(package, name)), name


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_frame_seed_out_of_range(seed):
    with pytest.raises(flags.IllegalFlagValueError, match="frame_seed"):
        tiny_runs.parse_flags(evaluate.define_flags, f"--frame_seed={seed}")


@pytest.mark.slow
def test_frames_sampled_by_a_seed(tmp_path):
    run = tiny_runs.copy_run(tiny_runs.frame_run(), tmp_path)
    path = tmp_path / "report.json"
    status = run_evaluate(
        f"--train_dir={run.path}",
        f"--eval_data_pattern={run.pattern}",
        f"--output_json={path}",
        "--frame_seed=3",
    )
    assert status == 0
    assert json.loads(path.read_text())["frame_seed"] == 3
