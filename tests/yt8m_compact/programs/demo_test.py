"""Tests of yt8m-demo."""

import json

from absl import flags
import pytest

from yt8m_compact.programs import demo


@pytest.mark.slow
def test_demo_runs_and_compares_both(tmp_path, capsys):
    flag_values = flags.FlagValues()
    demo.define_flags(flag_values)
    flag_values(
        [
            "yt8m-demo",
            f"--output_dir={tmp_path}",
            "--num_train_videos=128",
            "--num_epochs=1",
        ]
    )
    assert demo.main(flag_values, []) == 0
    reports = {
        name: json.loads(
            (tmp_path / "runs" / name / "evaluation.json").read_text()
        )
        for name in ("dense", "compact")
    }
    dense, compact = reports["dense"], reports["compact"]
    assert dense["metrics"]["num_examples"] == 32
    assert dense["weights"]["percent_of_dense"] == 100
    assert compact["weights"]["dense_equivalent"] == dense["weights"]["total"]
    assert compact["weights"]["total"] < dense["weights"]["total"] / 5
    table = capsys.readouterr().out
    assert f"{compact['weights']['total']:,}" in table
    assert f"tensorboard --logdir {tmp_path}/runs" in table
