"""Functions of frozen weights: what comes of weights alone is computed once.

The spectra of circulants, matrices that are written out, 16-bit copies of
weights, the scale and shift that batch normalisation amounts to: layers compute
them at each call, and of frozen weights they are the same each time.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import tensorflow as tf

# Up to so many times the bytes of the weights it is made of, a value is kept
# where bytes count: half a spectrum takes a little more than its vector.
_MAX_GROWTH = 1.1


class FrozenFunction:
    """A function of tensors and of weights, what weights alone give ahead.

    Each value that comes of weights alone, and that an operation on the inputs
    takes, is kept in a variable; what branches and loops compute inside stays
    there. The operations are those of the function: so are the results, to
    rounding.

    Weights count as they were when this was made, or at the last `refresh`.

    Args:
        function: from tensors to a tensor; of nothing but them and weights,
            without side effects.
        signature: what it is given.
        may_grow: whether a value is kept, too, that takes more memory than the
            weights it is made of, such as a matrix that is written out.
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
            self._output = graph.outputs[0]
            weights = _find_weights(graph, self._inputs)
            self._values = _values_to_keep(weights, may_grow)
            given = [value.op for value in self._inputs]
            self._graph = _Graph(graph, unordered=[*weights, *given])
            self._compute = tf.function(
                lambda: self._graph.place(self._values, {}), autograph=False
            ).get_concrete_function()
            self.kept = [
                tf.Variable(value, trainable=False, name="kept")
                for value in self._compute()
            ]

    def __call__(self, *inputs: tf.Tensor) -> tf.Tensor:
        """Adds the operations on inputs to the graph that is being made.

        Args:
            *inputs: as the signature says.
        """
        kept = map(tf.convert_to_tensor, self.kept)
        given = zip(
            [*self._inputs, *self._values], [*inputs, *kept], strict=True
        )
        (output,) = self._graph.place(
            [self._output], {inner.name: value for inner, value in given}
        )
        output.set_shape(self._output.shape)
        return output

    def refresh(self) -> None:
        """Computes again what weights alone give."""
        for variable, value in zip(self.kept, self._compute(), strict=True):
            variable.assign(value)


class _Graph:
    """A graph of a function, parts of which are placed in others.

    Args:
        graph: the graph.
        unordered: operations that no other one waits for but for a result.
    """

    def __init__(
        self, graph: tf.Graph, unordered: Collection[tf.Operation]
    ) -> None:
        self._captured = {inner.name: outer for outer, inner in graph.captures}
        self._definition = graph.as_graph_def()
        not_waited_for = {f"^{operation.name}" for operation in unordered}
        for node in self._definition.node:
            names = [name for name in node.input if name not in not_waited_for]
            node.ClearField("input")
            node.input.extend(names)
        self._nodes = {node.name: node for node in self._definition.node}
        self._operations = {op.name: op for op in graph.get_operations()}

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
        waiting = [output.name for output in outputs]
        while waiting:
            name = waiting.pop()
            if name in given:
                used[name] = here.capture(given[name])
                continue
            operation = self._operations[name.partition(":")[0]]
            if operation.name not in needed:
                needed.add(operation.name)
                waiting += [value.name for value in operation.inputs]
                waiting += [
                    name[1:]
                    for name in self._nodes[operation.name].input
                    if name.startswith("^")
                ]
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
            return_elements=[
                output.name for output in outputs if output.name not in used
            ],
            name="",
        )
        left = iter(placed or [])
        return [
            used[output.name] if output.name in used else next(left)
            for output in outputs
        ]


def _find_weights(
    graph: tf.Graph, inputs: Iterable[tf.Tensor]
) -> dict[tf.Operation, dict[str, tf.Tensor]]:
    """Finds the operations that no input reaches.

    Returns:
        For each, the weights that it takes, by the names of the operations
        that read them: none for constants.
    """
    given = {value.op for value in inputs}
    found: dict[tf.Operation, dict[str, tf.Tensor]] = {}
    for operation in graph.get_operations():
        before = [value.op for value in operation.inputs]
        before += operation.control_inputs
        if operation in given or not all(other in found for other in before):
            continue
        if operation.type == "ReadVariableOp":
            found[operation] = {operation.name: operation.outputs[0]}
        elif not operation.op_def.is_stateful:  # as random numbers are
            found[operation] = {
                name: weight
                for other in before
                for name, weight in found[other].items()
            }
    return found


def _values_to_keep(
    weights: Mapping[tf.Operation, Mapping[str, tf.Tensor]], may_grow: bool
) -> list[tf.Tensor]:
    """Lists what operations on inputs take that is computed of weights."""
    values = []
    for operation, taken in weights.items():
        if not taken or _reads(operation):
            continue
        for value in operation.outputs:
            if value.dtype in (tf.resource, tf.variant):
                continue
            if all(consumer in weights for consumer in value.consumers()):
                continue
            if may_grow or not _grows(value, taken.values()):
                values.append(value)
    return values


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
