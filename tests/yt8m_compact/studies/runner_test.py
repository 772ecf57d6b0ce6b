"""Tests of the runs of a study, one after the other."""

import dataclasses
import json
import logging
import os
import re

import pytest

import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.eval import report
from yt8m_compact.eval import weights
from yt8m_compact.run import lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.studies import plan
from yt8m_compact.studies import runner
from yt8m_compact.studies import search
from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run
from yt8m_compact.training import callbacks


@pytest.fixture(name="data", scope="module")
def fixture_data(tmp_path_factory) -> dict[str, str]:
    """Patterns of data to train and to score on."""
    folder = tmp_path_factory.mktemp("data")
    return {
        "train": tiny_runs.write_videos(folder, 40),
        "score": tiny_runs.write_videos(folder, 24, name="more", start=40),
    }


class Bench:
    """A study on small data.

    Attributes:
        path: its folder.
        epochs: that runs train for.
    """

    def __init__(self, path: str, data: dict[str, str]) -> None:
        self.path = path
        self.data = data
        self.epochs = 1
        self.strategy = "auto"

    def make_config(self, values: plan.Values):
        values = {**values}
        model = models.LogisticConfig(
            classifier_projection=values.pop("projection", "dense"),
            l2_normalize=False,
        )
        if values.get("base_learning_rate") == 0.75:
            raise ValueError("expected other values. Received: 0.75")
        return tiny_runs.video_config(
            self.data["train"],
            model,
            num_epochs=self.epochs,
            strategy=self.strategy,
            checkpoint_steps=2,
            **values,
        )

    def run(self, **kwargs) -> runner.StudyResult:
        study = study_file.Study(
            **{"score_data_pattern": self.data["score"], **kwargs}
        )
        planned = plan.make_plan(study, self.make_config, "study.toml")
        return runner.run_study(study, planned, self.make_config, self.path)


@pytest.fixture(name="bench")
def fixture_bench(tmp_path, data) -> Bench:
    return Bench(str(tmp_path / "study"), data)


class FakeWork:
    """Stands in for training and evaluation.

    Attributes:
        trained: the names of what was trained, in order.
        scored: the arguments of evaluations.
        ends: what training a name ends with instead: an error or a signal.
    """

    def __init__(self) -> None:
        self.trained, self.scored, self.ends = [], [], {}

    def train(
        self, config, path: str, watching=None
    ) -> training.TrainingResult:
        name = os.path.basename(path)
        self.trained.append(name)
        end = self.ends.get(name)
        if isinstance(end, BaseException):
            raise end
        self.rate = config.training.base_learning_rate
        return training.TrainingResult(5, 1, "checkpoint-5", signal_number=end)

    def evaluate(self, path: str, pattern: str, **kwargs) -> report.Report:
        self.scored.append((os.path.basename(path), pattern, kwargs))
        counted = weights.ModelWeights(10, 10, 40, 44, ())
        metrics = dict.fromkeys(report.METRIC_NAMES, self.rate)
        return report.Report("A", counted, metrics, step=5)


@pytest.fixture(name="work")
def fixture_work(monkeypatch) -> FakeWork:
    work = FakeWork()
    monkeypatch.setattr(training, "train", work.train)
    monkeypatch.setattr(evaluation, "evaluate_run", work.evaluate)
    return work


GRID = {"base_learning_rate": (0.25, 0.5)}
NAMES = ["base_learning_rate=0.25", "base_learning_rate=0.5"]


@pytest.mark.slow
def test_runs_are_those_of_training_and_evaluation(bench, tmp_path):
    grid = {
        "projection": ("circulant",),
        "base_learning_rate": (0.5, 1e38),
    }
    rest = {"optimizer": "SGD", "clip_gradient_norm": 0.0}
    result = bench.run(grid=grid, flags=rest)
    done, failed = result.runs
    values = {**rest, "projection": "circulant", "base_learning_rate": 0.5}
    path = str(tmp_path / "alone")
    training.train(bench.make_config(values), path)
    name = "projection=circulant-base_learning_rate=0.5"
    tiny_runs.assert_same_weights(os.path.join(bench.path, name), path)
    expected = evaluation.evaluate_run(path, bench.data["score"])
    assert done.score.metrics == expected.metrics
    # The circulant of 9 x 9, of which 5 outputs are used, and 5 biases.
    assert (done.score.weights, done.score.num_bytes) == (14, 56)
    assert done.score.step == 5
    assert failed.score is None
    assert failed.error.startswith("expected finite losses and weights. Rec")
    events = tiny_runs.read_events(os.path.join(bench.path, name, "eval"))
    assert events["metrics/gap"] == [
        (5, pytest.approx(expected.metrics["gap"]))
    ]
    assert [os.path.basename(file) for file in result.files] == [
        "study.txt",
        "study.csv",
        "study.png",
    ]
    assert all(os.path.getsize(file) for file in result.files)
    # What is done is kept, in the same files.
    times = {run.name: _time(bench, run.name) for run in result.runs}
    again = bench.run(grid=grid, flags=rest)
    assert again.runs == result.runs
    assert {run.name: _time(bench, run.name) for run in again.runs} == times


@pytest.mark.slow
def test_a_run_is_evaluated_while_it_trains(bench):
    rest = {"eval_data_pattern": bench.data["score"], "keep_best": "gap"}
    (run,) = bench.run(grid={"base_learning_rate": (0.5,)}, flags=rest).runs
    path = os.path.join(bench.path, run.name)
    events = tiny_runs.read_events(os.path.join(path, "validation"))
    assert events["metrics/gap"] == [
        (5, pytest.approx(run.score.metrics["gap"]))
    ]


def _time(bench: Bench, name: str) -> int:
    return os.stat(os.path.join(bench.path, name, study_run.FILE)).st_mtime_ns


@pytest.mark.slow
def test_a_run_that_was_killed_continues_from_its_checkpoint(
    bench, tmp_path, monkeypatch, caplog
):
    def end(self, batch, logs=None):
        if int(self._position.step) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.DivergenceGuard, "on_train_batch_end", end)
        with pytest.raises(KeyboardInterrupt):
            bench.run(seeds=(1,))
    path = os.path.join(bench.path, "seed=1")
    assert max(train_dir_lib.TrainDir(path).checkpoints()) == 2
    with caplog.at_level(logging.INFO):
        (run,) = bench.run(seeds=(1,)).runs
    assert "continue from step 2 (epoch 1, video 16 of it)" in caplog.text
    assert run.is_done
    alone = str(tmp_path / "alone")
    training.train(bench.make_config({"seed": 1}), alone)
    tiny_runs.assert_same_weights(path, alone)


def test_order_and_what_is_passed_on(bench, work, caplog):
    with caplog.at_level(logging.INFO):
        result = bench.run(grid=GRID, seeds=(3, 4), weights="ema")
    names = [f"{name}-seed={seed}" for name in NAMES for seed in (3, 4)]
    assert work.trained == names
    kwargs = {"weights": "ema", "on_data_error": "stop"}
    assert work.scored[0] == (names[0], bench.data["score"], kwargs)
    assert f"run 2 of 4: {names[1]}" in caplog.text
    assert f"{names[3]}: GAP@20 0.5000, 44 bytes" in caplog.text
    assert [run.score.metrics["gap"] for run in result.runs] == [
        0.25,
        0.25,
        0.5,
        0.5,
    ]
    with open(result.files[0]) as file:
        lines = file.read().splitlines()
    assert lines[2].split()[:5] == "0.5 2 0.5000 ± 0.0000".split()


def test_a_signal_stops_the_study_and_the_same_command_continues(bench, work):
    work.ends = {NAMES[1]: 15}
    result = bench.run(grid=GRID)
    assert result.signal_number == 15
    assert [run.is_done for run in result.runs] == [True, False]
    with open(result.files[0]) as file:
        assert file.read().endswith("left to do: 1 of 2 runs\n")
    work.ends, work.trained = {}, []
    result = bench.run(grid=GRID)
    assert result.signal_number is None
    assert work.trained == NAMES[1:]
    assert all(run.score for run in result.runs)


@pytest.mark.slow
def test_a_run_that_fails_is_kept_and_its_folder_decides(bench, work):
    work.ends = {NAMES[0]: ValueError("expected less. Received: more")}
    result = bench.run(grid=GRID)
    assert result.runs[0].error == "expected less. Received: more"
    assert result.runs[1].score.metrics["gap"] == 0.5
    work.ends, work.trained = {}, []
    assert bench.run(grid=GRID).runs == result.runs
    assert work.trained == []
    os.remove(os.path.join(bench.path, NAMES[0], study_run.FILE))
    assert all(run.score for run in bench.run(grid=GRID).runs)
    assert work.trained == NAMES[:1]


def test_scores_that_are_no_numbers_are_a_failure(bench, work, monkeypatch):
    def train(config, path, watching=None):
        work.rate = float("nan")
        return training.TrainingResult(5, 1, "checkpoint-5")

    monkeypatch.setattr(training, "train", train)
    (run,) = bench.run(seeds=(1,)).runs
    assert run.error.startswith("expected finite metrics. Received: {'gap': n")


@pytest.mark.parametrize(
    "error", [readers.DataError("no data"), OSError("no space")]
)
def test_what_all_runs_need_ends_the_study(bench, work, error):
    work.ends = {NAMES[1]: error}
    with pytest.raises(type(error)):
        bench.run(grid=GRID)
    assert study_run.load(os.path.join(bench.path, NAMES[0])).is_done
    assert not study_run.load(os.path.join(bench.path, NAMES[1])).is_done


def test_a_study_may_grow(bench, work):
    bench.run(grid={"base_learning_rate": (0.5,)})
    result = bench.run(grid=GRID, metric="map")
    assert work.trained == NAMES[::-1]
    assert [run.name for run in result.runs] == NAMES


def test_a_study_that_does_not_fit_is_refused(bench, work, data):
    bench.run(grid=GRID)
    work.trained = []
    start = f"{bench.path}: expected the study that is there, with more runs "

    def expect(received: str, **kwargs) -> None:
        with pytest.raises(ValueError, match=re.escape(received)) as caught:
            bench.run(**{"grid": GRID, **kwargs})
        assert str(caught.value).startswith(start)

    expect(
        "base_learning_rate=0.5, which is none of its runs",
        grid={"base_learning_rate": (0.25,)},
    )
    expect(
        f"score_data_pattern: {data['score']!r} -> {data['train']!r}",
        score_data_pattern=data["train"],
    )
    expect("weights: 'raw' -> 'ema'", weights="ema")
    bench.epochs = 2
    expect(f"{NAMES[0]} with training.num_epochs: 1 -> 2")
    assert work.trained == []


def test_names_with_other_values(bench, work):
    bench.run(grid=GRID)
    path = os.path.join(bench.path, NAMES[0], study_run.FILE)
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace('"base_learning_rate": 0.25', '"a": 3', 1))
    message = f"{NAMES[0]} with a=3 -> base_learning_rate=0.25. Choose another"
    with pytest.raises(ValueError, match=re.escape(message)):
        bench.run(grid=GRID)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 3}, "Received: format_version=3; choose another"),
        ({"study": {}}, "'score_data_pattern'; choose another train_dir"),
    ],
)
def test_a_broken_record_of_the_study(bench, work, change, message):
    bench.run(grid=GRID)
    path = os.path.join(bench.path, runner.STUDY_FILE)
    with open(path) as file:
        content = json.load(file)
    with open(path, "w") as file:
        json.dump({**content, **change}, file)
    with pytest.raises(ValueError, match=re.escape(message)):
        bench.run(grid=GRID)


def test_folders_of_other_runs(bench, work, tmp_path):
    config = bench.make_config({})
    train_dir_lib.TrainDir(os.path.join(bench.path, NAMES[0])).save_config(
        config
    )
    with pytest.raises(ValueError, match=f"{NAMES[0]}, a run of no study"):
        bench.run(grid=GRID)
    bench.path = str(tmp_path / "run")
    train_dir_lib.TrainDir(bench.path).save_config(config)
    with pytest.raises(ValueError, match="expected the folder of a study, who"):
        bench.run(grid=GRID)


def test_the_data_is_looked_at_first(bench, work, tmp_path):
    tiny_runs.write_frames(tmp_path / "frames", 3)
    with pytest.raises(readers.DataError, match="frame"):
        bench.run(grid=GRID, score_data_pattern=str(tmp_path / "frames" / "*"))
    assert work.trained == []


def test_several_machines(bench, work):
    bench.strategy = "multi_worker"
    with pytest.raises(ValueError, match="expected one machine for a study: "):
        bench.run(grid=GRID)


def test_two_processes(bench, work):
    with lock.RunLock(bench.path):
        with pytest.raises(OSError, match="another"):
            bench.run(grid=GRID)


class FakeSearch:
    """Suggests what it is told to, and keeps what it is told."""

    def __init__(self, *rates: float) -> None:
        self.rates, self.told = rates, []

    def suggest(self, space, tried):
        self.told.append([(*t.values.values(), t.score) for t in tried])
        return {"base_learning_rate": self.rates[len(tried)]}


@pytest.fixture(name="fake_search")
def fixture_fake_search(monkeypatch) -> FakeSearch:
    fake = FakeSearch(0.5, 0.75, 0.25, 1.0)
    monkeypatch.setattr(search, "suggest", fake.suggest)
    monkeypatch.setattr(search, "expect_optuna", lambda: None)
    return fake


def make_search(num_trials: int, high: float = 1.5) -> study_file.Search:
    spaces = {"base_learning_rate": study_file.Range(0.1, high)}
    return study_file.Search(spaces, num_trials)


@pytest.mark.slow
def test_a_search_is_told_what_was_tried(bench, work, fake_search):
    names = [f"trial-000{i}-seed={seed}" for i in range(3) for seed in (1, 2)]
    work.ends = {names[4]: 2}
    result = bench.run(search=make_search(3), seeds=(1, 2))
    # 0.75 is a value of no configuration.
    assert work.trained == [*names[:2], names[4]]
    assert fake_search.told == [
        [],
        [(0.5, 0.5)],
        [(0.5, 0.5), (0.75, None)],
    ]
    assert "expected other values. Received: 0.75" in result.runs[2].error
    # Nothing that has begun is suggested again; trials may be added.
    work.ends, work.trained, fake_search.told = {}, [], []
    result = bench.run(search=make_search(4), seeds=(1, 2))
    assert work.trained == [
        *names[4:],
        "trial-0003-seed=1",
        "trial-0003-seed=2",
    ]
    assert fake_search.told == [[(0.5, 0.5), (0.75, None), (0.25, 0.25)]]
    assert [run.values["base_learning_rate"] for run in result.runs] == [
        0.5,
        0.5,
        0.75,
        0.75,
        0.25,
        0.25,
        1.0,
        1.0,
    ]


def test_a_search_that_does_not_fit_is_refused(bench, work, fake_search):
    bench.run(search=make_search(3))
    with pytest.raises(ValueError, match="trial-0001, which is none of its ru"):
        bench.run(search=make_search(1))
    for kwargs, message in (
        ({"search": make_search(3, high=2.0)}, "'high': 2.0"),
        ({"search": make_search(3), "metric": "map"}, "metric: 'gap' -> 'map'"),
        ({"search": make_search(3), "seeds": (1,)}, r"seeds: [] -> [1]"),
        ({"grid": GRID}, "-> None"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            bench.run(**kwargs)
    bench.epochs = 2
    with pytest.raises(ValueError, match="trial-0000 with training.num_epochs"):
        bench.run(search=make_search(3))


def test_left_out_data_is_told(bench, work, monkeypatch, caplog):
    skipped = readers.SkippedData()
    skipped.add_record("a.tfrecord", 1, "damaged")
    original = work.train
    monkeypatch.setattr(
        training,
        "train",
        lambda *args, **kwargs: dataclasses.replace(
            original(*args, **kwargs), skipped=skipped
        ),
    )
    bench.run(seeds=(1,))
    assert "left out of the data:" in caplog.text
    assert "a.tfrecord" in caplog.text


def test_advice_to_trace_less_is_left_out(caplog):
    tensorflow = logging.getLogger("tensorflow")
    with runner._quiet_tracing():
        tensorflow.warning("5 calls triggered tf.function retracing.")
        tensorflow.warning("other")
    assert "retracing" not in caplog.text
    tensorflow.warning("6 calls triggered tf.function retracing.")
    assert "6 calls" in caplog.text
