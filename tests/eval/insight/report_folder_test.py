"""Tests of the page of an evaluation, and of what lies beside it."""

import base64
import csv
import html.parser
import io
import json
import re
import sys

from matplotlib import image as image_lib
import numpy as np
import pytest

from yt8m_compact.eval import bootstrap
from yt8m_compact.eval import comparison
from yt8m_compact.eval import metrics as metrics_lib
from yt8m_compact.eval.insight import details as details_lib
from yt8m_compact.eval.insight import plots
from yt8m_compact.eval.insight import report_folder

NAMES = {0: "<b>Game</b>", 1: "Food & drink", 2: "2"}
PICTURES = {"precision_recall", "class_frequency", "groups", "reliability"}


def _member(name, noise, scale=1.0, num_bytes=None):
    rng = np.random.default_rng(7)
    labels = rng.random((200, 6)) < [0.5, 0.4, 0.3, 0.1, 0.05, 0]
    scores = np.clip(labels + noise * rng.standard_normal(labels.shape), 0, 1)
    details = details_lib.Details(6, {"Games": [0, 1], "Empty": [5]})
    draws = bootstrap.Draws(200, num_draws=20)
    with metrics_lib.EvaluationMetrics(6, top_k=3) as metrics:
        details.on_ranking(metrics.update(scale * scores, labels))
        values = metrics.result(details.on_class)
        best = metrics.best_classes()
    return comparison.Member(
        name,
        values,
        comparison.draw_metrics(best, draws),
        comparison.Costs(num_bytes=num_bytes),
        insight=details.finish(best),
    )


def _write(folder, *members):
    compared = comparison.Comparison(members, 200, "data<x>", top_k=3)
    pictures = report_folder.draw(compared)
    report_folder.write(compared, str(folder), NAMES, pictures)
    (folder / "events.out.tfevents.1.host.2.0.v2").touch()
    # Nothing that a report consists of keeps it from being replaced.
    report_folder.check_replaceable(str(folder))
    return pictures, (folder / "index.html").read_text("utf-8")


class _Parser(html.parser.HTMLParser):
    """Reads a page; fails where a tag is not closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.images, self.cells, self.tags = [], [], [], set()
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag == "img":
            self.images.append(dict(attrs)["src"])
        elif tag != "meta":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.mark.slow
def test_one_model(tmp_path):
    folder = tmp_path / "made" / "report"
    folder.mkdir(parents=True)
    pictures, page = _write(folder, _member("model<1>", 0.4))
    assert set(pictures) == PICTURES
    assert {path.name for path in folder.iterdir()} == {
        "events.out.tfevents.1.host.2.0.v2",
        "index.html",
        "classes.csv",
        "confused.csv",
        "comparison.json",
        "insight.json",
        *(f"{name}.png" for name in PICTURES),
    }
    parsed = _Parser(page)
    # It asks for nothing: its pictures are those beside it.
    assert not re.search(r"(src|href)=\"(?!data:)|https?:|url\(", page)
    images = [
        base64.b64decode(source.removeprefix("data:image/png;base64,"))
        for source in parsed.images
    ]
    assert sorted(images) == sorted(pictures.values())
    for name, picture in pictures.items():
        assert (folder / f"{name}.png").read_bytes() == picture
        pixels = image_lib.imread(io.BytesIO(picture), "png")
        # Something is drawn.
        assert pixels.shape[1] > 400 and pixels[..., :3].std() > 0.02
    # Names of strangers stay text.
    assert "b" not in parsed.tags
    assert {"<b>Game</b>", "Food & drink", "class 2"} <= set(parsed.cells)
    assert "Evaluation of model&lt;1&gt;" in page
    assert "data&lt;x&gt;" in page
    values = json.loads((folder / "insight.json").read_text("utf-8"))
    assert list(values) == ["model<1>"]
    assert len((folder / "classes.csv").read_text("utf-8").splitlines()) == 7


@pytest.mark.slow
def test_several_models(tmp_path):
    pictures, page = _write(
        tmp_path,
        _member("dense", 0.4, num_bytes=10**7),
        _member("compact", 0.6, num_bytes=10**5),
        # Not probabilities.
        _member("file", 0.5, scale=30),
    )
    assert set(pictures) == {*PICTURES, "gap_against_bytes"}
    names = {path.name for path in tmp_path.iterdir()}
    assert {"classes_A.csv", "confused_C.csv"} < names
    parsed = _Parser(page)
    assert {"A dense", "B compact", "C file", "B - A"} < set(parsed.cells)
    assert "Classes that changed the most" in page
    with open(tmp_path / "classes_A.csv", newline="", encoding="utf-8") as one:
        before = {row["name"]: row for row in csv.DictReader(one)}
    with open(tmp_path / "classes_B.csv", newline="", encoding="utf-8") as one:
        after = {row["name"]: row for row in csv.DictReader(one)}
    change = float(after["Food & drink"]["average_precision"]) - float(
        before["Food & drink"]["average_precision"]
    )
    assert f"{change:+.3f}" in parsed.cells


REPORT = ("index.html", "insight.json")


@pytest.mark.parametrize(
    ("names", "other"),
    [
        ((), None),
        ((*REPORT, "classes_C.csv", "confused_A1.csv", "groups.png"), None),
        ((*REPORT, "out.json"), None),
        (("out.json",), None),
        ((*REPORT, "notes.txt"), "notes.txt"),
        (("index.html", "style.css"), "style.css"),
        (("index.html",), "index.html"),
        ((*REPORT, "photo.png"), "photo.png"),
    ],
)
def test_what_is_replaced(names, other, tmp_path):
    for name in names:
        (tmp_path / name).touch()
    output = str(tmp_path / "out.json")
    if other is None:
        report_folder.check_replaceable(str(tmp_path), output)
        return
    message = (
        "expected report_dir to be a folder that is new, empty, or of an "
        "earlier report, which is replaced. Received: "
        f"report_dir='{tmp_path}' with '{other}' in it; name another one"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        report_folder.check_replaceable(str(tmp_path), output)


def test_new_folder_is_one_to_write_to(tmp_path):
    report_folder.check_replaceable(str(tmp_path / "new"))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ValueError, match="expected matplotlib.*yt8m_compact.plot.*dir='x'"
    ):
        plots.expect_matplotlib("report_dir", "x")


def test_a_model_beside_a_file_of_predictions(tmp_path):
    file = comparison.Member("out.csv", {"gap": 0.5}, {}, num_listed=20)
    _, text = _write(tmp_path, _member("one", 0.4), file)
    assert "<h1>Comparison</h1>" in text
    assert "B: 20 classes of a video are listed at most." in text
    assert (tmp_path / "classes_A.csv").exists()
    assert not (tmp_path / "classes_B.csv").exists()
    # There is nothing to compare classes with.
    assert "changed the most" not in text
