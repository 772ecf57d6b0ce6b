"""Tests of downloading, from a server that does what servers do."""

import dataclasses
import fcntl
import hashlib
import http.server
import io
import json
import pathlib
import re
import threading
import time
import urllib.request

import pytest

import record_makers
from yt8m_compact import datasets
from yt8m_compact.datasets import download

_PAGE = b"<!DOCTYPE html><html><body>404 not found</body></html>" * 20


@dataclasses.dataclass
class _Site:
    """What a server has, and how it behaves.

    Attributes:
        files: Contents by path.
        faults: What to do with the next requests for a path: "cut" (half of
            what is asked for), "slow", "stall", "page" (HTML with status 200),
            "wrong" (other bytes), "busy" (503), "no_range", "endless" (the
            content again and again, of unknown length), "large" (a length of
            10^12 bytes), or "to ADDRESS" (a redirect).
        requests: `(path, Range header)` of every request.
    """

    files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    faults: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    requests: list[tuple[str, str | None]] = dataclasses.field(
        default_factory=list
    )
    url: str = ""

    def ranges(self, name: str) -> list[str | None]:
        """Returns the Range headers of the requests for a file."""
        return [r for path, r in self.requests if path.endswith(name)]


@pytest.fixture(name="site")
def fixture_site(monkeypatch):
    site = _Site()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *args):
            pass

        def do_GET(self):
            wanted = self.headers.get("Range")
            site.requests.append((self.path, wanted))
            faults = site.faults.get(self.path, [])
            fault = faults.pop(0) if faults else ""
            content = site.files.get(self.path)
            status, headers, start = 200, {}, 0
            if content is None or fault == "busy":
                status, content = (404 if content is None else 503), _PAGE
            elif fault == "page":
                content = _PAGE
            elif fault.startswith("to "):
                status, content = 302, b""
                headers["Location"] = fault.removeprefix("to ")
            elif fault == "wrong":
                content = bytes(byte ^ 1 for byte in content)
            if status == 200 and wanted and fault != "no_range":
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                end = f"{len(content) - 1}/{len(content)}"
                if start >= len(content):
                    status, content = 416, b""
                    headers["Content-Range"] = f"bytes */{start}"
                else:
                    status, content = 206, content[start:]
                    headers["Content-Range"] = f"bytes {start}-{end}"
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if fault == "large":
                self.send_header("Content-Length", "1000000000000")
            elif fault != "endless":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            while fault == "endless":
                self.wfile.write(content)
            if fault == "cut":
                content = content[: len(content) // 2]
            if fault == "stall":
                self.wfile.write(content[:10])
                self.wfile.flush()
                time.sleep(1.0)
            elif fault == "slow":
                for place in range(0, len(content), 200):
                    self.wfile.write(content[place : place + 200])
                    time.sleep(0.05)
            else:
                self.wfile.write(content)

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, request, client_address):
            pass  # the client went away

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site.url = f"http://127.0.0.1:{server.server_port}"
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(name="shards")
def fixture_shards(site, tmp_path) -> dict[str, bytes]:
    """Three shards, which the server has with their plan."""
    shards = {}
    for number in range(3):
        name = f"train{number:04d}.tfrecord"
        path = tmp_path / "made" / name
        path.parent.mkdir(exist_ok=True)
        record_makers.write_tfrecord(
            path,
            [
                record_makers.make_frame_example(10 * number + i)
                for i in range(number + 2)
            ],
        )
        shards[name] = path.read_bytes()
        site.files[f"/2/frame/train/{name}"] = shards[name]
    plan = {
        name: hashlib.md5(content).hexdigest()
        for name, content in shards.items()
    }
    site.files["/2/download_plans/frame_train.json"] = json.dumps(
        {"files": plan}
    ).encode()
    return shards


def _download(site, folder, **kwargs) -> list[str]:
    settings = {
        "base_url": site.url,
        "timeout_s": 20.0,
        "num_retries": 2,
        "pause_s": 0.01,
    }
    config = datasets.DownloadConfig(**(settings | kwargs))
    return datasets.download_files(str(folder), config)


def _contents(folder: pathlib.Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in folder.iterdir()
        if path.name != download.STATE_NAME
    }


def test_all_files_of_the_plan(site, shards, tmp_path):
    files = _download(site, tmp_path / "out")
    assert [pathlib.Path(file).name for file in files] == sorted(shards)
    assert _contents(tmp_path / "out") == shards


def test_a_second_call_asks_for_nothing_again(site, shards, tmp_path):
    _download(site, tmp_path / "out")
    site.requests.clear()
    _download(site, tmp_path / "out")
    assert [path for path, _ in site.requests] == [
        "/2/download_plans/frame_train.json"
    ]


def test_a_fraction_is_the_one_of_the_official_script(site, shards, tmp_path):
    # download.py: int(md5(name), 16) % num_shards == shard_id - 1.
    for part in (1, 2, 3):
        expected = {
            name: content
            for name, content in shards.items()
            if int(hashlib.md5(name.encode()).hexdigest(), 16) % 3 == part - 1
        }
        folder = tmp_path / f"out{part}"
        if expected:
            _download(site, folder, shard=(part, 3))
            assert _contents(folder) == expected
        else:
            with pytest.raises(ValueError, match=f"shard={part},3; choose a"):
                _download(site, folder, shard=(part, 3))


@pytest.mark.parametrize(
    ("fault", "timeout_s"), [("cut", 20.0), ("stall", 0.5)]
)
def test_a_connection_that_ends_is_continued(
    site, shards, tmp_path, fault, timeout_s
):
    name = "train0001.tfrecord"
    # More often than num_retries: each time it gets further.
    site.faults[f"/2/frame/train/{name}"] = [fault] * 3
    _download(site, tmp_path / "out", timeout_s=timeout_s, num_retries=2)
    assert _contents(tmp_path / "out") == shards
    first, *others = site.ranges(name)
    assert first is None
    starts = [int(found.removeprefix("bytes=")[:-1]) for found in others]
    assert len(starts) == 3
    assert starts == sorted(set(starts))
    assert starts[0] > 0


def test_a_slow_server_is_waited_for(site, shards, tmp_path):
    # Longer than the timeout in all, but never without a byte.
    site.files["/2/frame/train/train0000.tfrecord"] = content = (
        shards["train0000.tfrecord"] * 20
    )
    assert len(content) / 200 * 0.05 > 1.2
    site.faults["/2/frame/train/train0000.tfrecord"] = ["slow"]
    _download(
        site,
        tmp_path / "out",
        file_names=("train0000.tfrecord",),
        timeout_s=1.2,
    )
    assert _contents(tmp_path / "out") == {"train0000.tfrecord": content}
    assert len(site.ranges("train0000.tfrecord")) == 1


def test_a_server_that_ignores_range(site, shards, tmp_path):
    name = "train0002.tfrecord"
    site.faults[f"/2/frame/train/{name}"] = ["cut", "no_range"]
    _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == shards
    assert len(site.ranges(name)) == 2


def test_a_part_of_an_earlier_call_is_continued(site, shards, tmp_path):
    name = "train0002.tfrecord"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{name}.part").write_bytes(shards[name][:100])
    _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == shards
    assert site.ranges(name) == ["bytes=100-"]


def test_a_part_that_was_complete(site, shards, tmp_path):
    name = "train0002.tfrecord"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{name}.part").write_bytes(shards[name])
    _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == shards


def test_a_part_of_another_file_is_thrown_away(site, shards, tmp_path):
    name = "train0002.tfrecord"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{name}.part").write_bytes(b"another file")
    _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == shards
    assert site.ranges(name) == ["bytes=12-", None]


@pytest.mark.parametrize("fault", ["wrong", "page", "busy"])
def test_a_fault_that_goes_away(site, shards, tmp_path, fault):
    site.faults["/2/frame/train/train0001.tfrecord"] = [fault] * 2
    _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == shards


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "wrong",
            "a wrong file: md5 [0-9a-f]{32} instead of [0-9a-f]{32}, 3",
        ),
        ("page", "a wrong file: md5 .* is a web page .*, 3 times"),
        ("busy", "ConnectionError: HTTP status 503 .*, 3 times"),
    ],
)
def test_a_fault_that_stays(site, shards, tmp_path, fault, message):
    name = "train0001.tfrecord"
    site.faults[f"/2/frame/train/{name}"] = [fault] * 99
    url = f"{site.url}/2/frame/train/{name}"
    with pytest.raises(
        datasets.DownloadError,
        match=f"1 of 3 files could not be downloaded: {name}. {url}: {message}",
    ):
        _download(site, tmp_path / "out")
    # The others are there, and nothing of this one.
    del shards[name]
    assert _contents(tmp_path / "out") == shards
    assert len(site.ranges(name)) == 3


def test_a_file_that_is_not_there_is_not_asked_for_again(
    site, shards, tmp_path
):
    name = "train0001.tfrecord"
    del site.files[f"/2/frame/train/{name}"]
    with pytest.raises(
        datasets.DownloadError, match=f"train/{name}: HTTP status 404"
    ):
        _download(site, tmp_path / "out")
    assert len(site.ranges(name)) == 1
    assert f"{name}.part" not in _contents(tmp_path / "out")


def test_without_checksums_the_records_are_checked(site, shards, tmp_path):
    name = "train0001.tfrecord"
    site.faults[f"/2/frame/train/{name}"] = ["page", "wrong"]
    _download(site, tmp_path / "out", file_names=(name,))
    assert _contents(tmp_path / "out") == {name: shards[name]}
    site.faults[f"/2/frame/train/{name}"] = ["page"] * 9
    with pytest.raises(datasets.DownloadError, match="is a web page"):
        _download(site, tmp_path / "out2", file_names=(name,))
    site.files[f"/2/frame/train/{name}"] = b""
    site.faults.clear()
    with pytest.raises(datasets.DownloadError, match="an empty file"):
        _download(site, tmp_path / "out3", file_names=(name,))
    assert _contents(tmp_path / "out3") == {}


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_a_file_of_checksums(site, shards, tmp_path, algorithm):
    del site.files["/2/download_plans/frame_train.json"]
    sums = tmp_path / "sums"
    lines = [
        f"{hashlib.new(algorithm, content).hexdigest()}  ./{name}"
        for name, content in shards.items()
    ]
    sums.write_text("\n".join(lines))
    name = "train0001.tfrecord"
    site.faults[f"/2/frame/train/{name}"] = ["wrong"]
    _download(site, tmp_path / "out", checksums=str(sums))
    assert _contents(tmp_path / "out") == shards
    _download(site, tmp_path / "one", checksums=str(sums), file_names=(name,))
    assert list(_contents(tmp_path / "one")) == [name]
    with pytest.raises(ValueError, match="none of other"):
        _download(
            site, tmp_path / "no", checksums=str(sums), file_names=("other",)
        )
    with pytest.raises(ValueError, match="expected a file with checksums"):
        _download(site, tmp_path / "no", checksums=str(tmp_path / "missing"))


def test_a_plan_without_end(site, shards, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "_MAX_PLAN_BYTES", 100_000)
    path = "/2/download_plans/frame_train.json"
    for fault, found in (("endless", "more"), ("large", "1,000,000,000,000")):
        site.faults[path] = [fault]
        with pytest.raises(
            datasets.DownloadError,
            match=f"can't be had: .* at most 100,000 bytes. .*: {found} b",
        ):
            _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == {}
    assert len(site.requests) == 2  # it is not asked for again
    sums = tmp_path / "sums"
    sums.write_bytes(b"0" * 100_001)
    with pytest.raises(ValueError, match="sums: .* at most 100,000 bytes"):
        _download(site, tmp_path / "out", checksums=str(sums))


@pytest.mark.parametrize("fault", ["endless", "large"])
def test_a_file_without_end(site, shards, tmp_path, fault):
    name = "train0001.tfrecord"
    site.faults[f"/2/frame/train/{name}"] = [fault]
    with pytest.raises(
        datasets.DownloadError, match=f"{name}: expected at most 100,000 bytes"
    ):
        _download(site, tmp_path / "out", max_file_gb=1e-4)
    del shards[name]
    assert _contents(tmp_path / "out") == shards


def test_redirects(site, shards, tmp_path):
    name = "train0001.tfrecord"
    path = f"/2/frame/train/{name}"
    site.files["/elsewhere"] = shards[name]
    for target in (f"{site.url}/elsewhere", "/elsewhere"):
        site.faults[path] = [f"to {target}"]
        folder = tmp_path / f"out{len(site.requests)}"
        _download(site, folder, file_names=(name,))
        assert _contents(folder) == {name: shards[name]}
    (tmp_path / "secret").write_bytes(shards[name])
    for target in (
        "ftp://127.0.0.1/a",
        f"file://{tmp_path}/secret",
        "data:,a",
    ):
        site.faults[path] = [f"to {target}"]
        with pytest.raises(
            datasets.DownloadError,
            match=rf"{name}: HTTP status 302\b.*'{re.escape(target)}'",
        ):
            _download(site, tmp_path / "no", file_names=(name,))
    assert _contents(tmp_path / "no") == {}


def test_encryption_is_never_left():
    request = urllib.request.Request("https://127.0.0.1/a")
    redirects = download._Redirects()
    with pytest.raises(download._Refused, match="from https to 'http://b/c'"):
        redirects.redirect_request(
            request, io.BytesIO(), 302, "", {}, "http://b/c"
        )
    found = redirects.redirect_request(
        request, io.BytesIO(), 302, "", {}, "https://b/c"
    )
    assert found.full_url == "https://b/c"


@pytest.mark.parametrize(
    "name",
    [
        "../a",
        "/etc/a",
        "a/b",
        "a\\0b",
        "a\\nb",
        ".hidden",
        "",
        "yt8m_download.json",
        "a.part",
        "a" * 241,
        "\\ud800",
    ],
)
def test_hostile_names_in_plans(site, shards, tmp_path, name):
    name = json.loads(f'"{name}"'.replace("\\0", "\\u0000"))
    plan = json.dumps({"files": {name: "0" * 32, "b.tfrecord": "0" * 32}})
    site.files["/2/download_plans/frame_train.json"] = plan.encode()
    with pytest.raises(
        datasets.DownloadError, match="a wrong file: .*expected"
    ):
        _download(site, tmp_path / "out", num_retries=0)
    assert _contents(tmp_path / "out") == {}


def test_a_hostile_state_is_no_state(site, shards, tmp_path):
    (tmp_path / "out").mkdir()
    for text in ("[" * 100_000, '{"a":' * 100_000, "[]", "{", "\0"):
        (tmp_path / "out" / download.STATE_NAME).write_text(text)
        _download(site, tmp_path / "out")
        assert _contents(tmp_path / "out") == shards


def test_files_of_one_name_and_two_folders():
    one, two = "0" * 32, "1" * 32
    with pytest.raises(
        ValueError,
        match=f"here: expected one checksum .*a with {one} and {two}",
    ):
        datasets.read_checksums(f"{one}  train/a\n{two}  validate/a\n", "here")
    text = f"{one}  train/a\n{one}  validate/a\n"
    assert datasets.read_checksums(text, "here") == {"a": one}


def test_a_plan_that_is_not_there_or_a_page(site, shards, tmp_path):
    path = "/2/download_plans/frame_train.json"
    site.faults[path] = ["page"] * 9
    with pytest.raises(
        datasets.DownloadError,
        match="the list of files can't be had: .*frame_train.json: a wrong "
        "file: .*expected file names with their checksums.*<!DOCTYPE html>",
    ):
        _download(site, tmp_path / "out")
    del site.files[path]
    with pytest.raises(
        datasets.DownloadError, match="HTTP status 404 .*Set checksums or"
    ):
        _download(site, tmp_path / "out")


def test_no_server(tmp_path):
    config = datasets.DownloadConfig(
        # Nothing listens at the discard port.
        base_url="http://127.0.0.1:9",
        file_names=("a.tfrecord",),
        num_retries=1,
        pause_s=0.01,
    )
    with pytest.raises(
        datasets.DownloadError,
        match="http://127.0.0.1:9/2/frame/train/a.tfrecord: .*, 2 times",
    ):
        datasets.download_files(str(tmp_path), config)


def test_two_processes_do_not_write_one_part(site, shards, tmp_path):
    name = "train0001.tfrecord"
    (tmp_path / "out").mkdir()
    part = tmp_path / "out" / f"{name}.part"
    part.write_bytes(shards[name][:100])
    with part.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(
            datasets.DownloadError,
            match=f"{part}: expected no other process that downloads it",
        ):
            _download(site, tmp_path / "out")
        assert part.read_bytes() == shards[name][:100]
    # The lock went with the process.
    _download(site, tmp_path / "out")
    assert _contents(tmp_path / "out") == shards
    assert site.ranges(name) == ["bytes=100-"]


def test_a_full_disk_is_said_to_be_full(site, shards, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in shards:
        (out / f"{name}.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="expected room for train.*free the disk"):
        _download(site, out, num_connections=1)
    assert not any((out / name).exists() for name in shards)


def test_a_file_that_was_there_is_checked(site, shards, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    name = "train0000.tfrecord"
    (out / name).write_bytes(shards[name])
    _download(site, out)
    assert site.ranges(name) == []
    # One that changed since is found, and not replaced.
    (out / name).write_bytes(b"mine")
    with pytest.raises(
        datasets.DownloadError, match=f"{name}: expected the file of .* delete"
    ):
        _download(site, out)
    assert (out / name).read_bytes() == b"mine"


def test_shards_that_differ_in_case_only(site, tmp_path, monkeypatch):
    names = ("trainaB.tfrecord", "trainAb.tfrecord")
    for index, name in enumerate(names):
        path = tmp_path / name
        record_makers.write_tfrecord(
            path, [record_makers.make_frame_example(index)]
        )
        site.files[f"/2/frame/train/{name}"] = path.read_bytes()
    _download(site, tmp_path / "out", file_names=names)
    assert sorted(_contents(tmp_path / "out")) == sorted(names)
    # A disk that does not tell them apart finds the swapped name.
    monkeypatch.setattr(pathlib.Path, "exists", lambda self: True)
    with pytest.raises(
        ValueError, match="lower case.*Received: one that takes"
    ):
        _download(site, tmp_path / "out", file_names=names)


def test_public_addresses():
    config = datasets.DownloadConfig(
        partition="2/video", split="validate", mirror="eu"
    )
    # As in Google's download.py.
    assert config.plan_url == (
        "http://data.yt8m.org/2/download_plans/video_validate.json"
    )
    assert config.file_url("validate0000.tfrecord") == (
        "http://eu.data.yt8m.org/2/video/validate/validate0000.tfrecord"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"partition": "2/frames"}, "partition to be 2/frame, 2/video or 3/"),
        ({"split": "validation"}, "split to be one of train, validate, test"),
        ({"partition": "3/frame"}, "split to be validate or test: no segm"),
        ({"mirror": "mars"}, "mirror to be one of us, eu, asia"),
        ({"shard": (0, 5)}, "shard to be I,N with 1 <= I <= N"),
        ({"shard": (6, 5)}, r"Received: shard=\(6, 5\)"),
        ({"shard": (1,)}, r"Received: shard=\(1,\)"),
        ({"shard": (1, 2, 3)}, r"Received: shard=\(1, 2, 3\)"),
        ({"base_url": "ftp://x"}, "base_url to be an address that starts"),
        ({"num_connections": 0}, "num_connections to be at least 1"),
        ({"timeout_s": 0.0}, "timeout_s to be above 0"),
        ({"max_file_gb": 0}, "max_file_gb to be above 0"),
        ({"num_retries": -1}, "num_retries to be at least 0"),
        ({"pause_s": -1.0}, "pause_s to be at least 0"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        datasets.DownloadConfig(**arguments)


def test_names_must_be_plain(site, tmp_path):
    with pytest.raises(ValueError, match="without folders. Received: .*'../a'"):
        _download(site, tmp_path, file_names=("../a",))
    with pytest.raises(ValueError, match="here: expected file names with"):
        datasets.read_checksums(f"{'0' * 32}  .hidden\n", "here")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "{}",
        "a b c",
        "1234  name",
        f"{'g' * 32}  name",
        '{"a": 3}',
        '{"files":' * 100_000,
        '{"a": NaN}',
        "\0",
    ],
)
def test_what_holds_no_checksums(text):
    with pytest.raises(ValueError, match="here: expected file names with"):
        datasets.read_checksums(text, "here")
