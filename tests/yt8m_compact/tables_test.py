"""Tests of tables that fit into a terminal."""

from yt8m_compact import tables

COLUMNS = (
    tables.Column("layer", ["embedding_projection", "fc"], is_name=True),
    tables.Column("units", ["1,152", "2"], rank=2),
    tables.Column("% of dense", ["0.17", "100.00"], rank=1),
    tables.Column("bytes", ["9,216", "8"]),
)
WIDE = """\
layer                 units  % of dense  bytes
--------------------  -----  ----------  -----
embedding_projection  1,152        0.17  9,216
fc                        2      100.00      8"""


def test_as_wide_as_it_is():
    assert tables.to_text(COLUMNS) == WIDE
    assert tables.to_text(COLUMNS, 46) == WIDE


def test_headers_of_two_lines():
    # "% of" above "dense", as short as halves of it are: 6 signs, of 100.00.
    assert tables.to_text(COLUMNS, 45).splitlines() == [
        "                               % of",
        "layer                 units   dense  bytes",
        "--------------------  -----  ------  -----",
        "embedding_projection  1,152    0.17  9,216",
        "fc                        2  100.00      8",
    ]


def test_what_is_left_out_is_named():
    assert tables.to_text(COLUMNS, 40).splitlines() == [
        "                        % of",
        "layer                  dense  bytes",
        "--------------------  ------  -----",
        "embedding_projection    0.17  9,216",
        "fc                    100.00      8",
        "(--verbosity=1 and wider terminals show:",
        " units)",
    ]


def test_names_are_cut_in_the_middle_last():
    assert tables.to_text(COLUMNS, 20).splitlines() == [
        "layer          bytes",
        "-------------  -----",
        # 13 signs: 5, dots, 5.
        "embed...ction  9,216",
        "fc                 8",
        "(--verbosity=1 and",
        " wider terminals",
        " show: units, % of",
        " dense)",
    ]


def test_the_longer_of_two_names_is_cut():
    columns = (
        tables.Column("a", ["x" * 20], is_name=True),
        tables.Column("b", ["y" * 12], is_name=True),
        tables.Column("c", ["1"]),
    )
    # 32 - 12 - 1 - 2 gaps of 2 = 15 are left for the first.
    assert tables.to_text(columns, 32).splitlines()[-1] == (
        "xxxxxx...xxxxxx  yyyyyyyyyyyy  1"
    )


def test_no_name_is_cut_to_nothing():
    text = tables.to_text(COLUMNS, 1)
    assert "emb...ion  9,216" in text.splitlines()
