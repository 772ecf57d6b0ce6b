"""The cases of the benchmark of training steps, by name."""

import dataclasses

import tensorflow as tf

from benchmarks.steps import network as network_lib
from benchmarks.steps import our_step
from benchmarks.steps import released_step

_FC = {"fc": network_lib.PER_BLOCK}
_EMBEDDING_FC = {"embedding": network_lib.PER_BLOCK, **_FC}
_EVERYWHERE = dict.fromkeys(network_lib.PLACES, network_lib.PER_BLOCK)
_SHARED = dict.fromkeys(network_lib.PLACES, network_lib.SHARED)

OURS, PAPER, STARTER = "ours", "paper", "starter"


@dataclasses.dataclass(frozen=True)
class Case:
    """A way to train a network.

    Attributes:
        code: whose: OURS, PAPER or STARTER.
        structures: by place, what is not dense.
        gating: whether the predictions gate each other.
        dtype_policy: what the layers of ours compute in.
    """

    code: str
    structures: dict[str, str] = dataclasses.field(default_factory=dict)
    gating: bool = True
    dtype_policy: str = "float32"

    def products(
        self, network: network_lib.Network
    ) -> list[network_lib.Product]:
        """Lists the projections of a step."""
        if self.code == STARTER:
            return network_lib.starter_products(network)
        return network_lib.products(
            network, self.structures, gating=self.gating
        )

    def make_step(
        self,
        network: network_lib.Network,
        batch: dict[str, tf.Tensor],
        jit_compile: bool | None = None,
    ) -> our_step.OurStep | released_step.ReleasedStep:
        """Builds the model and its step.

        Args:
            network: its sizes.
            batch: from `network.make_batch`.
            jit_compile: whether XLA compiles a step of ours; None is
                yt8m-train's choice.
        """
        if self.code == OURS:
            return our_step.OurStep(
                network,
                self.structures,
                batch,
                jit_compile,
                dtype_policy=self.dtype_policy,
            )
        build = released_step.build_starter
        if self.code == PAPER:
            build = released_step.make_paper_builder(
                self.structures, gating=self.gating
            )
        return released_step.ReleasedStep(network, build, batch)


CASES = {
    "dense": Case(OURS),
    "fc": Case(OURS, _FC),
    "embedding_fc": Case(OURS, _EMBEDDING_FC),
    "everywhere": Case(OURS, _EVERYWHERE),
    "everywhere_shared": Case(OURS, _SHARED),
    "dense_bfloat16": Case(OURS, dtype_policy="mixed_bfloat16"),
    "everywhere_bfloat16": Case(
        OURS, _EVERYWHERE, dtype_policy="mixed_bfloat16"
    ),
    "starter": Case(STARTER, gating=False),
    "paper_dense": Case(PAPER),
    "paper_everywhere": Case(PAPER, _EVERYWHERE),
    # As released: no gates follow a compact mixture there.
    "paper_everywhere_ungated": Case(PAPER, _EVERYWHERE, gating=False),
}
