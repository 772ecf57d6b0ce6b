"""Apache Beam's runners and their options, as a command line names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
import contextlib
import io
import logging
import shlex
import types
from typing import Any

from yt8m_compact import names
from yt8m_compact import quiet_logging
from yt8m_compact import usage_error

# The names, in lower case, of the runner of this machine.
_LOCAL = ("direct", "directrunner")
# What it starts as processes, and what is started where they are to be quiet.
_WORKER = b"apache_beam.runners.worker.sdk_worker_main"
_QUIET_WORKER = b"yt8m_compact.pipelines.beam_worker"
_QUIET = "CRITICAL"
_EXAMPLE = "--runner_options='--direct_num_workers=4'"


def load_beam() -> types.ModuleType:
    """Imports Apache Beam.

    Raises:
        UsageError: if it is not installed.
    """
    before = logging.root.manager.disable
    # It warns at its import that it finds no package of Google's.
    logging.disable(max(before, logging.WARNING))
    try:
        import apache_beam
        from apache_beam.options import pipeline_options  # noqa: F401
        from apache_beam.runners import runner  # noqa: F401
    except ImportError as error:
        raise usage_error.UsageError(
            "expected the package apache-beam, which --runner needs: "
            f"pip install 'yt8m-compact[beam]'. Received: {error}"
        ) from error
    finally:
        logging.disable(before)
    return apache_beam


def is_local(runner: str) -> bool:
    """Whether a runner is the one of this machine."""
    return runner.lower() in _LOCAL


def make_runner(runner: str, options: Any) -> Any:
    """Makes a runner.

    Args:
        runner: its name, one of Beam's or that of a class.
        options: Beam's `PipelineOptions`, of which workers of this machine
            hear.

    Returns:
        The runner.

    Raises:
        UsageError: if there is none of this name, or it lacks a package.
    """
    load_beam()
    if is_local(runner):
        return _make_local(options)
    from apache_beam.runners import runner as runners

    try:
        return runners.create_runner(runner)
    except (ImportError, AttributeError, ValueError) as error:
        raise usage_error.UsageError(
            "expected --runner to be a runner of Apache Beam that is "
            f"installed, such as DirectRunner. Received: runner={runner!r} "
            f"({error})"
        ) from error


def _make_local(options: Any) -> Any:
    """Makes what DirectRunner is where it does not choose another one.

    It would choose a program in Go, which it downloads, and which heeds no
    `direct_num_workers`. Who wants that names PrismRunner.
    """
    from apache_beam.options import pipeline_options
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability import portable_runner
    from apache_beam.runners.portability.fn_api_runner import fn_runner

    class Runner(fn_runner.FnApiRunner):
        """Starts processes that are as quiet as `silence_workers` says."""

        def run_via_runner_api(self, pipeline_proto: Any, options: Any) -> Any:
            workers = options.view_as(pipeline_options.WorkerOptions)
            if workers.default_sdk_harness_log_level == _QUIET:
                for one in pipeline_proto.components.environments.values():
                    one.payload = one.payload.replace(_WORKER, _QUIET_WORKER)
            return super().run_via_runner_api(pipeline_proto, options)

    encoded = portable_runner.JobServiceHandle.encode_pipeline_options(
        options.get_all_options()
    )
    return Runner(
        provision_info=fn_runner.ExtendedProvisionInfo(
            beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
        )
    )


def silence_workers(options: Any) -> None:
    """Has workers tell nothing but errors, where options don't say what.

    Args:
        options: Beam's `PipelineOptions`.
    """
    from apache_beam.options import pipeline_options

    workers = options.view_as(pipeline_options.WorkerOptions)
    if workers.default_sdk_harness_log_level is None:
        workers.default_sdk_harness_log_level = _QUIET


def parse_options(text: str) -> Any:
    """Reads options of a runner.

    Args:
        text: the options, as a shell reads them.

    Returns:
        Beam's `PipelineOptions`.

    Raises:
        UsageError: if one is unknown, or has no such value.
    """
    load_beam()
    from apache_beam.options import pipeline_options

    tokens = _split(text)
    # It warns of what it leaves out since it doesn't know it.
    name = "apache_beam.options.pipeline_options"
    with quiet_logging.only(logging.ERROR, name):
        options = pipeline_options.PipelineOptions(tokens)
        with _told_by_argparse(text):
            known = options.get_all_options()
            named = options.get_all_options(retain_unknown_options=True)
    unknown = sorted(named.keys() - known.keys())
    if unknown:
        hint = names.suggestion(unknown[0], known, "--")
        raise usage_error.UsageError(
            "expected --runner_options to be options of Apache Beam. "
            f"Received: --{unknown[0]}{hint}"
        )
    if known.get("runner"):
        raise usage_error.UsageError(
            "expected --runner by itself, and its options in --runner_options. "
            f"Received: runner_options={text!r}"
        )
    return options


def temp_location(options: Any) -> str | None:
    """Returns the folder for temporary files that options name, or None."""
    from apache_beam.options import pipeline_options

    return options.view_as(pipeline_options.GoogleCloudOptions).temp_location


def _split(text: str) -> Sequence[str]:
    try:
        tokens = shlex.split(text)
    except ValueError as error:
        raise _not_options(text, str(error)) from error
    for token in tokens:
        if not token.startswith("--"):
            raise _not_options(text, token)
    return tokens


def _not_options(text: str, detail: str) -> usage_error.UsageError:
    return usage_error.UsageError(
        "expected --runner_options to be options as of a command line, with "
        f"`=` before values, such as {_EXAMPLE}. Received: "
        f"runner_options={text!r} ({detail})"
    )


@contextlib.contextmanager
def _told_by_argparse(text: str) -> Iterator[None]:
    """Makes what argparse prints before it ends the program an error."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            yield
    except SystemExit:
        detail = printed.getvalue().strip().rsplit("error: ", 1)[-1]
        raise _not_options(text, detail) from None
