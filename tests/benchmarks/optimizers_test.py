"""Tests of the benchmark of optimisers, on a tiny network."""

import keras
import pytest

from benchmarks import optimizers
from yt8m_compact.training import one_pass_optimizers


def test_a_pair_is_set_alike():
    of_keras, ours = optimizers.make_pair("AdamOptimizer", 0.5)
    assert type(of_keras) is keras.optimizers.Adam
    assert type(ours) is one_pass_optimizers.Adam
    assert of_keras.get_config() == ours.get_config()
    assert ours.clipnorm == 0.5


@pytest.mark.slow
def test_table(monkeypatch, capsys):
    monkeypatch.setattr(
        "sys.argv",
        ["", "--network=tiny", "--rounds=1", "--optimizers=AdamOptimizer"],
    )
    optimizers.main()
    lines = capsys.readouterr().out.splitlines()
    # 16 x 32, 8 x 16, 32 x 6, 16 x 6, 12 x 50 and 10 x 10.
    assert lines[0].startswith("1,628 weights")
    assert [line.split("|")[2].strip() for line in lines[3:]] == [
        "no",
        "below",
        "above",
    ]


def test_unknown_optimizer(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["", "--optimizers=Adam"])
    with pytest.raises(SystemExit):
        optimizers.main()
    assert "Received: Adam" in capsys.readouterr().err
