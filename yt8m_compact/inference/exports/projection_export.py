"""In what form the projections of a model are exported."""

from __future__ import annotations

import enum
import functools

from yt8m_compact import lazy
from yt8m_compact import structures

with lazy.imports():
    import numpy as np
    import tensorflow as tf

    from yt8m_compact.inference import frozen_function


class ProjectionExport(enum.StrEnum):
    """How the projections of a model are exported.

    Attributes:
        AUTO: each as `DFT` or `DENSE`, whichever has fewer bytes;
            `measured_forms` asks for their times, too.
        FFT: by Fourier transforms, which TensorFlow alone has.
        DFT: by transforms as products of small matrices.
        DENSE: as matrices that are written out.
    """

    AUTO = "auto"
    FFT = "fft"
    DFT = "dft"
    DENSE = "dense"

    def form_of(
        self, structure: structures.Structure, input_dim: int, units: int
    ) -> structures.ProductForm:
        """Chooses the form of a product: a `structures.ChooseForm`.

        Args:
            structure: of the matrix, without precisions.
            input_dim: its number of rows.
            units: its number of columns.
        """
        if self is not ProjectionExport.AUTO:
            return structures.ProductForm(self.value)
        written_out = 4 * input_dim * units
        if dft_bytes(structure, input_dim, units) < written_out:
            return structures.ProductForm.DFT
        return structures.ProductForm.DENSE


@functools.cache
def dft_bytes(
    structure: structures.Structure, input_dim: int, units: int
) -> int:
    """Counts the bytes that a product takes in portable operators.

    Args:
        structure: of the matrix.
        input_dim: its number of rows.
        units: its number of columns.

    Returns:
        Those of all values that a trace of it holds: spectra of weights or
        weights, and constants of transforms.
    """
    rng = np.random.default_rng(0)
    with tf.init_scope():
        weights = {
            spec.name: tf.Variable(
                spec.draw(rng), dtype=spec.dtype or tf.float32
            )
            for spec in structure.weights(input_dim, units)
        }
        with structures.product_forms(lambda *_: structures.ProductForm.DFT):
            frozen = frozen_function.FrozenFunction(
                lambda x: structure.multiply(
                    {k: tf.convert_to_tensor(w) for k, w in weights.items()},
                    x,
                    units,
                ),
                [tf.TensorSpec([None, input_dim])],
            )
            function = tf.function(frozen, autograph=False)
            graph = function.get_concrete_function(
                tf.TensorSpec([None, input_dim])
            ).graph
    captured = {id(outer) for outer, _ in graph.captures}
    variables = [*weights.values(), *frozen.kept]
    count = sum(
        variable.shape.num_elements() * variable.dtype.size
        for variable in variables
        if id(variable.handle) in captured
    )
    # A constant that comes several times is written once.
    constants = {
        node.attr["value"].tensor.SerializeToString(): node.attr["value"].tensor
        for node in graph.as_graph_def().node
        if node.op == "Const"
    }
    return count + sum(
        tf.make_ndarray(tensor).nbytes for tensor in constants.values()
    )
