"""Where a run is."""

import tensorflow as tf


class Position(tf.Module):
    """Where a run is; saved in its checkpoints.

    Attributes:
        step: int64 variable, steps done.
        epoch: int64 variable, epochs done.
        examples: int64 variable, records of the current epoch read, those that
            were left out too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.epoch = tf.Variable(0, dtype=tf.int64, name="epoch")
        self.examples = tf.Variable(0, dtype=tf.int64, name="examples")

    def set(self, step: int, epoch: int, examples: int) -> None:
        """Sets all three."""
        self.step.assign(step)
        self.epoch.assign(epoch)
        self.examples.assign(examples)

    def as_tuple(self) -> tuple[int, int, int]:
        """Returns step, epoch and examples."""
        return int(self.step), int(self.epoch), int(self.examples)


def divergence_error(
    received: str, step: int, last_saved: int | None, cause: str = ""
) -> ValueError:
    """Makes the error that ends a run that diverged.

    Args:
        received: what is not finite.
        step: where the run is.
        last_saved: step of the last checkpoint, or None.
        cause: which step was the first, and what was not finite in it; nothing
            where that was not looked for.

    Returns:
        The error.
    """
    return ValueError(
        f"expected finite losses and weights. Received: {received} at step "
        f"{step}{cause}. Lower base_learning_rate and start again "
        f"(the last checkpoint, of step {last_saved}, was kept)"
    )
