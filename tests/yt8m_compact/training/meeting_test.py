"""Tests of workers that meet before TensorFlow connects them."""

import re
import socket
import threading
import time

import pytest

import free_ports
from yt8m_compact.training import meeting


def make_addresses(number: int) -> list[str]:
    return [f"localhost:{port}" for port in free_ports.find(number)]


def test_workers_wait_until_all_are_there(caplog):
    caplog.set_level("INFO", logger=meeting.__name__)
    addresses = make_addresses(3)
    ends = {}

    def wait(index):
        time.sleep(0.3 * index)
        meeting.wait_for_all(addresses, index, 20)
        ends[index] = time.monotonic()

    start = time.monotonic()
    threads = [threading.Thread(target=wait, args=[i]) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == [0, 1, 2]
    assert min(ends.values()) > start + 0.6  # when the last one has come
    others = ", ".join(addresses[1:])
    assert (
        f"worker 0 of 3: waiting for {others}, 20 s at most" in caplog.messages
    )
    assert "worker 2 of 3: all answer" in caplog.messages


def expect_timeout(addresses, index, received):
    expected = (
        f"worker {index} of {len(addresses)}: expected the others to answer "
        f"within 0.5 s. Received: {received}. Start all with the same command, "
        "and check that they reach each other's addresses"
    )
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=f"^{re.escape(expected)}$"):
        meeting.wait_for_all(addresses, index, 0.5)
    assert time.monotonic() - start < 3


@pytest.mark.parametrize("index", [0, 1])
def test_nobody_answers(index):
    addresses = make_addresses(3)
    others = [a for i, a in enumerate(addresses) if i != index]
    expect_timeout(addresses, index, f"no answer from {', '.join(others)}")


@pytest.mark.parametrize("reply", [None, b"", b"HTTP/1.1 400\r\n\r\n"])
def test_what_answers_is_no_worker(reply):
    """It accepts connections, and is silent, hangs up, or says what it is."""
    addresses = make_addresses(3)
    server = socket.create_server(("", int(addresses[1].rpartition(":")[2])))

    def serve():
        kept = []
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            if reply is None:
                kept.append(connection)
                continue
            connection.sendall(reply)
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        expect_timeout(
            addresses,
            0,
            f"no answer from {addresses[2]}, and something that is no worker "
            f"of this run at {addresses[1]}",
        )
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def test_a_worker_of_another_run():
    first, second, third = make_addresses(3)
    errors = []

    def wait():
        with pytest.raises(TimeoutError) as caught:
            meeting.wait_for_all([first, second], 1, 1.5)
        errors.append(str(caught.value))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    expect_timeout(
        [first, second, third],
        0,
        f"no answer from {third}, and something that is no worker of this run "
        f"at {second}",
    )
    thread.join()
    assert f"no answer from {first}" in errors[0]


@pytest.mark.parametrize("index", [0, 1])
def test_one_that_waits_for_others(index):
    """The two reach each other, but the third is reached by none but one."""
    addresses = make_addresses(2)
    # Who can't be reached by the other one alone: `localhost` is its own.
    run = threading.Event()

    def greet_only():
        listener = socket.create_server(
            ("", int(addresses[1 - index].rpartition(":")[2]))
        )
        part = meeting._Meeting(addresses, 1 - index, listener)
        run.wait()
        part.close()

    thread = threading.Thread(target=greet_only)
    thread.start()
    time.sleep(0.2)
    try:
        expect_timeout(
            addresses,
            index,
            f"no end of what {addresses[1 - index]} waits for",
        )
    finally:
        run.set()
        thread.join()


def test_one_that_is_started_again():
    """It has said that it is ready, is killed, and comes back."""
    addresses = make_addresses(2)
    port = int(addresses[1].rpartition(":")[2])
    listener = socket.create_server(("", port))
    first = meeting._Meeting(addresses, 1, listener)
    done = []
    chief_there = threading.Thread(
        target=lambda: done.append(meeting.wait_for_all(addresses, 0, 20))
    )
    connection = None
    chief_there.start()
    while connection is None:
        try:
            connection = first._connect(0, time.monotonic() + 1)
        except OSError:
            time.sleep(0.05)
    connection.sendall(first._line(meeting._READY))
    connection.close()
    first.close()
    meeting.wait_for_all(addresses, 1, 20)
    chief_there.join()
    assert done == [None]
