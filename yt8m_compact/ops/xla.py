"""Whether XLA compiles what is traced."""

import tensorflow as tf
from tensorflow.python.ops import control_flow_util


def is_compiling() -> bool:
    """Says whether XLA compiles the graph that is traced now.

    Returns:
        Whether it does, as a part of another graph too.

    Example:
        >>> @tf.function(jit_compile=True)
        ... def compiled():
        ...     return tf.constant(yt8m.ops.is_compiling())
        >>> bool(compiled()), yt8m.ops.is_compiling()
        (True, False)
    """
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)
