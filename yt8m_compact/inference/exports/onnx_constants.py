"""Constants of ONNX files: what they are, and in what they are stored."""

# ruff: noqa: E402
from __future__ import annotations

from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Iterator, Mapping
import dataclasses
import functools
import math

import numpy as np

from yt8m_compact import lazy
from yt8m_compact import structures
from yt8m_compact.inference.exports import few_bits

with lazy.imports():
    import onnx

# What says how a constant is decoded takes about so much.
_NODE_BYTES = 400
_BYTE_VALUES = 256
# Floats of 16 bits, by the name of their type.
_HALVES = {"float16": "FLOAT16", "bfloat16": "BFLOAT16"}


@dataclasses.dataclass(frozen=True)
class Constant:
    """A float32 constant of a file.

    Attributes:
        values: its values.
        taken_by: the name of the operator that takes it first.
        in_columns: whether it is a matrix whose columns belong together, as
            rows are multiplied by it.
    """

    values: np.ndarray
    taken_by: str
    in_columns: bool

    @property
    def layer(self) -> str:
        """The scope of what takes it."""
        return self.taken_by.rpartition("/")[0]


@dataclasses.dataclass(frozen=True)
class Halves:
    """Floats of 16 bits.

    Attributes:
        values: float16 or bfloat16, of the shape of the constant.
    """

    values: np.ndarray

    @property
    def num_bytes(self) -> int:
        """Counts what is stored."""
        return self.values.nbytes + _NODE_BYTES

    def decode(self) -> np.ndarray:
        """Computes what a runtime makes of it, float32."""
        return self.values.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Codes:
    """Whole numbers of few levels, as many to a byte as fit, and scales.

    Five of three levels are a byte, eight of two.

    Attributes:
        codes: int8, of the shape of the constant.
        scales: float32, one for each block.
        runs: along each axis, the values of a block. The last block may have
            fewer.
    """

    codes: np.ndarray
    scales: np.ndarray
    runs: tuple[int, ...]

    @functools.cached_property
    def levels(self) -> np.ndarray:
        """The codes that there are, two at least, sorted."""
        found = np.unique(self.codes)
        return found if len(found) > 1 else np.append(found, found + 1)

    @property
    def per_byte(self) -> int:
        """Says how many codes fit in a byte."""
        return int(math.log(_BYTE_VALUES + 0.5, len(self.levels)))

    @property
    def num_bytes(self) -> int:
        """Counts what is stored, but for tables that others need, too."""
        return (
            math.ceil(self.codes.size / self.per_byte)
            + _shortest(self.scales).nbytes
            + _NODE_BYTES
        )

    def decode(self) -> np.ndarray:
        """Computes what a runtime makes of it, float32."""
        scales = self.scales
        for axis, run in enumerate(self.runs):
            scales = scales.repeat(run, axis)
        within = tuple(map(slice, self.codes.shape))
        return self.codes.astype(np.float32) * scales[within]

    def padded(self) -> np.ndarray:
        """Returns the codes with whole blocks at the ends."""
        sizes = zip(self.codes.shape, self.runs, strict=True)
        return np.pad(
            self.codes, [(0, -size % run) for size, run in sizes], "edge"
        )

    def table(self) -> np.ndarray:
        """Says what codes each byte is, int8 `[bytes, codes]`."""
        base = len(self.levels)
        numbers = np.arange(base**self.per_byte)[:, np.newaxis]
        return self.levels[numbers // self._places() % base]

    def to_bytes(self) -> np.ndarray:
        """Puts the padded codes into bytes, uint8: numbers of the table."""
        digits = np.searchsorted(self.levels, self.padded()).ravel()
        digits = np.pad(digits, (0, -len(digits) % self.per_byte))
        digits = digits.reshape(-1, self.per_byte)
        return (digits @ self._places()).astype(np.uint8)

    def _places(self) -> np.ndarray:
        return len(self.levels) ** np.arange(self.per_byte)


Stored = Halves | Codes


def lay_out(coded: structures.CodedWeight) -> Stored | None:
    """Finds how ONNX can store a constant.

    Args:
        coded: its codes and scales, of its shape.

    Returns:
        Floats of 16 bits, or codes in blocks of one scale; None for floats
        with scales.
    """
    codes, scales = coded.codes, coded.scales
    if codes.dtype != np.int8:
        return Halves(codes) if (scales == 1).all() else None
    runs = []
    for axis, size in enumerate(scales.shape):
        others = tuple(i for i in range(scales.ndim) if i != axis)
        changes = np.any(np.diff(scales, axis=axis) != 0, axis=others)
        # Without a change, all along the axis.
        places = np.flatnonzero(changes) + 1
        runs.append(math.gcd(*map(int, places)) or max(size, 1))
    firsts = tuple(slice(None, None, run) for run in runs)
    return Codes(codes, scales[firsts], tuple(runs))


class OnnxGraph:
    """The constants of an ONNX file, to be changed.

    Args:
        content: the bytes of a file.
    """

    def __init__(self, content: bytes) -> None:
        self._model = onnx.load_from_string(content)
        self._graph = self._model.graph
        # What decodes constants comes first, in the order that it is needed.
        self._nodes: list[onnx.NodeProto] = []
        self._shared: dict[tuple[str, bytes], str] = {}
        self._count = 0

    def to_bytes(self) -> bytes:
        """Writes the file."""
        nodes = [*self._nodes, *self._graph.node]
        del self._graph.node[:]
        self._graph.node.extend(nodes)
        self._nodes = []
        onnx.checker.check_model(self._model, full_check=True)
        return self._model.SerializeToString()

    def constants(self) -> dict[str, Constant]:
        """Finds the float32 constants that operators take, by name."""
        users: dict[str, list[tuple[onnx.NodeProto, int]]] = {}
        for node in _nodes_in(self._graph):
            for position, name in enumerate(node.input):
                users.setdefault(name, []).append((node, position))
        found = {}
        for tensor in self._graph.initializer:
            uses = users.get(tensor.name)
            if tensor.data_type != onnx.TensorProto.FLOAT or not uses:
                continue
            values = onnx.numpy_helper.to_array(tensor)
            in_columns = values.ndim == 2 and all(
                (node.op_type, position) == ("MatMul", 1)
                for node, position in uses
            )
            node, _ = uses[0]
            found[tensor.name] = Constant(
                values, node.name or node.output[0], in_columns
            )
        return found

    def replace(self, values: Mapping[str, np.ndarray]) -> None:
        """Puts other values in the places of constants.

        Args:
            values: by name, of the shapes of the constants.
        """
        for tensor in self._graph.initializer:
            if tensor.name in values:
                new = np.ascontiguousarray(values[tensor.name])
                tensor.CopyFrom(onnx.numpy_helper.from_array(new, tensor.name))

    def store_all(self, stored: Mapping[str, Stored]) -> None:
        """Stores constants in fewer bits, by operators that decode them.

        Runtimes do that once, when they open a file: all that it takes are
        constants. They leave `DequantizeLinear` for each run.

        Args:
            stored: what takes the place of each, by name.
        """
        tensors = {
            tensor.name: tensor
            for tensor in self._graph.initializer
            if tensor.name in stored
        }
        for name, value in stored.items():
            self._graph.initializer.remove(tensors[name])
            if isinstance(value, Halves):
                self._cast(self._add(value.values), name)
            else:
                self._decode(value, name)

    def _decode(self, stored: Codes, name: str) -> None:
        shape = stored.codes.shape
        padded = stored.padded()
        if stored.per_byte == 1:
            codes = self._cast(self._add(padded.ravel()))
        else:
            table = self._shared_cast(stored.table())
            numbers = self._operator(
                "Cast",
                [self._add(stored.to_bytes())],
                to=onnx.TensorProto.INT32,
            )
            codes = self._operator("Gather", [table, numbers])
            if padded.size % stored.per_byte:
                codes = self._reshape(codes, [-1])
                codes = self._slice(codes, [padded.size])
        # Each axis as blocks and what is in them.
        blocks, of_scales = [], []
        for size, run in zip(padded.shape, stored.runs, strict=True):
            if run > 1 and size > run:
                blocks += [size // run, run]
                of_scales += [size // run, 1]
            else:
                blocks.append(size)
                of_scales.append(size // run)
        scales = _shortest(stored.scales.reshape(of_scales))
        factors = self._add(scales)
        if scales.dtype == np.float16:
            factors = self._cast(factors)
        codes = self._reshape(codes, blocks)
        steps = []
        if tuple(blocks) != padded.shape:
            steps.append(
                lambda value, **to: self._reshape(value, padded.shape, **to)
            )
        if padded.shape != shape:
            steps.append(lambda value, **to: self._slice(value, shape, **to))
        names = [None] * len(steps) + [name]
        value = self._operator("Mul", [codes, factors], output=names[0])
        for step, output in zip(steps, names[1:], strict=True):
            value = step(value, output=output)

    def _operator(
        self,
        kind: str,
        inputs: list[str],
        output: str | None = None,
        **attributes: int,
    ) -> str:
        output = output or self._new_name()
        self._nodes.append(
            onnx.helper.make_node(kind, inputs, [output], **attributes)
        )
        return output

    def _cast(self, value: str, output: str | None = None) -> str:
        return self._operator(
            "Cast", [value], output, to=onnx.TensorProto.FLOAT
        )

    def _reshape(
        self, value: str, shape: tuple[int, ...], output: str | None = None
    ) -> str:
        sizes = self._shared_constant(np.array(shape, np.int64))
        return self._operator("Reshape", [value, sizes], output)

    def _slice(
        self, value: str, shape: tuple[int, ...], output: str | None = None
    ) -> str:
        """Takes the first values along each axis."""
        starts = self._shared_constant(np.zeros(len(shape), np.int64))
        ends = self._shared_constant(np.array(shape, np.int64))
        return self._operator("Slice", [value, starts, ends], output)

    def _shared_constant(self, values: np.ndarray) -> str:
        key = (f"{values.dtype} {values.shape}", values.tobytes())
        if key not in self._shared:
            self._shared[key] = self._add(values)
        return self._shared[key]

    def _shared_cast(self, values: np.ndarray) -> str:
        """Adds floats, stored as they are given."""
        key = (f"cast {values.dtype} {values.shape}", values.tobytes())
        if key not in self._shared:
            self._shared[key] = self._cast(self._add(values))
        return self._shared[key]

    def _add(self, values: np.ndarray) -> str:
        name = self._new_name()
        tensor = self._graph.initializer.add()
        if values.dtype.name in _HALVES:
            # NumPy has no bfloat16 of its own.
            kind = getattr(onnx.TensorProto, _HALVES[values.dtype.name])
            tensor.data_type, tensor.name = kind, name
            tensor.dims.extend(values.shape)
            tensor.raw_data = values.tobytes()
        else:
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
        return name

    def _new_name(self) -> str:
        names = {tensor.name for tensor in self._graph.initializer}
        names.update(o for node in self._graph.node for o in node.output)
        while True:
            self._count += 1
            name = f"bits_{self._count}"
            if name not in names:
                return name


class OnnxFile:
    """A file whose constants are stored in this way and that.

    Args:
        content: the file, with constants in float32.
        least_bytes: of how many bytes a constant is worth operators that
            decode it.
    """

    def __init__(
        self, content: bytes, least_bytes: int = few_bits.LEAST_BYTES
    ) -> None:
        self._content = content
        self.least_bytes = least_bytes
        self.constants = OnnxGraph(content).constants()
        self._stored: dict[tuple[str, few_bits.Level], Stored] = {}

    def multiplies_whole_numbers(self, constant: Constant) -> bool:
        """No product is of whole numbers."""
        del constant
        return False

    def store(self, levels: Mapping[str, few_bits.Level]) -> bytes:
        """Returns the file with constants of some levels.

        Args:
            levels: by constant.
        """
        graph = OnnxGraph(self._content)
        graph.store_all(self._stored_as(levels))
        return graph.to_bytes()

    def rounded(self, levels: Mapping[str, few_bits.Level]) -> bytes:
        """Returns a file that predicts what that of `store` does.

        Args:
            levels: by constant.
        """
        graph = OnnxGraph(self._content)
        stored = self._stored_as(levels).items()
        graph.replace({name: value.decode() for name, value in stored})
        return graph.to_bytes()

    def _stored_as(
        self, levels: Mapping[str, few_bits.Level]
    ) -> dict[str, Stored]:
        found = {}
        for key, level in levels.items():
            if level is few_bits.Level.FLOAT32:
                continue
            if (key, level) not in self._stored:
                self._stored[key, level] = lay_out(
                    _at_level(self.constants[key], level)
                )
            found[key] = self._stored[key, level]
        return found


def _at_level(
    constant: Constant, level: few_bits.Level
) -> structures.CodedWeight:
    if not constant.in_columns:
        return few_bits.at_level(constant.values, level)
    turned = few_bits.at_level(constant.values.T, level)
    return structures.CodedWeight(turned.codes.T, turned.scales.T)


def _shortest(scales: np.ndarray) -> np.ndarray:
    """Says scales in 16 bits, if that is the same."""
    with np.errstate(over="ignore"):
        short = scales.astype(np.float16)
    return short if np.array_equal(short, scales) else scales


def _nodes_in(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Lists the operators of a graph, in loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes_in(attribute.g)
