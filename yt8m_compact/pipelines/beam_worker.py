"""A process of DirectRunner that says neither what Beam nor TensorFlow lacks.

    python -m yt8m_compact.pipelines.beam_worker

Beam's own, `apache_beam.runners.worker.sdk_worker_main`, warns at its import of
packages of Google's cloud. That makes a handler that writes to standard error,
where there is none, and what is told before the options are known goes there,
too. What is logged still comes to the runner. TensorFlow is as quiet as in the
process that started this one.
"""

from __future__ import annotations

import logging
import sys

from yt8m_compact import tensorflow_silence


def main(argv: list[str]) -> None:
    """Does what Beam's own worker does, until the runner ends it.

    Args:
        argv: the command line, which says nothing: the environment does.
    """
    tensorflow_silence.prepare_worker()
    logging.getLogger().addHandler(logging.NullHandler())
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(argv)


if __name__ == "__main__":
    main(sys.argv)
