"""Tests of the lines of checkpoints that are evaluated one by one."""

from yt8m_compact.eval import checkpoint_lines
from yt8m_compact.eval import report
from yt8m_compact.eval import weights


def make_report(step, gap, model="MoeModel") -> report.Report:
    layer = weights.LayerWeights("a", "dense", 2, 6, 6, 6, 4, False, 24)
    return report.Report(
        model=model,
        weights=weights.ModelWeights(6, 6, 6, 24, (layer,)),
        metrics={
            "gap": gap,
            "hit_at_1": 0.5,
            "perr": 0.25,
            "map": 0.125,
            "loss": 12.34567,
            "num_examples": 1112356,
            "num_classes_with_positives": 3,
        },
        step=step,
        train_dir="runs/a",
    )


def test_a_line_each_and_the_best():
    lines = checkpoint_lines.CheckpointLines()
    assert lines.end() == ""
    first = lines.add(make_report(500, 0.4)).splitlines()
    assert first[0] == "MoeModel of runs/a"
    assert first[2].split()[:3] == ["layer", "kind", "units"]
    assert first[-2:] == [
        "      step    GAP@20     Hit@1      PERR       MAP      loss"
        "    videos",
        "       500    0.4000    0.5000    0.2500    0.1250   12.3457 1,112,356"
        "  best",
    ]
    # One line each from then on, within 80 columns.
    for step, gap, mark in ((1500, 0.6, "  best"), (1_000_000, 0.6, "")):
        (line,) = lines.add(make_report(step, gap)).splitlines()
        assert line.endswith(f"1,112,356{mark}")
        assert line.split()[:2] == [f"{step:,}", "0.6000"]
        assert len(line) <= 80
    assert lines.end() == (
        "best: GAP@20 0.6000 at step 1,500 (--checkpoint_step=1500, while it "
        "is kept)"
    )


def test_a_new_run_in_the_folder_begins_again():
    lines = checkpoint_lines.CheckpointLines()
    lines.add(make_report(500, 0.4))
    text = lines.add(make_report(5, 0.1, model="DbofModel"))
    assert text.startswith("DbofModel of runs/a\n\nlayer")
    assert text.endswith("  best")
    assert " at step 5 (" in lines.end()
