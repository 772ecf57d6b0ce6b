"""Functions of frozen weights: what comes of weights alone is computed once.

The spectra of circulants, matrices that are written out, 16-bit copies of
weights, the scale and shift that batch normalisation amounts to: layers compute
them at each call, and of frozen weights they are the same each time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import tensorflow as tf

# Up to so many times the bytes of the weights it is made of, a value is kept
# where bytes count: half a spectrum takes a little more than its vector, twice
# as much where the vector is embedded in one of a fast length.
_MAX_GROWTH = 2.5
# What says that an operation has a gradient of its own.
_GRADIENT = "_gradient_op_type"


class FrozenFunction:
    """A function of tensors and of weights, what weights alone give ahead.

    Each value that comes of weights alone, and that an operation on the inputs
    takes, is kept in a variable; what branches and loops compute inside stays
    there. The operations are those of the function: so are the results, to
    rounding.

    Weights count as they were when this was made, or at the last `refresh`.

    Args:
        function: from tensors to a tensor or a list of them; of nothing but its
            arguments and weights, without side effects.
        signature: what it is given.
        may_grow: whether a value is kept, too, that takes far more memory than
            the weights it is made of, such as a matrix that is written out.
    """

    def __init__(
        self,
        function: Callable[..., tf.Tensor],
        signature: Sequence[tf.TensorSpec],
        *,
        may_grow: bool = True,
    ) -> None:
        with tf.init_scope():
            traced = tf.function(function, autograph=False)
            graph = traced.get_concrete_function(*signature).graph
            self._inputs = graph.inputs[: len(signature)]
            self._outputs = graph.outputs
            weights = _find_weights(graph, self._inputs)
            self._values = _values_to_keep(self._outputs, weights, may_grow)
            given = [value.op for value in self._inputs]
            self._graph = _Graph(graph, unordered=[*weights, *given])
            self._compute = tf.function(
                lambda: self._graph.place(self._values, {}), autograph=False
            ).get_concrete_function()
            self.kept = [
                tf.Variable(value, trainable=False, name="kept")
                for value in self._compute()
            ]

    def __call__(self, *inputs: tf.Tensor, output: int = 0) -> tf.Tensor:
        """Adds the operations on inputs to the graph that is being made.

        Args:
            *inputs: as the signature says.
            output: which of the function's results to compute, and no more.
        """
        kept = map(tf.convert_to_tensor, self.kept)
        given = zip(
            [*self._inputs, *self._values], [*inputs, *kept], strict=True
        )
        wanted = self._outputs[output]
        (placed,) = self._graph.place(
            [wanted], {inner.name: value for inner, value in given}
        )
        placed.set_shape(wanted.shape)
        return placed

    def refresh(self) -> None:
        """Computes again what weights alone give."""
        for variable, value in zip(self.kept, self._compute(), strict=True):
            variable.assign(value)


class _Graph:
    """A graph of a function, parts of which are placed in others.

    Without the gradients that operations have of their own: they refer to
    tensors of the graph.

    Args:
        graph: the graph.
        unordered: operations that no other one waits for but for a result.
    """

    def __init__(
        self, graph: tf.Graph, unordered: Collection[tf.Operation]
    ) -> None:
        self._captured = {inner.name: outer for outer, inner in graph.captures}
        self._operations = {op.name: op for op in graph.get_operations()}
        self._definition = graph.as_graph_def()
        not_waited_for = {f"^{operation.name}" for operation in unordered}
        for node in self._definition.node:
            operation = self._operations[node.name]
            names = [_source(value).name for value in operation.inputs]
            names += [
                name
                for name in node.input
                if name.startswith("^") and name not in not_waited_for
            ]
            node.ClearField("input")
            node.input.extend(names)
        functions = self._definition.library.function
        for nodes in (
            self._definition.node,
            *(function.node_def for function in functions),
        ):
            for node in nodes:
                node.attr.pop(_GRADIENT, None)
        self._nodes = {node.name: node for node in self._definition.node}

    def place(
        self, outputs: Sequence[tf.Tensor], given: Mapping[str, tf.Tensor]
    ) -> list[tf.Tensor]:
        """Adds what outputs are computed by to the graph that is being made.

        Args:
            outputs: tensors of this graph.
            given: what takes the place of tensors, by their names here.
        """
        given = {**self._captured, **given}
        here = tf.compat.v1.get_default_graph()
        needed, used = set(), {}
        names = [_source(output).name for output in outputs]
        waiting = list(names)
        while waiting:
            name = waiting.pop().removeprefix("^")
            if name in given:
                used[name] = here.capture(given[name])
                continue
            node = self._nodes[name.partition(":")[0]]
            if node.name not in needed:
                needed.add(node.name)
                waiting += node.input
        part = type(self._definition)(
            library=self._definition.library,
            versions=self._definition.versions,
            node=[
                node for node in self._definition.node if node.name in needed
            ],
        )
        placed = tf.graph_util.import_graph_def(
            part,
            input_map=used,
            return_elements=[name for name in names if name not in used],
            name="",
        )
        left = iter(placed or [])
        return [used[name] if name in used else next(left) for name in names]


def _source(value: tf.Tensor) -> tf.Tensor:
    """Looks through what a gradient of one's own leaves in a graph.

    It takes the arguments beside the results, and gives each as it is.
    """
    while value.op.type == "IdentityN":
        value = value.op.inputs[value.value_index]
    return value


def _find_weights(
    graph: tf.Graph, inputs: Iterable[tf.Tensor]
) -> dict[tf.Operation, dict[str, tf.Tensor]]:
    """Finds the operations that no input reaches.

    Returns:
        For each, the weights that it takes, by the names of their handles:
        none for constants.
    """
    given = {value.op for value in inputs}
    found: dict[tf.Operation, dict[str, tf.Tensor]] = {}
    for operation in graph.get_operations():
        before = [_source(value).op for value in operation.inputs]
        before += operation.control_inputs
        if operation in given or not all(other in found for other in before):
            continue
        if operation.type == "ReadVariableOp":
            found[operation] = {operation.inputs[0].name: operation.outputs[0]}
        elif not operation.op_def.is_stateful:  # as random numbers are
            found[operation] = {
                name: weight
                for other in before
                for name, weight in found[other].items()
            }
    return found


def _values_to_keep(
    outputs: Iterable[tf.Tensor],
    weights: Mapping[tf.Operation, Mapping[str, tf.Tensor]],
    may_grow: bool,
) -> list[tf.Tensor]:
    """Lists what operations on inputs take that is computed of weights."""
    values: dict[str, tf.Tensor] = {}
    seen: set[tf.Operation] = set()
    waiting = [*outputs]
    while waiting:
        value = _source(waiting.pop())
        taken = weights.get(value.op)
        if taken is not None and (not taken or _reads(value.op)):
            continue
        if taken is not None:
            special = value.dtype in (tf.resource, tf.variant)
            if not special and (may_grow or not _grows(value, taken.values())):
                values[value.name] = value
        elif value.op not in seen:
            seen.add(value.op)
            waiting += value.op.inputs
    return list(values.values())


def _reads(operation: tf.Operation) -> bool:
    """Whether an operation gives a weight as it is."""
    if operation.type == "Identity":
        return _reads(operation.inputs[0].op)
    return operation.type == "ReadVariableOp"


def _grows(value: tf.Tensor, weights: Iterable[tf.Tensor]) -> bool:
    size = value.shape.num_elements()
    if size is None:
        return True
    before = sum(
        weight.shape.num_elements() * weight.dtype.size for weight in weights
    )
    return size * value.dtype.size > _MAX_GROWTH * before
