"""A process a case, which takes steps when it is told to."""

import ctypes
import multiprocessing
from multiprocessing import connection
import pathlib
import resource
from typing import Any

import tensorflow as tf

from benchmarks.steps import cases
from benchmarks.steps import floor
from benchmarks.steps import network as network_lib


class CaseRunner:
    """Times one case, in this process.

    Args:
        case: its name.
        network: the name of the network.
        jit_compile: as of `Case.make_step`.
    """

    def __init__(
        self, case: str, network: str, jit_compile: bool | None = None
    ) -> None:
        self._case = cases.CASES[case]
        self._network = network_lib.NETWORKS[network]
        batch = network_lib.make_batch(self._network)
        tf.reduce_sum(batch["labels"]).numpy()  # starts TensorFlow's threads
        _return_memory()
        self._before_megabytes = _status_megabytes("VmRSS")
        self._step = self._case.make_step(self._network, batch, jit_compile)

    def describe(self) -> dict[str, Any]:
        """Says what does not change from round to round."""
        return {
            "weights": self._step.num_weights,
            "compiled": self._step.compiled,
        }

    def warm_up(self) -> dict[str, Any]:
        """Takes the first steps, which compile, and measures memory.

        Returns:
            `peak_mb`: the most memory that was resident during steps, beyond
            that before the model was built. Nothing was predicted by then,
            which `yt8m-train` does not do, either.
        """
        self._step.run(1)
        _return_memory()
        _reset_peak()
        self._step.run(3)
        peak = _status_megabytes("VmHWM") - self._before_megabytes
        if self._case.code == cases.OURS:
            self._step.predict(1)  # compiles
        return {"peak_mb": peak}

    def run(self, steps: int, predictions: int) -> dict[str, Any]:
        """Takes steps.

        Returns:
            `ms` of each step; `losses`; of our cases, `forward_batch_1_ms`.
        """
        measured = {
            "ms": [1000 * seconds for seconds in self._step.run(steps)],
            "losses": self._step.losses,
        }
        if self._case.code == cases.OURS:
            seconds = self._step.predict(predictions)
            measured["forward_batch_1_ms"] = 1000 * seconds
        _return_memory()  # the others need it
        return measured


class RatesRunner:
    """Measures the machine's rates, in this process.

    Args:
        names: the cases whose floor is asked for.
        network: the name of the network.
    """

    def __init__(self, names: list[str], network: str) -> None:
        sizes = network_lib.NETWORKS[network]
        self._products = {
            name: cases.CASES[name].products(sizes) for name in names
        }
        self._rates = floor.Rates(
            product for some in self._products.values() for product in some
        )

    def measure(self) -> dict[str, Any]:
        """Measures once more, and computes the floors by the best rates."""
        self._rates.measure()
        return {
            "gflops": self._rates.operations_per_second / 1e9,
            "gigabytes_per_second": self._rates.bytes_per_second / 1e9,
            "transform_microseconds": {
                length: 1e6 * seconds
                for length, seconds in self._rates.transform_seconds.items()
            },
            "floors": {
                name: self._rates.floor(products)
                for name, products in self._products.items()
            },
        }


class Worker:
    """A runner in a process of its own.

    A new one, not one forked from this: what a library's code takes in memory
    is there before the model is built, as in a run of a user's.

    Args:
        name: what to call it in errors.
        runner: its class.
        *arguments: what makes it.
    """

    def __init__(self, name: str, runner: type, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._name = name
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(other, runner, arguments), daemon=True
        )
        self._process.start()
        other.close()

    def call(self, method: str, *arguments: Any) -> dict[str, Any]:
        """Calls a method of the runner and waits for its result.

        Raises:
            RuntimeError: if its process has ended.
        """
        try:
            self._connection.send((method, arguments))
            return self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join()
            raise RuntimeError(
                f"{self._name}: expected a process that answers {method}. "
                f"Received: its end, exit code {self._process.exitcode}; its "
                "error is above, and where there is none, it lacked memory: "
                "choose fewer cases"
            ) from error

    def close(self) -> None:
        """Ends the process."""
        self._process.terminate()
        self._process.join()


def _serve(pipe: connection.Connection, runner: type, arguments: tuple) -> None:
    instance = runner(*arguments)
    while True:
        method, arguments = pipe.recv()
        pipe.send(getattr(instance, method)(*arguments))


def _return_memory() -> None:
    """Gives what was freed back to the system, where glibc can."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _reset_peak() -> None:
    """Starts `VmHWM` anew, where the kernel allows it."""
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # It is then the peak of the warm-up too.


def _status_megabytes(field: str) -> float:
    """Reads a field of /proc/self/status, or the peak where there is none."""
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    except OSError:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_maxrss / 1024
    for line in lines:
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"expected {field} in /proc/self/status. Received: none")
