"""The folder of files that says what an evaluation found."""

from __future__ import annotations

from collections.abc import Mapping
import json
import os

from yt8m_compact import files
from yt8m_compact.eval import comparison
from yt8m_compact.eval.insight import class_file
from yt8m_compact.eval.insight import page
from yt8m_compact.eval.insight import plots

PAGE = "index.html"


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
        pictures["gap_against_bytes"] = plots.draw_gap_against_bytes(
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

    The folder is made if need be. `index.html` holds all it shows;
    `comparison.json`, `insight.json`, `classes.csv` and `confused.csv` have the
    numbers (`classes_A.csv` and so on of several models), and the pictures are
    there as PNG files, too.

    Args:
        compared: One model or several, with their insight.
        folder: The folder.
        names: The name of each class, as far as they are known.
        pictures: Of `draw`.
    """
    if files.is_local(folder):  # Others make folders with files.
        os.makedirs(folder, exist_ok=True)
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
    comparison.write_json(compared, os.path.join(folder, "comparison.json"))
    with files.writing(os.path.join(folder, "insight.json")) as file:
        values = {title: one.to_dict() for title, one in insights.items()}
        file.write(json.dumps(values, indent=2) + "\n")
    for name, picture in pictures.items():
        with files.writing(os.path.join(folder, f"{name}.png"), "wb") as file:
            file.write(picture)
    headers, rows = compared.table()
    about = f"{compared.num_videos:,} videos of {compared.eval_data_pattern}."
    written = page.Page(
        title="Comparison" if len(insights) > 1 else f"Evaluation of {title}",
        about=[
            about,
            "\N{PLUS-MINUS SIGN} and [] are 95 % intervals: "
            f"{compared.num_draws} draws of as many videos, of differences on "
            "the same draws.",
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
