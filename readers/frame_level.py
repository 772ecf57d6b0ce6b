"""Frame-level records: one string of 8-bit codes per feature and frame."""

import dataclasses

import tensorflow as tf

from yt8m_compact.readers import checks
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import ids
from yt8m_compact.readers import labels
from yt8m_compact.readers import regular_frames
from yt8m_compact.readers import sampling
from yt8m_compact.readers.sampling import FrameSampling

_EXPECTED = (
    "expected a tf.train.SequenceExample whose features are lists of one bytes "
    "value per frame. Write the record as in YouTube-8M, or leave its file out."
)


@dataclasses.dataclass(frozen=True)
class FrameLevelReader:
    """Reads `tf.train.SequenceExample` records with a bytes list per feature.

    Frames are chosen before they are decoded, and stay uint8: a frame that
    nobody looks at costs next to nothing.

    Attributes:
        feature_names: Keys of the features, such as `("rgb", "audio")`.
        feature_sizes: Their sizes, bytes per frame, such as `(1024, 128)`.
        num_classes: The number of classes.
        max_frames: Frames beyond this number are cut, as in the starter code.
        frame_sampling: How frames are chosen from those.
        num_sampled_frames: How many are chosen; None with `ALL`.
    """

    feature_names: tuple[str, ...] = ("rgb", "audio")
    feature_sizes: tuple[int, ...] = (1024, 128)
    num_classes: int = 3862
    max_frames: int = 300
    frame_sampling: FrameSampling = FrameSampling.ALL
    num_sampled_frames: int | None = None

    def __post_init__(self) -> None:
        feature_spec.validate(
            self.feature_names, self.feature_sizes, self.num_classes
        )
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        object.__setattr__(self, "feature_sizes", tuple(self.feature_sizes))
        object.__setattr__(
            self, "frame_sampling", FrameSampling(self.frame_sampling)
        )
        if self.max_frames < 1:
            raise ValueError(
                "`max_frames` is expected to be at least 1. Received: "
                f"max_frames={self.max_frames}"
            )
        number = self.num_sampled_frames
        if self.frame_sampling is FrameSampling.ALL:
            if number is not None:
                raise ValueError(
                    "`num_sampled_frames` is expected to be None where "
                    "frame_sampling is 'all'. Received: "
                    f"num_sampled_frames={number}"
                )
        elif number is None or number < 1:
            raise ValueError(
                "`num_sampled_frames` is expected to be at least 1 where "
                f"frame_sampling is '{self.frame_sampling.value}'. Received: "
                f"num_sampled_frames={number}"
            )

    @property
    def frame_features(self) -> bool:
        """Whether records hold features frame by frame: True."""
        return True

    @property
    def feature_dim(self) -> int:
        """The size of all features together."""
        return sum(self.feature_sizes)

    @property
    def num_output_frames(self) -> int:
        """The second dimension of `frames`."""
        return self.num_sampled_frames or self.max_frames

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
            seed: int64 `[2]`, decides together with a video's id which of its
                frames a random sampling chooses, whatever the batch.

        Returns:
            `frames`, uint8 `[batch, num_output_frames, feature_dim]`, the
            features side by side in the order of `feature_names`, zeros after a
            video's end; `num_frames`, int32 `[batch]`, how many of them are the
            video's; `id`, string `[batch]`; `labels`, float32
            `[batch, num_classes]`, zeros where a record has none.

        Raises:
            tf.errors.InvalidArgumentError: If a record does not fit; see
                `readable_errors`.
        """
        regular = regular_frames.find_frames(
            serialized, self.feature_names, self.feature_sizes
        )
        frames, num_frames, video = tf.cond(
            regular.regular,
            lambda: self._decode_regular(regular, files, indices, seed),
            lambda: self._decode_any(serialized, files, indices, seed),
        )
        video_ids, label_values, label_splits = video
        video_labels = tf.RaggedTensor.from_row_splits(
            label_values, label_splits, validate=False
        )
        good = checks.require(
            [
                ids.check_ids(video_ids),
                labels.check_labels(video_labels, self.num_classes),
            ],
            files,
            indices,
        )
        with tf.control_dependencies([good]):
            return {
                "frames": tf.ensure_shape(
                    frames, [None, self.num_output_frames, self.feature_dim]
                ),
                "num_frames": tf.ensure_shape(num_frames, [None]),
                "id": tf.ensure_shape(video_ids, [None]),
                "labels": labels.multi_hot(video_labels, self.num_classes),
            }

    def _decode_regular(self, regular, files, indices, seed):
        """Takes frames from where `find_frames` found them."""
        video, _, _ = tf.io.parse_sequence_example(
            regular.context,
            context_features=ids.id_spec() | labels.labels_spec(),
            example_names=checks.example_names(
                regular.context, files, indices, _EXPECTED
            ),
        )
        video_ids = ids.select_ids(video)
        number = tf.cast(regular.num_frames, tf.int32)
        available = tf.minimum(number, self.max_frames)
        features = zip(regular.codes, self.feature_sizes, strict=True)
        if self.frame_sampling is FrameSampling.ALL:
            time = tf.shape(regular.codes[0])[1]
            frames = _side_by_side(
                [
                    codes[:, : self.max_frames, -size:]
                    for codes, size in features
                ]
            )
            # Zeros follow already; a video's frames beyond the limit do not.
            missing = tf.maximum(self.max_frames - time, 0)
            frames = tf.pad(frames, [[0, 0], [0, missing], [0, 0]])
        else:
            rows, available = sampling.sample_frame_indices(
                available,
                self.num_output_frames,
                self.frame_sampling,
                _seed_by_id(seed, video_ids),
            )
            frames = _side_by_side(
                [
                    tf.gather(codes, rows, batch_dims=1)[:, :, -size:]
                    for codes, size in features
                ]
            )
            mask = tf.sequence_mask(available, self.num_output_frames)
            frames = tf.where(
                mask[:, :, tf.newaxis], frames, tf.zeros([], tf.uint8)
            )
        return frames, available, _plain(video_ids, video)

    def _decode_any(self, serialized, files, indices, seed):
        """Parses every frame, and says what is wrong."""
        video, lists, _ = tf.io.parse_sequence_example(
            serialized,
            context_features=ids.id_spec() | labels.labels_spec(),
            sequence_features={
                name: tf.io.RaggedFeature(tf.string)
                for name in self.feature_names
            },
            example_names=checks.example_names(
                serialized, files, indices, _EXPECTED
            ),
        )
        video_ids = ids.select_ids(video)
        video_labels = video[labels.LABELS_KEY]
        first = lists[self.feature_names[0]]
        good = checks.require(
            [
                *(
                    _check_frames(name, lists[name])
                    for name in self.feature_names
                ),
                *(
                    _check_size(name, size, lists[name])
                    for name, size in zip(
                        self.feature_names, self.feature_sizes, strict=True
                    )
                ),
                *(
                    _check_same(self.feature_names[0], first, name, lists[name])
                    for name in self.feature_names[1:]
                ),
                ids.check_ids(video_ids),
                labels.check_labels(video_labels, self.num_classes),
            ],
            files,
            indices,
        )
        with tf.control_dependencies([good]):
            splits = tf.identity(first.row_splits)
            codes = {
                name: tf.identity(lists[name].flat_values)
                for name in self.feature_names
            }
        if self.frame_sampling is FrameSampling.ALL:
            frames, number = self._decode_all(codes, splits)
        else:
            frames, number = self._decode_sampled(
                codes, splits, _seed_by_id(seed, video_ids)
            )
        return frames, number, _plain(video_ids, video)

    def sample(
        self,
        frames: tf.Tensor,
        num_frames: tf.Tensor,
        seed: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Chooses frames that are decoded already, as `parse` does.

        Args:
            frames: `[batch, time, feature_dim]`, of any type.
            num_frames: int32 `[batch]`.
            seed: int64 `[batch, 2]` or `[2]`, for a random sampling.

        Returns:
            `frames` `[batch, num_output_frames, feature_dim]`, zeros after a
            video's end, and `num_frames`, int32 `[batch]`.
        """
        time = tf.shape(frames)[1]
        available = tf.minimum(
            tf.cast(num_frames, tf.int32), tf.minimum(time, self.max_frames)
        )
        rows, number = sampling.sample_frame_indices(
            available, self.num_output_frames, self.frame_sampling, seed
        )
        # A place to gather from, where no video of the batch has a frame.
        frames = tf.pad(frames, [[0, 0], [0, tf.maximum(1 - time, 0)], [0, 0]])
        chosen = tf.gather(frames, rows, batch_dims=1)
        mask = tf.sequence_mask(number, self.num_output_frames)
        chosen = tf.where(mask[:, :, tf.newaxis], chosen, tf.zeros_like(chosen))
        return chosen, number

    def _decode_all(
        self, codes: dict[str, tf.Tensor], splits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        features = [
            tf.RaggedTensor.from_row_splits(
                tf.io.decode_raw(codes[name], tf.uint8, fixed_length=size),
                splits,
                validate=False,
            ).to_tensor(shape=[None, self.max_frames, size])
            for name, size in zip(
                self.feature_names, self.feature_sizes, strict=True
            )
        ]
        lengths = tf.cast(splits[1:] - splits[:-1], tf.int32)
        frames = features[0] if len(features) == 1 else tf.concat(features, 2)
        return frames, tf.minimum(lengths, self.max_frames)

    def _decode_sampled(
        self,
        codes: dict[str, tf.Tensor],
        splits: tf.Tensor,
        seed: tf.Tensor | None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        starts = tf.cast(splits[:-1], tf.int32)
        lengths = tf.cast(splits[1:], tf.int32) - starts
        rows, number = sampling.sample_frame_indices(
            tf.minimum(lengths, self.max_frames),
            self.num_output_frames,
            self.frame_sampling,
            seed,
        )
        places = tf.reshape(rows + starts[:, tf.newaxis], [-1])
        mask = tf.reshape(
            tf.sequence_mask(number, self.num_output_frames), [-1]
        )
        features = []
        for name, size in zip(
            self.feature_names, self.feature_sizes, strict=True
        ):
            chosen = tf.where(mask, tf.gather(codes[name], places), "")
            # An empty string decodes to zeros, which pad.
            features.append(
                tf.io.decode_raw(chosen, tf.uint8, fixed_length=size)
            )
        frames = features[0] if len(features) == 1 else tf.concat(features, 1)
        frames = tf.reshape(
            frames, [-1, self.num_output_frames, self.feature_dim]
        )
        return frames, number


def _side_by_side(features: list[tf.Tensor]) -> tf.Tensor:
    return features[0] if len(features) == 1 else tf.concat(features, axis=2)


def _seed_by_id(
    seed: tf.Tensor | None, video_ids: tf.Tensor
) -> tf.Tensor | None:
    return None if seed is None else sampling.seed_by_id(seed, video_ids)


def _plain(video_ids, video):
    """Returns ids and labels as tensors alone, which a `tf.cond` can return."""
    video_labels = video[labels.LABELS_KEY]
    return video_ids, video_labels.values, video_labels.row_splits


def _check_frames(name: str, frames: tf.RaggedTensor) -> checks.Check:
    bad = tf.equal(frames.row_lengths(), 0)
    return checks.Check(
        failed=tf.reduce_any(bad),
        bad=lambda: bad,
        describe=lambda row: tf.constant(
            f"expected at least one frame of the feature '{name}', found none. "
            "Set feature_names to those of the data, use the video-level "
            "reader (no --frame_features) if its features are averages over "
            "the video, or leave the record out."
        ),
    )


def _check_size(name: str, size: int, frames: tf.RaggedTensor) -> checks.Check:
    # [batch, (frames), (strings of a frame)]
    lengths = tf.strings.length(frames.flat_values)
    strings = frames.values.row_lengths()

    def bad_frames():
        wrong = tf.not_equal(lengths, size)
        wrong = checks.rows_with(wrong, frames.values.row_splits)
        return wrong | tf.not_equal(strings, 1)

    def describe(row):
        wrong = checks.row_of(bad_frames(), frames.row_splits, row)
        first = tf.where(wrong)[:1, 0]
        number = checks.row_of(strings, frames.row_splits, row)
        number = tf.reduce_sum(tf.gather(number, first))
        # The strings of all frames of the record up to that one.
        upto = tf.gather(frames.row_splits, row) + tf.cast(
            tf.reduce_sum(first), frames.row_splits.dtype
        )
        place = tf.gather(frames.values.row_splits, upto)
        found = tf.cond(
            tf.equal(number, 1),
            lambda: tf.strings.as_string(lengths[place]) + " bytes",
            lambda: tf.strings.as_string(number) + " strings",
        )
        return tf.strings.join(
            [
                f"expected one string of {size} bytes (8-bit codes) of the "
                f"feature '{name}' in every frame, found ",
                found,
                " in frame ",
                tf.strings.reduce_join(tf.strings.as_string(first)),
                ". Set feature_sizes to those of the data, or write the record "
                "again.",
            ]
        )

    return checks.Check(
        failed=tf.reduce_any(tf.not_equal(lengths, size))
        | tf.reduce_any(tf.not_equal(strings, 1)),
        bad=lambda: checks.rows_with(bad_frames(), frames.row_splits),
        describe=describe,
    )


def _check_same(
    first_name: str,
    first: tf.RaggedTensor,
    name: str,
    frames: tf.RaggedTensor,
) -> checks.Check:
    first_lengths = first.row_lengths()
    lengths = frames.row_lengths()
    bad = tf.not_equal(lengths, first_lengths)
    return checks.Check(
        failed=tf.reduce_any(bad),
        bad=lambda: bad,
        describe=lambda row: tf.strings.join(
            [
                f"expected as many frames of '{name}' as of '{first_name}', "
                "found ",
                tf.strings.as_string(lengths[row]),
                " and ",
                tf.strings.as_string(first_lengths[row]),
                ". Leave the record out or write it again.",
            ]
        ),
    )
