"""Constants of LiteRT files: what they are, and in what they are stored."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections import Counter
from collections.abc import Mapping
import dataclasses
import functools
import importlib.util
import math

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

# What interpreters read constants by: at multiples of so many bytes.
_ALIGNMENT = 16
_IDENTIFIER = b"TFL3"
# Versions of DEQUANTIZE, by what it reads.
_HALF_VERSION = 3
_INT2 = 19  # TensorFlow 2.16 has no name for it.
_CODE_TYPES = {  # bits: type, version
    8: (schema.TensorType.INT8, 5),
    4: (schema.TensorType.INT4, 6),
    2: (_INT2, 7),
}

Key = tuple[int, str]
"""The subgraph of a constant, and its name, which is unique there."""


def readable_bits() -> tuple[int, ...]:
    """Lists the bits of codes that the interpreter here decodes.

    LiteRT's own has all; that of an older TensorFlow has those of 8 alone.
    """
    own = importlib.util.find_spec("ai_edge_litert") is not None
    recent = hasattr(schema.TensorType, "INT2")
    return (2, 4, 8) if own or recent else (8,)


@functools.cache
def _operator_names() -> dict[int, str]:
    return {
        code: name
        for name, code in vars(schema.BuiltinOperator).items()
        if isinstance(code, int)
    }


@dataclasses.dataclass(frozen=True)
class Use:
    """Where a constant is taken.

    Attributes:
        operator: the type of what takes it.
        position: the number of that input.
        output: the name of what comes out, which begins with that of the layer.
    """

    operator: str
    position: int
    output: str


@dataclasses.dataclass(frozen=True)
class Constant:
    """A float32 constant of a file.

    Attributes:
        values: its values.
        uses: where it is taken.
    """

    values: np.ndarray
    uses: tuple[Use, ...]

    @property
    def layer(self) -> str:
        """The scope of the first use."""
        return self.uses[0].output.split(";")[0].rpartition("/")[0]


@dataclasses.dataclass(frozen=True)
class Halves:
    """Floats of 16 bits.

    Attributes:
        values: float16, of the shape of the constant.
    """

    values: np.ndarray

    @property
    def num_bytes(self) -> int:
        """Counts what is stored."""
        return self.values.nbytes

    def decode(self) -> np.ndarray:
        """Computes what an interpreter makes of it, float32."""
        return self.values.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Codes:
    """Whole numbers of few bits, times a scale for each slice along an axis.

    Attributes:
        codes: int8, within `bits`; of the shape of the constant, or another of
            as many values, which is reshaped then.
        scales: float32, one for each slice, or one for all.
        axis: that of the slices.
        bits: 8, 4 or 2.
    """

    codes: np.ndarray
    scales: np.ndarray
    axis: int
    bits: int

    @property
    def num_bytes(self) -> int:
        """Counts what is stored: an int64 zero comes with each scale."""
        return math.ceil(self.codes.size * self.bits / 8) + 12 * len(
            self.scales
        )

    def decode(self) -> np.ndarray:
        """Computes what an interpreter makes of it, float32."""
        shape = [1] * self.codes.ndim
        shape[self.axis] = len(self.scales)
        return self.codes.astype(np.float32) * self.scales.reshape(shape)

    def to_bytes(self) -> bytes:
        """Puts codes behind each other, the first in the lowest bits."""
        per_byte = 8 // self.bits
        codes = self.codes.ravel()
        codes = np.pad(codes, (0, -len(codes) % per_byte))
        digits = codes.view(np.uint8) & (2**self.bits - 1)
        shifts = self.bits * np.arange(per_byte, dtype=np.uint8)
        return np.bitwise_or.reduce(
            digits.reshape(-1, per_byte) << shifts, axis=1
        ).tobytes()


Stored = Halves | Codes


class _Builder(flatbuffers.Builder):
    """Writes arrays of bytes, which constants are, where they can be read."""

    def CreateNumpyVector(self, x):
        if x.dtype != np.uint8 or not x.size:
            return super().CreateNumpyVector(x)
        self.StartVector(1, x.size, _ALIGNMENT)
        self.head -= x.size
        self.Bytes[self.head : self.head + x.size] = x.tobytes()
        self.vectorNumElems = x.size
        return self.EndVector()


class LiteRtGraph:
    """The operators and constants of a LiteRT file, to be changed.

    Args:
        content: the bytes of a file.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._model = schema.ModelT.InitFromPackedBuf(content, 0)
        for buffer in self._model.buffers:
            if buffer.offset > 1:  # Behind all else, as ai-edge-quantizer does.
                end = buffer.offset + buffer.size
                data = np.frombuffer(content[buffer.offset : end], np.uint8)
                buffer.data, buffer.offset, buffer.size = data, 0, 0
        # Constants are found by them, by ai-edge-quantizer too.
        for subgraph in self._model.subgraphs:
            seen: Counter[bytes] = Counter()
            for tensor in subgraph.tensors:
                tensor.name = tensor.name or b""
                seen[tensor.name] += 1
                if seen[tensor.name] > 1:
                    tensor.name += b"__%d" % seen[tensor.name]

    def to_bytes(self) -> bytes:
        """Writes the file."""
        builder = _Builder(1024)
        builder.Finish(self._model.Pack(builder), _IDENTIFIER)
        return bytes(builder.Output())

    def operators(self) -> list[str]:
        """Lists the types of all operators, in their order."""
        return [
            self._type_of(operator)
            for subgraph in self._model.subgraphs
            for operator in subgraph.operators
        ]

    def constants(self) -> dict[Key, Constant]:
        """Finds the float32 constants that operators take."""
        uses: dict[tuple[int, int], list[Use]] = {}
        for number, subgraph in enumerate(self._model.subgraphs):
            for operator in subgraph.operators:
                outputs = [subgraph.tensors[i].name for i in operator.outputs]
                for position, index in enumerate(operator.inputs):
                    use = Use(
                        self._type_of(operator),
                        position,
                        outputs[0].decode() if outputs else "",
                    )
                    uses.setdefault((number, int(index)), []).append(use)
        found = {}
        for (number, index), users in uses.items():
            tensor = self._model.subgraphs[number].tensors[index]
            data = self._model.buffers[tensor.buffer].data
            if index < 0 or tensor.type != schema.TensorType.FLOAT32:
                continue
            if data is None or not len(data):
                continue
            values = np.frombuffer(bytes(data), np.float32)
            shape = [] if tensor.shape is None else tensor.shape
            found[number, tensor.name.decode()] = Constant(
                values.reshape(shape), tuple(users)
            )
        return found

    def offsets(self) -> dict[Key, int]:
        """Finds where the float32 constants are in the bytes of the file.

        Returns:
            The place of the first byte of each, of a file that was not changed.
        """
        begin = np.frombuffer(self._content, np.uint8).ctypes.data
        found = {}
        for number, name in self.constants():
            data = self._model.buffers[self._tensor(number, name).buffer].data
            found[number, name] = data.ctypes.data - begin
        return found

    def store_all(self, stored: Mapping[Key, Stored]) -> None:
        """Stores constants in fewer bits, see `store`."""
        for key, value in stored.items():
            self.store(key, value)

    def store(self, key: Key, stored: Stored) -> None:
        """Stores a constant in fewer bits.

        Args:
            key: of the constant.
            stored: what takes its place.
        """
        subgraph = self._model.subgraphs[key[0]]
        decoded = self._tensor(*key)
        source = schema.TensorT()
        source.name = decoded.name + b"__stored"
        if isinstance(stored, Halves):
            source.type, version = schema.TensorType.FLOAT16, _HALF_VERSION
            source.shape = list(decoded.shape)
            source.buffer = self._add_buffer(stored.values.tobytes())
        else:
            source.type, version = _CODE_TYPES[stored.bits]
            source.shape = list(stored.codes.shape)
            source.buffer = self._add_buffer(stored.to_bytes())
            source.quantization = schema.QuantizationParametersT()
            source.quantization.scale = stored.scales.astype(np.float32)
            source.quantization.zeroPoint = np.zeros(
                len(stored.scales), np.int64
            )
            source.quantization.quantizedDimension = stored.axis
        # What it was is still that of others, maybe; else it goes.
        self._drop_buffer(decoded)
        operators = []
        target = decoded
        if source.shape != list(decoded.shape):
            target = schema.TensorT()
            target.name = decoded.name + b"__flat"
            target.shape = source.shape
            target.type = schema.TensorType.FLOAT32
        for tensor in (source, target):
            if tensor is not decoded:
                subgraph.tensors.append(tensor)
        index = {id(tensor): i for i, tensor in enumerate(subgraph.tensors)}
        operators.append(
            self._operator(
                "DEQUANTIZE",
                version,
                [index[id(source)]],
                [index[id(target)]],
                schema.BuiltinOptions.DequantizeOptions,
                schema.DequantizeOptionsT(),
            )
        )
        if target is not decoded:
            options = schema.ReshapeOptionsT()
            options.newShape = list(decoded.shape)
            shape = schema.TensorT()
            shape.name = decoded.name + b"__shape"
            shape.shape = [len(decoded.shape)]
            shape.type = schema.TensorType.INT32
            shape.buffer = self._add_buffer(
                np.array(decoded.shape, np.int32).tobytes()
            )
            subgraph.tensors.append(shape)
            operators.append(
                self._operator(
                    "RESHAPE",
                    1,
                    [index[id(target)], len(subgraph.tensors) - 1],
                    [index[id(decoded)]],
                    schema.BuiltinOptions.ReshapeOptions,
                    options,
                )
            )
        subgraph.operators[:0] = operators

    def _tensor(self, subgraph: int, name: str) -> schema.TensorT:
        tensors = self._model.subgraphs[subgraph].tensors
        return next(t for t in tensors if t.name == name.encode())

    def _type_of(self, operator: schema.OperatorT) -> str:
        code = self._model.operatorCodes[operator.opcodeIndex]
        return _operator_names()[code.builtinCode]

    def _add_buffer(self, data: bytes) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1

    def _drop_buffer(self, tensor: schema.TensorT) -> None:
        dropped, tensor.buffer = tensor.buffer, 0
        if not any(
            other.buffer == dropped
            for subgraph in self._model.subgraphs
            for other in subgraph.tensors
        ):
            self._model.buffers[dropped].data = None

    def _operator(
        self,
        name: str,
        version: int,
        inputs: list[int],
        outputs: list[int],
        options_type: int,
        options: object,
    ) -> schema.OperatorT:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._operator_code(name, version)
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType = options_type
        operator.builtinOptions = options
        return operator

    def _operator_code(self, name: str, version: int) -> int:
        number = getattr(schema.BuiltinOperator, name)
        for index, code in enumerate(self._model.operatorCodes):
            if (code.builtinCode, code.version) == (number, version):
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = number, version
        # Older readers know this field only, which has 7 bits.
        code.deprecatedBuiltinCode = min(number, 127)
        self._model.operatorCodes.append(code)
        return len(self._model.operatorCodes) - 1
