"""Makes, checks and handles data sets of records."""

from collections.abc import Mapping, Sequence

from yt8m_compact import program
from yt8m_compact.programs import verbs
from yt8m_compact.programs.data import convert
from yt8m_compact.programs.data import download
from yt8m_compact.programs.data import pool
from yt8m_compact.programs.data import repack
from yt8m_compact.programs.data import split
from yt8m_compact.programs.data import stats
from yt8m_compact.programs.data import synthesize
from yt8m_compact.programs.data import verify

VERBS: Mapping[str, verbs.Verb] = {
    "download": download,
    "verify": verify,
    "stats": stats,
    "repack": repack,
    "pool": pool,
    "convert": convert,
    "split": split,
    "synthesize": synthesize,
}


def parse(arguments: Sequence[str]) -> program.Parsed:
    """Parses the arguments after the program's name."""
    return verbs.parse("yt8m-data", __doc__, VERBS, arguments)


def run() -> None:
    """Runs yt8m-data."""
    program.run_parsed(parse)


if __name__ == "__main__":
    run()
