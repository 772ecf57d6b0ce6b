"""Frame-level records: 8-bit codes, or floats, of every frame."""

import dataclasses
import enum

import tensorflow as tf

from yt8m_compact import ops
from yt8m_compact.readers import checks
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import frame_checks
from yt8m_compact.readers import ids
from yt8m_compact.readers import labels
from yt8m_compact.readers import normal_records
from yt8m_compact.readers import ragged
from yt8m_compact.readers import regular_frames
from yt8m_compact.readers import sampling
from yt8m_compact.readers import usual_encoding
from yt8m_compact.readers import windows as windows_lib
from yt8m_compact.readers.sampling import FrameSampling

_EXPECTED = (
    "expected a tf.train.SequenceExample whose features are lists of one bytes "
    "value per frame. Write the record as in YouTube-8M, or leave its file out."
)
_EXPECTED_FLOATS = (
    "expected a tf.train.SequenceExample whose features are lists of floats "
    "per frame. Set float_frames=False for 8-bit codes, or leave the file "
    "out."
)

# More frames are taken from a copy of all of a video's.
_MAX_PICKS = 64


class VideoParts(enum.StrEnum):
    """Which parts of a video are rows of a batch.

    Attributes:
        WHOLE: The video.
        HALVES: Its first and its second half, both with its labels, which
            doubles the videos to train on (Skalic et al.,
            https://arxiv.org/abs/1707.01408).
        SEGMENTS: Its rated segments of 5 s (YouTube-8M of 2019), with their own
            labels and `label_weights`.
        ALL_SEGMENTS: All of its segments of 5 s, rated or not, the last one
            shorter, to the video's end whatever `max_frames`. They have no
            labels.

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([9, 4]), audio=np.ones([9, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "in", labels={"b": [7]})
        >>> files = yt8m.readers.expand_patterns("in/*.tfrecord")
        >>> reader = yt8m.readers.FrameLevelReader(
        ...     feature_sizes=(4, 2), parts=yt8m.readers.VideoParts.HALVES
        ... )
        >>> dataset = yt8m.readers.make_dataset(reader, files, batch_size=64)
        >>> for batch in dataset:
        ...     print(batch["num_frames"].numpy())
        [5 4]
    """

    WHOLE = "whole"
    HALVES = "halves"
    SEGMENTS = "segments"
    ALL_SEGMENTS = "all_segments"


@dataclasses.dataclass(frozen=True)
class FrameLevelReader:
    """Reads frame-level records.

    Frames are chosen before they are decoded, and stay uint8: a frame that
    nobody looks at costs next to nothing. A record is a
    `tf.train.SequenceExample` with one bytes value per frame, as YouTube-8M and
    AudioSet write it, or *packed*: a `tf.train.Example` with one bytes value
    per feature, the codes of all frames in order. Which one is seen from the
    records, of which a batch may hold both kinds.

    Attributes:
        feature_names: Keys of the features, such as `("rgb", "audio")`.
        feature_sizes: Their sizes, bytes per frame, such as `(1024, 128)`.
        num_classes: The number of classes.
        max_frames: Frames beyond this number are cut, as in the starter code.
        frame_sampling: How frames are chosen from those.
        num_sampled_frames: How many are chosen; None with `ALL`.
        float_frames: Whether frames are float lists, such as MediaPipe's
            `RGB/feature/floats`. They become the nearest 8-bit codes, those
            YouTube-8M would hold: off by 2/255 at most inside of [-2, 2].
        parts: Which parts of a video are rows of a batch. Frames are chosen in
            each.
        with_labels: Whether labels are read. If not, batches have none, and
            records may hold any or none.
        column_ids: Whether ids must fit into a column of a CSV.

    Raises:
        ValueError: If an attribute is out of range, or does not fit the others.

    Example:
        >>> np.savez("a.npz", rgb=np.zeros([9, 4]), audio=np.ones([9, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "v", labels={"a": [7]})
        >>> files = yt8m.readers.expand_patterns("v/*.tfrecord")
        >>> reader = yt8m.readers.FrameLevelReader(
        ...     feature_sizes=(4, 2),
        ...     frame_sampling="even",
        ...     num_sampled_frames=3,
        ... )
        >>> dataset = yt8m.readers.make_dataset(reader, files, batch_size=64)
        >>> for batch in dataset:
        ...     print(batch["frames"].shape, batch["labels"].shape)
        (1, 3, 6) (1, 3862)
    """

    feature_names: tuple[str, ...] = ("rgb", "audio")
    feature_sizes: tuple[int, ...] = (1024, 128)
    num_classes: int = feature_spec.NUM_CLASSES
    max_frames: int = 300
    frame_sampling: FrameSampling = FrameSampling.ALL
    num_sampled_frames: int | None = None
    float_frames: bool = False
    parts: VideoParts = VideoParts.WHOLE
    with_labels: bool = True
    column_ids: bool = False

    def __post_init__(self) -> None:
        feature_spec.validate(
            self.feature_names, self.feature_sizes, self.num_classes
        )
        object.__setattr__(self, "feature_names", tuple(self.feature_names))
        object.__setattr__(self, "feature_sizes", tuple(self.feature_sizes))
        object.__setattr__(
            self, "frame_sampling", FrameSampling(self.frame_sampling)
        )
        object.__setattr__(self, "parts", VideoParts(self.parts))
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
        expected = {
            VideoParts.SEGMENTS: True,
            VideoParts.ALL_SEGMENTS: False,
        }.get(self.parts, self.with_labels)
        if self.with_labels != expected:
            raise ValueError(
                f"`with_labels` is expected to be {expected} where parts is "
                f"'{self.parts.value}': 'segments' are the rated ones, and "
                "'all_segments' have no labels. Received: "
                f"with_labels={self.with_labels}"
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
        number = self.num_sampled_frames or self._part_frames
        if (
            self.parts is VideoParts.ALL_SEGMENTS
            and self.frame_sampling is FrameSampling.EVEN
        ):
            # 60 segments of a video, padded to 30 frames each, take 2 MB.
            return min(number, self._part_frames)
        return number

    @property
    def _part_frames(self) -> int:
        """The largest number of frames of a part."""
        if self.parts is VideoParts.HALVES:
            return (self.max_frames + 1) // 2
        if self.parts is VideoParts.SEGMENTS:
            return min(self.max_frames, windows_lib.SEGMENT_FRAMES)
        if self.parts is VideoParts.ALL_SEGMENTS:
            return windows_lib.SEGMENT_FRAMES
        return self.max_frames

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
            `frames`, uint8 `[rows, num_output_frames, feature_dim]`, the
            features side by side in the order of `feature_names`, zeros after a
            part's end; `num_frames`, int32 `[rows]`, how many of them are the
            part's; `id`, string `[rows]`; with labels also `labels`, float32
            `[rows, num_classes]`, zeros where a record has none; of rated
            segments also `label_weights`, float32 `[rows, num_classes]`, 1
            where there is a rating. There is a row for each record, two with
            `HALVES`, and one for each segment with `SEGMENTS` and
            `ALL_SEGMENTS`, whose id is `id:start`.

        Raises:
            tf.errors.InvalidArgumentError: If a record does not fit; see
                `readable_errors`.
        """
        origin = files, indices
        if self.float_frames:
            outputs = self._parse_floats(serialized, origin, seed)
        else:
            regular = regular_frames.find_frames(
                serialized, self.feature_names, self.feature_sizes
            )
            good, finish = self._parse_regular(regular, origin, seed)
            outputs = tf.cond(
                good,
                finish,
                checks.rarely(
                    lambda: self._parse_irregular(serialized, origin, seed)
                ),
            )
        frames, number, video_frames, video_ids, *context = outputs
        video = ragged.from_tensors(context, self._returned_keys())
        windows = self._windows(video, video_ids, video_frames)
        return {
            "frames": tf.ensure_shape(
                frames, [None, self.num_output_frames, self.feature_dim]
            ),
            "num_frames": tf.ensure_shape(number, [None]),
            **self._ids_and_labels(video, video_ids, windows),
        }

    def _ids_and_labels(self, video, video_ids, windows):
        if self.parts is VideoParts.SEGMENTS:
            rated, weights = windows_lib.segment_labels(video, self.num_classes)
            return {
                "id": windows.ids,
                "labels": rated,
                "label_weights": weights,
            }
        if self.parts is VideoParts.ALL_SEGMENTS:
            return {"id": windows.ids}
        halved = self.parts is VideoParts.HALVES
        batch = {"id": tf.repeat(video_ids, 2) if halved else video_ids}
        batch["id"] = tf.ensure_shape(batch["id"], [None])
        if self.with_labels:
            hot = labels.multi_hot(video[labels.LABELS_KEY], self.num_classes)
            batch["labels"] = tf.repeat(hot, 2, axis=0) if halved else hot
        return batch

    @property
    def _reads_video_labels(self) -> bool:
        """Whether the labels of the videos are those of the rows."""
        return self.with_labels and self.parts is not VideoParts.SEGMENTS

    def _returned_keys(self) -> list[str]:
        """Lists the ragged features that the branches of `parse` return."""
        keys = [labels.LABELS_KEY] if self._reads_video_labels else []
        if self.parts is VideoParts.SEGMENTS:
            keys += windows_lib.SEGMENT_KEYS
        return keys

    def _context_features(self) -> dict[str, tf.io.RaggedFeature]:
        spec = ids.id_spec()
        if self._reads_video_labels:
            spec |= labels.labels_spec()
        if self.parts is VideoParts.SEGMENTS:
            spec |= windows_lib.segments_spec()
        return spec

    def _counted_features(self) -> dict[str, tf.io.RaggedFeature]:
        """Lists what tells whether a context is encoded as usual.

        Labels are counted even where they are not read.
        """
        return usual_encoding.times_spec() | labels.labels_spec()

    @property
    def _label_bound(self) -> int | None:
        return self.num_classes if self._reads_video_labels else None

    def _context_checks(self, video, video_ids, num_frames):
        required = [ids.check_ids(video_ids)]
        if self.column_ids:
            required.append(ids.check_column_ids(video_ids))
        if self._reads_video_labels:
            required.append(
                labels.check_labels(video[labels.LABELS_KEY], self.num_classes)
            )
        if self.parts is VideoParts.SEGMENTS:
            required += windows_lib.check_segments(
                video,
                tf.minimum(num_frames, self.max_frames),
                self.num_classes,
            )
        return required

    def _windows(self, video, video_ids, num_frames) -> windows_lib.Windows:
        if self.parts is VideoParts.ALL_SEGMENTS:
            return windows_lib.all_segments(num_frames, video_ids)
        available = tf.minimum(num_frames, self.max_frames)
        if self.parts is VideoParts.HALVES:
            return windows_lib.halves(available, video_ids)
        if self.parts is VideoParts.SEGMENTS:
            return windows_lib.rated_segments(video, available, video_ids)
        return windows_lib.whole_videos(available, video_ids)

    def _outputs(self, frames, number, num_frames, video_ids, video):
        """Lists tensors alone, which a `tf.cond` can return."""
        context = ragged.to_tensors(video, self._returned_keys())
        return [frames, number, num_frames, video_ids, *context]

    def _parse_regular(self, regular, origin, seed):
        """Takes frames from where `find_frames` found them.

        Returns:
            Whether they all are there, and a function that returns the outputs.
        """
        video, video_ids, exact = self._parse_contexts(regular, origin)
        num_frames = tf.cast(regular.num_frames, tf.int32)
        if self._picks_frames:
            windows = self._windows(video, video_ids, num_frames)
            steps, number = self._choose(windows, seed)

        def decode():
            if not self._picks_frames:
                return regular_frames.decode_frames(regular, self.feature_sizes)
            codes, good = regular_frames.pick_frames(
                regular, self.feature_sizes, steps
            )
            return [self._join(codes, number)], good

        def leave_out():
            if not self._picks_frames:
                sizes = regular_frames.frame_strides(self.feature_sizes)
            else:
                sizes = [self.feature_dim]
            return [
                tf.zeros([0, 0, size], tf.uint8) for size in sizes
            ], tf.constant(False)

        codes, good = tf.cond(regular.regular, decode, leave_out)

        def finish():
            if not self._picks_frames:
                return self._finish(
                    codes, num_frames, video, video_ids, origin, seed
                )
            required = self._context_checks(video, video_ids, num_frames)
            with tf.control_dependencies([checks.require(required, *origin)]):
                checked_ids = tf.identity(video_ids)
            return self._outputs(
                codes[0], number, num_frames, checked_ids, video
            )

        return good & exact, finish

    def _parse_contexts(self, regular, origin):
        """Parses what is not frames of what `find_frames` found.

        Returns:
            Features by key, ids, and a scalar bool, whether protobuf reads
            every context; if not, what is wrong is for others to say.
        """
        contexts = regular.context
        names = checks.example_names(contexts, *origin, _EXPECTED)
        keys = list(self._context_features())
        is_request = origin[0] is None

        def parse(contexts, spec):
            return tf.io.parse_sequence_example(
                contexts, context_features=spec, example_names=names
            )[0]

        def parse_normal():
            wanted = normal_records.Wanted(tuple(keys))
            normal, refused = wanted.normalize_in_graph(contexts)
            video = parse(normal, self._context_features())
            return [
                ids.select_ids(video),
                ~tf.reduce_any(refused),
                *ragged.to_tensors(video, keys),
            ]

        spec = self._context_features()
        if not is_request:
            spec = self._counted_features() | spec
        video = parse(contexts, spec)
        video_ids = ids.select_ids(video)
        if is_request:
            return video, video_ids, tf.constant(True)
        usual = ~regular.regular
        if self.parts is not VideoParts.SEGMENTS:
            usual |= tf.reduce_all(
                usual_encoding.usual_contexts(
                    contexts, video, video_ids, self._label_bound
                )
            )
        video_ids, exact, *tensors = tf.cond(
            usual,
            lambda: [
                video_ids,
                tf.constant(True),
                *ragged.to_tensors(video, keys),
            ],
            checks.rarely(parse_normal),
        )
        return ragged.from_tensors(tensors, keys), video_ids, exact

    @property
    def wanted(self) -> normal_records.Wanted:
        """What is asked of a record."""
        return normal_records.Wanted(
            tuple(self._context_features()),
            self.feature_names,
            () if self.float_frames else self.feature_sizes,
        )

    @property
    def _picks_frames(self) -> bool:
        """Whether few frames of a whole video are taken."""
        return (
            self.parts is VideoParts.WHOLE
            and self.frame_sampling is not FrameSampling.ALL
            and self.num_sampled_frames <= _MAX_PICKS
        )

    def _join(self, features, number):
        """Puts features side by side, and zeros after a part's end."""
        frames = _side_by_side(
            [
                codes[:, :, -size:]
                for codes, size in zip(
                    features, self.feature_sizes, strict=True
                )
            ]
        )

        def pad():
            mask = tf.sequence_mask(number, self.num_output_frames)
            return tf.where(
                mask[:, :, tf.newaxis], frames, tf.zeros_like(frames)
            )

        # Few videos have fewer frames than are asked for.
        full = tf.reduce_all(number >= self.num_output_frames)
        return tf.cond(full, lambda: frames, checks.rarely(pad))

    def _parse_irregular(self, serialized, origin, seed):
        """Parses packed records, or frame by frame; says what is wrong."""
        serialized, video = self._parse_exactly(serialized, origin)
        packed = [video.pop(name) for name in self.feature_names]
        return tf.cond(
            tf.size(packed[0].values) > 0,
            lambda: self._parse_packed(packed, video, origin, seed),
            checks.rarely(
                lambda: self._parse_any(serialized, video, origin, seed)
            ),
        )

    def _parse_exactly(self, serialized, origin):
        """Parses the context, and packed features, as protobuf reads them.

        Returns:
            The records, of one kind and encoded as usual unless they are those
            of a request; and features by key.
        """
        video = self._parse_context(serialized, origin)
        if origin[0] is None:
            return serialized, video

        def parse_normal():
            normal = self._normalize(serialized, origin, _EXPECTED)
            again = self._parse_context(normal, origin)
            return [normal, *ragged.to_tensors(again, video)]

        usual = usual_encoding.usual_packed(
            serialized, video, self.feature_names, self._label_bound
        )
        serialized, *tensors = tf.cond(
            tf.reduce_all(usual),
            lambda: [serialized, *ragged.to_tensors(video, video)],
            checks.rarely(parse_normal),
        )
        return serialized, ragged.from_tensors(tensors, video)

    def _normalize(self, serialized, origin, expected):
        """Encodes records as usual; says which protobuf refuses."""
        normal, refused = self.wanted.normalize_in_graph(serialized)
        refused = normal_records.check_refused(refused, expected)
        with tf.control_dependencies([checks.require([refused], *origin)]):
            return tf.identity(normal)

    def _parse_context(self, serialized, origin):
        """Parses the context, and features packed into one string each."""
        spec = self._context_features() | {
            name: tf.io.RaggedFeature(tf.string) for name in self.feature_names
        }
        if origin[0] is not None:
            spec |= labels.labels_spec()  # counted, as in _counted_features
        return tf.io.parse_sequence_example(
            serialized,
            context_features=spec,
            example_names=checks.example_names(serialized, *origin, _EXPECTED),
        )[0]

    def _parse_packed(self, packed, video, origin, seed):
        """Cuts the one string of each feature into frames."""
        required = frame_checks.check_packed(
            self.feature_names, self.feature_sizes, packed
        )
        with tf.control_dependencies([checks.require(required, *origin)]):
            strings = [tf.identity(feature.values) for feature in packed]
        lengths = tf.strings.length(strings[0])
        num_frames = lengths // self.feature_sizes[0]
        if self._picks_frames:
            video_ids = ids.select_ids(video)
            required = self._context_checks(video, video_ids, num_frames)
            with tf.control_dependencies([checks.require(required, *origin)]):
                video_ids = tf.identity(video_ids)
            windows = self._windows(video, video_ids, num_frames)
            steps, number = self._choose(windows, seed)
            codes = [
                regular_frames.pick_slices(
                    values,
                    tf.cast(tf.strings.length(values), tf.int64),
                    tf.zeros_like(windows.rows, tf.int64),
                    size,
                    steps,
                )
                for values, size in zip(
                    strings, self.feature_sizes, strict=True
                )
            ]
            frames = self._join(codes, number)
            return self._outputs(frames, number, num_frames, video_ids, video)
        longest = tf.reduce_max(tf.concat([num_frames, [1]], axis=0))
        codes = [
            tf.reshape(
                tf.io.decode_raw(values, tf.uint8, fixed_length=longest * size),
                [-1, longest, size],
            )
            for values, size in zip(strings, self.feature_sizes, strict=True)
        ]
        video_ids = ids.select_ids(video)
        return self._finish(codes, num_frames, video, video_ids, origin, seed)

    def _parse_floats(self, serialized, origin, seed):
        """Turns float lists into 8-bit codes."""
        if origin[0] is not None:
            serialized = self._normalize(serialized, origin, _EXPECTED_FLOATS)
        video, lists = self._parse_lists(
            serialized, origin, tf.float32, _EXPECTED_FLOATS
        )
        required = frame_checks.check_float_frames(
            self.feature_names, self.feature_sizes, lists
        )
        first = lists[self.feature_names[0]]
        with tf.control_dependencies([checks.require(required, *origin)]):
            splits = tf.identity(first.row_splits)
            # These too: a reshape would fail before the checks speak.
            floats = [
                tf.identity(lists[name].flat_values)
                for name in self.feature_names
            ]
        codes = [
            tf.RaggedTensor.from_row_splits(
                tf.reshape(ops.quantize(values), [-1, size]),
                splits,
                validate=False,
            ).to_tensor(shape=[None, None, size])
            for values, size in zip(floats, self.feature_sizes, strict=True)
        ]
        num_frames = tf.cast(splits[1:] - splits[:-1], tf.int32)
        video_ids = ids.select_ids(video)
        return self._finish(codes, num_frames, video, video_ids, origin, seed)

    def _parse_lists(self, serialized, origin, dtype, expected):
        """Parses the context, and lists of `dtype` frame by frame."""
        spec = {name: tf.io.RaggedFeature(dtype) for name in self.feature_names}

        return tf.io.parse_sequence_example(
            serialized,
            context_features=self._context_features(),
            sequence_features=spec,
            example_names=checks.example_names(serialized, *origin, expected),
        )[:2]

    def _finish(self, codes, num_frames, video, video_ids, origin, seed):
        """Chooses frames of decoded ones, `[batch, time, stride]` each."""
        required = self._context_checks(video, video_ids, num_frames)
        keys = self._returned_keys()
        with tf.control_dependencies([checks.require(required, *origin)]):
            num_frames = tf.identity(num_frames)
            video_ids = tf.identity(video_ids)
            # Of floats, which no `tf.cond` returns, nothing else would wait:
            # labels out of range fail where they are written out.
            tensors = [
                tf.identity(tensor) for tensor in ragged.to_tensors(video, keys)
            ]
        video = {**video, **ragged.from_tensors(tensors, keys)}
        windows = self._windows(video, video_ids, num_frames)
        features = list(zip(codes, self.feature_sizes, strict=True))
        time = tf.shape(codes[0])[1]
        whole = self.parts is VideoParts.WHOLE
        if whole and self.frame_sampling is FrameSampling.ALL:
            frames = _side_by_side(
                [
                    feature[:, : self.max_frames, -size:]
                    for feature, size in features
                ]
            )
            # Zeros follow a video's end already.
            missing = tf.maximum(self.max_frames - time, 0)
            frames = tf.pad(frames, [[0, 0], [0, missing], [0, 0]])
            number = windows.lengths
        else:
            steps, number = self._choose(windows, seed)
            frame_rows = (
                steps + (windows.rows * time + windows.starts)[:, tf.newaxis]
            )
            frames = self._join(
                [
                    tf.gather(
                        tf.reshape(feature, [-1, feature.shape[2]]), frame_rows
                    )
                    for feature in codes
                ],
                number,
            )
        return self._outputs(frames, number, num_frames, video_ids, video)

    def _choose(self, windows, seed):
        """Chooses frames of each window, counted from its start."""
        if seed is not None:
            seed = sampling.seed_by_id(seed, windows.ids)
        return sampling.sample_frame_indices(
            windows.lengths, self.num_output_frames, self.frame_sampling, seed
        )

    def _parse_any(self, serialized, video, origin, seed):
        """Parses every frame, and says what is wrong."""
        _, lists = self._parse_lists(serialized, origin, tf.string, _EXPECTED)
        video_ids = ids.select_ids(video)
        first = lists[self.feature_names[0]]
        splits = tf.cast(first.row_splits, tf.int32)
        num_frames = splits[1:] - splits[:-1]
        required = [
            *frame_checks.check_frames(
                self.feature_names, self.feature_sizes, lists
            ),
            *self._context_checks(video, video_ids, num_frames),
        ]
        with tf.control_dependencies([checks.require(required, *origin)]):
            splits = tf.identity(splits)
            strings = [
                tf.identity(lists[name].flat_values)
                for name in self.feature_names
            ]
        windows = self._windows(video, video_ids, num_frames)
        steps, number = self._choose(windows, seed)
        starts = tf.gather(splits[:-1], windows.rows) + windows.starts
        frame_rows = tf.reshape(steps + starts[:, tf.newaxis], [-1])
        mask = tf.sequence_mask(number, self.num_output_frames)
        mask = tf.reshape(mask, [-1])
        features = []
        for values, size in zip(strings, self.feature_sizes, strict=True):
            # An empty string decodes to zeros, which pad.
            chosen = tf.where(mask, tf.gather(values, frame_rows), "")
            codes = tf.io.decode_raw(chosen, tf.uint8, fixed_length=size)
            features.append(
                tf.reshape(codes, [-1, self.num_output_frames, size])
            )
        frames = _side_by_side(features)
        return self._outputs(frames, number, num_frames, video_ids, video)

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
        # A frame to gather from, where no video of the batch has a frame.
        frames = tf.pad(frames, [[0, 0], [0, tf.maximum(1 - time, 0)], [0, 0]])
        chosen = tf.gather(frames, rows, batch_dims=1)
        mask = tf.sequence_mask(number, self.num_output_frames)
        chosen = tf.where(mask[:, :, tf.newaxis], chosen, tf.zeros_like(chosen))
        return chosen, number


def _side_by_side(features: list[tf.Tensor]) -> tf.Tensor:
    return features[0] if len(features) == 1 else tf.concat(features, axis=2)
