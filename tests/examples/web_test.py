"""Tests of the page that predicts in a browser, in headless Chromium."""

import functools
import http.server
import json
import os
import re
import runpy
import shutil
import subprocess
import threading

import numpy as np
import pytest

import project_file
import small_artefacts
from yt8m_compact.run import train_dir as train_dir_lib

pytestmark = pytest.mark.slow

EXAMPLES = project_file.ROOT / "examples"
# As the page asks for it: one version, in one place.
PACKAGE = re.search(
    r"npm/(onnxruntime-web@[\d.]+)/", (EXAMPLES / "web/page.js").read_text()
)[1]
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """The folder of onnxruntime-web, as npm installs it."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed, which brings onnxruntime-web")
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--ignore-scripts", "--no-audit", PACKAGE]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"npm can't install {PACKAGE}: {done.stderr[-300:]}")
    return folder / "node_modules" / "onnxruntime-web" / "dist"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Opens a page of this computer and returns what it becomes."""
    found = filter(None, map(shutil.which, _CHROMIUM))
    program = next(found, None)
    if program is None:
        pytest.skip(f"no browser is installed, of {', '.join(_CHROMIUM)}")
    profile = tmp_path_factory.mktemp("profile")

    def open_page(url):
        done = subprocess.run(
            [
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--user-data-dir={profile}",
                "--virtual-time-budget=60000",
                "--dump-dom",
                url,
            ],
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return open_page


@pytest.fixture(scope="module")
def server(runtime, tmp_path_factory):
    """Serves the page with small models and their records; gives its URL."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(EXAMPLES / "web", folder, dirs_exist_ok=True)
    os.symlink(runtime, folder / "ort")
    script = runpy.run_path(str(EXAMPLES / "make_records.py"))
    names = ["Zero", "<b>One</b>", "Two & more", "Three", "Four"]
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    for level in small_artefacts.LEVELS:
        made = small_artefacts.make(level)
        shutil.copy(made.file("onnx"), folder / f"{level}.onnx")
        videos = script["read"](made.run.config, made.run.pattern, 40)
        (folder / f"{level}.json").write_text(script["to_json"](videos, names))
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_port}/?ort=ort/"
        httpd.shutdown()
        thread.join()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def parse(page):
    """Reads what the page shows: its state, and name and score of each row."""
    (state,) = re.findall(r'data-state="(\w+)"', page)
    rows = re.findall(
        r'class="name"[^>]*>(.*?)</span>.*?width: ([\d.]+)%.*?'
        r'class="score">([\d.]+) %',
        page,
    )
    return state, [(n, float(width), float(score)) for n, width, score in rows]


@pytest.mark.parametrize("level", small_artefacts.LEVELS)
def test_shows_the_best_classes_of_a_record(level, server, browser):
    folder, url = server
    records = json.loads((folder / f"{level}.json").read_text())
    # In the frame-level one, more frames than the model takes.
    number = 3
    if level == "frame":
        number = next(i for i, r in enumerate(records) if len(r["frames"]) == 8)
    page = browser(
        f"{url}&model={level}.onnx&records={level}.json&classes=classes.txt"
        f"#{number}"
    )
    state, rows = parse(page)
    assert state == "ready", page
    run = small_artefacts.make(level).run
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    if level == "video":
        inputs = {"features": np.float32([records[number]["features"]])}
    else:
        frames = np.uint8([records[number]["frames"][1::2]])
        inputs = {"frames": frames, "num_frames": np.int32([4])}
    (scores,) = model(inputs, training=False).numpy()
    escaped = [
        "Zero",
        "&lt;b&gt;One&lt;/b&gt;",
        "Two &amp; more",
        "Three",
        "Four",
    ]
    best = np.argsort(-scores)
    assert [name for name, _, _ in rows] == [escaped[i] for i in best]
    for (_, width, score), index in zip(rows, best, strict=True):
        assert width == pytest.approx(100 * scores[index], abs=1e-3)
        assert score == pytest.approx(100 * scores[index], abs=0.06)
    assert page.count('class="is-label"') == len(records[number]["labels"])
    assert page.count("<button") == len(records) == 40
    assert re.findall(r'pressed="(\w+)"', page).index("true") == number


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "&model=https://example.com/model.onnx&records=video.json",
            "expected model to be a path on this server",
        ),
        (
            "&model=missing.onnx&records=video.json",
            "missing.onnx: expected a model of yt8m-export --format=onnx. "
            "Received: HTTP status 404",
        ),
        (
            "&model=frame.onnx&records=video.json",
            "expected frames of 9 values. Received: none",
        ),
    ],
)
def test_says_what_is_wrong(query, message, server, browser):
    page = browser(server[1] + query)
    assert 'data-state="error"' in page
    assert message in page
