"""What the command-line programs share: flags, help, errors, exit status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
import contextlib
import copy
import dataclasses
import logging
import os
import shutil
import signal
import sys
import traceback
import types
from typing import Any

from absl import app
from absl import flags
from absl import logging as absl_logging

import yt8m_compact
from yt8m_compact import files
from yt8m_compact import flag_errors
from yt8m_compact import flag_help
from yt8m_compact import help_pages
from yt8m_compact import lazy
from yt8m_compact import lean_keras
from yt8m_compact import settings_flags
from yt8m_compact import standard_streams
from yt8m_compact import stuck_programs
from yt8m_compact import tensorflow_errors
from yt8m_compact import tensorflow_silence
from yt8m_compact import usage_error

with lazy.imports():
    import tensorflow as tf

_LOGGER = logging.getLogger("yt8m_compact")

_MIN_COLUMNS = 40

_USAGE_STATUS = 2  # as of argparse, and of most commands


@dataclasses.dataclass(frozen=True)
class Parsed:
    """A command line that was parsed.

    Attributes:
        flag_values: the flags of what was asked for.
        call: does it, and returns the exit status, None for 0.
    """

    flag_values: flags.FlagValues
    call: Callable[[], int | None]


def run(
    doc: str,
    define_flags: Callable[[flags.FlagValues], None],
    main: Callable[[flags.FlagValues, Sequence[str]], int | None],
    pages: help_pages.HelpPages | None = None,
) -> None:
    """Runs a program: parses its flags, calls it, exits.

    Errors that a user can mend (`ValueError`, `OSError`, and what TensorFlow
    raises for files, disks and memory) become one line on standard error and
    exit status 1, or 2 where the command line is wrong; `--verbosity=1` shows
    where they come from, and what TensorFlow logs. `--help` and `--version` end
    with 0. Closed standard streams and readers that go away (`| head`) end
    nothing. A signal that ends the program lets it clean up first; where it
    waits for what can't be interrupted, a second one ends it at once.

    Args:
        doc: what the program does, the start of its `--help`.
        define_flags: defines the program's flags.
        main: the program; gets the parsed flags and the arguments that are not
            flags, and returns the exit status, None for 0.
        pages: what `--help` shows; all flags if None.
    """
    _prepare()
    flag_values = flags.FLAGS
    shared = {*flag_values}
    define_flags(flag_values)
    own = [name for name in flag_values if name not in shared]
    _define_help_flags(flag_values)

    def get_help() -> str | None:
        return _asked_help(
            doc, flag_values, own, pages or help_pages.HelpPages()
        )

    with stuck_programs.leaving_held_threads():
        app.run(
            lambda argv: _call(
                lambda: main(flag_values, argv[1:]), flag_values
            ),
            flags_parser=lambda argv: _parse(argv, get_help),
        )


def _define_help_flags(flag_values: flags.FlagValues) -> None:
    """Defines flags that ask for help, in the place of absl's, which end."""
    for name, short, text in (
        ("help", "h", "show the flags that most people need"),
        ("helpshort", "?", "as --help"),
        ("helpfull", None, "show all flags"),
    ):
        flags.DEFINE_bool(
            name,
            False,
            text,
            flag_values=flag_values,
            short_name=short,
            allow_override=True,
        )


def _asked_help(
    doc: str,
    flag_values: flags.FlagValues,
    own: Sequence[str],
    pages: help_pages.HelpPages,
) -> str | None:
    """Writes the help that flags ask for, None if they ask for none."""
    program = os.path.basename(sys.argv[0])
    if flag_values["helpfull"].value:
        return f"{doc.strip()}\n\n{pages.full(flag_values, own)}"
    if not (flag_values["help"].value or flag_values["helpshort"].value):
        return None
    if pages.describe_model is not None and flag_values["model"].present:
        settings = pages.describe_model(flag_values["model"].value)
        return f"{settings}\n\nAll flags: {program} --helpfull"
    return f"{doc.strip()}\n\n{pages.short(program, flag_values, own)}"


def run_parsed(parse: Callable[[Sequence[str]], Parsed]) -> None:
    """Runs a program that parses its command line by argparse, as `run` does.

    What is wrong with the command line is an error as all others.

    Args:
        parse: gets the arguments after the program's name; says what to do.
    """
    _prepare()

    def parse_or_fail(argv: Sequence[str]) -> Parsed:
        try:
            return parse(argv[1:])
        except (ValueError, flags.Error) as error:
            flags.FLAGS.mark_as_parsed()
            wrong = usage_error.UsageError(str(error))
            wrong.__cause__ = error
            return Parsed(flags.FLAGS, _raiser(wrong))

    app.run(
        lambda parsed: _call(parsed.call, parsed.flag_values),
        flags_parser=parse_or_fail,
    )


def _parse(
    argv: Sequence[str], get_help: Callable[[], str | None]
) -> Sequence[str]:
    """Parses flags; returns the program's name and what are no flags."""
    try:
        rest = flags.FLAGS(argv)
    except flags.Error as error:
        # A command line that asks for help need not be complete.
        if flag_errors.is_incomplete(error) or isinstance(
            error, flags.UnrecognizedFlagError
        ):
            _show_help(
                get_help,
                flag_errors.no_model(
                    error, flags.FLAGS, os.path.basename(argv[0])
                ),
            )
        program = os.path.basename(argv[0])
        text = flag_errors.of_absl(error, flags.FLAGS, program)
        # A stray word ends the flags: those that are needed may follow it.
        words = _stray_words(argv) if flag_errors.is_incomplete(error) else []
        if words:
            text = _no_arguments_text(words)
        print(f"{program}: error: {text}", file=sys.stderr)
        sys.exit(_USAGE_STATUS)
    except SystemExit:  # What was asked for was shown; absl ends with 1 then.
        sys.exit(0)
    _show_help(get_help)
    return rest


def _stray_words(argv: Sequence[str]) -> list[str]:
    """Lists the arguments that are no flags, of flags that don't fit."""
    flag_values = copy.deepcopy(flags.FLAGS)
    for name in flag_values:
        flag_values[name].validators.clear()
    return flag_values(argv)[1:]


def _show_help(get_help: Callable[[], str | None], note: str = "") -> None:
    """Shows help, after a note, and ends, where it is asked for."""
    text = get_help()
    if text is not None:
        if note:
            print("\n".join(flag_help.wrap(note, "")), end="\n\n")
        print(text)
        sys.exit(0)


class _VersionFlag(flags.BooleanFlag):
    """Shows the version, and ends."""

    def __init__(self) -> None:
        super().__init__("version", False, "show the version")

    def parse(self, argument: Any) -> None:
        if self._parse(argument):
            program = os.path.basename(sys.argv[0])
            print(f"{program} {yt8m_compact.__version__}")
            sys.exit(0)


def _raiser(error: Exception) -> Callable[[], int]:
    def fail() -> int:
        raise error

    return fail


def _prepare() -> None:
    """Does what comes before a program may print, `--help` included."""
    standard_streams.prepare()
    _expect_columns()
    # It was made with what standard error was at the start.
    absl_logging.get_absl_handler().python_handler.stream = sys.stderr
    app.define_help_flags()
    if "version" not in flags.FLAGS:
        flags.DEFINE_flag(_VersionFlag())


def _call(
    main: Callable[[], int | None], flag_values: flags.FlagValues
) -> int | None:
    """Calls a program whose flags are parsed; returns the exit status."""
    verbosity = flags.FLAGS["verbosity"]
    if not verbosity.present:
        # TensorFlow logs through absl; what it says at INFO is not for
        # users.
        absl_logging.set_verbosity(absl_logging.WARNING)
    if verbosity.value <= 0:
        tensorflow_silence.prepare()
    else:
        tensorflow_silence.show_all()
    if "callbacks" not in flag_values or not flag_values["callbacks"].value:
        lean_keras.prepare()  # Callbacks of users may plot by Keras.
    _LOGGER.setLevel(logging.INFO)
    if not _LOGGER.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter(flag_values))
        _LOGGER.addHandler(handler)
        _LOGGER.propagate = False
    try:
        _end_by_signals()
        with stuck_programs.ending():
            status = main()
        sys.stdout.flush()  # What is lost there is told, too.
        return status
    except BrokenPipeError as error:
        # The reader of an output file that is a pipe, such as /dev/stdout.
        # Others are told as every reader of standard output is: not.
        if verbosity.value > 0:
            print(error, file=sys.stderr)
        return 128 + signal.SIGPIPE
    except Exception as error:
        if isinstance(error, _system_errors()):
            text = tensorflow_errors.first_line(error.message)
        elif isinstance(error, ValueError | OSError):
            text = tensorflow_errors.without_nodes(str(error))
            text = settings_flags.name_flags(text, flag_values)
        else:
            raise
        if verbosity.value > 0:
            traceback.print_exc()
        program = os.path.basename(sys.argv[0])
        print(f"{program}: error: {text}", file=sys.stderr)
        is_usage = isinstance(error, usage_error.UsageError)
        return _USAGE_STATUS if is_usage else 1
    except _Ended as ended:
        print(f"ended by signal {ended.number}", file=sys.stderr)
        return 128 + ended.number
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


class _Formatter(logging.Formatter):
    """Writes lines that speak of settings with the flags that these are."""

    def __init__(self, flag_values: flags.FlagValues) -> None:
        super().__init__("%(message)s")
        self._flag_values = flag_values

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        # Others may name folders as settings are called.
        about_settings = getattr(record, "about_settings", False)
        if about_settings or record.levelno >= logging.WARNING:
            return settings_flags.name_flags(text, self._flag_values)
        return text


def _system_errors() -> tuple[type[Exception], ...]:
    """Lists what tf.io.gfile raises where Python has OSError.

    An error in a graph is none of them, and keeps its traceback.
    """
    if "tensorflow" not in sys.modules:
        return ()  # And so it raised nothing.
    return (
        tf.errors.AlreadyExistsError,
        tf.errors.FailedPreconditionError,
        tf.errors.NotFoundError,
        tf.errors.PermissionDeniedError,
        tf.errors.ResourceExhaustedError,
        tf.errors.UnavailableError,
    )


def _expect_columns() -> None:
    """Ignores a width of the terminal in which absl can't write its help."""
    columns = os.environ.get("COLUMNS", "")
    if not columns.isdecimal() or int(columns) < _MIN_COLUMNS:
        os.environ.pop("COLUMNS", None)


def table_columns() -> int | None:
    """Says how wide tables on standard output may be.

    Returns:
        The width of the terminal; None where it is none, and with
        `--verbosity=1`.
    """
    if not sys.stdout.isatty() or flags.FLAGS["verbosity"].value > 0:
        return None
    return max(_MIN_COLUMNS, shutil.get_terminal_size().columns)


class _Ended(KeyboardInterrupt):
    """A signal came that ends the program, as Ctrl-C does."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end_by_signals() -> None:
    """Makes what job starters and terminals send end with cleaning up."""

    def end(number: int, frame: types.FrameType | None) -> None:
        # Once: the next one ends what does not.
        signal.signal(number, signal.SIG_DFL)
        raise _Ended(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # nohup ignores SIGHUP.
        if number and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def expect_no_arguments(arguments: Sequence[str]) -> None:
    """Refuses arguments that are not flags.

    Args:
        arguments: what the command line holds beside flags.

    Raises:
        UsageError: if there are any.
    """
    if arguments:
        raise usage_error.UsageError(_no_arguments_text(arguments))


def _no_arguments_text(arguments: Sequence[str]) -> str:
    return (
        "expected flags only, such as --batch_size=1024. Received: "
        f"{' '.join(arguments)}"
    )


def define_on_data_error(flag_values: flags.FlagValues) -> None:
    """Defines the flag of the programs that read data but do not train.

    Args:
        flag_values: where to define it.
    """
    flags.DEFINE_enum(
        "on_data_error",
        "stop",
        ("stop", "skip"),
        "What to do about damaged or wrong records: stop there, or skip them, "
        "count them by file, and report.",
        flag_values=flag_values,
    )


def expect_folder(flag_values: flags.FlagValues, name: str) -> None:
    """Refuses a file to write that can't be, or lies in no folder that exists.

    Args:
        flag_values: the parsed flags.
        name: the flag that names the file; it may be empty.

    Raises:
        UsageError: if there is no such folder, the file is one, or can't be
            written.
    """
    path = flag_values[name].value
    folder = os.path.dirname(path or "")
    if folder and not files.is_folder(folder):
        raise usage_error.UsageError(
            f"expected --{name} in a folder that exists. Received: "
            f"{name}={path!r}; make the folder first"
        )
    if path and files.is_folder(path):
        raise usage_error.UsageError(
            f"expected --{name} to be a file. Received: {name}={path!r}, "
            "which is a folder; name a file in it"
        )
    if path:
        with _told_early(name, path, "a file"):
            files.expect_writable(path)


def expect_writable_folder(
    flag_values: flags.FlagValues, name: str, path: str | None = None
) -> None:
    """Refuses a folder to write in that can't be made, or nothing in it.

    Args:
        flag_values: the parsed flags.
        name: the flag that names the folder; it may be empty.
        path: the folder that is made, whole; by default any one in that of the
            flag.

    Raises:
        UsageError: if it can't be made.
    """
    value = flag_values[name].value
    if path or value:
        with _told_early(name, value or path, "a folder"):
            files.expect_writable_folder(path or os.path.join(value, "any"))


@contextlib.contextmanager
def _told_early(name: str, value: str, kind: str) -> Iterator[None]:
    """Makes an error of writing one of the command line."""
    try:
        yield
    except OSError as error:
        raise usage_error.UsageError(
            f"expected --{name} to be {kind} that can be written. Received: "
            f"{name}={value!r}, which can't be ({error.strerror or error}); "
            f"choose another --{name}"
        ) from error


def expect_no_file(flag_values: flags.FlagValues, name: str) -> None:
    """Refuses a folder that is a file.

    Args:
        flag_values: the parsed flags.
        name: the flag that names the folder, or folders; it may be empty.

    Raises:
        UsageError: if it is a file of this system.
    """
    value = flag_values[name].value
    for path in value if isinstance(value, list) else [value]:
        if path and os.path.isfile(path):
            raise usage_error.UsageError(
                f"expected --{name} to be a folder. Received: {name}={path!r}, "
                "which is a file"
            )


def expect_given(flag_values: flags.FlagValues, name: str) -> None:
    """Refuses to go on without a flag that can't be empty.

    Args:
        flag_values: the parsed flags.
        name: the flag.

    Raises:
        UsageError: if it was not given.
    """
    flag = flag_values[name]
    if not flag.value:
        raise usage_error.UsageError(flag_errors.not_given(flag))
