"""Tests of the picture of a study."""

import sys

import pytest

from yt8m_compact.studies import plot
from yt8m_compact.studies import study_file
from yt8m_compact.studies import study_run
from yt8m_compact.studies import table


def make_run(kind: str, rate: float, seed: int, gap: float, size: int):
    return study_run.StudyRun(
        f"{kind}-{rate}-{seed}",
        {"rate": rate, "kind": kind},
        seed,
        None,
        study_run.Score({"gap": gap}, 1, size // 4, 100, size),
    )


RUNS = [
    make_run("dense", 0.1, 0, 0.7, 4000),
    make_run("dense", 0.1, 1, 0.8, 4000),
    make_run("dense", 0.2, 0, 0.6, 4000),
    make_run("dense", 0.2, 1, 0.6, 4000),
    make_run("circulant", 0.1, 0, 0.5, 40),
    make_run("circulant", 0.1, 1, 0.5, 40),
    make_run("low_rank", 0.1, 0, 0.4, 400),
    make_run("low_rank", 0.2, 0, 0.7, 400),
]
STUDY = study_file.Study(
    score_data_pattern="more*",
    seeds=(0, 1),
    grid={"rate": (0.1, 0.2), "kind": ("dense", "circulant", "low_rank")},
)


def test_frontier():
    combined = table.combine(RUNS, "gap")
    best = plot.frontier(combined, "gap")
    assert [(one.num_bytes, *one.values.values()) for one in best] == [
        (40, 0.1, "circulant"),
        (400, 0.2, "low_rank"),
        (4000, 0.1, "dense"),
    ]


def test_points_are_the_combinations(tmp_path, monkeypatch):
    figure_lib = pytest.importorskip("matplotlib.figure")
    figures = []
    original = figure_lib.Figure.savefig

    def savefig(self, *args, **kwargs):
        figures.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(figure_lib.Figure, "savefig", savefig)
    path = tmp_path / "study.png"
    plot.plot_study(STUDY, RUNS, str(path))
    assert path.read_bytes().startswith(b"\x89PNG")
    (axis,) = figures[0].axes
    # A colour a kind: texts, not the rates, which come first.
    assert axis.get_legend().get_title().get_text() == "kind"
    found = {
        group.get_label(): sorted(
            (x, round(y, 6)) for x, y in group.lines[0].get_xydata().tolist()
        )
        for group in axis.containers
    }
    assert found == {
        "circulant": [(40, 0.5)],
        "dense": [(4000, 0.6), (4000, 0.75)],
        "low_rank": [(400, 0.4), (400, 0.7)],
    }
    texts = {text.get_text(): text.xy for text in axis.texts}
    assert [text.get_text() for text in axis.texts] == [
        "rate=0.1",
        "rate=0.2",
        "rate=0.1",
    ]
    assert texts["rate=0.2"] == (400, 0.7)
    assert axis.get_ylabel() == "GAP@20"
    assert axis.get_xscale() == "log"


def test_seeds_alone_have_one_point(tmp_path):
    pytest.importorskip("matplotlib")
    study = study_file.Study(score_data_pattern="a", seeds=(0,))
    run = study_run.StudyRun("seed=0", {}, 0, None, RUNS[0].score)
    plot.plot_study(study, [run], str(tmp_path / "study.svg"))
    assert (tmp_path / "study.svg").read_text().startswith("<?xml")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert not plot.can_plot()
