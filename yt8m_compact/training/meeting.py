"""Several workers meet before TensorFlow connects them.

TensorFlow itself waits for an hour, says of nobody that he is missing, takes
whatever accepts a connection for a worker, and can't be interrupted.
"""

from collections.abc import Mapping, Sequence
import contextlib
import hashlib
import logging
import socket
import threading
import time

_POLL_SECONDS = 0.3
_REPLY_SECONDS = 5.0
_MAX_LINE = 200
# What workers say to each other.
_HELLO, _READY, _GO = "hello", "ready", "go"
# What is found at the address of another one, in errors.
_MET = "met"
_NOBODY = "no answer from {}"
_STRANGER = "something that is no worker of this run at {}"
_WAITS = "no end of what {} waits for"

_LOGGER = logging.getLogger(__name__)


def wait_for_all(addresses: Sequence[str], index: int, seconds: float) -> None:
    """Waits until all workers of a run have greeted each other.

    Each listens on its own port, and greets all others. Who has met all says
    so to worker 0, which lets all go when all have: nobody leaves his port to
    TensorFlow while another one still looks for him there.

    Args:
        addresses: of all workers, `host:port`; the same in all of them.
        index: of this one.
        seconds: for so long at most.

    Raises:
        TimeoutError: if some don't answer by then, or what answers is no
            worker of this run.
        OSError: if this worker's own port can't be listened to.
    """
    port = int(addresses[index].rpartition(":")[2])
    try:
        listener = socket.create_server(("", port))
    except OSError as error:
        raise OSError(
            f"worker {index} of {len(addresses)}: expected a port that is free "
            f"on this machine. Received: {addresses[index]}: {error.strerror}"
        ) from error
    _LOGGER.info(
        "worker %d of %d: waiting for %s, %g s at most",
        index,
        len(addresses),
        ", ".join(a for i, a in enumerate(addresses) if i != index),
        seconds,
    )
    with contextlib.closing(_Meeting(addresses, index, listener)) as meeting:
        meeting.run(seconds)
    _LOGGER.info("worker %d of %d: all answer", index, len(addresses))


class _Meeting:
    """One worker's part in it."""

    def __init__(
        self, addresses: Sequence[str], index: int, listener: socket.socket
    ) -> None:
        self._addresses = addresses
        self._index = index
        self._others = [i for i in range(len(addresses)) if i != index]
        self._listener = listener
        text = ",".join(addresses)
        self._run = hashlib.sha256(text.encode()).hexdigest()[:16]
        # Of worker 0: the connections of those who have met all.
        self._ready: dict[int, socket.socket] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leaves the port to TensorFlow."""
        with contextlib.suppress(OSError):  # So that `accept` returns.
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for connection in self._ready.values():
            connection.close()

    def run(self, seconds: float) -> None:
        """Waits for so long at most."""
        end = time.monotonic() + seconds
        missing = self._others
        while True:
            found = {i: self._greet(i, end) for i in missing}
            missing = [i for i, answer in found.items() if answer != _MET]
            if not missing:
                break
            self._pause(end, seconds, {i: found[i] for i in missing})
        if self._index:
            while not self._wait_for_go(end):
                self._pause(end, seconds, {0: _WAITS})
            return
        while waiting := [i for i in self._others if not self._is_ready(i)]:
            self._pause(end, seconds, dict.fromkeys(waiting, _WAITS))
        for connection in self._ready.values():
            with contextlib.suppress(OSError):  # One that is gone since.
                connection.sendall(self._line(_GO))

    def _pause(
        self, end: float, seconds: float, missing: Mapping[int, str]
    ) -> None:
        """Waits a little; fails where the time is over."""
        if time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
            return
        texts = []
        for kind in (_NOBODY, _STRANGER, _WAITS):
            who = [self._addresses[i] for i in missing if missing[i] == kind]
            if who:
                texts.append(kind.format(", ".join(who)))
        raise TimeoutError(
            f"worker {self._index} of {len(self._addresses)}: expected the "
            f"others to answer within {seconds} s. Received: "
            f"{', and '.join(texts)}. Start all with the same command, and "
            "check that they reach each other's addresses"
        )

    def _greet(self, other: int, end: float) -> str:
        """Says who answers at a worker's address."""
        try:
            connection = self._connect(other, end)
        except OSError:
            return _NOBODY
        with connection:
            try:
                connection.sendall(self._line(_HELLO))
                reply = _read_line(connection)
            except OSError:  # Silence, too.
                return _STRANGER
        return _MET if reply == self._line(_HELLO, other) else _STRANGER

    def _wait_for_go(self, end: float) -> bool:
        """Tells worker 0 that this one has met all; waits for its word."""
        try:
            with self._connect(0, end) as connection:
                connection.sendall(self._line(_READY))
                connection.settimeout(max(0.1, end - time.monotonic()))
                return _read_line(connection) == self._line(_GO, 0)
        except OSError:  # It may have been started again.
            return False

    def _is_ready(self, other: int) -> bool:
        """Whether a worker has met all, and is still there."""
        connection = self._ready.get(other)
        if connection is None:
            return False
        try:
            return connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:  # It says nothing, and waits.
            return True
        except OSError:
            return False

    def _connect(self, other: int, end: float) -> socket.socket:
        host, _, port = self._addresses[other].rpartition(":")
        seconds = min(_REPLY_SECONDS, max(0.5, end - time.monotonic()))
        return socket.create_connection((host.strip("[]"), int(port)), seconds)

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # It was closed.
            threading.Thread(
                target=self._answer, args=[connection], daemon=True
            ).start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(_REPLY_SECONDS)
        with contextlib.ExitStack() as closing:
            closing.enter_context(connection)
            with contextlib.suppress(OSError):
                line = _read_line(connection)
                for other in self._others:
                    if line == self._line(_HELLO, other):
                        connection.sendall(self._line(_HELLO))
                    elif line == self._line(_READY, other):
                        connection.setblocking(False)
                        self._ready[other] = connection
                        closing.pop_all()  # It stays open.

    def _line(self, word: str, index: int | None = None) -> bytes:
        """Writes what a worker, this one by default, says."""
        index = self._index if index is None else index
        return f"yt8m-train {self._run} {index} {word}\n".encode()


def _read_line(connection: socket.socket) -> bytes:
    """Reads up to the end of a line, which a stranger may never send."""
    line = b""
    while not line.endswith(b"\n") and len(line) < _MAX_LINE:
        content = connection.recv(_MAX_LINE)
        if not content:
            break
        line += content
    return line
