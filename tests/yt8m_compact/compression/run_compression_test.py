"""Tests of the compression of runs."""

import doctest
import functools
import json
import logging
import math
import os
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tiny_runs
import yt8m_compact as yt8m
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import structures
from yt8m_compact import training
from yt8m_compact.compression import budget
from yt8m_compact.compression import places
from yt8m_compact.compression import plan as plan_lib
from yt8m_compact.compression import run_compression
from yt8m_compact.compression import sensitivity
from yt8m_compact.compression import settings as settings_lib
from yt8m_compact.eval import evaluation
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice
from yt8m_compact.training import warm_start

# 9 features, 9 hidden units, 5 classes: kernels of 81 and 45 weights, and 14
# biases.
REST = 14
FEW = {
    "structures": ("low_rank(rank=1)", "low_rank(rank=2)"),
    "precisions": ("float32", "int8"),
    "num_epochs": 2,
    "num_videos": 12,
}


@functools.cache
def dense_run() -> tiny_runs.Run:
    """A trained run of two dense places, and data in 6 files."""
    folder = tiny_runs.make_folder()
    pattern = tiny_runs.write_videos(folder / "data", 60, num_files=6)
    config = tiny_runs.video_config(
        pattern,
        models.DeepCirculantConfig(
            num_layers=1,
            hidden_projection="dense",
            classifier_projection="dense",
        ),
        base_learning_rate=0.05,
        num_epochs=4,
    )
    path = str(folder / "run")
    training.train(config, path)
    return tiny_runs.Run(path, pattern, config)


def make_settings(output_dir, text="100_weights", **kwargs):
    run = dense_run()
    values = {
        "train_dir": run.path,
        "output_dir": str(output_dir),
        "budget": budget.parse(text),
        "train_data_pattern": run.pattern,
        **FEW,
        **kwargs,
    }
    return settings_lib.Settings(**values)


def make(output_dir, *args, **kwargs) -> run_compression.RunCompression:
    return run_compression.RunCompression(
        make_settings(output_dir, *args, **kwargs)
    )


def watch(config) -> training.Watching:
    return training.Watching(
        evaluate=lambda step: dict.fromkeys(
            ("gap", "hit_at_1", "perr", "map", "loss"), 0.5
        )
    )


@functools.cache
def compressed() -> run_compression.RunCompression:
    """A compression that is done; not to be changed."""
    compression = make(tiny_runs.make_folder() / "small", "880B")
    compression.choose()
    compression.tune(watch)
    return compression


@pytest.mark.slow
def test_examples(tmp_path, monkeypatch):
    run = dense_run()
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(
        run_compression,
        extraglobs={
            "yt8m": yt8m,
            "train_dir": run.path,
            "data_pattern": run.pattern,
            "watching": watch(run.config),
        },
    )
    assert found == (0, 5)


@pytest.mark.slow
def test_the_choice_is_the_best_sum(tmp_path):
    compression = make(tmp_path, precisions=("float32",))
    plan = compression.choose()
    # By trying all: what each place may be, its weights and its loss.
    ranks = {"dense": None, "low_rank(rank=1)": 1, "low_rank(rank=2)": 2}
    sizes = {"classifier_projection": (9, 5), "hidden_projection": (9, 9)}
    counted = {
        place: {
            text: math.prod(size) if rank is None else rank * sum(size)
            for text, rank in ranks.items()
        }
        for place, size in sizes.items()
    }
    losses = {
        place: {
            text: plan.measured[place][text].loss - plan.baseline.loss
            if text in plan.measured[place]
            else 0.0
            for text in ranks
        }
        for place in sizes
    }
    sums = [
        (losses["classifier_projection"][a] + losses["hidden_projection"][b])
        for a in ranks
        for b in ranks
        if REST
        + counted["classifier_projection"][a]
        + counted["hidden_projection"][b]
        <= 100
    ]
    assert plan.choice.value - plan.baseline.loss == pytest.approx(min(sums))
    weights = REST + sum(
        counted[place][text] for place, text in plan.choice.structures.items()
    )
    assert plan.choice.cost == weights <= 100
    # Of 60 videos in 6 files, one file is held out; each has 10.
    assert len(plan.source.sampled) == 1 and plan.source.held_out
    # Or the smallest loss of GAP, of what was measured.
    by_gap = make(tmp_path, precisions=("float32",), choose_by="gap").choose()
    gains = {
        place: {
            text: by_gap.measured[place][text].gap
            if text in by_gap.measured[place]
            else by_gap.baseline.gap
            for text in ranks
        }
        for place in sizes
    }
    best = max(
        gains["classifier_projection"][a] + gains["hidden_projection"][b]
        for a in ranks
        for b in ranks
        if REST
        + counted["classifier_projection"][a]
        + counted["hidden_projection"][b]
        <= 100
    )
    assert by_gap.choice.value == pytest.approx(best - by_gap.baseline.gap)
    # Not before it is trained.
    assert not os.path.exists(tmp_path / "config.json")


@pytest.mark.slow
def test_what_is_measured_is_the_loss_of_the_new_model(tmp_path):
    """One place alone: in the dense equivalent, and as it will be built."""
    compression = make(tmp_path, "880B")
    plan = compression.choose()
    _, source, _ = train_dir_lib.TrainDir(dense_run().path).restore_model()
    for place, text in (
        ("hidden_projection", "low_rank(rank=2)"),
        ("hidden_projection", "dense@int8"),
        ("classifier_projection", "dense@int8"),
    ):
        config = places.with_structures(
            dense_run().config, {place: structures.get(text)}
        )
        model = config.build_model()
        warm_start.warm_start(model, source, compression._inputs(source))
        scores = compression._score_sample(config, model)
        measured = plan.measured[place][text]
        assert scores["loss"] == pytest.approx(measured.loss, rel=1e-5)
        assert scores["gap"] == pytest.approx(measured.gap, abs=1e-6)
        assert measured.loss != plan.baseline.loss


@pytest.mark.slow
def test_the_new_run(tmp_path):
    compression = compressed()
    plan, run = compression.plan, dense_run()
    output = train_dir_lib.TrainDir(compression._output.path)
    config = output.load_config()
    texts = {
        name: str(getattr(config.model, name))
        for name in ("hidden_projection", "classifier_projection")
    }
    assert texts == plan.choice.structures
    assert config.training.teacher == config.training.init_from == run.path
    files = readers.expand_patterns(config.training.train_data_pattern)
    held_out = readers.expand_patterns(config.training.eval_data_pattern)
    assert sorted(files + held_out) == readers.expand_patterns(run.pattern)
    assert held_out == list(plan.source.sampled)
    # 50 videos by 8, twice.
    assert train_dir_lib.checkpoint_step(output.find_checkpoint()) == 14
    assert config.training.schedule_steps == 14
    # It evaluates like any other.
    found = evaluation.evaluate_run(output.path, run.pattern)
    assert found.step == 14
    # Scores on the sample, to the last video: 10 of the one file, of 12.
    report = evaluation.evaluate_run(output.path, held_out[0])
    assert plan.scores["tuned"]["loss"] == pytest.approx(
        report.metrics["loss"], rel=1e-5
    )
    assert plan.scores["before"]["gap"] == pytest.approx(
        evaluation.evaluate_run(run.path, held_out[0]).metrics["gap"], abs=1e-5
    )
    assert plan.totals["before"]["weights"] == 81 + 45 + REST
    # The file has the bytes, and the weights.
    packed = train_dir_lib.TrainDir(compression.packed_path)
    size = os.path.getsize(packed.packed_path)
    assert plan.totals["tuned"]["bytes"] == size <= plan.choice.cost <= 880
    _, model, _ = packed.restore_model()
    batch = tiny_runs.features_of(dense_run(), run.pattern)
    new = tiny_runs.Run(output.path, run.pattern, config)
    np.testing.assert_allclose(
        model({"features": batch["features"]}),
        tiny_runs.predictions_of(new, run.pattern),
        rtol=2e-3,  # Biases of 16 bits.
    )


@pytest.mark.slow
def test_the_table_and_the_file(tmp_path):
    compression = compressed()
    text = compression.to_text()
    with open(compression.table_path) as file:
        assert file.read() == text + "\n"
    for word in ("hidden_projection", "after projection", "after fine-tuning"):
        assert word in text
    assert max(map(len, text.splitlines())) > 64
    assert max(map(len, compression.to_text(64).splitlines())) <= 64
    folder = compression._output.path
    again = plan_lib.load(folder)
    assert again == compression.plan
    plan_lib.save(again, str(tmp_path))
    assert plan_lib.load(str(tmp_path)) == again


@pytest.mark.slow
def test_a_compression_goes_on(tmp_path, monkeypatch):
    first = make(tmp_path, precisions=("float32",))
    calls = []
    measure_one = sensitivity._measure_one

    def stop(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(str(arguments[0]))
        return measure_one(*arguments)

    monkeypatch.setattr(sensitivity, "_measure_one", stop)
    with pytest.raises(KeyboardInterrupt):
        first.choose()
    monkeypatch.setattr(
        sensitivity,
        "_measure_one",
        lambda *arguments: (
            calls.append(str(arguments[0])) or measure_one(*arguments)
        ),
    )
    plan = make(tmp_path, precisions=("float32",)).choose()
    # Two places by two ranks, each once.
    assert sorted(calls) == sorted(2 * FEW["structures"])
    # Another budget chooses of what was measured.
    monkeypatch.setattr(sensitivity, "_measure_one", None)
    other = make(tmp_path, "60_weights", precisions=("float32",)).choose()
    assert other.measured == plan.measured
    assert other.choice.cost <= 60


@pytest.mark.slow
def test_a_run_that_is_done_is_not_trained_again():
    done = compressed()
    again = make(done._output.path, "880B")
    assert again.choose().choice == done.plan.choice
    assert again.is_done
    result = again.tune(watch)
    assert result.step == 14
    for stage, scores in done.plan.scores.items():
        assert again.plan.scores[stage] == pytest.approx(scores)


@pytest.mark.slow
def test_files_to_measure_on_can_be_others(tmp_path):
    more = tiny_runs.write_videos(tmp_path / "more", 9, num_files=2, start=60)
    compression = make(tmp_path / "small", sample_data_pattern=more)
    assert compression.plan.source.sampled == tuple(
        readers.expand_patterns(more)
    )
    compression.plan.choice = plan_lib.Choice(
        budget.parse("100_weights"),
        {"hidden_projection": "circulant"},
        1,
        "gap",
        1,
    )
    config = compression.new_config()
    assert config.training.train_data_pattern == dense_run().pattern
    assert readers.expand_patterns(
        config.training.eval_data_pattern
    ) == readers.expand_patterns(more)


@pytest.mark.slow
def test_the_log_says_what_is_trained_on_too(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run = dense_run()
    files = readers.expand_patterns(run.pattern)
    told = (
        "files of sample_data_pattern that are trained on, too: {} of {}, {} "
        "say; what is measured and scored there looks better than it is"
    )

    def measure(name, **settings):
        caplog.clear()
        values = {"precisions": ("float32",), **settings}
        plan = make(tmp_path / name, **values).choose()
        return plan.source.held_out, caplog.text

    held_out, text = measure("held_out")
    assert held_out and "10 videos in 1 file, which are not trained on" in text
    # By another path, and one of two.
    os.symlink(os.path.dirname(files[0]), tmp_path / "data")
    same = str(tmp_path / "data" / os.path.basename(files[1]))
    held_out, text = measure("same", sample_data_pattern=same)
    assert not held_out and "which are not trained on" not in text
    assert told.format(1, 1, same) in text
    settings = {
        "sample_data_pattern": ",".join(files[:2]),
        "train_data_pattern": ",".join(files[1:]),
    }
    held_out, text = measure("some", **settings)
    assert not held_out and "12 videos in 2 files\n" in text
    assert told.format(1, 2, files[1]) in text
    # What was measured is used on, where other files are trained on.
    settings["train_data_pattern"] = ",".join(files[2:])
    held_out, text = measure("some", **settings)
    assert held_out and "12 videos in 2 files, which are not trained" in text
    few = {"train_data_pattern": files[0]}
    held_out, text = measure("few", **few)
    assert not held_out and "10 videos in 1 file, which are trained on" in text


@pytest.mark.slow
def test_other_weights_are_the_source_and_the_teacher(tmp_path, monkeypatch):
    weights = weight_choice.RunWeights(16, weight_choice.RAW)
    compression = make(tmp_path, weights=weights)
    assert compression.plan.source.step == 16
    found = {w.path: w.numpy() for w in compression._source.weights}
    expected = tiny_runs.weights_of(dense_run().path, 16)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    passed = {}
    monkeypatch.setattr(
        training,
        "train",
        lambda *args, **kwargs: passed.update(kwargs) or 1 / 0,
    )
    compression.choose()
    with pytest.raises(ZeroDivisionError):
        compression.tune(watch)
    assert passed["run_weights"] == {dense_run().path: weights}


def write_scores(path, num_classes=5, classes=(0,)) -> str:
    """Writes what a teacher says of each video: that it is of `classes`."""
    files = readers.expand_patterns(dense_run().pattern)
    examples = [
        tf.train.Example.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(files)
    ]
    ids = [
        example.features.feature["id"].bytes_list.value[0]
        for example in examples
    ]
    header = readers.ScoreHeader("other", num_classes, top_k=len(classes))
    with readers.writing_scores(str(path), header) as writer:
        writer.write(
            ids, np.tile(classes, (len(ids), 1)), np.ones((len(ids), 1))
        )
    return str(path)


@pytest.mark.slow
def test_other_teachers_beside_the_run(tmp_path):
    scores = write_scores(tmp_path / "scores")
    alone = make(tmp_path / "alone", "880B")
    taught = make(tmp_path / "taught", "880B", teacher=f"{scores},")
    predictions = []
    for compression in (alone, taught):
        compression.choose()
        compression.tune(watch)
        run = train_dir_lib.TrainDir(compression._settings.output_dir)
        config, model, _ = run.restore_model()
        inputs = next(iter(compression._inputs(model)))
        predictions.append(np.mean(model.predict(inputs, verbose=0), axis=0))
    assert config.training.teacher == f"{dense_run().path},{scores}"
    # Half of what is learned says that all videos are of the first class.
    assert predictions[1][0] > predictions[0][0] + 0.05


def test_teachers_that_are_wrong_are_told_before_anything_is_measured(tmp_path):
    other = write_scores(tmp_path / "scores", num_classes=7)
    with pytest.raises(ValueError, match="a teacher of the 5 classes .* of 7"):
        make(tmp_path / "small", teacher=other)
    with pytest.raises(ValueError, match="a teacher other than the run"):
        make(tmp_path, teacher=str(tmp_path))
    with pytest.raises(ValueError, match="which teaches in any case"):
        make(tmp_path / "small", teacher=dense_run().path)
    header = readers.ScoreHeader("other", 5, top_k=1)
    path = str(tmp_path / "others")
    with readers.writing_scores(path, header) as writer:
        writer.write([b"none"], np.array([[1]]), np.array([[0.5]]))
    with pytest.raises(readers.DataError, match="videos have no scores"):
        make(tmp_path / "small", teacher=path)
    assert not (tmp_path / "small").exists()


@pytest.mark.slow
def test_a_budget_in_time(tmp_path):
    compression = make(tmp_path, "1000ms", precisions=None)
    with pytest.raises(
        ValueError, match="expected a budget below .* ms, which"
    ):
        compression.choose()
    latencies = compression.plan.latencies
    assert latencies[""]["now"] > 0
    assert set(latencies["hidden_projection"]) == set(FEW["structures"])
    # As if the smaller ones were faster.
    for place in ("hidden_projection", "classifier_projection"):
        latencies[place] = {"low_rank(rank=1)": 7.0, "low_rank(rank=2)": 9.0}
    latencies[""]["now"] = 10.0
    plan_lib.save(compression.plan, str(tmp_path))
    plan = make(tmp_path, "8ms", precisions=None).choose()
    assert plan.choice.cost <= 8
    with pytest.raises(
        ValueError,
        match="expected a budget of at least 4 ms, the smallest that .* can "
        r"take with these structures and precisions\. Received: budget=3.9 ms",
    ):
        make(tmp_path, "3.9ms", precisions=None).choose()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # Rank 1: 18 and 14.
        (
            "45_weights",
            "expected a budget of at least 46 parameters, the smallest that {} "
            "can take with these structures and precisions, of which 14 "
            "parameters are not its projections'. Received: budget=45 "
            "parameters",
        ),
        (
            "140_weights",
            "expected a budget below 140 parameters, which {} takes as it is. "
            "Received: budget=140 parameters",
        ),
        # Kernels and biases: 504 and 28 bytes, and a header.
        ("5kB", "expected a budget below 996 bytes, which"),
    ],
)
def test_budgets_that_do_not_fit(tmp_path, text, message):
    expected = re.escape(message.format(dense_run().path))
    with pytest.raises(ValueError, match=expected):
        make(tmp_path, text)


def test_weights_that_are_not_finite(tmp_path):
    run = tiny_runs.copy_run(dense_run(), tmp_path)
    compression = make(tmp_path / "small", train_dir=run.path)
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    restore = train_dir_lib.TrainDir.restore_model

    def broken(self, *arguments):
        config, model, step = restore(self, *arguments)
        model.get_layer("hidden_0").kernel.assign(np.full((9, 9), np.nan))
        return config, model, step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_dir_lib.TrainDir, "restore_model", broken)
        with pytest.raises(
            ValueError,
            match="expected finite weights, to find the nearest to. Received: "
            "NaN or infinity in hidden_0/kernel; choose a checkpoint",
        ):
            compression.choose()


def test_data_of_another_size(tmp_path):
    pattern = tiny_runs.write_videos(
        tmp_path / "other", 5, feature_sizes={"mean_rgb": 4, "mean_audio": 3}
    )
    for name in (
        "train_data_pattern",
        "sample_data_pattern",
        "eval_data_pattern",
    ):
        with pytest.raises(readers.DataError, match="mean_rgb.* 6"):
            make(tmp_path / "small", **{name: pattern})


@pytest.mark.slow
def test_a_packed_model_is_refused(tmp_path):
    with pytest.raises(
        ValueError,
        match="expected a run of yt8m-train, whose weights can be trained. "
        "Received: a packed model",
    ):
        make(tmp_path, train_dir=compressed().packed_path)


@pytest.mark.slow
def test_output_folders_that_are_taken(tmp_path):
    run = dense_run()
    with pytest.raises(
        ValueError,
        match="expected an output_dir other than the run's. Received: output_d",
    ):
        make(run.path)
    other = tiny_runs.copy_run(run, tmp_path)
    with pytest.raises(
        ValueError,
        match="what yt8m-compress made. Received: another run; choose another",
    ):
        make(other.path)
    done = compressed()._output.path
    with pytest.raises(
        ValueError,
        match="expected the budget of the run that is there, 880 bytes. "
        "Received: budget=870 bytes; choose another output_dir",
    ):
        make(done, "870B")
    with pytest.raises(
        ValueError,
        match="expected the run and the sample of the compression that is there"
        r". Received: num_videos: 12 -> 5; use the same settings",
    ):
        make(done, "880B", num_videos=5)


@pytest.mark.slow
def test_what_a_run_was_chosen_by_is_not_changed(tmp_path):
    done = compressed()._output.path
    message = (
        f"{done}: expected the settings that the run that is there was chosen "
        "by. Received: {}; use the same settings, or another output_dir"
    )
    for settings, received in (
        ({"structures": ("low_rank(rank=1)",)}, "low_rank(rank=2)"),
        (
            {"structures": (*FEW["structures"], "circulant")},
            "structures with circulant",
        ),
        (
            {"precisions": ("int8", "int4"), "choose_by": "gap"},
            "precisions without float32 and with int4; choose_by: loss -> gap",
        ),
        ({"precisions": None}, "precisions without float32 and with float16, "),
    ):
        expected = re.escape(message.format("\n")).replace(
            re.escape("\n"), f".*{re.escape(received)}.*"
        )
        with pytest.raises(ValueError, match=expected):
            make(done, "880B", **settings)
    # In another order, and as other texts of the same.
    texts = ("low_rank( rank=2 )", "low_rank(rank=1)")
    again = make(done, "880B", structures=texts)
    assert again.choose().choice == compressed().plan.choice
    # Of an earlier version, which did not keep them.
    with open(os.path.join(done, plan_lib.FILE)) as file:
        content = json.load(file)
    for name in ("structure_texts", "precisions"):
        del content["choice"][name]
    old = shutil.copytree(done, tmp_path / "old")
    (old / plan_lib.FILE).write_text(json.dumps(content))
    make(old, "880B", structures=("circulant",), precisions=("int4",))
    with pytest.raises(
        ValueError, match="choose_by: loss -> gap; use the same"
    ):
        make(old, "880B", choose_by="gap")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "received"),
    [
        ({"format_version": 2}, "another format_version"),
        ({"source": {"sampled": []}}, "missing 5 required"),
        ({"choice": {"budget": {"amount": 1, "unit": "x"}}}, "'x' is not a"),
        (
            {"measured": {"hidden_projection": {"dense": {"loss": "abc"}}}},
            "measured.hidden_projection.dense.loss='abc'",
        ),
        ({"baseline": {"loss": None, "gap": 0.5}}, "baseline.loss=None"),
        ({"baseline": {"loss": 1, "gap": 0.5, "map": 1}}, "baseline.map=1"),
        ({"latencies": {"": {"now": "x"}}}, "latencies..now='x'"),
        ({"totals": {"before": [1]}}, r"totals.before=\[1\]"),
        ({"choice": {"structures": {"hidden_projection": 3}}}, "projection=3"),
        ({"source": {"num_videos": True}}, "source.num_videos=True"),
        ({"source": {"sampled": "abc"}}, "source.sampled='abc'"),
    ],
)
def test_a_plan_that_is_broken(tmp_path, change, received):
    with open(os.path.join(compressed()._output.path, plan_lib.FILE)) as file:
        content = json.load(file)
    (tmp_path / plan_lib.FILE).write_text(json.dumps({**content, **change}))
    with pytest.raises(
        ValueError,
        match="compression.json: expected what yt8m-compress keeps of a run. "
        f"Received: .*{received}.*; remove the file to measure again",
    ):
        make(tmp_path)


@functools.cache
def mlp_run() -> tiny_runs.Run:
    """A trained MLP of 16 hidden units, and the data of `dense_run`."""
    config = tiny_runs.video_config(
        dense_run().pattern,
        models.MlpConfig(mlp_hidden_size=16, drop_rate=0.0),
        base_learning_rate=0.02,
        num_epochs=4,
    )
    path = str(tiny_runs.make_folder() / "mlp")
    training.train(config, path)
    return tiny_runs.Run(path, dense_run().pattern, config)


def make_gated(output_dir, **kwargs):
    values = {"unit_penalty": 0.002, "unit_epochs": 3, **kwargs}
    return make(output_dir, "150_weights", train_dir=mlp_run().path, **values)


@functools.cache
def gated() -> run_compression.RunCompression:
    """A compression that dropped units and is done; not to be changed."""
    compression = make_gated(tiny_runs.make_folder() / "small")
    compression.learn_gates(watch)
    compression.choose()
    compression.tune(watch)
    return compression


@pytest.mark.slow
def test_units_are_dropped_first():
    compression, run = gated(), mlp_run()
    gates = train_dir_lib.TrainDir(compression.gates_path)
    config, model, step = gates.restore_model()
    assert step == 3 * 7  # 50 videos by 8, three times.
    assert config.model == models.MlpConfig(
        mlp_hidden_size=16, drop_rate=0.0, unit_penalty=0.002
    )
    assert config.training.init_from == config.training.teacher == run.path
    mean, variance = model.get_layer("hidden_0_gates").moments()
    number = int(np.sum(mean.numpy() ** 2 > variance))
    assert 1 < number < 16
    # Its outputs are those of the gates; what is trained starts from it.
    plan = compression.plan
    held_out = plan.source.sampled[0]
    for stage, path in (("before", run.path), ("dropped", gates.path)):
        metrics = evaluation.evaluate_run(path, held_out).metrics
        for name in ("loss", "gap"):
            assert plan.scores[stage][name] == pytest.approx(
                metrics[name], rel=1e-5
            )
    assert plan.scores["dropped"] != plan.scores["before"]
    output = train_dir_lib.TrainDir(compression._output.path)
    made = output.load_config()
    assert (made.model.mlp_hidden_size, made.model.unit_penalty) == (number, 0)
    assert made.training.teacher == run.path
    # 9 features, 5 classes, 4 vectors of batch norm.
    weights = {
        stage: totals["weights"] for stage, totals in plan.totals.items()
    }
    assert weights["before"] == 16 * (9 + 5 + 4) + 5
    assert weights["dropped"] == number * (9 + 5 + 4) + 5
    assert weights["tuned"] == plan.choice.cost <= 150


@pytest.mark.slow
def test_the_table_tells_what_is_left_of_units():
    compression = gated()
    with open(compression.table_path) as file:
        text = file.read()
    assert text == compression.to_text() + "\n"
    number = compression._dropped.after
    assert text.startswith(
        f"hidden units: 16, of which {number} are needed; {number} are left\n"
    )
    rows = [line.split() for line in text.splitlines()]
    (row,) = [row for row in rows if row[:2] == ["without", "units"]]
    scores, totals = (
        part["dropped"]
        for part in (compression.plan.scores, compression.plan.totals)
    )
    assert row[2:5] == [
        f"{scores['gap']:.4f}",
        f"{scores['loss']:.4f}",
        f"{totals['bytes']:,}",
    ]


@pytest.mark.slow
def test_dropping_units_goes_on(tmp_path, monkeypatch):
    done = gated()
    again = make_gated(done._output.path)
    assert again.learn_gates(watch).step == 21
    assert again.choose().choice == done.plan.choice and again.is_done
    with pytest.raises(
        ValueError,
        match="Received: unit_penalty: 0.002 -> 0.05; use the same settings",
    ):
        make_gated(done._output.path, unit_penalty=0.05)
    with pytest.raises(ValueError, match="unit_epochs: 3 -> 4; use the same"):
        make_gated(done._output.path, unit_epochs=4)
    # A signal in the training of the gates: no unit is dropped yet.
    stopped = training.TrainingResult(2, 0, "ckpt-2", 15)
    monkeypatch.setattr(training, "train", lambda *_, **__: stopped)
    compression = make_gated(tmp_path)
    assert compression.learn_gates(watch) == stopped
    assert compression._dropped is None
    # What it was started with is known.
    with pytest.raises(ValueError, match="unit_penalty: 0.002 -> None"):
        make_gated(tmp_path, unit_penalty=None)


@pytest.mark.slow
def test_a_run_with_gates_loses_units(tmp_path):
    compression = make(tmp_path, train_dir=gated().gates_path)
    number = gated()._dropped.after
    sizes = {place.name: place.sizes for place in compression.places}
    assert sizes == {
        "hidden_projection": ((9, number),),
        "classifier_projection": ((number, 5),),
    }
    assert compression.learn_gates(watch) is None


@pytest.mark.slow
def test_a_budget_that_is_reached_without_units(tmp_path):
    compression = make(tmp_path, "1000_weights", train_dir=gated().gates_path)
    assert set(compression.choose().choice.structures.values()) == {"dense"}


@pytest.mark.slow
def test_a_budget_that_is_too_small_without_units(tmp_path):
    number = gated()._dropped.after
    # Matrices of rank 1.
    least = 4 * number + 5 + (9 + number) + (number + 5)
    with pytest.raises(
        ValueError,
        match=f"expected a budget of at least {least} parameters, the smallest "
        f"that {gated().gates_path} of {number} hidden units can take",
    ):
        make(tmp_path, "20_weights", train_dir=gated().gates_path)


@pytest.mark.slow
def test_a_model_whose_units_stay(tmp_path):
    with pytest.raises(
        ValueError, match="Received: model=DeepCirculantModel, whose units have"
    ):
        make(tmp_path, unit_penalty=0.1)
