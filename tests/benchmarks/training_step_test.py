"""Tests of the benchmark of training steps, on a tiny network."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from benchmarks import training_step
from benchmarks.steps import cases
from benchmarks.steps import floor
from benchmarks.steps import network as network_lib
from benchmarks.steps import our_step
from benchmarks.steps import released_step
from benchmarks.steps import worker

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYS = {"case", "ms", "examples_per_second", "peak_mb", "weights"}
TINY = network_lib.NETWORKS["tiny"]

# 16 -> 32 and 8 -> 16 clusters, each to 6 units, 3 gates and 2 experts of 10
# classes from 12 values, 10 x 10 gates, and batch normalisation's four weights
# of each cluster, unit and class, with the experts' 20 biases.
_OTHERS = 4 * (32 + 16 + 6 + 6 + 10) + 20
WEIGHTS = {
    "dense": 16 * 32 + 8 * 16 + (32 + 16) * 6 + 12 * 50 + 100 + _OTHERS,
    # One block of 2 x 32 and of 2 x 16 in place of the layers of 6 units.
    "fc": 16 * 32 + 8 * 16 + 2 * 48 + 12 * 50 + 100 + _OTHERS,
    # Two blocks of 2 x 16 and two of 2 x 8.
    "embedding_fc": 64 + 32 + 2 * 48 + 12 * 50 + 100 + _OTHERS,
    # Three blocks of 2 x 12 to 30 gates, two to 20 experts, one of 2 x 10.
    "everywhere": 64 + 32 + 2 * 48 + 72 + 48 + 20 + _OTHERS,
    # A diagonal in place of two or three.
    "everywhere_shared": 48 + 24 + 2 * 48 + 48 + 36 + 20 + _OTHERS,
    # 24 values, normalised too, to 32 clusters and 12 units.
    "starter": 24 * 32 + 32 * 12 + 12 * 50 + 4 * (24 + 32 + 12) + 20,
}
WEIGHTS["dense_bfloat16"] = WEIGHTS["dense"]
WEIGHTS["everywhere_bfloat16"] = WEIGHTS["everywhere"]
WEIGHTS["paper_dense"] = WEIGHTS["dense"]
WEIGHTS["paper_everywhere"] = WEIGHTS["everywhere"]
WEIGHTS["paper_everywhere_ungated"] = WEIGHTS["everywhere"] - 20 - 4 * 10


class Local:
    """Answers as `worker.Worker` does, in this process."""

    def __init__(self, name, runner, *arguments):
        del name
        self._runner = runner(*arguments)

    def call(self, method, *arguments):
        return getattr(self._runner, method)(*arguments)

    def close(self):
        pass


def look_at_all_frames(monkeypatch):
    """Has the released codes' graphs not draw some frames twice, as ours."""
    monkeypatch.setattr(
        released_step, "_sample_frames", lambda x, num_frames, number: x
    )


def make_step(name):
    batch = network_lib.make_batch(TINY)
    return cases.CASES[name].make_step(TINY, batch)


@pytest.mark.slow
@pytest.mark.parametrize("name", cases.CASES)
def test_every_case_learns(monkeypatch, name):
    look_at_all_frames(monkeypatch)
    step = make_step(name)
    assert step.num_weights == WEIGHTS[name]
    seconds = step.run(20)
    assert len(seconds) == 20 and min(seconds) > 0
    assert np.isfinite(step.losses).all()
    # On one batch; ours are means up to each step.
    assert step.losses[-1] < step.losses[0]
    if isinstance(step, our_step.OurStep):
        assert step.predict(1) > 0


@pytest.mark.parametrize("jit_compile", [None, True])
def test_whether_xla_compiles(jit_compile):
    batch = network_lib.make_batch(TINY)
    step = cases.CASES["dense"].make_step(TINY, batch, jit_compile)
    assert step.compiled == ("XLA" if jit_compile else "no XLA")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("dense", "paper_dense"),
        pytest.param("everywhere", "paper_everywhere", marks=pytest.mark.slow),
    ],
)
def test_the_papers_graph_is_our_network(monkeypatch, ours, theirs):
    look_at_all_frames(monkeypatch)
    mine, other = make_step(ours), make_step(theirs)
    other.load(released_values(mine.model))
    mine.run(1)
    other.run(1)
    first, mean = mine.losses
    # The second is that after a step of clipping and Adam.
    np.testing.assert_allclose(
        [first, 2 * mean - first], other.losses, rtol=1e-4
    )


def released_values(model):
    """Lists our weights in the order of the paper's graph."""
    values = []

    def add(name):
        layer = model.get_layer(name)
        weights = {w.name: w.numpy() for w in layer.weights}
        if "gamma" in weights:
            names = ("beta", "gamma", "moving_mean", "moving_variance")
            values.extend(weights[name] for name in names)
        elif "diagonal" in weights:
            pairs = zip(
                weights["kernel"].reshape(-1, weights["kernel"].shape[-1]),
                weights["diagonal"].reshape(-1, weights["kernel"].shape[-1]),
                strict=True,
            )
            for circulant, diagonal in pairs:
                values.extend([circulant[None], diagonal[None]])
        else:
            values.append(weights["kernel"])

    for branch in ("dbof_0", "dbof_1"):
        add(f"{branch}_clusters")
        add(f"{branch}_clusters_bn")
        add(f"{branch}_fc")
        add(f"{branch}_fc_bn")
    add("gates")
    add("experts")
    bias = next(
        w for w in model.get_layer("experts").weights if w.name == "bias"
    )
    values.append(bias.numpy())
    add("gating")
    add("gating_bn")
    return values


def test_weights_of_the_papers_tables():
    # 4 of batch normalisation for each cluster, unit and class, and biases of
    # the experts, as tables 1 and 4 of the paper count them.
    paper = network_lib.NETWORKS["paper"]
    others = 4 * (8192 + 4096 + 512 + 512 + 3862) + 4 * 3862

    def count(name):
        products = cases.CASES[name].products(paper)
        return sum(product.weights for product in products) + others

    assert count("dense") == 65_795_732
    assert count("fc") == 59_528_852


def test_transforms_are_counted():
    # 8 blocks of 1024: each row is transformed 8 times with a diagonal a block
    # and once with one for all, and so are the 8 outputs; twice, for backward.
    product = network_lib.Product(2400, 1024, 8192, network_lib.PER_BLOCK)
    assert floor.num_transforms(product) == 2 * 2400 * 16 + 2 * 8
    product = network_lib.Product(2400, 1024, 8192, network_lib.SHARED)
    assert floor.num_transforms(product) == 2 * 2400 * 9 + 2 * 8


def test_floor():
    products = [
        network_lib.Product(3, 4, 5, network_lib.DENSE, False),
        network_lib.Product(3, 4, 5, network_lib.DENSE),
        network_lib.Product(3, 4, 5, network_lib.PER_BLOCK),
    ]
    rates = floor.Rates(products)
    rates.measure()
    assert rates.operations_per_second > 0
    assert rates.bytes_per_second > 0
    assert rates.transform_seconds.keys() == {4}
    rates.operations_per_second = 1e3
    rates.bytes_per_second = 1e6
    rates.transform_seconds = {4: 0.5}
    found = rates.floor(products)
    # 60 multiply-adds, twice without a gradient of the input and three times
    # with one.
    assert found["products"] == pytest.approx(2 * 60 * (2 + 3))
    # Two blocks of 4: 3 x (2 + 2) twice, and 2 vectors twice.
    assert found["transforms"] == pytest.approx(1000 * 0.5 * 28)
    # 10 passes of 20, 20 and 2 x 2 x 4 weights, 4 of 15 outputs, 4 bytes each.
    assert found["bytes"] == pytest.approx(
        1000 * 4 * (10 * (20 + 20 + 16) + 4 * 3 * 15) / 1e6
    )


@pytest.mark.slow
def test_json(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(worker, "Worker", Local)
    path = tmp_path / "steps.json"
    training_step.main(
        [
            "--network=tiny",
            "--cases=dense,paper_dense",
            "--rounds=2",
            "--steps=1",
            "--predictions=1",
            f"--output_json={path}",
        ]
    )
    records = json.loads(path.read_text())
    check_records(records)
    assert records[0]["forward_batch_1_ms"] > 0
    assert records[1]["forward_batch_1_ms"] is None
    assert all(len(one["round_ms"]) == 2 for one in records)
    printed = capsys.readouterr().out
    ratio = records[1]["ms"] / records[0]["ms"]
    (line,) = [row for row in printed.splitlines() if "| a step " in row]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:5] == ["dense", "paper_dense", f"{ratio:.2f}", "1.1"]
    assert cells[5] == ("yes" if ratio >= 1.1 else "no")


def check_records(records):
    assert [one["case"] for one in records] == ["dense", "paper_dense"]
    for one in records:
        assert one.keys() >= KEYS
        assert one["weights"] == WEIGHTS[one["case"]]
        assert one["peak_mb"] > 0
        assert one["floor_ms"] == pytest.approx(
            sum(one["floor_parts_ms"].values())
        )
        assert one["examples_per_second"] == pytest.approx(8000 / one["ms"])


@pytest.mark.slow
def test_processes(tmp_path):
    path = tmp_path / "steps.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.training_step"),
            *("--network=tiny", "--cases=dense,paper_dense", "--rounds=1"),
            f"--output_json={path}",
        ],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=600,
    )
    check_records(json.loads(path.read_text()))


class Dying:
    """Ends its process when it is asked."""

    def end(self):
        os._exit(3)


@pytest.mark.slow
def test_a_process_that_ends_is_told():
    one = worker.Worker("dense", Dying)
    with pytest.raises(RuntimeError, match=r"dense: expected a process.*3"):
        one.call("end")
    one.close()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--cases=dense,sparse", "expected cases of dense, .*cases=sparse"),
        ("--rounds=0", "expected at least 1. Received: rounds=0"),
        ("--network=large", "invalid choice: 'large'"),
    ],
)
def test_wrong_flags(capsys, flag, message):
    with pytest.raises(SystemExit):
        training_step.main([flag])
    assert re.search(message, capsys.readouterr().err)
