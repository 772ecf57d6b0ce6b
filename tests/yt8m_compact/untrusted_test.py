"""Tests of reading text, JSON and CSV that anyone may have written."""

import os
import threading

import pytest

from yt8m_compact import untrusted

_LONG = "a" * 999


def test_json_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    text = '{"a": [1, -2.5, 9223372036854775807, null, true, "\u00e9"]}'
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    expected = {"a": [1, -2.5, 2**63 - 1, None, True, "\u00e9"]}
    assert untrusted.read_json("~/a.json", "JSON") == expected
    # With a byte order mark, as some editors write it.
    (tmp_path / "a.json").write_text(text, encoding="utf-8-sig")
    assert untrusted.read_json(tmp_path / "a.json", "JSON") == expected
    assert untrusted.read_json(f"file://{tmp_path}/a.json", "JSON") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("[" * 65 + "]" * 65, "values nested too deeply$"),
        ("[" * 100_000, "values nested too deeply$"),
        ('{"a":' * 100_000, "values nested too deeply$"),
        ('{"a": NaN}', "NaN, which is no number$"),
        ("-Infinity", "-Infinity, which is no number$"),
        ("1e999", "1e999, which no number can hold$"),
        ("9223372036854775808", "9223372036854775808, a number beyond 64 bits"),
        ("9" * 5000, "9{40}, a number beyond 64 bits$"),
        ('{"a": 1, "b": 2, "a": 1}', "'a' twice$"),
        (f'{{"{_LONG}": 1, "{_LONG}": 2}}', "'a{80}' twice$"),
    ],
)
def test_what_json_may_not_be(text, message):
    with pytest.raises(
        ValueError, match=f"^here: expected a plan. Received: {message}"
    ):
        untrusted.parse_json(text, "here", "a plan")


def test_the_depth_that_is_allowed():
    assert untrusted.parse_json("[" * 64 + "]" * 64, "here", "a plan")


def test_what_is_not_there_too_large_or_no_text(tmp_path):
    with pytest.raises(
        ValueError, match="^gone: expected a plan. Received: no such file$"
    ):
        untrusted.read_text("gone", "a plan")
    with pytest.raises(
        ValueError, match="^file:///gone: expected a plan. Received: no such"
    ):
        untrusted.read_text("file:///gone", "a plan")
    with pytest.raises(OSError, match=str(tmp_path)):
        untrusted.read_text(tmp_path, "a plan")
    path = tmp_path / "a"
    path.write_bytes(bytes(1000))
    assert untrusted.read_bytes(path, "a plan", 1000) == bytes(1000)
    for large, limit in ((path, 999), ("/dev/zero", 5 << 20)):
        with pytest.raises(
            ValueError,
            match=f"^{large}: expected a plan of at most {limit:,} bytes. "
            "Received: a larger file$",
        ):
            untrusted.read_bytes(large, "a plan", limit)
    path.write_bytes(b"a\xff")
    with pytest.raises(ValueError, match=f"{path}: expected a plan. .*not UTF"):
        untrusted.read_text(path, "a plan")


def test_a_pipe_is_read(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("[1]",))
    writer.start()
    assert untrusted.read_json(path, "JSON") == [1]
    writer.join()


def test_csv_is_parsed():
    text = 'a,"b\nc"\r\n\n,\nd,=1\n'
    assert untrusted.parse_csv(text, "here", "CSV") == [
        (2, ["a", "b\nc"]),
        (5, ["d", "=1"]),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nc\0,d\n", "here: line 2: expected CSV. Received: a zero byte"),
        # A quotation mark that is not closed takes the rest for its cell.
        ('a,b\nc,"' + "d\n" * 70_000, r"here: line \d+: expected CSV.*131072"),
        ("a" * 131_073, "here: line 1: expected CSV. .*field limit .131072"),
    ],
)
def test_what_csv_may_not_be(text, message):
    with pytest.raises(ValueError, match=message):
        untrusted.parse_csv(text, "here", "CSV")


def test_what_is_in_a_file_and_no_folder(tmp_path):
    (tmp_path / "file").touch()
    message = "/file/a: expected it. Received: no such file; .*/file is no fold"
    with pytest.raises(ValueError, match=message):
        untrusted.read_bytes(tmp_path / "file" / "a", "it")
