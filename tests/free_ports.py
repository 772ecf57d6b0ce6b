"""Ports of this machine that nothing listens to."""

import contextlib
import socket


def find(number: int) -> list[int]:
    """Finds some, which were free a moment ago.

    Args:
        number: how many.

    Returns:
        The ports, each once.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("localhost", 0))
        return [one.getsockname()[1] for one in sockets]
