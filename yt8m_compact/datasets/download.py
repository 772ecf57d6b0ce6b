"""Downloads shards of YouTube-8M, and nothing that is not what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
import concurrent.futures
import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import progress
from yt8m_compact import settings
from yt8m_compact import untrusted
from yt8m_compact.readers import features_file

with lazy.imports():
    from yt8m_compact.datasets import scan
    from yt8m_compact.readers import framing

MIRRORS = ("us", "eu", "asia")
SPLITS = ("train", "validate", "test")
STATE_NAME = "yt8m_download.json"
PUBLIC_HOST = "data.yt8m.org"

_PARTITION = re.compile(r"[123]/(frame|video|frame_level|video_level)")
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256"}
_CHUNK_BYTES = 1 << 20
_RETRY_STATUSES = (408, 425, 429)  # of those below 500
_LONGEST_PAUSE = 60.0  # seconds
# The plan of 3,844 files has 0.2 MB.
_MAX_PLAN_BYTES = 64 << 20
_MAX_NAME_BYTES = 240  # of the 255 that a disk allows, for `.part` and others


@dataclasses.dataclass(frozen=True, kw_only=True)
class DownloadConfig:
    """What to download, and how.

    Raises:
        ValueError: If a setting is out of range, or does not fit the others.

    Example:
        >>> config = yt8m.datasets.DownloadConfig(
        ...     partition="2/video", split="validate", shard=(1, 2), mirror="eu"
        ... )
        >>> config.plan_url
        'http://data.yt8m.org/2/download_plans/video_validate.json'
        >>> config.file_url("validate00.tfrecord")
        'http://eu.data.yt8m.org/2/video/validate/validate00.tfrecord'
        >>> names = [f"validate{number:02}.tfrecord" for number in range(4)]
        >>> [name for name in names if config.is_in_shard(name)]
        ['validate00.tfrecord']
    """

    # 1/frame_level and 1/video_level were those of 2016 and 2017.
    partition: str = settings.setting(
        "2/frame",
        "2/frame or 2/video (2018), or 3/frame (rated segments of 2019).",
    )
    split: str = settings.setting(
        "train", "Which part of the data set.", choices=SPLITS
    )
    mirror: str = settings.setting("us", "Which server.", choices=MIRRORS)
    shard: tuple[int, ...] = settings.setting(
        (1, 1),
        "I,N: the I-th of N parts of the files, such as 1,100; the same files "
        "as with Google's download.py.",
    )
    base_url: str = settings.setting(
        "",
        "Address of another server that has the same folders; https:// is "
        "never left for http://.",
    )
    checksums: str = settings.setting(
        "",
        "File with the names and checksums of the files, as md5sum or "
        "sha256sum write it or JSON, instead of the public download plan.",
        is_path=True,
    )
    file_names: tuple[str, ...] = settings.setting(
        (),
        "Files to download, comma-separated, instead of those of the public "
        "download plan; without checksums, the records' own are checked.",
    )
    num_connections: int = settings.setting(
        8, "Number of files at the same time.", minimum=1
    )
    timeout_s: float = settings.setting(
        60.0,
        "Seconds without a byte after which a connection is given up.",
        above=0,
    )
    num_retries: int = settings.setting(
        5, "How often to try again without getting any further.", minimum=0
    )
    pause_s: float = settings.setting(
        1.0,
        "Seconds before the first of these; then twice as long each.",
        minimum=0,
    )
    max_file_gb: float = settings.setting(
        16.0,
        "Size of a file at which it is given up, in GB: a server may send "
        "without end.",
        above=0,
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        if not _PARTITION.fullmatch(self.partition):
            self._fail("partition", "2/frame, 2/video or 3/frame")
        if self.partition.startswith("3/") and self.split == "train":
            self._fail(
                "split", "validate or test: no segments of train are rated"
            )
        if len(self.shard) != 2 or not 1 <= self.shard[0] <= self.shard[1]:
            self._fail("shard", "I,N with 1 <= I <= N, such as 1,100")
        if self.base_url and not self.base_url.startswith(
            ("http://", "https://")
        ):
            self._fail("base_url", "an address that starts with http(s)://")

    @property
    def plan_url(self) -> str:
        """Where the list of files with their MD5 checksums is."""
        version, level = self.partition.split("/")
        base = self.base_url.rstrip("/") or f"http://{PUBLIC_HOST}"
        return f"{base}/{version}/download_plans/{level}_{self.split}.json"

    def file_url(self, name: str) -> str:
        """Returns where a file is."""
        base = (
            self.base_url.rstrip("/") or f"http://{self.mirror}.{PUBLIC_HOST}"
        )
        return f"{base}/{self.partition}/{self.split}/{name}"

    def is_in_shard(self, name: str) -> bool:
        """Whether a file is in the part that is wanted."""
        part, num_parts = self.shard
        digest = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        return int(digest, 16) % num_parts == part - 1

    def _fail(self, name: str, expected: str) -> None:
        raise ValueError(
            f"DownloadConfig: expected {name} to be {expected}. Received: "
            f"{name}={getattr(self, name)!r}"
        )


class DownloadError(OSError):
    """Files that could not be downloaded; the message names the address.

    Example:
        >>> config = yt8m.datasets.DownloadConfig(
        ...     base_url="http://localhost:9",
        ...     file_names=("a.tfrecord",),
        ...     num_retries=0,
        ... )
        >>> try:
        ...     yt8m.datasets.download_files("records", config)
        ... except yt8m.datasets.DownloadError as error:
        ...     print(str(error).partition(":")[0])
        1 of 1 files could not be downloaded
    """


class _Refused(Exception):
    """What trying again can't mend."""


class _Wrong(Exception):
    """A file that came to its end and is not the right one."""


def download_files(output_dir: str, config: DownloadConfig) -> list[str]:
    """Downloads files, or what is missing of them.

    A file is called `NAME.part` until it is complete and its checksum fits. The
    same call continues, in the middle of a file where the server can do that.

    Args:
        output_dir: Folder to write to.
        config: What to download.

    Returns:
        The names of the files in the folder.

    Raises:
        DownloadError: If a file, or the list of files, can't be had; the others
            are downloaded nevertheless.
        ValueError: If what lies in the folder, or a list, does not fit.
        OSError: If the disk is full.

    Example:
        What is there and has its checksum is not downloaded again:

        >>> import hashlib, pathlib
        >>> pathlib.Path("there").mkdir()
        >>> _ = pathlib.Path("there/a.tfrecord").write_bytes(b"complete")
        >>> checksum = hashlib.md5(b"complete").hexdigest()
        >>> _ = pathlib.Path("md5.txt").write_text(f"{checksum}  a.tfrecord")
        >>> config = yt8m.datasets.DownloadConfig(checksums="md5.txt")
        >>> yt8m.datasets.download_files("there", config)
        ['there/a.tfrecord']
    """
    folder = pathlib.Path(files_lib.expand_user(output_dir))
    features_file.expect_place(str(folder), None)
    folder.mkdir(parents=True, exist_ok=True)
    files = _list_files(config)
    wanted = {n: c for n, c in files.items() if config.is_in_shard(n)}
    if not wanted:
        part, num_parts = config.shard
        raise ValueError(
            f"expected at least one of {len(files)} files in the part. "
            f"Received: shard={part},{num_parts}; choose a larger part"
        )
    _check_case(folder, wanted)
    state = _State(folder / STATE_NAME)
    stop = threading.Event()
    failed: dict[str, Exception] = {}
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(progress.byte_bar("download"))
        executor = concurrent.futures.ThreadPoolExecutor(config.num_connections)
        stack.callback(executor.shutdown, cancel_futures=True)
        stack.callback(stop.set)
        futures = {
            executor.submit(
                _get, folder / name, checksum, config, state, stop, bar.update
            ): name
            for name, checksum in sorted(wanted.items())
        }
        for number, future in enumerate(
            concurrent.futures.as_completed(futures), start=1
        ):
            error = future.exception()
            if isinstance(error, DownloadError | ValueError):
                failed[futures[future]] = error
            elif error is not None:
                raise error
            bar.set_description(f"download {number}/{len(wanted)} files")
    if failed:
        first = failed[min(failed)]
        raise DownloadError(
            f"{len(failed)} of {len(wanted)} files could not be downloaded: "
            f"{', '.join(sorted(failed)[:5])}"
            f"{', ...' if len(failed) > 5 else ''}. {first}. The same command "
            "continues"
        )
    return [str(folder / name) for name in sorted(wanted)]


class _State:
    """Which files of a folder were checked, so that none is read twice."""

    def __init__(self, path: pathlib.Path):
        self._path = path
        self._lock = threading.Lock()
        self._files: dict[str, list] = {}
        # What can't be read says nothing: the files are checked again.
        with contextlib.suppress(ValueError):
            values = untrusted.read_json(path, "JSON", _MAX_PLAN_BYTES)
            self._files = values if isinstance(values, dict) else {}

    def has(self, file: pathlib.Path, checksum: str | None) -> bool:
        """Whether a file was checked and is as it was then."""
        return self._files.get(file.name) == self._entry(file, checksum)

    def add(self, file: pathlib.Path, checksum: str | None) -> None:
        """Notes that a file was checked."""
        with self._lock:
            self._files[file.name] = self._entry(file, checksum)
            with files_lib.writing(self._path) as stream:
                stream.write(json.dumps(self._files, indent=1) + "\n")

    @staticmethod
    def _entry(file: pathlib.Path, checksum: str | None) -> list:
        status = file.stat()
        return [status.st_size, status.st_mtime_ns, checksum]


def read_checksums(text: str, where: str) -> dict[str, str | None]:
    """Reads a list of files with their checksums.

    Args:
        text: JSON, `{"files": {name: checksum}}` as the public download plans,
            or `{name: checksum}`; or lines, `checksum  name`, as `md5sum`,
            `sha1sum` and `sha256sum` write them.
        where: What to call the list in errors.

    Returns:
        The checksum by file name.

    Raises:
        ValueError: If the text is neither, a name is none that a file may have
            here, or occurs twice with different checksums.

    Example:
        >>> text = "d41d8cd98f00b204e9800998ecf8427e  train00.tfrecord"
        >>> yt8m.datasets.read_checksums(text, "md5.txt")
        {'train00.tfrecord': 'd41d8cd98f00b204e9800998ecf8427e'}
    """
    problem = ""
    try:
        if text.lstrip().startswith("{"):
            values = untrusted.parse_json(text, where, "a download plan")
            values = values.get("files", values)
            pairs = [(name, values[name].lower()) for name in values]
        else:
            lines = [line.split(None, 1) for line in text.splitlines()]
            pairs = [
                (os.path.basename(name.strip().lstrip("*")), checksum.lower())
                for checksum, name in filter(None, lines)
            ]
    except (ValueError, AttributeError, TypeError) as error:
        pairs, problem = [], f" ({error!s:.200})"
    good = pairs and all(
        len(checksum) in _ALGORITHMS
        and re.fullmatch("[0-9a-f]+", checksum)
        and _is_plain(name)
        for name, checksum in pairs
    )
    if not good:
        start = " ".join(text[:200].split())[:60]
        raise ValueError(
            f"{where}: expected file names with their checksums: a download "
            "plan in JSON, or lines as md5sum writes them. Received: "
            f"{start!r}{problem}"
        )
    known = {}
    for name, checksum in pairs:
        if known.setdefault(name, checksum) != checksum:
            raise ValueError(
                f"{where}: expected one checksum for each name, since files "
                "are written to one folder; list the files of one folder at a "
                f"time. Received: {name} with {known[name]} and {checksum}"
            )
    return known


def _is_plain(name: str) -> bool:
    """Whether a name is that of a file, and of none that is written beside."""
    return (
        bool(re.fullmatch(r"[\w.-]+", name))
        and not name.startswith(".")
        and not name.endswith(".part")
        and name != STATE_NAME
        and len(name.encode()) <= _MAX_NAME_BYTES
    )


def _list_files(config: DownloadConfig) -> dict[str, str | None]:
    if config.checksums:
        path = files_lib.expand_user(config.checksums)
        text = untrusted.read_text(
            path, "a file with checksums", _MAX_PLAN_BYTES
        )
        known = read_checksums(text, path)
        if not config.file_names:
            return known
        missing = sorted(set(config.file_names) - set(known))
        if missing:
            raise ValueError(
                f"{path}: expected the checksums of all file_names. "
                f"Received: none of {', '.join(missing)}"
            )
        return {name: known[name] for name in config.file_names}
    if config.file_names:
        for name in config.file_names:
            if not _is_plain(name):
                raise ValueError(
                    "expected names of files without folders. Received: "
                    f"file_names={name!r}"
                )
        return dict.fromkeys(config.file_names)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "plan.json"

        def read(part: pathlib.Path) -> dict[str, str | None]:
            content = part.read_bytes()
            text = untrusted.decode(content, config.plan_url, "a download plan")
            return read_checksums(text, config.plan_url)

        def check(part: pathlib.Path) -> None:
            try:
                read(part)
            except ValueError as error:
                raise _Wrong(error) from None

        try:
            _fetch(config.plan_url, file, config, check, _MAX_PLAN_BYTES)
        except DownloadError as error:
            raise DownloadError(
                f"the list of files can't be had: {error}. Set checksums or "
                "file_names to do without it"
            ) from None
        return read(file)


def _check_case(folder: pathlib.Path, names: Iterable[str]) -> None:
    """Refuses a disk on which trainab and trainAB are one file."""
    names = list(names)
    if len({name.lower() for name in names}) == len(names):
        return
    with tempfile.NamedTemporaryFile(dir=folder, prefix="case") as file:
        swapped = os.path.basename(file.name).swapcase()
        if not (folder / swapped).exists():
            return
    raise ValueError(
        f"{folder}: expected a disk that tells upper from lower case, since "
        "shards differ only in that. Received: one that takes both for one "
        "file; choose a folder on another disk"
    )


def _get(
    file: pathlib.Path,
    checksum: str | None,
    config: DownloadConfig,
    state: _State,
    stop: threading.Event,
    update: Callable[[int], None],
) -> None:
    url = config.file_url(file.name)
    if file.exists():
        if not state.has(file, checksum):
            try:
                _check(file, checksum)
            except _Wrong as error:
                raise ValueError(
                    f"{file}: expected the file of {url}, or none. Received: "
                    f"{error}; delete it, and it will be downloaded"
                ) from None
            state.add(file, checksum)
        return
    _fetch(
        url,
        file,
        config,
        lambda part: _check(part, checksum),
        int(config.max_file_gb * 1e9),
        stop,
        update,
    )
    state.add(file, checksum)


def _check(file: pathlib.Path, checksum: str | None) -> None:
    """Raises `_Wrong` unless a file is the right one."""
    if checksum is None:
        records = 0
        for step in scan.scan_records(str(file)):
            if isinstance(step, scan.Damage):
                raise _Wrong(framing.describe_damage(str(file)))
            records += 1
        if not records:
            raise _Wrong("an empty file")
        return
    algorithm = _ALGORITHMS[len(checksum)]
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != checksum:
        text = f"{algorithm} {digest.hexdigest()} instead of {checksum}"
        kind = framing.describe_damage(str(file))
        raise _Wrong(f"{text}. {kind}" if "not a TFRecord" in kind else text)


def _fetch(
    url: str,
    file: pathlib.Path,
    config: DownloadConfig,
    check: Callable[[pathlib.Path], None],
    max_bytes: int,
    stop: threading.Event | None = None,
    update: Callable[[int], None] = lambda number: None,
) -> None:
    """Downloads one file; tries again while that may help."""
    part = file.with_name(f"{file.name}.part")
    with _locked(part):
        _fetch_part(
            url,
            file,
            part,
            config,
            check,
            max_bytes,
            stop or threading.Event(),
            update,
        )


@contextlib.contextmanager
def _locked(part: pathlib.Path) -> Iterator[None]:
    """Keeps the part of a file from other processes, until this one ends."""
    while True:
        lock = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise DownloadError(
                f"{part}: expected no other process that downloads it. "
                "Received: one that does; wait for it, or end it"
            ) from None
        except OSError:
            pass  # a disk without locks
        # Another process may have renamed or removed it before.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), part.stat()):
                break
        os.close(lock)
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            # Not what another process made since this one was renamed.
            mine = os.path.samestat(os.fstat(lock), part.stat())
            if mine and not _size(part) and not part.is_symlink():
                part.unlink()
        os.close(lock)


def _fetch_part(
    url: str,
    file: pathlib.Path,
    part: pathlib.Path,
    config: DownloadConfig,
    check: Callable[[pathlib.Path], None],
    max_bytes: int,
    stop: threading.Event,
    update: Callable[[int], None],
) -> None:
    failures = 0
    while True:
        before = _size(part)
        try:
            _receive(url, part, config.timeout_s, max_bytes, stop, update)
            check(part)
            os.replace(part, file)
            return
        except _Refused as error:
            part.unlink(missing_ok=True)
            raise DownloadError(f"{url}: {error}") from None
        except _Wrong as error:
            os.truncate(part, 0)  # nothing of it can be used
            problem, further = f"a wrong file: {error}", False
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in (
                errno.ENOSPC,
                errno.EDQUOT,
            ):
                stop.set()
                free = shutil.disk_usage(file.parent).free
                raise OSError(
                    error.errno,
                    f"expected room for {file.name}; free the disk and run "
                    f"this again to continue. Received: {free / 1e6:,.0f} MB "
                    "free",
                    str(file.parent),
                ) from None
            if isinstance(error, PermissionError | IsADirectoryError):
                raise
            problem = getattr(error, "reason", None) or error
            problem = f"{type(error).__name__}: {problem}"
            further = _size(part) > before
        failures = 1 if further else failures + 1
        if failures > config.num_retries:
            raise DownloadError(f"{url}: {problem}, {failures} times")
        pause = min(_LONGEST_PAUSE, config.pause_s * 2 ** (failures - 1))
        # Not all connections at the same moment.
        if stop.wait(pause * random.uniform(0.5, 1.0)):
            raise DownloadError(f"{url}: stopped")


def _receive(
    url: str,
    part: pathlib.Path,
    timeout_s: float,
    max_bytes: int,
    stop: threading.Event,
    update: Callable[[int], None],
) -> None:
    """Appends to a file what the server has behind its end."""
    have = _size(part)
    request = urllib.request.Request(url)
    request.add_header("User-Agent", "yt8m-data")
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        opener = urllib.request.build_opener(_Redirects)
        response = opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            total = error.headers.get("Content-Range", "").rpartition("/")[2]
            if total == str(have):
                return  # there is nothing behind the end
            os.truncate(part, 0)
            raise ConnectionError("the part does not fit the file") from None
        text = f"HTTP status {error.code} {error.reason}"
        if error.code < 500 and error.code not in _RETRY_STATUSES:
            raise _Refused(text) from None
        raise ConnectionError(text) from None
    with response:
        if have and not _continues(response, have):
            have = 0  # the server sends the whole file
        left = response.headers.get("Content-Length")
        expected = None
        if left and re.fullmatch("[0-9]{1,18}", left):
            expected = have + int(left)
        if (expected or 0) > max_bytes:
            raise _Refused(_describe_large(max_bytes, f"{expected:,} bytes"))
        size = have
        with part.open("ab" if have else "wb") as stream:
            # What has come, without waiting for a whole chunk: what follows
            # may never come.
            while chunk := response.read1(_CHUNK_BYTES):
                size += len(chunk)
                if size > max_bytes:
                    raise _Refused(_describe_large(max_bytes, "more bytes"))
                stream.write(chunk)
                update(len(chunk))
                if stop.is_set():
                    raise ConnectionError("stopped")
    if expected is not None and _size(part) < expected:
        raise ConnectionError(
            f"the connection ended after {_size(part):,} of {expected:,} bytes"
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to web addresses, and never out of encryption."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = (
            urllib.parse.urlsplit(url).scheme for url in (req.full_url, newurl)
        )
        if new not in ("http", "https") or (old, new) == ("https", "http"):
            fp.close()
            raise _Refused(
                f"HTTP status {code}, a redirect from {old} to "
                f"{newurl!r:.200}: expected one to {old} or https"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _describe_large(max_bytes: int, received: str) -> str:
    return (
        f"expected at most {max_bytes:,} bytes. Received: {received}; "
        "a larger max_file_gb allows larger shards"
    )


def _continues(response: http.client.HTTPResponse, have: int) -> bool:
    content_range = response.headers.get("Content-Range", "")
    return response.status == 206 and content_range.startswith(f"bytes {have}-")


def _size(path: pathlib.Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
