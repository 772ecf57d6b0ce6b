"""Video-level records: one vector per feature and video."""

import dataclasses

import tensorflow as tf

from yt8m_compact.readers import checks
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import ids
from yt8m_compact.readers import labels
from yt8m_compact.readers import normal_records
from yt8m_compact.readers import ragged
from yt8m_compact.readers import usual_encoding

_EXPECTED = (
    "expected a tf.train.Example whose features are float lists. Write the "
    "record as in YouTube-8M, or leave its file out."
)


@dataclasses.dataclass(frozen=True)
class VideoLevelReader:
    """Reads `tf.train.Example` records with a float list per feature.

    Attributes:
        feature_names: Keys of the features, such as `("mean_rgb",
            "mean_audio")`.
        feature_sizes: Their sizes, such as `(1024, 128)`.
        num_classes: The number of classes.
        with_labels: Whether labels are read. If not, batches have none, and
            records may hold any or none.
        column_ids: Whether ids must fit into a column of a CSV.

    Raises:
        ValueError: If an attribute is out of range, or does not fit the others.

    Example:
        >>> np.savez("v.npz", ids=["abcd", "efgh"], mean_rgb=np.eye(2, 4))
        >>> config = yt8m.datasets.ConvertConfig(
        ...     level="video", feature_names=("mean_rgb",)
        ... )
        >>> _ = yt8m.datasets.convert_files(
        ...     "v.npz", "v", config, labels={"abcd": [7], "efgh": [3, 5]}
        ... )
        >>> files = yt8m.readers.expand_patterns("v/*.tfrecord")
        >>> reader = yt8m.readers.VideoLevelReader(("mean_rgb",), (4,))
        >>> dataset = yt8m.readers.make_dataset(reader, files, batch_size=64)
        >>> for batch in dataset:
        ...     print(batch["id"].numpy(), batch["features"].shape)
        [b'abcd' b'efgh'] (2, 4)
    """

    feature_names: tuple[str, ...] = ("mean_rgb", "mean_audio")
    feature_sizes: tuple[int, ...] = (1024, 128)
    num_classes: int = feature_spec.NUM_CLASSES
    with_labels: bool = True
    column_ids: bool = False

    def __post_init__(self) -> None:
        feature_spec.validate(
            self.feature_names, self.feature_sizes, self.num_classes
        )
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        object.__setattr__(self, "feature_sizes", tuple(self.feature_sizes))

    @property
    def frame_features(self) -> bool:
        """Whether records hold features frame by frame: False."""
        return False

    @property
    def feature_dim(self) -> int:
        """The size of all features together."""
        return sum(self.feature_sizes)

    def parse(
        self,
        serialized: tf.Tensor,
        *,
        files: tf.Tensor | None = None,
        indices: tf.Tensor | None = None,
        seed: tf.Tensor | None = None,
    ) -> dict[str, tf.Tensor]:
        """Turns serialized records into a batch.

        Args:
            serialized: String `[batch]`.
            files: String `[batch]`, the records' files, for error messages.
            indices: int64 `[batch]`, their numbers in the files, likewise.
            seed: Not used: nothing is random here.

        Returns:
            `features`, float32 `[batch, feature_dim]`, the features side by
            side in the order of `feature_names`; `id`, string `[batch]`;
            with labels also `labels`, float32 `[batch, num_classes]`, zeros
            where a record has none.

        Raises:
            tf.errors.InvalidArgumentError: If a record does not fit; see
                `readable_errors`.
        """
        del seed
        names = checks.example_names(serialized, files, indices, _EXPECTED)
        refused = tf.zeros_like(serialized, tf.bool)
        if files is None:
            parsed = self._parse_features(serialized, names)
            video_ids = ids.select_ids(parsed)
        else:
            parsed, video_ids, refused = self._parse_exactly(serialized, names)
        good = checks.require(
            [
                normal_records.check_refused(refused, _EXPECTED),
                *(
                    _check_size(name, size, parsed[name])
                    for name, size in zip(
                        self.feature_names, self.feature_sizes, strict=True
                    )
                ),
                *(
                    _check_finite(name, parsed[name])
                    for name in self.feature_names
                ),
                *self._context_checks(parsed, video_ids),
            ],
            files,
            indices,
        )
        with tf.control_dependencies([good]):
            features = [
                tf.reshape(parsed[name].values, [-1, size])
                for name, size in zip(
                    self.feature_names, self.feature_sizes, strict=True
                )
            ]
            batch = {
                "features": tf.concat(features, axis=1),
                "id": tf.identity(video_ids),
            }
            if self.with_labels:
                batch["labels"] = labels.multi_hot(
                    parsed[labels.LABELS_KEY], self.num_classes
                )
            return batch

    def _context_checks(self, parsed, video_ids):
        required = [ids.check_ids(video_ids)]
        if self.column_ids:
            required.append(ids.check_column_ids(video_ids))
        if self.with_labels:
            required.append(
                labels.check_labels(parsed[labels.LABELS_KEY], self.num_classes)
            )
        return required

    @property
    def wanted(self) -> normal_records.Wanted:
        """What is asked of a record."""
        return normal_records.Wanted(tuple(self._spec()))

    def _parse_exactly(self, serialized, names):
        """Parses a batch as protobuf reads it.

        Returns:
            Features by key, ids, and bool `[batch]`, what protobuf refuses.
        """
        # Labels are counted even where they are not read, and so are features.
        spec = usual_encoding.means_spec() | labels.labels_spec()
        spec |= self._spec()
        parsed = self._parse_features(serialized, names, spec)
        video_ids = ids.select_ids(parsed)
        usual = usual_encoding.usual_videos(
            serialized,
            parsed,
            video_ids,
            self.feature_names,
            self.feature_sizes,
            self.num_classes if self.with_labels else None,
        )
        keys = list(self._spec())

        def parse_normal():
            normal, refused = self.wanted.normalize_in_graph(serialized)
            again = self._parse_features(normal, names)
            return [
                ids.select_ids(again),
                refused,
                *ragged.to_tensors(again, keys),
            ]

        video_ids, refused, *tensors = tf.cond(
            tf.reduce_all(usual),
            lambda: [
                video_ids,
                tf.zeros_like(usual),
                *ragged.to_tensors(parsed, keys),
            ],
            checks.rarely(parse_normal),
        )
        return ragged.from_tensors(tensors, keys), video_ids, refused

    def _spec(self):
        spec = {
            name: tf.io.RaggedFeature(tf.float32) for name in self.feature_names
        }
        spec |= ids.id_spec()
        return spec | labels.labels_spec() if self.with_labels else spec

    def _parse_features(self, serialized, names, spec=None):
        """Parses a batch, without any check."""
        # An Example is, byte by byte, a SequenceExample without lists. That
        # parser names the record in most of its errors, parse_example in none.
        return tf.io.parse_sequence_example(
            serialized,
            context_features=spec or self._spec(),
            example_names=names,
        )[0]


def _check_size(name: str, size: int, feature: tf.RaggedTensor) -> checks.Check:
    lengths = feature.row_lengths()
    bad = tf.not_equal(lengths, size)
    return checks.Check(
        failed=tf.reduce_any(bad),
        bad=lambda: bad,
        describe=lambda row: tf.strings.join(
            [
                f"expected the feature '{name}' to be {size} float values. "
                "Received: ",
                tf.where(
                    lengths[row] == 0,
                    "none",
                    tf.strings.as_string(lengths[row]),
                ),
                ". Set feature_names and feature_sizes to those of the data, "
                "or use the frame-level reader (frame_features=True) if its "
                "features come frame by frame, or pool them by `yt8m-data "
                "pool`.",
            ]
        ),
    )


def _check_finite(name: str, feature: tf.RaggedTensor) -> checks.Check:
    values = feature.values

    # A sum is several times faster than testing each value, and is finite
    # unless a value is not or the sum overflows; only then look closely.
    failed = tf.cond(
        tf.math.is_finite(tf.reduce_sum(values)),
        lambda: tf.constant(False),
        lambda: tf.reduce_any(~tf.math.is_finite(values)),
    )
    return checks.Check(
        failed=failed,
        bad=lambda: checks.rows_with(
            ~tf.math.is_finite(values), feature.row_splits
        ),
        describe=lambda row: tf.constant(
            f"expected finite values in the feature '{name}'. Received: NaN or "
            "infinity. Leave the record out or write it again."
        ),
    )
