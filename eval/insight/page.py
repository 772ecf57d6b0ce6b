"""A page of HTML that holds all of an evaluation, its pictures included."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
import dataclasses
import html
import re

import numpy as np

from yt8m_compact.eval.insight import details as details_lib

# Rare classes have a good or bad average precision by chance.
_LEAST_VIDEOS = 10
_NUM_ROWS = 20
_NUM_CHANGES = 12
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2em auto;
  max-width: 80em; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2em; }
h3 { font-size: 1em; margin-bottom: .3em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums;
  font-size: .92em; }
.wide { overflow-x: auto; }
td, th { padding: .15em .55em; text-align: right;
  border-bottom: 1px solid #ddd; }
th { font-weight: 600; background: #f6f6f6; }
td:not(.text) { white-space: nowrap; }
td:first-child, th:first-child, .text { text-align: left; }
.columns { display: flex; flex-wrap: wrap; gap: 1em 2.5em; }
figure { margin: 0; flex: 1 1 28em; max-width: 38em; }
figure img { width: 100%; height: auto; }
figcaption, .note { color: #666; font-size: .9em; max-width: 52em; }
"""
_CAPTIONS = {
    "gap_against_bytes": "GAP against the size of the models.",
    "precision_recall": "Precision and recall of the predictions that GAP"
    " ranks, over all thresholds. Recall counts all labels, so that the line"
    " ends where labels are not among a video's best classes.",
    "reliability": "How often predictions are right against what they say, and"
    " how many there are; a line above the diagonal is too modest, one below it"
    " too sure. ECE is the mean distance, by predictions.",
    "class_frequency": "Average precision of classes against how many videos"
    " have them.",
    "groups": "GAP of some classes alone, with their labels in brackets. Head,"
    " middle and tail are the most frequent, the next and the rarest classes"
    " with a third of all labels each; below are the verticals, where the"
    " vocabulary has them.",
}


@dataclasses.dataclass(frozen=True)
class Page:
    """What the page shows.

    Attributes:
        title: The heading.
        about: Lines of text below it.
        headers: Of the table of models.
        rows: Of the table of models.
        differences: Rows of the same columns, as many as have differences.
        names: The name of each class, as far as they are known.
        insights: By the name of the model.
        pictures: PNG files, by their names.
    """

    title: str
    about: Sequence[str]
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    differences: Sequence[Sequence[str]]
    names: Mapping[int, str]
    insights: Mapping[str, details_lib.Insight]
    pictures: Mapping[str, bytes]

    def to_html(self) -> str:
        """Writes the page; it asks for no other file."""
        parts = [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{_escape(self.title)}</title>",
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{_escape(self.title)}</h1>",
            *(f'<p class="note">{_escape(line)}</p>' for line in self.about),
            _table(self.headers, self.rows),
        ]
        if self.differences:
            names = self.headers[1 : len(self.differences[0])]
            parts.append("<h3>Differences</h3>")
            parts.append(_table(["difference", *names], self.differences))
        parts.append('<h2>Pictures</h2><div class="columns">')
        parts += [
            _figure(name, self.pictures[name])
            for name in _CAPTIONS
            if name in self.pictures
        ]
        parts.append("</div>")
        parts += [self._changes()] if len(self.insights) > 1 else []
        for name, insight in self.insights.items():
            parts.append(self._section(name, insight))
        parts.append("</body></html>")
        return "\n".join(parts) + "\n"

    def _section(self, name: str, insight: details_lib.Insight) -> str:
        """Writes what is known of one model."""
        table = insight.classes
        rated = np.flatnonzero(table.support >= _LEAST_VIDEOS)
        worst = rated[
            np.argsort(table.average_precision[rated], kind="stable")
        ][:_NUM_ROWS]
        classes = [
            [
                self._name(index),
                f"{table.support[index]:,}",
                *(
                    _number(getattr(table, column)[index])
                    for column in (
                        "average_precision",
                        "precision",
                        "recall",
                        "f1",
                        "threshold",
                    )
                ),
            ]
            for index in worst
        ]
        confused = [
            [
                self._name(one.missed),
                self._name(one.predicted),
                f"{one.count:,.1f}",
                f"{one.share:.0%}",
            ]
            for one in insight.confusions[:_NUM_ROWS]
        ]
        groups = [
            [
                group.name,
                f"{group.num_classes:,}",
                f"{group.num_labels:,}",
                _number(group.gap),
                _number(group.map),
            ]
            for group in [*insight.frequencies, *insight.verticals]
            if group.num_labels
        ]
        return "\n".join(
            [
                f"<h2>{_escape(name)}</h2>",
                '<div class="columns"><div>',
                "<h3>Groups of classes</h3>",
                _table(["group", "classes", "labels", "GAP", "MAP"], groups),
                "</div><div>",
                "<h3>Most confused</h3>",
                '<p class="note">Of a video with n labels, classes among the '
                "first n that are wrong stand in the place of labels that are "
                "missing there. Share: of all misses of the class.</p>",
                _table(
                    ["missed", "predicted", "times", "share"],
                    confused,
                    num_text=2,
                ),
                "</div></div>",
                "<h3>Worst classes</h3>",
                f'<p class="note">By average precision, of classes with '
                f"{_LEAST_VIDEOS} videos or more. Precision and recall are at "
                "the score as of which F1 is best, the threshold.</p>",
                _table(
                    [
                        "class",
                        "videos",
                        "AP",
                        "precision",
                        "recall",
                        "F1",
                        "threshold",
                    ],
                    classes,
                ),
            ]
        )

    def _changes(self) -> str:
        """Writes the classes that differ the most from those of the first."""
        (first, one), *others = self.insights.items()
        letter = first.split()[0]
        parts = ["<h2>Classes that changed the most</h2>"]
        for name, other in others:
            before = one.classes.average_precision
            change = other.classes.average_precision - before
            rated = np.flatnonzero(one.classes.support >= _LEAST_VIDEOS)
            order = rated[np.argsort(change[rated], kind="stable")]
            parts.append(
                f'<p class="note">Average precision of {_escape(name)} beside '
                f"that of {_escape(first)}, of classes with {_LEAST_VIDEOS} "
                "videos or more.</p>"
            )
            parts.append('<div class="columns">')
            for heading, classes in (
                ("Worse", order[change[order] < 0][:_NUM_CHANGES]),
                ("Better", order[change[order] > 0][: -_NUM_CHANGES - 1 : -1]),
            ):
                rows = [
                    [
                        self._name(index),
                        f"{one.classes.support[index]:,}",
                        _number(before[index]),
                        _number(other.classes.average_precision[index]),
                        f"{change[index]:+.3f}",
                    ]
                    for index in classes
                ]
                parts.append(f"<div><h3>{heading}</h3>")
                headers = ["class", "videos", letter, name.split()[0], "change"]
                parts.append(_table(headers, rows) + "</div>")
            parts.append("</div>")
        return "\n".join(parts)

    def _name(self, index: int) -> str:
        name = self.names.get(int(index), str(index))
        return f"class {name}" if name == str(index) else name


def _figure(name: str, picture: bytes) -> str:
    data = base64.b64encode(picture).decode()
    return (
        f'<figure><img alt="{_escape(_CAPTIONS[name])}" '
        f'src="data:image/png;base64,{data}">'
        f"<figcaption>{_escape(_CAPTIONS[name])}</figcaption></figure>"
    )


def _table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], num_text: int = 1
) -> str:
    def cell(kind: str, column: int, text: str) -> str:
        style = ' class="text"' if column < num_text else ""
        return f"<{kind}{style}>{_escape(text)}</{kind}>"

    lines = [
        "<tr>" + "".join(cell(kind, *one) for one in enumerate(row)) + "</tr>"
        for kind, row in [("th", headers), *(("td", row) for row in rows)]
    ]
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3f}"


def _escape(text: str) -> str:
    # As tables of text write it, where a terminal may lack the sign.
    return re.sub(r"(?<=\d) \+-(?=\d)", " &plusmn;", html.escape(text))
