"""Which devices and machines train a model together."""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import faulthandler
import functools
import json
import logging
import os
import signal
import subprocess
import threading
import time
from typing import Any

import tensorflow as tf

from yt8m_compact import tensorflow_errors
from yt8m_compact.readers import errors
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import meeting

# A file of one machine is seen by others after a while.
_VISIBLE_SECONDS = 60.0
_TF_CONFIG = "TF_CONFIG"
# What collectives raise where a worker is gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.InternalError,
    tf.errors.DeadlineExceededError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
)
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Workers:
    """The processes that train one model, and which of them this is.

    Attributes:
        strategy: of `tf.distribute`.
        number: of the processes.
        index: of this one; 0 is the chief, which alone writes.
        addresses: of all, `host:port`; none where there is one process.
    """

    strategy: tf.distribute.Strategy
    number: int = 1
    index: int = 0
    addresses: tuple[str, ...] = ()

    @property
    def is_chief(self) -> bool:
        """Whether this process writes the run."""
        return self.index == 0

    @property
    def local_replicas(self) -> int:
        """How many replicas of the model this process trains."""
        return self.strategy.num_replicas_in_sync // self.number

    def share(self, numbers: Sequence[float]) -> list[float]:
        """Gives all workers the chief's numbers.

        Args:
            numbers: of the chief; as many in the others, which don't count.

        Returns:
            The chief's.
        """
        return self._add_up(numbers if self.is_chief else [0] * len(numbers))

    def any(self, flag: bool) -> bool:
        """Says whether any worker has a flag set."""
        return self._add_up([flag])[0] > 0

    def wait_for_all(self) -> None:
        """Waits until all workers are here."""
        self._add_up([0])

    def _add_up(self, numbers: Sequence[float]) -> list[float]:
        """Adds up what the first replica of each worker has."""
        if self.number == 1:
            return list(numbers)

        shares = tf.constant(numbers, tf.float64) / self.local_replicas
        return self._sum_over_workers(shares).numpy().tolist()

    @functools.cached_property
    def _sum_over_workers(self) -> Callable[[tf.Tensor], tf.Tensor]:
        # One function for all calls, which TensorFlow traces once a length.
        @tf.function(reduce_retracing=True)
        def sum_over_workers(numbers: tf.Tensor) -> tf.Tensor:
            shares = self.strategy.run(lambda: numbers)
            return self.strategy.reduce("SUM", shares, axis=None)

        return sum_over_workers

    def wait_for_checkpoint(
        self, run: train_dir_lib.TrainDir, step: int
    ) -> None:
        """Waits until this machine sees a checkpoint of the chief's.

        Args:
            run: the folder of the run.
            step: that of the checkpoint.

        Raises:
            ValueError: if it does not appear.
        """
        end = time.monotonic() + _VISIBLE_SECONDS
        while step not in run.checkpoints():
            if time.monotonic() > end:
                raise ValueError(
                    f"{run.path}: expected a folder that all workers share. "
                    f"Received: no checkpoint of step {step}, which worker 0 "
                    f"({self.addresses[0]}) has written, for worker "
                    f"{self.index}"
                )
            time.sleep(0.2)


def make_workers(training: config_lib.TrainingConfig) -> Workers:
    """Makes the strategy of a run.

    Several machines find each other before anything else is done with
    TensorFlow: that is how its collectives are configured.

    Args:
        training: `strategy`, `num_gpu` and `connect_timeout`.

    Returns:
        The workers.

    Raises:
        ValueError: if `TF_CONFIG` or Slurm's variables name no cluster.
        TimeoutError: if the other workers don't answer within
            `connect_timeout`. Where TensorFlow does not connect them within
            as long, the process ends.
    """
    kind = training.strategy
    if kind == "auto":
        kind = _choose(training)
    if kind == "multi_worker":
        workers = _make_multi_worker(training)
    elif kind == "one_device":
        workers = Workers(tf.distribute.get_strategy())
    else:
        workers = Workers(tf.distribute.MirroredStrategy(_devices(training)))
    _warn_of_fewer_gpus(training, workers)
    return workers


def _warn_of_fewer_gpus(
    training: config_lib.TrainingConfig, workers: Workers
) -> None:
    """Says what trains where there are fewer GPUs than were asked for."""
    asked = training.num_gpu
    found = tf.config.list_logical_devices("GPU")
    used = min(len(found), workers.local_replicas)
    if asked is None or used >= asked:
        return
    _LOGGER.warning(
        "expected as many GPUs as num_gpu says. Received: num_gpu=%d, and %s; "
        "training on %s",
        asked,
        "strategy=one_device"
        if len(found) >= asked
        else f"{len(found)} on this machine",
        f"{used} GPU{'s' if used != 1 else ''}" if used else "the processors",
    )


def trains_with_others(training: config_lib.TrainingConfig) -> bool:
    """Whether other processes train the model together with this one.

    Args:
        training: `strategy`.

    Returns:
        Whether they do.

    Raises:
        ValueError: if `TF_CONFIG` names no cluster.
    """
    if training.strategy != "auto":
        return training.strategy == "multi_worker"
    cluster = _parse_tf_config()
    return cluster is not None and len(cluster[0]) > 1


def _choose(training: config_lib.TrainingConfig) -> str:
    if trains_with_others(training):
        return "multi_worker"
    return "mirrored" if len(_gpus(training)) > 1 else "one_device"


def _gpus(training: config_lib.TrainingConfig) -> list[str]:
    names = [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
    return names[: training.num_gpu]


def _devices(training: config_lib.TrainingConfig) -> list[str]:
    """Lists the GPUs to train on; the processors where there are none."""
    processors = tf.config.list_logical_devices("CPU")
    return _gpus(training) or [processor.name for processor in processors]


def _parse_tf_config() -> tuple[list[str], int] | None:
    """Reads the addresses of workers from `TF_CONFIG`, and which this is."""
    text = os.environ.get(_TF_CONFIG, "")
    if not text.strip():
        return None
    try:
        content = json.loads(text)
        cluster, task = content["cluster"], content["task"]
        kinds = set(cluster)
        chief = list(cluster.get("chief", []))
        addresses = [*chief, *cluster.get("worker", [])]
        index = task["index"]
        if task["type"] == "worker":
            index += len(chief)
        right = (
            kinds <= {"chief", "worker"}
            and task["type"] in kinds
            and len(chief) <= 1
            and len(set(addresses)) == len(addresses)
            and all(
                a.rpartition(":")[0] and a.rpartition(":")[2].isdecimal()
                for a in addresses
            )
            and 0 <= index < len(addresses)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        right = False
    if not right:
        raise ValueError(
            f"expected {_TF_CONFIG} to name each worker once and which of them "
            f"this is, such as {_EXAMPLE}. Received: {_TF_CONFIG}={text}"
        )
    return addresses, index


def _make_multi_worker(training: config_lib.TrainingConfig) -> Workers:
    resolver: Any = None
    cluster = _parse_tf_config()
    if cluster is not None:
        addresses, index = cluster
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    elif "SLURM_STEP_NUM_TASKS" in os.environ:
        resolver = _resolve_slurm()
        addresses = resolver.cluster_spec().as_dict()["worker"]
        index = resolver.task_id
    else:
        raise ValueError(
            f"expected {_TF_CONFIG} with strategy=multi_worker, or a job step "
            f"of Slurm (srun). Received: neither; set {_TF_CONFIG} such as "
            f"{_EXAMPLE}"
        )
    seconds = training.connect_timeout
    meeting.wait_for_all(addresses, index, seconds)
    _limit_gpus(training)
    with _ending_in_time(addresses, index, seconds):
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    return Workers(strategy, len(addresses), index, tuple(addresses))


def _limit_gpus(training: config_lib.TrainingConfig) -> None:
    """Hides the GPUs beyond `num_gpu`: a worker trains on all that it sees."""
    gpus = tf.config.list_physical_devices("GPU")
    if training.num_gpu is not None and len(gpus) > training.num_gpu:
        tf.config.set_visible_devices(gpus[: training.num_gpu], "GPU")


def _resolve_slurm() -> tf.distribute.cluster_resolver.ClusterResolver:
    """Asks Slurm's variables who trains; the GPUs are those that are seen.

    TensorFlow's resolver deals GPUs out itself, which Slurm has done, and fails
    on machines without any: it is told of one a task, and only says who the
    tasks are.
    """
    slurm = tf.distribute.cluster_resolver.SlurmClusterResolver(
        gpus_per_node=int(os.environ["SLURM_STEP_NUM_TASKS"]),
        gpus_per_task=1,
        auto_set_gpu=False,
    )
    spec = slurm.cluster_spec()
    task_type, task_id = slurm.get_task_info()
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        spec, task_type=task_type, task_id=task_id, rpc_layer="grpc"
    )


@contextlib.contextmanager
def _ending_in_time(
    addresses: Sequence[str], index: int, seconds: float
) -> Iterator[None]:
    """Ends the process where TensorFlow does not connect the workers.

    It holds Python's lock meanwhile, so that no thread and no handler of a
    signal runs: what ends the process is in C, with exit status 1, and a
    shell says why. Signals have no handlers, and end it at once.

    Args:
        addresses: of all workers.
        index: of this one.
        seconds: for so long at most.
    """
    others = ", ".join(a for i, a in enumerate(addresses) if i != index)
    text = (
        f"worker {index} of {len(addresses)}: expected TensorFlow to connect "
        f"the workers within {seconds} s, since all have answered. Received: "
        f"nothing, of {others}. Start all again with the same command, and see "
        "in their logs whether one has ended"
    )
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):  # It is not ignored.
                handlers[number] = signal.signal(number, signal.SIG_DFL)
    # It reads a line where the time is over, and none where it is not.
    script = 'read -r line && printf "%s\\n" "$0" >&2'
    with subprocess.Popen(
        ["/bin/sh", "-c", script, f"error: {text}"],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is not for it.
    ) as speaker:
        faulthandler.dump_traceback_later(
            seconds, exit=True, file=speaker.stdin
        )
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def readable_errors(workers: Workers) -> Iterator[None]:
    """Says in one line that workers have lost each other.

    Args:
        workers: who trains.

    Raises:
        ConnectionError: where TensorFlow's collectives have failed.
    """
    try:
        yield
    except _LOST as error:
        if workers.number == 1 or errors.find_message(error.message):
            raise
        raise ConnectionError(
            f"worker {workers.index} of {workers.number}: expected all to go "
            f"on ({', '.join(workers.addresses)}). Received: "
            f"{tensorflow_errors.first_line(error.message)}. Start all again "
            "with the same command: they continue from the last checkpoint"
        ) from error
