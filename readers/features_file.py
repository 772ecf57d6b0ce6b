"""What the records of a folder hold, and what their codes stand for."""

from __future__ import annotations

from collections.abc import Sequence
import contextlib
import dataclasses
import os

from yt8m_compact import files as files_lib
from yt8m_compact import lazy
from yt8m_compact import settings
from yt8m_compact import untrusted
from yt8m_compact.readers import errors
from yt8m_compact.readers import feature_spec

with lazy.imports():
    import tensorflow as tf

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
        num_classes: The number of classes; None where the records have no
            labels and nobody said it.
        class_names: The name of each class, in order; empty where they are not
            known.
        float_frames: Whether frames are floats.
        packed: Whether records are packed.
        min_quantized_value: The range of each feature's codes; empty where
            there are none.
        max_quantized_value: Its other end.
        max_frames: How many frames the longest video has; None where there are
            no frames, or nobody counted them.

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
    num_classes: int | None = settings.setting(
        None, "Number of classes.", minimum=1
    )
    class_names: tuple[str, ...] = settings.setting((), "Their names.")
    float_frames: bool = settings.setting(False, "Whether they are floats.")
    packed: bool = settings.setting(False, "Whether they are packed.")
    min_quantized_value: tuple[float, ...] = settings.setting((), "Range.")
    max_quantized_value: tuple[float, ...] = settings.setting((), "Range.")
    max_frames: int | None = settings.setting(
        None, "Frames of the longest video.", minimum=1
    )

    def __post_init__(self) -> None:
        """Checks every field."""
        settings.check(self)
        feature_spec.validate(self.feature_names, self.feature_sizes)
        if self.class_names and len(self.class_names) != self.num_classes:
            raise ValueError(
                f"expected a name of each of the {self.num_classes} classes. "
                f"Received: {len(self.class_names)} class_names"
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


def path_beside(file: str) -> str | None:
    """Returns the file beside records that says what they hold, if there is.

    Args:
        file: A file of records.
    """
    path = os.path.join(os.path.dirname(file), FEATURES_NAME)
    return path if files_lib.exists(path) else None


def find_features(files: Sequence[str]) -> RecordFeatures | None:
    """Reads what is said of records beside them.

    Args:
        files: Their files, of one folder or several.

    Returns:
        What is said of those of the first folder where anything is, with the
        largest numbers of classes and of frames, and the names of classes, of
        any; None where nothing is said.

    Raises:
        DataError: If codes of one feature stand for different ranges, or a
            class has different names.
        ValueError: If a file that should say it is damaged.

    Example:
        >>> np.savez("b.npz", rgb=np.zeros([3, 4]), audio=np.ones([3, 2]))
        >>> _ = yt8m.datasets.convert_files("b.npz", "my", labels={"b": [7]})
        >>> files = yt8m.readers.expand_patterns("my/*.tfrecord")
        >>> yt8m.readers.find_features(files).feature_sizes
        (4, 2)
    """
    found: dict[str, tuple[tuple[float, float], str]] = {}
    several: list[RecordFeatures] = []
    named = None
    for folder in dict.fromkeys(os.path.dirname(file) for file in files):
        path = path_beside(os.path.join(folder, "any"))
        if path is None:
            continue
        features = read_features(path)
        several.append(features)
        for name, values in features.ranges.items():
            known, where = found.setdefault(name, (values, path))
            _expect_same(name, values, path, known, where)
        if features.class_names:
            if named:
                _expect_same_classes(features.class_names, path, *named)
            if not named or len(features.class_names) > len(named[0]):
                named = features.class_names, path
    return _together(several[0], several) if several else None


def derive_features(
    files: Sequence[str],
    *,
    names: Sequence[str] = (),
    packed: bool | None = None,
) -> RecordFeatures | None:
    """Says of records that are made of others what is said of those.

    Example:
        >>> said = RecordFeatures(
        ...     feature_names=("clip",), feature_sizes=(512,), num_classes=2,
        ...     class_names=("cat", "dog"),
        ... )
        >>> place_features(".", said)
        >>> copies = derive_features(["./x.tfrecord"], packed=True)
        >>> copies.feature_sizes, copies.packed
        ((512,), True)

    Args:
        files: The files that are read.
        names: The features that the new records keep, all if empty.
        packed: Whether they are packed; None if they are as those read.

    Returns:
        What is to be said of the new ones; None where nothing is said of those
        read, or none of their features is kept.

    Raises:
        DataError: As of `find_features`.
        ValueError: Likewise.
    """
    features = find_features(files)
    if features is None:
        return None
    kept = [
        index
        for index, name in enumerate(features.feature_names)
        if not names or name in names
    ]
    if not kept:
        return None

    def choose(values: tuple) -> tuple:
        one_for_all = len(values) < len(features.feature_names)
        return values if one_for_all else tuple(values[i] for i in kept)

    return dataclasses.replace(
        features,
        feature_names=choose(features.feature_names),
        feature_sizes=choose(features.feature_sizes),
        min_quantized_value=choose(features.min_quantized_value),
        max_quantized_value=choose(features.max_quantized_value),
        packed=features.packed if packed is None else packed,
    )


def expect_place(
    output_dir: str, features: RecordFeatures | None, *, overwrite: bool = False
) -> RecordFeatures | None:
    """Refuses a folder of other records, whose codes stand for something else.

    Example:
        >>> said = RecordFeatures(
        ...     feature_names=("clip",),
        ...     feature_sizes=(512,),
        ...     num_classes=2,
        ...     class_names=("cat", "dog"),
        ... )
        >>> place_features(".", said)
        >>> expect_place(".", said) == said  # more of the same will do
        True

    Args:
        output_dir: Where records are to be written.
        features: What is to be said of them; None for nothing.
        overwrite: Whether what is there is to be replaced.

    Returns:
        What is to be said of all records of the folder then.

    Raises:
        ValueError: If anything else is said of the records of that folder.
        DataError: If classes have other names there.
    """
    path = _path_in(output_dir)
    if overwrite or not files_lib.exists(path):
        return features
    found = read_features(path)
    if features is None or _form(found) != _form(features):
        raise ValueError(
            f"{path}: expected a folder without other records, of which this "
            "file says what they hold. Received: "
            f"{_describe_form(found, features)}; choose another output_dir"
        )
    _expect_same_classes(
        found.class_names, path, features.class_names, "what is to be written"
    )
    return _together(features, [found, features])


def _together(
    form: RecordFeatures, several: Sequence[RecordFeatures]
) -> RecordFeatures:
    """Says of all records what holds for all of them, in one's form."""
    number = max(one.num_classes or 0 for one in several) or None
    names = max((one.class_names for one in several), key=len)
    return dataclasses.replace(
        form,
        num_classes=number,
        class_names=names if len(names) == number else (),
        max_frames=max(one.max_frames or 0 for one in several) or None,
    )


def _form(features: RecordFeatures) -> RecordFeatures:
    """What readers need to know, without what more records may change."""
    return dataclasses.replace(
        features, num_classes=None, class_names=(), max_frames=None
    )


def _describe_form(
    found: RecordFeatures, features: RecordFeatures | None
) -> str:
    """Says what records hold, as far as others hold something else."""
    values = settings.to_dict(_form(found))
    others = {} if features is None else settings.to_dict(_form(features))
    return ", ".join(
        f"{name}={value!s:.60}"
        for name, value in values.items()
        if value is not None and value != others.get(name)
    )


def place_features(output_dir: str, features: RecordFeatures | None) -> None:
    """Says of the records of a folder what they hold, before they appear there.

    Records without what is said of them would be taken for others, so it comes
    first. Several processes may do this at the same time.

    Example:
        >>> said = RecordFeatures(
        ...     feature_names=("clip",), feature_sizes=(512,), num_classes=2,
        ...     class_names=("cat", "dog"),
        ... )
        >>> place_features(".", said)
        >>> read_features("yt8m_features.json") == said
        True

    Args:
        output_dir: The folder.
        features: What the records hold; None if nothing is to be said: then
            what was said of others goes.

    Raises:
        OSError: If it can't be written.
        ValueError: If what is there is damaged.
    """
    path = _path_in(output_dir)
    there = files_lib.exists(path)
    if features is None:
        if there:
            with contextlib.suppress(tf.errors.NotFoundError):
                tf.io.gfile.remove(path)
    elif not there or read_features(path) != features:
        write_features(path, features)


def _path_in(folder: str) -> str:
    return os.path.join(files_lib.expand_user(folder), FEATURES_NAME)


def find_class_names(trained: str, num_classes: int) -> tuple[str, ...] | None:
    """Reads the names of the classes that a run was trained on.

    Example:
        >>> said = RecordFeatures(
        ...     feature_names=("clip",), feature_sizes=(512,), num_classes=2,
        ...     class_names=("cat", "dog"),
        ... )
        >>> place_features(".", said)  # as training does
        >>> find_class_names(".", num_classes=2)
        ('cat', 'dog')

    Args:
        trained: The folder of a run, or what was exported of it: its folder, or
            a file in it.
        num_classes: How many classes the run has.

    Returns:
        The names; None where they are not known.

    Raises:
        ValueError: If the file that should say them is damaged.
    """
    path = _path_of_trained(trained)
    if path is None:
        return None
    names = read_features(path).class_names
    return names if len(names) == num_classes else None


def _path_of_trained(trained: str) -> str | None:
    trained = files_lib.expand_user(trained)
    if not files_lib.is_folder(trained):
        if not files_lib.exists(trained):
            return None
        trained = os.path.dirname(trained)
    path = os.path.join(trained, FEATURES_NAME)
    return path if files_lib.exists(path) else None


def expect_same_ranges(
    trained: str, files: Sequence[str], *, classes: bool = False
) -> None:
    """Refuses codes that stand for others than those of training.

    Args:
        trained: The folder of a run, or what was exported of it, whose
            `yt8m_features.json` is what its training found; there may be none.
        files: Records, beside which there may be one.
        classes: Whether the labels count, too: names of their classes that are
            known are compared.

    Raises:
        DataError: If their codes of one feature stand for different ranges, or
            classes are others.
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
    path = _path_of_trained(trained)
    if path is None:
        return
    features = find_features(files)
    if features is None:
        return
    trained_features = read_features(path)
    known = trained_features.ranges
    where = os.path.dirname(files[0])
    for name, values in features.ranges.items():
        if name in known:
            _expect_same(name, values, where, known[name], path)
    if classes:
        _expect_same_classes(
            features.class_names, where, trained_features.class_names, path
        )


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


def _expect_same_classes(
    names: tuple[str, ...],
    where: str,
    known: tuple[str, ...],
    known_where: str,
) -> None:
    for index, (name, other) in enumerate(zip(names, known, strict=False)):
        if name != other:
            raise errors.DataError(
                f"{where}: expected class {index} to be {other!r:.80}, as in "
                f"{known_where}; convert them by that file, or with the same "
                f"vocabulary_file. Received: {name!r:.80}"
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
