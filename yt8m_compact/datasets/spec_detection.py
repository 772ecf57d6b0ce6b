"""What the records of files should hold: what most of a sample of them do."""

import collections
from collections.abc import Sequence
import dataclasses

import tensorflow as tf

from yt8m_compact.datasets import record_spec
from yt8m_compact.datasets import scan
from yt8m_compact.readers import errors
from yt8m_compact.readers import feature_spec
from yt8m_compact.readers import features_file
from yt8m_compact.readers import messages
from yt8m_compact.readers import record_rules

# Enough that a few wrong records, or one wrong file, do not decide.
_NUM_FILES = 8
_RECORDS_PER_FILE = 8
_DO_NOT_FIT = {"wrong_size", "frame_counts_differ"}


@dataclasses.dataclass(frozen=True)
class DetectedSpec:
    """What records should hold, and where that is known from.

    Attributes:
        spec: What every record should hold.
        sizes_given: Whether the user gave the sizes, or what is beside the
            records says them.
        num_alike: How many of the sampled records hold it.
        num_sampled: How many records were looked at.
        is_said: Whether what is beside the records says what they hold.
        class_names: The name of each class, in order, where that says them.
    """

    spec: record_rules.RecordSpec
    sizes_given: bool
    num_alike: int
    num_sampled: int
    is_said: bool = False
    class_names: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Says the layout, the features, their sizes, and where from."""
        spec = self.spec
        features = ", ".join(
            f"{name} ({size})"
            for name, size in zip(
                spec.feature_names, spec.feature_sizes, strict=True
            )
        )
        if self.is_said:
            source = f"as {features_file.FEATURES_NAME} says"
        elif self.sizes_given:
            source = "as given"
        elif spec.layout is record_rules.Layout.PACKED:
            source = "sizes of YouTube-8M"
        else:
            source = (
                f"as {self.num_alike} of {self.num_sampled} sampled records"
            )
        text = f"layout: {spec.layout.value}: {features}; {source}"
        usual = [
            f"{name} ({size})"
            for name, size in record_spec.usual_sizes(spec).items()
        ]
        if not self.sizes_given and usual:
            text += (
                f"\nnote: YouTube-8M has {', '.join(usual)}; where the data "
                "should be that, set feature_names and feature_sizes"
            )
        return text


def detect_files(
    files: Sequence[str],
    *,
    feature_names: Sequence[str] = (),
    feature_sizes: Sequence[int] = (),
    num_classes: int | None = None,
) -> DetectedSpec | None:
    """Finds out what records hold: what most of a sample of them do.

    The sample are the first records of files that are spread evenly. Of what as
    many hold, that of YouTube-8M and AudioSet is taken, or else the first.

    Args:
        files: Names of TFRecord files, damaged ones too.
        feature_names: Keys of the features; if empty, what `convert_files`
            wrote beside the records, or else those of the records.
        feature_sizes: Their sizes, likewise; of packed records, which don't say
            them, those of YouTube-8M if nothing else does.
        num_classes: The number of classes; None for what is said beside the
            records, or else that of YouTube-8M of 2018.

    Returns:
        What all records should hold, None if no record can be parsed.

    Raises:
        ValueError: If no record has features that can be recognised, or most
            packed records do not fit the sizes of YouTube-8M.
    """
    said = _find_said(files)
    if num_classes is None:
        num_classes = (said and said.num_classes) or feature_spec.NUM_CLASSES
    is_said = False
    if said and not feature_sizes:
        feature_names, feature_sizes = _said_sizes(said, feature_names)
        is_said = bool(feature_sizes)
    counts = collections.Counter()
    error, samples = None, []
    num_files = 0
    for file in _spread(files):
        records = _first_records(file)
        num_files += bool(records)
        for number, data in records:
            samples.append(data)
            try:
                spec = record_spec.detect_spec(
                    data,
                    f"{file}: record {number}",
                    feature_names=feature_names,
                    feature_sizes=feature_sizes,
                    num_classes=num_classes,
                )
            except ValueError as problem:
                error = error or problem
                continue
            counts[spec] += 1
        if num_files == _NUM_FILES:
            break
    if not samples:
        return None
    if not counts:
        raise error
    spec = max(
        counts,
        key=lambda spec: (counts[spec], not record_spec.usual_sizes(spec)),
    )
    given = bool(feature_sizes)
    if spec.layout is record_rules.Layout.PACKED and not given:
        _expect_fit(samples, spec)
    names = said.class_names if said else ()
    return DetectedSpec(spec, given, counts[spec], len(samples), is_said, names)


def _find_said(files: Sequence[str]) -> features_file.RecordFeatures | None:
    try:
        return features_file.find_features(files)
    except errors.DataError:  # Records of several kinds can be looked at.
        return None


def _said_sizes(
    features: features_file.RecordFeatures, names: Sequence[str]
) -> tuple[Sequence[str], Sequence[int]]:
    """Returns names and sizes, as far as they are said beside the records."""
    sizes = dict(
        zip(features.feature_names, features.feature_sizes, strict=True)
    )
    names = names or features.feature_names
    if not all(name in sizes for name in names):
        return names, ()
    return names, [sizes[name] for name in names]


def _spread(files: Sequence[str]) -> list[str]:
    """Puts files that are spread evenly first."""
    step = max(1, len(files) // _NUM_FILES)
    return list(dict.fromkeys([*files[::step], *files]))


def _first_records(file: str) -> list[tuple[int, bytes]]:
    """Returns numbers and data of the first records that can be parsed."""
    records = []
    try:
        if not tf.io.gfile.stat(file).length:
            return []
        for number, step in enumerate(scan.scan_records(file)):
            if isinstance(step, scan.Damage):
                continue
            if messages.parse(step.data) is not None:
                records.append((number, step.data))
            if len(records) == _RECORDS_PER_FILE:
                break
    except tf.errors.OpError:
        pass  # Said of the file when all of it is read.
    return records


def _expect_fit(
    samples: Sequence[bytes], spec: record_rules.RecordSpec
) -> None:
    misfits = []
    for data in samples:
        texts = [
            text
            for kind, text in record_rules.examine(data, spec).faults
            if kind in _DO_NOT_FIT
        ]
        misfits += texts[:1]
    if 2 * len(misfits) > len(samples):
        raise ValueError(
            "expected packed records with the sizes of YouTube-8M, since they "
            "don't say their own; set feature_names and "
            f"feature_sizes. Received: {misfits[0]}"
        )
