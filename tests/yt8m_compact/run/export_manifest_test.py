"""Tests of the manifest of an export."""

import hashlib
import json
import re

import pytest

import yt8m_compact
from yt8m_compact.run import export_manifest


@pytest.fixture
def folder(tmp_path):
    """A folder of two files and a model card, and its manifest."""
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "config.json").write_text("{}")
    (tmp_path / "README.md").write_text("# A model\n")
    export_manifest.write(str(tmp_path), {"step": 7})
    return tmp_path


def entry(content: bytes) -> dict:
    digest = hashlib.sha256(content).hexdigest()
    return {"bytes": len(content), "sha256": digest}


def test_what_it_holds(folder):
    content = json.loads((folder / "export_manifest.json").read_text())
    assert content == {
        "format_version": 1,
        "written_by": yt8m_compact.__version__,
        "step": 7,
        "files": {
            "assets/config.json": entry(b"{}"),
            "model.bin": entry(b"weights"),
        },
    }
    assert export_manifest.read(str(folder)) == content


def test_what_was_not_touched_passes(folder):
    # The card is for people to fill in, and others may add files.
    (folder / "README.md").write_text("# A model\n\nMIT\n")
    (folder / "notes.txt").write_text("mine")
    assert export_manifest.verify(str(folder))
    assert export_manifest.verify_file(folder / "model.bin")
    assert not export_manifest.verify_file(folder / "notes.txt")


@pytest.mark.parametrize("content", [b"weightz", b"weights ", None])
def test_a_damaged_file_is_refused_by_its_name(folder, content):
    path = folder / "model.bin"
    received = "no such file"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        received = f"{len(content)} bytes of SHA-256 {digest}"
    message = (
        f"{path}: expected the file that yt8m-export wrote, 7 bytes of SHA-256 "
        f"{hashlib.sha256(b'weights').hexdigest()}, as export_manifest.json "
        f"says. Received: {received}; copy the folder again, or export again"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        export_manifest.verify(str(folder))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        export_manifest.verify_file(path)
    assert export_manifest.verify_file(folder / "assets/config.json") is False


def test_folder_without_a_manifest(tmp_path):
    assert export_manifest.read(str(tmp_path)) is None
    assert not export_manifest.verify(str(tmp_path))
    assert not export_manifest.verify_file(tmp_path / "model.bin")


@pytest.mark.parametrize(
    ("content", "received"),
    [
        ([], "[]"),
        ({}, "format_version=None"),
        ({"format_version": 2, "files": {}}, "format_version=2"),
        ({"format_version": 1}, "files=None"),
        ({"format_version": 1, "files": {"a": 1}}, "'a': 1"),
        (
            {"format_version": 1, "files": {"a": {"bytes": 1, "sha256": "0"}}},
            "'a': {'bytes': 1, 'sha256': '0'}",
        ),
        (
            {"format_version": 1, "files": {"../a": entry(b"")}},
            "a file that is not of the folder, '../a'",
        ),
        (
            {"format_version": 1, "files": {"/etc/passwd": entry(b"")}},
            "a file that is not of the folder, '/etc/passwd'",
        ),
    ],
)
def test_damaged_manifests(tmp_path, content, received):
    path = tmp_path / "export_manifest.json"
    path.write_text(json.dumps(content))
    message = (
        f"{path}: expected the manifest that yt8m-export wrote. Received: "
        f"{received}; export again"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        export_manifest.verify(str(tmp_path))


def test_a_manifest_that_is_no_json(tmp_path):
    (tmp_path / "export_manifest.json").write_text("{")
    message = "expected the manifest that yt8m-export wrote. Received: "
    with pytest.raises(ValueError, match=message):
        export_manifest.verify(str(tmp_path))
