"""What the records of a folder hold, and what their codes stand for."""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
import os

from yt8m_compact import files as files_lib
from yt8m_compact import settings
from yt8m_compact import untrusted
from yt8m_compact.readers import errors
from yt8m_compact.readers import feature_spec

FEATURES_NAME = "yt8m_features.json"
_WHAT = f"{FEATURES_NAME}, which yt8m-data convert writes"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RecordFeatures:
    """What the records of a folder hold, and what their codes stand for.

    Code q of a feature stands for
    `q * (max - min) / 255 + (max - min) / 512 + min`, as in the starter code's
    `Dequantize`. Models take codes for those of [-2, 2].

    Attributes:
        level: "frame" or "video".
        feature_names: The keys of the features.
        feature_sizes: Their sizes.
        num_classes: The number of classes.
        float_frames: Whether frames are floats.
        packed: Whether records are packed.
        min_quantized_value: The range of each feature's codes; empty where
            there are none.
        max_quantized_value: Its other end.

    Raises:
        ValueError: If a value is out of range, or ranges are none.

    Example:
        >>> np.savez("v.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("v.npz", "data", labels={"v": [7]})
        >>> features = yt8m.readers.find_features(["data/any.tfrecord"])
        >>> features.feature_sizes, features.ranges["rgb"]
        ((4, 2), (-2.0, 2.0))
    """

    level: str = settings.setting(
        "frame", "Level of the records.", choices=("frame", "video")
    )
    feature_names: tuple[str, ...] = settings.setting((), "Keys of features.")
    feature_sizes: tuple[int, ...] = settings.setting((), "Their sizes.")
    num_classes: int = settings.setting(1, "Number of classes.", minimum=1)
    float_frames: bool = settings.setting(False, "Whether they are floats.")
    packed: bool = settings.setting(False, "Whether they are packed.")
    min_quantized_value: tuple[float, ...] = settings.setting((), "Range.")
    max_quantized_value: tuple[float, ...] = settings.setting((), "Range.")

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        feature_spec.validate(
            self.feature_names, self.feature_sizes, self.num_classes
        )
        ranges = self.min_quantized_value, self.max_quantized_value
        if self.min_quantized_value or self.max_quantized_value:
            expect_ranges(*ranges, len(self.feature_names))

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """The range of the codes of each feature; empty where there is none."""
        number = len(self.feature_names)
        lows, highs = self.min_quantized_value, self.max_quantized_value
        return dict(
            zip(
                self.feature_names,
                zip(
                    lows * number if len(lows) == 1 else lows,
                    highs * number if len(highs) == 1 else highs,
                    strict=True,
                ),
                strict=bool(lows),
            )
        )


def expect_ranges(
    min_values: tuple[float, ...], max_values: tuple[float, ...], number: int
) -> None:
    """Refuses ranges that are none.

    Args:
        min_values: The least value of each feature, or of all.
        max_values: The largest value of each feature, or of all.
        number: How many features there are.

    Raises:
        ValueError: If there are not as many, or one is not above the other.
    """
    received = (
        f"min_quantized_value={','.join(map(str, min_values))}, "
        f"max_quantized_value={','.join(map(str, max_values))}"
    )
    if not {len(min_values), len(max_values)} <= {1, number}:
        raise ValueError(
            "expected min_quantized_value and max_quantized_value to be one "
            f"number, or {number}, one for each feature. Received: {received}"
        )
    lows = min_values * (number // len(min_values))
    highs = max_values * (number // len(max_values))
    if not all(low < high for low, high in zip(lows, highs, strict=True)):
        raise ValueError(
            "expected max_quantized_value above min_quantized_value. Received: "
            + received
        )


def read_features(path: str) -> RecordFeatures:
    """Reads what `convert_files` wrote beside records.

    Args:
        path: The file.

    Returns:
        What it says.

    Raises:
        ValueError: If there is no such file, or it is anything else.

    Example:
        >>> np.savez("c.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("c.npz", "v", labels={"c": [7]})
        >>> yt8m.readers.read_features("v/yt8m_features.json").feature_names
        ('rgb', 'audio')
    """
    text = untrusted.read_text(path, _WHAT)
    values = untrusted.parse_json(text, path, _WHAT)
    return settings.from_dict(RecordFeatures, values, path)


def find_features(files: Sequence[str]) -> RecordFeatures | None:
    """Reads what is said of records beside them.

    Args:
        files: Their files, of one folder or several.

    Returns:
        What is said of those of the first folder where anything is; None where
        nothing is.

    Raises:
        DataError: If codes of one feature stand for different ranges.
        ValueError: If a file that should say it is damaged.

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "my", labels={"b": [7]})
        >>> files = yt8m.readers.expand_patterns("my/*.tfrecord")
        >>> yt8m.readers.find_features(files).feature_sizes
        (4, 2)
    """
    found: dict[str, tuple[tuple[float, float], str]] = {}
    first = None
    for folder in dict.fromkeys(os.path.dirname(file) for file in files):
        path = os.path.join(folder, FEATURES_NAME)
        if not files_lib.exists(path):
            continue
        features = read_features(path)
        first = first or features
        for name, values in features.ranges.items():
            known, where = found.setdefault(name, (values, path))
            _expect_same(name, values, path, known, where)
    return first


def carry_features(
    files: Sequence[str],
    output_dir: str,
    *,
    names: Sequence[str] = (),
    packed: bool | None = None,
) -> None:
    """Writes what is said of records beside those that are made of them.

    Args:
        files: The files that are read.
        output_dir: The folder of those that are written.
        names: The features that they keep, all if empty.
        packed: Whether they are packed; None if they are as those read.

    Raises:
        DataError: As of `find_features`.
        ValueError: Likewise.
        OSError: If it can't be written.

    Example:
        >>> import os
        >>> np.savez("a.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("a.npz", "in", labels={"a": [7]})
        >>> os.mkdir("out")
        >>> yt8m.readers.carry_features(["in/0.tfrecord"], "out", names=["rgb"])
        >>> yt8m.readers.find_features(["out/0.tfrecord"]).feature_names
        ('rgb',)
    """
    features = find_features(files)
    if features is None:
        return
    kept = [
        index
        for index, name in enumerate(features.feature_names)
        if not names or name in names
    ]
    if not kept:
        return

    def choose(values: tuple) -> tuple:
        one_for_all = len(values) < len(features.feature_names)
        return values if one_for_all else tuple(values[i] for i in kept)

    features = dataclasses.replace(
        features,
        feature_names=choose(features.feature_names),
        feature_sizes=choose(features.feature_sizes),
        min_quantized_value=choose(features.min_quantized_value),
        max_quantized_value=choose(features.max_quantized_value),
        packed=features.packed if packed is None else packed,
    )
    path = os.path.join(files_lib.expand_user(output_dir), FEATURES_NAME)
    write_features(path, features)


def expect_same_ranges(trained: str, files: Sequence[str]) -> None:
    """Refuses codes that stand for others than those of training.

    Args:
        trained: The folder of a run, or what was exported of it, whose
            `yt8m_features.json` is what its training found; there may be none.
        files: Records, beside which there may be one.

    Raises:
        DataError: If their codes of one feature stand for different ranges.
        ValueError: If a file that should say it is damaged.

    Example:
        >>> features = yt8m.readers.RecordFeatures(
        ...     feature_names=("rgb",),
        ...     feature_sizes=(4,),
        ...     min_quantized_value=(-1.0,),
        ...     max_quantized_value=(1.0,),
        ... )
        >>> for folder, low in (("run", -1.0), ("others", -2.0)):
        ...     said = dataclasses.replace(features, min_quantized_value=(low,))
        ...     os.mkdir(folder)
        ...     path = os.path.join(folder, yt8m.readers.FEATURES_NAME)
        ...     yt8m.readers.write_features(path, said)
        >>> try:
        ...     yt8m.readers.expect_same_ranges("run", ["others/0.tfrecord"])
        ... except yt8m.readers.DataError as error:
        ...     print(str(error).rpartition("Received: ")[2])
        codes that stand for [-2, 1]
    """
    trained = files_lib.expand_user(trained)
    if not files_lib.is_folder(trained):
        if not files_lib.exists(trained):
            return
        trained = os.path.dirname(trained)
    path = os.path.join(trained, FEATURES_NAME)
    if not files_lib.exists(path):
        return
    features = find_features(files)
    if features is None:
        return
    known = read_features(path).ranges
    for name, values in features.ranges.items():
        if name in known:
            where = os.path.dirname(files[0])
            _expect_same(name, values, where, known[name], path)


def _expect_same(
    name: str,
    values: tuple[float, float],
    where: str,
    known: tuple[float, float],
    known_where: str,
) -> None:
    if values != known:
        raise errors.DataError(
            f"{where}: expected codes of '{name}' that stand for "
            f"[{known[0]:g}, {known[1]:g}], as those of {known_where}; convert "
            "them by that file. Received: codes that stand for "
            f"[{values[0]:g}, {values[1]:g}]"
        )


def write_features(path: str, features: RecordFeatures) -> None:
    """Writes what records hold, whole or not at all.

    Args:
        path: The file.
        features: What they hold.

    Raises:
        OSError: If it can't be written.

    Example:
        >>> features = yt8m.readers.RecordFeatures(
        ...     feature_names=("rgb",), feature_sizes=(1024,), num_classes=527
        ... )
        >>> yt8m.readers.write_features(yt8m.readers.FEATURES_NAME, features)
        >>> yt8m.readers.read_features("yt8m_features.json") == features
        True
    """
    files_lib.write_json(path, settings.to_dict(features))
