"""Fixtures that all tests share, and how a process of tests is set up."""

import gc
import os
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).resolve().parent.parent

# A process runs one small test at a time, and there is one process a core:
# more threads would wait for each other. Read when the libraries are loaded,
# and by the programs that tests start; nothing computed depends on it. Threads
# that run operations stay: a Python function that is one waits for another.
for _name in (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
):
    os.environ.setdefault(_name, "1")

# What is imported and collected stays until the end: a million objects, which
# every full collection would look through again.
gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leaves what there is by then out of all later collections."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options of .ci/run."""
    parser.addoption(
        "--first-of-each-folder",
        action="store_true",
        help="run only the first test of each folder, of those that are chosen",
    )
    parser.addoption(
        "--slow-part",
        type=_part,
        metavar="PART/PARTS",
        help="of the slow tests run every PARTS-th from the PART-th on, as in "
        "1/3, and all others",
    )


def _part(text: str) -> tuple[int, int]:
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal()):
        raise ValueError(text)
    if not 1 <= int(part) <= int(parts):
        raise ValueError(text)
    return int(part), int(parts)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Puts slow files first, and leaves out what the options do.

    After -m and -k did. A process that is through takes tests from the end of
    another's: short ones then, so that none ends minutes after the others.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    files = {item.path for item in slow}
    items.sort(key=lambda item: item.path not in files)
    chosen = set(items)
    if config.getoption("slow_part"):
        part, parts = config.getoption("slow_part")
        chosen -= set(slow) - set(slow[part - 1 :: parts])
    if config.getoption("first_of_each_folder"):
        chosen &= set(
            {item.path.parent: item for item in reversed(items)}.values()
        )
    others = [item for item in items if item not in chosen]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item in chosen]


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """The folder of real data, beside the repository or $YT8M_SHARED_DATA."""
    named = os.environ.get("YT8M_SHARED_DATA")
    folder = pathlib.Path(named) if named else _ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        reason = (
            f"the real data are not in {folder}; set YT8M_SHARED_DATA to the "
            "folder that holds them"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> None:
    """Lets the collector forget what the tests of a file leave behind.

    Graphs and what a process keeps of runs are millions of objects at the end,
    and each full collection, of which a test may cause several, would visit all
    of them: tests of three seconds took fifty.
    """
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Names a test by its argument, not by bytes that vary between runs.

    Serialized protos have their maps in an order that changes, and workers
    that run in parallel must collect the same tests.
    """
    return argname if isinstance(val, bytes) else None
