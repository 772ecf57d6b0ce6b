r"""Times the optimisers of yt8m-train against those of Keras.

    python -m benchmarks.optimizers
    python -m benchmarks.optimizers --optimizers=AdamOptimizer --rounds=10

What is updated are the kernels of the paper's dense network, 66 million
weights, by one compiled function for each optimiser; nothing else is computed.
Gradients are clipped variable by variable, as yt8m-train does: not at all, with
norms below the bound, or above. All take turns in one process, on the same
variables, and the best of each counts.

The floor is what must be read and written once, at the bandwidth that is
measured in the same run; the norm reads the gradients once, and what is above
the bound is read and written once more.
"""

import argparse
import time

import keras
import numpy as np
import tabulate
import tensorflow as tf
import tqdm

from benchmarks.steps import floor as floor_lib
from benchmarks.steps import network as network_lib
from yt8m_compact.run import config as config_lib
from yt8m_compact.training import optimizers

# Numbers that are read and written for a weight: it, its gradient, its slots.
_PASSES = {
    "AdamOptimizer": 7,
    "AdagradOptimizer": 5,
    "RMSPropOptimizer": 5,
    "MomentumOptimizer": 5,
    "GradientDescentOptimizer": 3,
}
# The clipping, the bound as a multiple of the norms, and its passes.
_CLIPPING = (("no", 0.0, 0), ("below", 2.0, 1), ("above", 0.5, 3))


class Update:
    """One optimiser's update of all variables.

    Args:
        optimizer: a Keras optimiser.
        variables: what it updates.
        gradients: their gradients.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
        gradients: list[tf.Tensor],
    ) -> None:
        optimizer.build(variables)

        @tf.function
        def update(*gradients: tf.Tensor) -> None:
            optimizer.apply(list(gradients), variables)

        self._update = update
        self._gradients = gradients
        self._update(*gradients)  # traces
        self.seconds = float("inf")

    def measure(self) -> None:
        """Times a step; the best is kept."""
        start = time.perf_counter()
        self._update(*self._gradients)
        self.seconds = min(self.seconds, time.perf_counter() - start)


def make_pair(
    name: str, clip_norm: float
) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
    """Makes Keras's optimiser and that of yt8m-train, both set alike.

    Args:
        name: as `--optimizer`.
        clip_norm: the largest norm of a gradient; 0 does not clip.
    """
    ours = optimizers.make_optimizer(
        config_lib.TrainingConfig(
            optimizer=name,
            base_learning_rate=1e-6,  # Nothing grows.
            clip_gradient_norm=clip_norm,
        )
    )
    of_keras = getattr(keras.optimizers, type(ours).__name__)
    return of_keras.from_config(ours.get_config()), ours


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--network", default="paper", choices=list(network_lib.NETWORKS)
    )
    parser.add_argument("--optimizers", default=",".join(_PASSES))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    names = arguments.optimizers.split(",")
    if unknown := sorted(set(names) - set(_PASSES)):
        parser.error(
            f"expected --optimizers among {', '.join(_PASSES)}. Received: "
            f"{', '.join(unknown)}"
        )
    network = network_lib.NETWORKS[arguments.network]
    shapes = [
        (product.inputs, product.units)
        for product in network_lib.products(network, {})
    ]
    variables = [keras.Variable(tf.zeros(shape)) for shape in shapes]
    # All of norm 1.
    gradients = [
        tf.fill(shape, np.float32(np.prod(shape) ** -0.5)) for shape in shapes
    ]
    numbers = sum(int(np.prod(shape)) for shape in shapes)
    rates = floor_lib.Rates([network_lib.Product(1, 8, 8, network_lib.DENSE)])
    rows = []
    # One optimiser after the other: all slots at once would be 3 GB.
    for name in tqdm.tqdm(names):
        for clipping, bound, clip_passes in _CLIPPING:
            of_keras, ours = (
                Update(optimizer, variables, gradients)
                for optimizer in make_pair(name, bound)
            )
            for _ in range(arguments.rounds):
                rates.measure()
                of_keras.measure()
                ours.measure()
            passes = _PASSES[name] + clip_passes
            floor = 4 * numbers * passes / rates.bytes_per_second
            rows.append(
                [
                    name,
                    clipping,
                    1000 * of_keras.seconds,
                    1000 * ours.seconds,
                    of_keras.seconds / ours.seconds,
                    passes,
                    1000 * floor,
                    ours.seconds / floor,
                ]
            )
    print(f"{numbers:,} weights, {rates.bytes_per_second / 1e9:.1f} GB/s")
    print(
        tabulate.tabulate(
            rows,
            headers=[
                "optimizer",
                "clipped",
                "Keras, ms",
                "ours, ms",
                "ratio",
                "passes",
                "floor, ms",
                "ours x floor",
            ],
            tablefmt="github",
            floatfmt=("", "", ".0f", ".0f", ".2f", ".0f", ".0f", ".1f"),
        )
    )


if __name__ == "__main__":
    main()
