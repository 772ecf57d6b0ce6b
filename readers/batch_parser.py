"""Parsing of a batch inside a data set, whatever its records are."""

from collections.abc import Callable
import dataclasses
import functools

import tensorflow as tf

from yt8m_compact import tensorflow_errors
from yt8m_compact.readers import errors
from yt8m_compact.readers import frame_level
from yt8m_compact.readers import normal_records
from yt8m_compact.readers import skipped as skipped_lib
from yt8m_compact.readers import video_level

_UNREADABLE = (
    "expected a tf.train.Example or tf.train.SequenceExample. Write the record "
    "again, or leave it out"
)

Reader = video_level.VideoLevelReader | frame_level.FrameLevelReader


@dataclasses.dataclass(frozen=True)
class BatchParser:
    """Parses batches; of one that can't be parsed, record by record.

    TensorFlow's parsers refuse some records that protobuf reads, and name the
    record in some of their errors only. So where a batch fails, its records are
    encoded as protobuf does and tried again, first together and then one by
    one, which says which of them are bad.

    Attributes:
        parse: A `tf.function` of files, indices, records and a seed.
        wanted: What it asks of a record.
        skipped: Where to count records that don't fit, which are then left out;
            None to stop at the first with an error.
    """

    parse: Callable[..., dict[str, tf.Tensor]]
    wanted: normal_records.Wanted
    skipped: skipped_lib.SkippedData | None

    def __call__(
        self,
        files: tf.Tensor,
        indices: tf.Tensor,
        serialized: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Parses a batch in a graph.

        Args:
            files: String `[batch]`.
            indices: int64 `[batch]`.
            serialized: String `[batch]`.
            seed: int64 `[2]`.

        Returns:
            What `parse` returns of the good records.
        """
        # Called itself: `self.parse` would look it up each time.
        concrete = self.parse.get_concrete_function()
        outputs = concrete.structured_outputs
        keys = list(outputs)

        def run(files, indices, serialized, seed):
            arguments = files, indices, serialized
            message = ""
            try:
                batch = concrete(*arguments, seed)
            except tf.errors.InvalidArgumentError:
                batch, message = self._try_again(arguments, seed)
            return [message, *(batch[key] for key in keys)]

        message, *tensors = tf.py_function(
            run,
            [files, indices, serialized, seed],
            [tf.string, *(outputs[key].dtype for key in keys)],
        )
        if self.skipped is None:
            # Raised here, and not in `run`, it arrives as it is.
            good = tf.cond(
                tf.equal(message, ""),
                lambda: tf.constant(True),
                lambda: _fail(message),
            )
            with tf.control_dependencies([good]):
                tensors = [tf.identity(value) for value in tensors]
        return {
            key: tf.ensure_shape(value, outputs[key].shape)
            for key, value in zip(keys, tensors, strict=True)
        }

    def _try_again(self, arguments, seed):
        """Parses what is good of a batch that could not be parsed.

        Returns:
            The batch; and the first error, "" if there is none or it is
            counted.
        """
        files, indices, serialized = arguments
        normal, refused = self.wanted.normalize(serialized.numpy().tolist())
        # What protobuf refuses stays as it is: the error is about that.
        records = tf.constant(
            [
                record if bad else encoded
                for encoded, bad, record in zip(
                    normal, refused, serialized.numpy().tolist(), strict=True
                )
            ],
            tf.string,
        )
        if not any(refused):
            try:
                return self.parse(files, indices, records, seed), ""
            except tf.errors.InvalidArgumentError:
                pass
        good, error = [], None
        for row, bad in enumerate(refused):
            alone = slice(row, row + 1)
            file, index = files[alone], indices[alone]
            error = self._error(file, index, records[alone], seed)
            if error is None and bad:
                # TensorFlow's parser reads what protobuf refuses, of a kind
                # that may not be that of the others.
                error = _bad_record(file, index, f"{_UNREADABLE}.")
            if error is None:
                good.append(row)
            elif self.skipped is None:
                good = []
                break
            else:
                self.skipped.add_record(*error)
                error = None
        rows = tf.constant(good, tf.int32)
        batch = self.parse(
            *(tf.gather(column, rows) for column in (files, indices, records)),
            seed,
        )
        if error is None:
            return batch, ""
        file, index, reason = error
        return batch, f"{file}: record {index}: {reason}"

    def _error(self, file, index, serialized, seed):
        """Returns a file, a number and what is wrong, None if nothing is."""
        try:
            self.parse(file, index, serialized, seed)
        except tf.errors.InvalidArgumentError as error:
            reason = errors.find_message(error.message)
            if reason is None:
                detail = tensorflow_errors.first_line(error.message)
                reason = f"{_UNREADABLE} ({detail})."
            return _bad_record(file, index, reason)
        return None


def _bad_record(
    file: tf.Tensor, index: tf.Tensor, reason: str
) -> tuple[str, int, str]:
    """Returns the file, the number and what is wrong with one record."""
    name = file.numpy()[0].decode()
    number = int(index.numpy()[0])
    return name, number, reason.removeprefix(f"{name}: record {number}: ")


@functools.lru_cache(maxsize=16)
def parse_function(reader: Reader) -> Callable[..., dict[str, tf.Tensor]]:
    """Traces `reader.parse`, once for all passes: it takes half a second.

    Args:
        reader: The reader.

    Returns:
        A `tf.function` of files, indices, records and a seed.
    """

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([None], tf.int64),
            tf.TensorSpec([None], tf.string),
            tf.TensorSpec([2], tf.int64),
        ],
        autograph=False,
    )
    def parse(files, indices, serialized, seed):
        return reader.parse(serialized, files=files, indices=indices, seed=seed)

    return parse


def _fail(message: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([errors.raise_in_graph(message)]):
        return tf.constant(False)
