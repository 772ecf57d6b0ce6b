"""How features of an extractor are converted."""

from __future__ import annotations

import dataclasses
import json

from yt8m_compact import settings
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import features_file


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """How features are converted.

    Raises:
        ValueError: If a setting is out of range, or does not fit the others.

    Example:
        >>> np.savez("clip.npz", pose=[[-1.0, 0.0], [0.5, 1.0]])
        >>> config = yt8m.datasets.ConvertConfig(
        ...     feature_names=("pose",), find_range=True, keep_unlabelled=True
        ... )
        >>> report = yt8m.datasets.convert_files("clip.npz", "records", config)
        >>> report.features.ranges
        {'pose': (-1.0, 1.0)}
    """

    level: str = settings.setting(
        "frame",
        "Whether there are frames of each video, or one vector of each, which "
        "is kept as floats.",
        choices=("frame", "video"),
    )
    source_features: tuple[str, ...] = settings.setting(
        (),
        "What the features are called in the input, comma-separated; if not "
        "given, as in the records, and RGB/feature/floats,"
        "AUDIO/feature/floats in MediaPipe's files.",
    )
    feature_names: tuple[str, ...] = settings.setting(
        (),
        "What they are called in the records, comma-separated; if not given, "
        "as in the input, .npy files as their folders, and rgb,audio in "
        "MediaPipe's files.",
    )
    feature_sizes: tuple[int, ...] = settings.setting(
        (),
        "Size of each feature, comma-separated; if not given, those of the "
        "first video that has it.",
    )
    source_id: str = settings.setting(
        "",
        "What the ids are called in the input; id, video_id or ids if not "
        "given.",
    )
    source_labels: str = settings.setting(
        "",
        "What labels are called in the input (a column, an array, a folder of "
        ".npy files), where they are in the same files as the features.",
    )
    num_classes: int | None = settings.setting(
        None,
        "Number of classes, which labels must be below; if not given, that of "
        "the vocabulary, or of columns of 0 and 1, or one more than the "
        "largest label.",
        minimum=1,
    )
    find_classes: bool = settings.setting(
        False,
        "Whether the classes are those that the labels name, in alphabetical "
        "order, with no vocabulary.",
    )
    min_quantized_value: tuple[float, ...] = settings.setting(
        (),
        "Least value that the 8-bit codes stand for, one for all features or "
        "one each, comma-separated; -2 if not given.",
    )
    max_quantized_value: tuple[float, ...] = settings.setting(
        (), "Largest value, likewise; 2 if not given."
    )
    find_range: bool = settings.setting(
        False,
        "Whether the least and the largest value of each feature are found "
        "in the data, which are then read twice.",
    )
    float_frames: bool = settings.setting(
        False,
        "Whether frames are kept as floats; readers have to be told of it.",
    )
    align: str = settings.setting(
        "cut",
        "How features of other frame rates are brought to that of the first: "
        "nearest or mean frame; or cut to the shortest, frame by frame.",
        choices=("cut", "nearest", "mean"),
    )
    frame_rates: tuple[float, ...] = settings.setting(
        (),
        "Frames a second of each feature, comma-separated, to align; if not "
        "given, all features of a video end together.",
    )
    frame_order: str = settings.setting(
        "",
        "Column of the number or the time of a frame, by which the frames of a "
        "video are sorted, in Parquet files with a row for each frame; as the "
        "rows come if not given.",
    )
    padding: str = settings.setting(
        "none",
        "What frames hold that only fill up the end of a video, as in stacks "
        "of videos of different lengths: zeros or nan; or none, where every "
        "frame counts.",
        choices=("none", "zeros", "nan"),
    )
    fill_missing: bool = settings.setting(
        False,
        "Whether a feature that a video lacks (no sound) becomes zeros; if "
        "not, it is an error.",
    )
    keep_unlabelled: bool = settings.setting(
        False, "Whether videos without labels are written too."
    )
    packed: bool = settings.setting(
        False, "Whether records are written packed, as by `yt8m-data repack`."
    )
    num_shards: int = settings.setting(
        1, "Number of files to write.", minimum=1
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        number = len(self.feature_names) or len(self.source_features)
        if self.feature_names:
            feature_spec.validate(
                self.feature_names, self.feature_sizes or (1,) * number
            )
        for name in ("source_features", "frame_rates"):
            values = getattr(self, name)
            if values and number and len(values) != number:
                raise ValueError(
                    f"expected as many {name} as feature_names. Received: "
                    f"{name}={','.join(map(str, values))}, "
                    f"feature_names={','.join(self.feature_names)}"
                )
        if self.frame_rates and (
            self.align == "cut" or min(self.frame_rates) <= 0
        ):
            raise ValueError(
                "expected frame_rates above 0, with align 'nearest' or 'mean'. "
                f"Received: align={self.align!r}, "
                f"frame_rates={','.join(map(str, self.frame_rates))}"
            )
        if self.find_classes and self.num_classes is not None:
            raise ValueError(
                "expected no num_classes with find_classes, which finds it. "
                f"Received: num_classes={self.num_classes}"
            )
        given = bool(self.min_quantized_value or self.max_quantized_value)
        if self.level == "video" and self.align != "cut":
            raise ValueError(
                "expected no align where level is 'video', which has no "
                f"frames. Received: align={self.align!r}"
            )
        if self.level == "video" and (
            self.padding != "none" or self.frame_order
        ):
            raise ValueError(
                "expected no padding and no frame_order where level is "
                f"'video', which has no frames. Received: padding="
                f"{self.padding!r}, frame_order={self.frame_order!r}"
            )
        for name, value in (
            ("float_frames", self.float_frames),
            ("packed", self.packed),
            ("find_range", self.find_range),
            ("min_quantized_value or max_quantized_value", given),
        ):
            if value and (
                self.level == "video"
                or (self.float_frames and name != "float_frames")
            ):
                raise ValueError(
                    f"expected no {name} where there are no 8-bit codes to "
                    f"write. Received: level={self.level!r}, "
                    f"float_frames={self.float_frames}"
                )
        if given and self.find_range:
            raise ValueError(
                "expected find_range, or min_quantized_value and "
                "max_quantized_value. Received: both"
            )
        if given:
            lows, highs = self._told()
            number = number or max(len(lows), len(highs))
            features_file.expect_ranges(lows, highs, number)

    @property
    def ranges(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The least and the largest value of each feature, as told."""
        number = len(self.feature_names)
        lows, highs = self._told()
        return (
            lows * number if len(lows) == 1 else lows,
            highs * number if len(highs) == 1 else highs,
        )

    def _told(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return (
            self.min_quantized_value or (-2.0,),
            self.max_quantized_value or (2.0,),
        )

    def like(self, features: features_file.RecordFeatures) -> ConvertConfig:
        """Returns a config for more records of the same kind.

        Args:
            features: What the records of an earlier call hold.

        Raises:
            ValueError: If this config says anything else of them.
        """
        values = settings.to_dict(features)
        if values.pop("class_names") and self.find_classes:
            raise ValueError(
                "expected no find_classes, since the classes of an earlier "
                "call have their names. Received: find_classes=True"
            )
        del values["max_frames"]
        if values["num_classes"] is None:  # It had no labels.
            del values["num_classes"]
        defaults = settings.to_dict(ConvertConfig())
        own = settings.to_dict(self)
        if self.find_range:
            raise ValueError(
                "expected no find_range, since the features of an earlier call "
                "have their range. Received: find_range=True"
            )
        for name, value in values.items():
            if own[name] not in (defaults[name], value):
                raise ValueError(
                    f"expected {name} to be that of the earlier call, "
                    f"{json.dumps(value)}; leave it out. Received: "
                    f"{json.dumps(own[name])}"
                )
        return settings.from_dict(ConvertConfig, own | values, "features")
