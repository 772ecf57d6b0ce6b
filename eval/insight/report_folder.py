"""The folder of files that says what an evaluation found."""

from __future__ import annotations

from collections.abc import Mapping
import os
import re

from yt8m_compact import files
from yt8m_compact.eval import comparison
from yt8m_compact.eval.insight import class_file
from yt8m_compact.eval.insight import page
from yt8m_compact.eval.insight import plots

PAGE = "index.html"
_COMPARISON = "comparison.json"
_INSIGHT = "insight.json"
_GAP_AGAINST_BYTES = "gap_against_bytes"
# All that reports of this and earlier versions have, with TensorBoard's events
# and what file managers and killed processes leave in any folder.
_OWN = re.compile(
    rf"{re.escape(PAGE)}|{re.escape(_COMPARISON)}|{re.escape(_INSIGHT)}"
    r"|(classes|confused)(_[A-Z][0-9]*)?\.csv"
    rf"|({'|'.join(plots.INSIGHT_NAMES)}|{_GAP_AGAINST_BYTES})\.png"
    rf"|events\.out\.tfevents\..*|\.DS_Store|\..*{re.escape(files.PARTIAL)}"
)


def check_replaceable(folder: str, output_json: str | None = None) -> None:
    """Refuses a folder with anything in it but an earlier report.

    Args:
        folder: The folder.
        output_json: A file that may be there too, since it is written anew.

    Raises:
        ValueError: If something else is in it.
    """
    if not files.is_folder(folder):
        return
    names = sorted(name.rstrip("/") for name in files.list_folder(folder))
    if output_json and _is_in(output_json, folder):
        kept = os.path.basename(output_json)
        names = [name for name in names if name != kept]
    others = [name for name in names if not _OWN.fullmatch(name)]
    if names and not {PAGE, _INSIGHT} <= {*names}:
        others = others or names
    if others:
        raise ValueError(
            "expected report_dir to be a folder that is new, empty, or of an "
            "earlier report, which is replaced. Received: "
            f"report_dir={folder!r} with {others[0]!r} in it; name another one"
        )


def _is_in(path: str, folder: str) -> bool:
    """Whether a file lies in a folder, not in one of its folders."""
    return os.path.realpath(os.path.dirname(path)) == os.path.realpath(folder)


def draw(compared: comparison.Comparison) -> dict[str, bytes]:
    """Draws all pictures of an evaluation.

    Args:
        compared: One model or several, with their insight.

    Returns:
        PNG files by name.
    """
    members = dict(zip(compared.titles, compared.members, strict=True))
    pictures = plots.draw_insights(
        {
            title: member.insight
            for title, member in members.items()
            if member.insight is not None
        }
    )
    sized = {
        title: (
            member.costs.num_bytes,
            member.metrics["gap"],
            member.half_width("gap"),
        )
        for title, member in members.items()
        if member.costs.num_bytes is not None
    }
    if len(sized) > 1:
        pictures[_GAP_AGAINST_BYTES] = plots.draw_gap_against_bytes(
            sized, compared.top_k
        )
    return pictures


def write(
    compared: comparison.Comparison,
    folder: str,
    names: Mapping[int, str],
    pictures: Mapping[str, bytes],
) -> None:
    """Writes the page, its pictures, and tables of classes.

    `index.html` holds all it shows;
    `comparison.json`, `insight.json`, `classes.csv` and `confused.csv` have the
    numbers (`classes_A.csv` and so on of several models), and the pictures are
    there as PNG files, too.

    Args:
        compared: One model or several, with their insight.
        folder: A new folder, of `files.writing_folder`.
        names: The name of each class, as far as they are known.
        pictures: Of `draw`.
    """
    insights = {}
    for letter, title, member in zip(
        compared.letters, compared.titles, compared.members, strict=True
    ):
        if member.insight is None:
            continue
        insights[title] = member.insight
        ending = f"_{letter}" if len(compared.members) > 1 else ""
        class_file.write_classes(
            member.insight.classes,
            os.path.join(folder, f"classes{ending}.csv"),
            names,
        )
        class_file.write_confusions(
            member.insight.confusions,
            os.path.join(folder, f"confused{ending}.csv"),
            names,
        )
    files.write_json(os.path.join(folder, _COMPARISON), compared.to_dict())
    files.write_json(
        os.path.join(folder, _INSIGHT),
        {title: one.to_dict() for title, one in insights.items()},
    )
    for name, picture in pictures.items():
        with files.writing(os.path.join(folder, f"{name}.png"), "wb") as file:
            file.write(picture)
    headers, rows = compared.table()
    about = f"{compared.num_videos:,} videos of {compared.eval_data_pattern}."
    # A file of predictions is compared, and has no insight.
    title = "Comparison"
    if len(compared.members) == 1:
        title = f"Evaluation of {compared.members[0].name}"
    written = page.Page(
        title=title,
        about=[
            about,
            "\N{PLUS-MINUS SIGN} and [] are 95 % intervals: "
            f"{compared.num_draws} draws of as many videos, of differences on "
            "the same draws.",
            *(f"{note}." for note in [compared.listing_note()] if note),
        ],
        headers=headers,
        rows=rows,
        differences=compared.difference_rows(),
        names=names,
        insights=insights,
        pictures=pictures,
    )
    with files.writing(os.path.join(folder, PAGE)) as file:
        file.write(written.to_html())
