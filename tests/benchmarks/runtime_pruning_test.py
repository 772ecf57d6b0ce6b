"""Tests of the trial of hidden units that are chosen by the input."""

import re

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import runtime_pruning
import record_makers
import tiny_runs
from yt8m_compact.run import config as config_lib

DATA = config_lib.DataConfig(
    feature_names=("mean_rgb", "mean_audio"),
    feature_sizes=(6, 3),
    num_classes=30,
)
RNG = np.random.default_rng(0)
VIDEOS = runtime_pruning.Videos(
    RNG.normal(size=(50, 9)).astype(np.float32), RNG.random((50, 30)) < 0.1
)


def make_gated(num_kept):
    whole = runtime_pruning.make_model(DATA, 12)
    for weight in whole.weights:
        low = 0.5 if "_bn" in weight.path else -0.8
        weight.assign(RNG.uniform(low, 0.9, weight.shape))
    gated = runtime_pruning.make_gated(
        whole, DATA, VIDEOS, num_groups=4, num_kept=num_kept, seed=0
    )
    return whole, gated


def test_a_gate_keeps_groups_and_learns_of_the_others():
    gate = runtime_pruning.GroupGate(3, 2)
    gate.build([(None, 3), (None, 6)])
    gate.set_weights([np.eye(3), np.array([0.0, 0.0, 0.5])])
    x = tf.constant([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    hidden = tf.reshape(tf.range(1.0, 13.0), [2, 6])
    with tf.GradientTape() as tape:
        found = gate([x, hidden])
        loss = tf.reduce_sum(found)
    # Scores 3, 1, .5 and 0, 1, 2.5.
    expected = [[1, 2, 3, 4, 0, 0], [0, 0, 9, 10, 11, 12]]
    np.testing.assert_array_equal(found, expected)
    # The sum of each group times the slope of the sigmoid: of all groups.
    sums = np.array([[3, 7, 11], [15, 19, 23]])
    open_ = 1 / (1 + np.exp(-np.array([[3, 1, 0.5], [0, 1, 2.5]])))
    np.testing.assert_allclose(
        tape.gradient(loss, gate.bias),
        (sums * open_ * (1 - open_)).sum(axis=0),
        rtol=1e-5,
    )


@pytest.mark.parametrize(
    ("num_kept", "units", "message"),
    [
        (4, 6, "expected 1 to num_groups groups to keep.*num_kept=4"),
        (0, 6, "expected 1 to num_groups groups to keep.*num_kept=0"),
        (1, 7, "expected hidden units to be a multiple.*units=7, num_groups=3"),
    ],
)
def test_gates_that_do_not_fit(num_kept, units, message):
    with pytest.raises(ValueError, match=message):
        runtime_pruning.GroupGate(3, num_kept).build([(None, 2), (None, units)])


def test_models_start_at_the_share_of_labels():
    labels = np.zeros((7, 30), bool)
    labels[:3, 2] = True
    shares = runtime_pruning.count_labels(
        runtime_pruning.Videos(np.ones((7, 9), np.float32), labels)
    )
    assert shares[2] == 3.5 / 8 and shares[3] == 0.5 / 8
    model = runtime_pruning.make_model(DATA, 12, shares)
    bias = model.get_layer("classifier").bias.numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), shares, rtol=1e-5)


def test_groups_are_of_similar_units():
    centers = np.eye(4)[:, [2, 0, 1, 2, 1, 0, 3, 3]]
    kernel = (centers + 0.01 * RNG.normal(size=(4, 8))) * np.arange(1, 9)
    order = runtime_pruning.group_units(kernel, 4)
    pairs = {frozenset(pair) for pair in order.reshape(4, 2).tolist()}
    assert pairs == {
        frozenset(pair) for pair in ((0, 3), (1, 5), (2, 4), (6, 7))
    }


def test_all_groups_are_the_whole_model():
    whole, gated = make_gated(4)
    x = {"features": VIDEOS.features}
    np.testing.assert_allclose(gated(x), whole(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("num_kept", [1, 3])
def test_compiled_ones_compute_what_was_trained(num_kept):
    whole, gated = make_gated(num_kept)
    x = VIDEOS.features[:8]
    wanted = gated({"features": x}).numpy()
    assert np.abs(wanted - whole({"features": x})).max() > 1e-3
    calls = runtime_pruning.compile_gated(
        runtime_pruning.fold(gated), 4, num_kept
    )
    for how in ("gathered", "sliced"):
        found = [calls[how](tf.constant(row[None]))[0] for row in x]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="expected scores within 0.0001 of"):
        runtime_pruning._expect_same(
            whole, calls["gathered"], VIDEOS.features[:8]
        )
    shares = runtime_pruning.usage(gated, VIDEOS)
    assert shares.shape == (4,) and shares.sum() == pytest.approx(num_kept)


@pytest.mark.slow
def test_a_table(tmp_path, capsys):
    folder = tmp_path / "yt8m_2018_video"
    for name, start in (("validate000", 0), ("validate007", 60)):
        tiny_runs.write_records(
            record_makers.make_video_example,
            folder,
            name=name,
            start=start,
            num_files=2,
            num_classes=30,
        )
    runtime_pruning.main(
        [
            f"--data_dir={tmp_path}",
            "--feature_sizes=6,3",
            "--num_classes=30",
            "--units=12",
            "--groups=4",
            "--kept=4,1",
            "--steps=2",
            "--batch_size=16",
            "--rounds=2",
        ]
    )
    out = capsys.readouterr().out
    rows = re.findall(r"^\| (\S.*?) +\| +(\S*) \| +(\S*) \|", out, re.MULTILINE)
    # 12 (9 + 30), and of one group of 3 units with a gate of 9 x 4.
    assert [row[:2] for row in rows[1:]] == [
        ("whole, 12 units", "468"),
        ("4 of 4 groups, gathered", "504"),
        ("4 of 4 groups, sliced", "504"),
        ("4 of 4 groups, copy", ""),
        ("1 of 4 groups, gathered", "153"),
        ("1 of 4 groups, sliced", "153"),
        ("1 of 4 groups, copy", ""),
        ("fewer units, 4", "156"),
    ]
    assert all(0 < float(gap) <= 1 for _, cost, gap in rows[1:] if cost)
    assert "4 of 4 groups: GAP@20" in out
    assert "computed for 100.0% to 100.0% of the videos" in out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--groups=7", "expected --units to be a multiple of --groups"),
        ("--kept=4,17", "expected --kept of 1 to --groups"),
    ],
)
def test_flags_that_do_not_fit(flag, message, capsys):
    with pytest.raises(SystemExit):
        runtime_pruning.main(["--data_dir=none", flag])
    assert message in capsys.readouterr().err
