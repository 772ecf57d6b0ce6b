"""Batches that the workers of a tf.data service read.

They are those that this process would read, in the same order: a shard is one
split, which the dispatcher gives to one worker, and its end is an element. So
what a worker that is lost has not read is missed, and never left out.
"""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import logging
import os
import queue
import re
import socket
import threading
import time
from typing import Any

import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import readers
from yt8m_compact import stuck_programs
from yt8m_compact import tensorflow_errors
from yt8m_compact.readers import errors
from yt8m_compact.training import marked_ends

_PROTOCOL = "grpc://"
# A worker has as many batches ready for one that trains.
_BATCHES_ON_THE_WAY = 2
# So many may be lost where there is an error: TensorFlow's client reports one
# before it gives out what came before.
_BATCHES_BEFORE_ERROR = 8
_TOLD_SECONDS = 30.0
_MESSAGE = "message"
_STOPPED = "a signal has ended the waiting for a batch"
_POLL_SECONDS = 0.5
# What a worker says of functions that it does not have.
_NEEDS_PYTHON = "Could not find callback"

_LOGGER = logging.getLogger(__name__)


def read(
    address: str,
    reader: readers.Reader,
    files: Sequence[str],
    settings: Mapping[str, Any],
    *,
    skip_examples: int,
    timeout: float,
    stopped: threading.Event | None = None,
) -> tf.data.Dataset:
    """Reads a shard of the files by a worker of a tf.data service.

    What it can't read is read here once more, which says what is wrong with it
    as if there were no service.

    Args:
        address: of the dispatcher, `host:port`.
        reader: of the records.
        files: their names, which name the same files on the workers' machines.
        settings: other arguments of `readers.make_dataset`; with
            `count_records`, by which a place in the data is known.
        skip_examples: videos to leave out at the start.
        timeout: seconds to wait for a batch at most.
        stopped: set where the main thread can't take a signal; all shards
            that have it stop waiting then, with an error that `is_stopped`
            knows. None to go on waiting.

    Returns:
        The data set that `readers.make_dataset` would make. While it is
        iterated, what is wrong is a `tf.errors.OpError` that
        `readers.readable_errors` turns into a `DataError`.

    Raises:
        DataError: if a file is missing or empty.
    """
    dataset = readers.make_dataset(
        reader,
        list(map(_name_for_workers, files)),
        skip_examples=skip_examples,
        portable=True,
        **settings,
    )
    spec = dataset.element_spec
    nothing = {
        name: tensor.numpy() for name, tensor in marked_ends.empty(spec).items()
    }

    def read_here(read_before: int) -> Iterator[dict[str, tf.Tensor]]:
        batches = readers.make_dataset(
            reader, files, skip_examples=read_before, **settings
        )
        try:
            yield from batches
        except tf.errors.OpError as error:
            raise _Stop(_reason(error)) from None

    def generate() -> Iterator[dict[str, Any]]:
        read_before = skip_examples
        try:
            with contextlib.closing(
                _Fetcher(dataset, address, stopped)
            ) as fetcher:
                while (batch := fetcher.fetch(timeout)) is not None:
                    yield {**batch, _MESSAGE: ""}
                    read_before = int(batch["records_read"])
        except tf.errors.OpError as error:
            needs_python = _needs_python(error)
            number = 0
            for number, batch in enumerate(read_here(read_before)):
                yield {**batch, _MESSAGE: ""}
                if number != _BATCHES_BEFORE_ERROR:
                    continue
                if not needs_python:
                    raise _Stop(_describe_unequal(address, error)) from None
                _tell_what_needs_python(address)
            if not needs_python:
                raise _Stop(_describe_unequal(address, error)) from None
            if number < _BATCHES_BEFORE_ERROR:
                _tell_what_needs_python(address)

    def generate_and_say_why_not() -> Iterator[dict[str, Any]]:
        try:
            yield from generate()
        except (_Stop, readers.DataError) as error:
            yield {**nothing, _MESSAGE: str(error)}

    batches = tf.data.Dataset.from_generator(
        generate_and_say_why_not,
        output_signature={**spec, _MESSAGE: tf.TensorSpec([], tf.string)},
    )
    return batches.map(_raise_message).prefetch(_BATCHES_ON_THE_WAY)


def _name_for_workers(file: str) -> str:
    return os.path.abspath(file) if files_lib.is_local(file) else file


class _Stop(Exception):
    """What is wrong, with the data or with the service."""


class _Fetcher:
    """Fetches batches beside what waits for them, which can give up.

    Nothing else can interrupt TensorFlow's client.

    Args:
        dataset: of dicts, which the service's workers compute.
        address: of the dispatcher.
        stopped: as of `read`.
    """

    def __init__(
        self,
        dataset: tf.data.Dataset,
        address: str,
        stopped: threading.Event | None = None,
    ) -> None:
        self._address = address
        self._stopped = stopped
        self._queue: queue.Queue[Any] = queue.Queue()
        self._wanted = threading.Semaphore(_BATCHES_ON_THE_WAY)
        self._is_closed = False
        threading.Thread(
            target=self._run,
            args=[dataset],
            name=stuck_programs.HELD_THREAD,
            daemon=True,
        ).start()

    def close(self) -> None:
        """Ends the fetching, after the batch that is waited for now."""
        self._is_closed = True
        self._wanted.release()

    def fetch(self, timeout: float) -> dict[str, tf.Tensor] | None:
        """Waits for the next batch.

        Args:
            timeout: seconds to wait at most.

        Returns:
            The batch, None at the end.

        Raises:
            OpError: if the worker could not read it.
            _Stop: if there is none.
        """
        start = told = time.monotonic()
        while True:
            rest = start + timeout - time.monotonic()
            try:
                fetched = self._queue.get(
                    timeout=max(0, min(rest, _POLL_SECONDS))
                )
                break
            except queue.Empty:
                now = time.monotonic()
            if self._stopped is not None:
                if stuck_programs.untaken_signal() is not None:
                    self._stopped.set()  # What ends waits for all shards.
                if self._stopped.is_set():
                    raise _Stop(_STOPPED)
            if now - start >= timeout:
                raise self._nothing_came(timeout)
            if now - told >= _TOLD_SECONDS:
                told = now
                _LOGGER.warning(
                    "waiting for a batch of data_service=%s since %.0f s, for "
                    "%g s at most",
                    self._address,
                    now - start,
                    timeout,
                    extra={"about_settings": True},
                )
        if isinstance(fetched, Exception):
            raise fetched
        self._wanted.release()
        there, batch = fetched
        return batch if there else None

    def _nothing_came(self, timeout: float) -> _Stop:
        answer = "and nobody listens there"
        if _answers(self._address.removeprefix(_PROTOCOL)):
            answer = "though something listens there"
        return _Stop(
            f"expected a batch of data_service={self._address} within "
            f"{timeout:g} s. Received: none, {answer}. See that this is a "
            "dispatcher of tf.data service, that it has workers, that each can "
            "be reached by the address that it gives, and that none was lost; "
            "a larger connect_timeout leaves more time to fill shuffle_buffer. "
            "The same command continues from the last checkpoint"
        )

    def _run(self, dataset: tf.data.Dataset) -> None:
        try:
            # This alone asks the dispatcher, which may not answer.
            for element in _distribute(dataset, self._address):
                self._wanted.acquire()
                if self._is_closed:
                    return
                self._queue.put(element)
                if not element[0]:
                    return
            self._queue.put(
                _Stop(
                    "expected the worker of data_service="
                    f"{self._address} to read the shard to its end. Received: "
                    "less, as of a worker that was started again. The same "
                    "command continues from the last checkpoint"
                )
            )
        except Exception as error:
            self._queue.put(error)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), 5).close()
    except OSError:
        return False
    return True


def _needs_python(error: tf.errors.OpError) -> bool:
    """Whether a worker refuses a record that this process may well read.

    TensorFlow's parser refuses some that protobuf reads.
    """
    if _NEEDS_PYTHON in error.message:
        return True
    return ": record " in (reason := _reason(error)) and not re.search(
        r": record \d+ \(byte ", reason
    )


def _tell_what_needs_python(address: str) -> None:
    _LOGGER.warning(
        "the workers of data_service=%s can't read labels of segments, nor "
        "records in an encoding other than that of YouTube-8M, for which "
        "Python is needed. This process reads the rest of the epoch itself",
        address,
        extra={"about_settings": True},
    )


def is_stopped(error: tf.errors.OpError) -> bool:
    """Says whether waiting for a batch ended because of a signal.

    Args:
        error: of an iterator of `read`.

    Returns:
        Whether it did.
    """
    return _STOPPED in (errors.find_message(error.message) or "")


def _reason(error: tf.errors.OpError) -> str:
    message = errors.find_message(error.message)
    return message or tensorflow_errors.first_line(error.message)


def _describe_unequal(address: str, error: tf.errors.OpError) -> str:
    """Says that a worker can't read what this process can."""
    # Not as at the start of a message, which `readable_errors` looks into.
    reason = _reason(error).replace(": record ", ", record ", 1)
    return (
        f"expected the workers of data_service={address} to read what this "
        f"machine can read. Received: {reason} See that they have the same "
        "files under the same names, and the same TensorFlow"
    )


def _distribute(dataset: tf.data.Dataset, address: str) -> tf.data.Dataset:
    """Has a data set computed by a worker, all of it by one."""
    service = tf.data.experimental.service
    whole = marked_ends.mark(dataset)
    # Of data sets within functions the service takes nothing apart.
    split = tf.data.Dataset.range(1).flat_map(lambda _: whole)
    return split.apply(
        service.distribute(
            processing_mode=service.ShardingPolicy.DYNAMIC,
            service=f"{_PROTOCOL}{address.removeprefix(_PROTOCOL)}",
            max_outstanding_requests=_BATCHES_ON_THE_WAY,
        )
    )


def _raise_message(batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Stops where there is a message in place of a batch."""
    batch = dict(batch)
    message = batch.pop(_MESSAGE)
    raised = errors.raise_in_graph(message, tf.equal(message, ""))
    with tf.control_dependencies([raised]):
        return tf.nest.map_structure(tf.identity, batch)
