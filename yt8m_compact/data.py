"""Makes, checks and handles data sets of records.

Usage:
  yt8m-data VERB [flags]
  yt8m-data VERB --help

Verbs:
  download    the shards of YouTube-8M, resumed and checked
  verify      looks at every byte and record; writes what is good to new files
  stats       counts videos, labels and frames; table, JSON, plot
  repack      frame-level records to packed ones, which read faster, and back
  convert     features from MediaPipe, with labels from a CSV, to records
  split       two files of records, by a hash of their ids
  synthesize  a synthetic data set in YouTube-8M's frame-level format
"""

from collections.abc import Callable, Iterator, Sequence
import contextlib
import dataclasses
import json
import sys
from typing import Any

from absl import flags
import tensorflow as tf

from yt8m_compact import binary
from yt8m_compact import datasets
from yt8m_compact import files as files_lib
from yt8m_compact import path_flags
from yt8m_compact import readers
from yt8m_compact import standard_streams

_SYNTHETIC = datasets.SyntheticConfig()
_CONVERT = datasets.ConvertConfig()
_DOWNLOAD = datasets.DownloadConfig()
_NUM_CLASSES = 3862
_FEATURES = ("feature_names", "feature_sizes", "num_classes")

_BOOL = flags.DEFINE_bool
_ENUM = flags.DEFINE_enum
_FLOAT = flags.DEFINE_float
_INT = flags.DEFINE_integer
_LIST = flags.DEFINE_list
_PATH = path_flags.define_path
_PATHS = path_flags.define_paths
_PATTERN = path_flags.define_pattern
_STRING = flags.DEFINE_string

# Every flag once: how it is defined, its default and its help.
_FLAGS: dict[str, tuple[Callable[..., Any], Any, str]] = {
    "input_data_pattern": (
        _PATTERN,
        "",
        "Files to read: glob patterns, comma-separated.",
    ),
    "output_dir": (_PATH, None, "Folder to write to."),
    "overwrite": (
        _BOOL,
        False,
        "Whether what an earlier call wrote to --output_dir is replaced.",
    ),
    "feature_names": (
        _LIST,
        [],
        "Features of the records, comma-separated; if not given, those of most "
        "records of a sample (convert: rgb,audio; repack: all, and others than "
        "those given are left out).",
    ),
    "feature_sizes": (
        _LIST,
        [],
        "Size of each feature, comma-separated; if not given, those of most "
        "records of a sample, packed ones: 1024 for rgb, 128 for audio "
        "(convert: 1024,128).",
    ),
    "num_classes": (
        _INT,
        None,
        "Number of classes; if not given, 3862, that of YouTube-8M of 2018 "
        f"(synthesize: {_SYNTHETIC.num_classes}).",
    ),
    "num_processes": (
        _INT,
        0,
        "Number of processes; 0 for one a core where the data are large.",
    ),
    "output_json": (_PATH, "", "File to write the result to, as JSON."),
    "output_plot": (
        _PATH,
        "",
        "Picture to draw (.png, .svg, .pdf) with matplotlib, which "
        '`pip install "yt8m_compact[plot]"` brings.',
    ),
    "manifest": (
        _PATHS,
        [],
        "Files that say how many records each file has: JSON or CSV, comma-"
        "separated; names are paths from its folder. Those that yt8m-data "
        "wrote next to the data are read anyway.",
    ),
    "write_manifest": (
        _PATH,
        "",
        "JSON file to write the number of records of each file to, for later "
        "runs; next to the data as yt8m_manifest.json it is found by itself.",
    ),
    "official_split": (
        _ENUM,
        "",
        "The files are this whole split of YouTube-8M and must hold its "
        "published number of videos.",
    ),
    "repair": (
        _PATH,
        "",
        "Folder to write the good records of files with faults to; the files "
        "themselves stay as they are.",
    ),
    "unpack": (
        _BOOL,
        False,
        "Whether packed records are turned back; --feature_names and "
        "--feature_sizes say which features came frame by frame.",
    ),
    "validate_percent": (
        _FLOAT,
        10.0,
        "Share of the videos that go to validate.tfrecord.",
    ),
    "labels_file": (
        _PATH,
        "",
        "CSV with `id,labels` in every line: numbers of classes, or names of "
        "--vocabulary_file; several separated by semicolons or commas, numbers "
        "also by spaces. Without it no video has labels, as for prediction.",
    ),
    "vocabulary_file": (
        _PATH,
        "",
        "CSV with the numbers and names of classes, such as YouTube-8M's "
        "vocabulary.csv or AudioSet's class_labels_indices.csv.",
    ),
    "source_features": (
        _LIST,
        list(_CONVERT.source_features),
        "Feature lists of floats to read, comma-separated.",
    ),
    "fill_missing": (
        _BOOL,
        False,
        "Whether a feature that a video lacks (no sound) becomes zeros; if "
        "not, it is an error.",
    ),
    "keep_unlabelled": (
        _BOOL,
        False,
        "Whether videos without a line in --labels_file are written too.",
    ),
    "packed": (_BOOL, False, "Whether records are written packed."),
    "num_shards": (_INT, _CONVERT.num_shards, "Number of files to write."),
    "partition": (
        _STRING,
        _DOWNLOAD.partition,
        "2/frame or 2/video (2018), or 3/frame (rated segments of 2019).",
    ),
    "split": (
        _ENUM,
        _DOWNLOAD.split,
        "Which part of the data set.",
    ),
    "mirror": (_ENUM, _DOWNLOAD.mirror, "Which server."),
    "shard": (
        _STRING,
        "1,1",
        "I,N: the I-th of N parts of the files, such as 1,100; the same files "
        "as with Google's download.py.",
    ),
    "base_url": (
        _STRING,
        "",
        "Address of another server that has the same folders; https:// is "
        "never left for http://.",
    ),
    "checksums": (
        _PATH,
        "",
        "File with the names and checksums of the files, as md5sum or "
        "sha256sum write it or JSON, instead of the public download plan.",
    ),
    "file_names": (
        _LIST,
        [],
        "Files to download, comma-separated, instead of those of the public "
        "download plan; without --checksums, the records' own are checked.",
    ),
    "num_connections": (
        _INT,
        _DOWNLOAD.num_connections,
        "Number of files at the same time.",
    ),
    "timeout_s": (
        _FLOAT,
        _DOWNLOAD.timeout_s,
        "Seconds without a byte after which a connection is given up.",
    ),
    "max_file_gb": (
        _FLOAT,
        _DOWNLOAD.max_file_gb,
        "Size of a file at which it is given up, in GB: a server may send "
        "without end.",
    ),
    "num_retries": (
        _INT,
        _DOWNLOAD.num_retries,
        "How often to try again without getting any further.",
    ),
    **{
        name: (_INT, getattr(_SYNTHETIC, name), help_text)
        for name, help_text in {
            "num_train_videos": "Number of videos of the train split.",
            "num_validate_videos": "Number of videos of the validate split.",
            "num_train_shards": "Number of files of the train split.",
            "num_validate_shards": "Number of files of the validate split.",
            "seed": "Seed of all that is random.",
        }.items()
    },
}
_CHOICES = {
    "official_split": ["", *datasets.OFFICIAL_COUNTS],
    "split": list(datasets.DOWNLOAD_SPLITS),
    "mirror": list(datasets.MIRRORS),
}


@dataclasses.dataclass(frozen=True)
class _Verb:
    """A verb: its help, the flags it needs, those it may have, its work."""

    doc: str
    needs: tuple[str, ...]
    uses: tuple[str, ...]
    call: Callable[[flags.FlagValues], int]


def define_flags(flag_values: flags.FlagValues) -> None:
    """Defines the program's flags."""
    for name in _FLAGS:
        _define(name, flag_values)


def main(flag_values: flags.FlagValues, arguments: Sequence[str]) -> int:
    """Runs a verb; returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in _VERBS:
        raise ValueError(
            f"expected one verb, of {', '.join(_VERBS)}, and flags. Received: "
            f"{' '.join(arguments) or 'no verb'}"
        )
    name = arguments[0]
    verb = _VERBS[name]
    for flag in _FLAGS:
        if flag_values[flag].present and flag not in verb.needs + verb.uses:
            raise ValueError(
                f"expected no --{flag}: {name} does not use it; see `yt8m-data "
                f"{name} --help`. Received: {flag}={flag_values[flag].value!r}"
            )
    for flag in verb.needs:
        binary.expect_given(flag_values, flag)
    return verb.call(flag_values)


def verb_help(name: str) -> str:
    """Returns the help of a verb, with its flags only."""
    verb = _VERBS[name]
    flag_values = flags.FlagValues()
    for flag in verb.needs + verb.uses:
        _define(flag, flag_values)
    lines = [verb.doc.strip(), "", "flags:"]
    for flag in verb.needs + verb.uses:
        found = flag_values[flag]
        prefix = "[no]" if isinstance(found.value, bool) else ""
        lines.append(f"  --{prefix}{flag}: {_FLAGS[flag][2]}")
        choices = ", ".join(filter(None, _CHOICES.get(flag, ())))
        if choices:
            lines.append(f"    (one of {choices})")
        if flag in verb.needs:
            lines.append("    (needed)")
        elif found.value not in (None, "", []):
            value = found.value
            text = ",".join(value) if isinstance(value, list) else value
            lines.append(f"    (default: {str(text)})")
    return "\n".join(lines)


def _define(name: str, flag_values: flags.FlagValues) -> None:
    define, default, help_text = _FLAGS[name]
    arguments = [name, default, help_text]
    if name in _CHOICES:
        arguments.insert(2, _CHOICES[name])
    define(*arguments, flag_values=flag_values)


def _synthesize(flag_values: flags.FlagValues) -> int:
    num_classes = _num_classes(flag_values, _SYNTHETIC.num_classes)
    config = datasets.SyntheticConfig(
        num_train_videos=flag_values.num_train_videos,
        num_validate_videos=flag_values.num_validate_videos,
        num_train_shards=flag_values.num_train_shards,
        num_validate_shards=flag_values.num_validate_shards,
        num_classes=num_classes,
        seed=flag_values.seed,
    )
    manifest = datasets.write_synthetic(
        flag_values.output_dir,
        config,
        overwrite=flag_values.overwrite,
        num_processes=flag_values.num_processes,
    )
    num_bytes = sum(file["num_bytes"] for file in manifest["files"].values())
    print(
        f"{len(manifest['files'])} files of synthetic videos, "
        f"{num_bytes / 2**20:,.0f} MB, in {flag_values.output_dir}\n"
        "train: yt8m-train --train_data_pattern="
        f"'{flag_values.output_dir}/train*.tfrecord' --frame_features "
        "--feature_names=rgb,audio --feature_sizes=1024,128 "
        f"--num_classes={config.num_classes} --model=DbofModel --train_dir=..."
    )
    return 0


def _split(flag_values: flags.FlagValues) -> int:
    counts = datasets.split_records(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        flag_values.validate_percent,
        overwrite=flag_values.overwrite,
    )
    for name, count in counts.items():
        print(f"{count:,} records in {flag_values.output_dir}/{name}")
    return 0


def _verify(flag_values: flags.FlagValues) -> int:
    for name in ("output_json", "write_manifest"):
        binary.expect_folder(flag_values, name)
    features = _features(flag_values)
    if flag_values.repair:
        datasets.expect_repair_folder(
            readers.expand_patterns(flag_values.input_data_pattern),
            flag_values.repair,
        )
    report = datasets.verify_files(
        flag_values.input_data_pattern,
        **features,
        manifests=flag_values.manifest,
        official_split=flag_values.official_split,
        num_processes=flag_values.num_processes,
    )
    print(report.to_text())
    # Each by itself, and before the repair, which may fail: the reading may
    # have taken hours.
    values = report.to_dict()
    with _all_tried() as attempt:
        with attempt():
            _write_json(flag_values.output_json, values)
        with attempt():
            _write_manifest(flag_values.write_manifest, report)
        if flag_values.repair:
            with attempt():
                values |= _repair(report, flag_values)
                _write_json(flag_values.output_json, values, say=False)
    return 0 if report.good else 1


def _write_manifest(path: str, report: datasets.Report) -> None:
    if not path:
        return
    datasets.write_manifest(
        path,
        {
            datasets.name_in_manifest(file.file, path): datasets.Expected(
                file.num_videos, file.num_bytes
            )
            for file in report.files
            if not file.counts
        },
    )
    bad = sum(bool(file.counts) for file in report.files)
    left_out = f", without {bad} files with faults" if bad else ""
    print(f"wrote {path}{left_out}")


def _repair(
    report: datasets.Report, flag_values: flags.FlagValues
) -> dict[str, Any]:
    """Repairs, says what was done, and returns it for the JSON."""
    repaired = datasets.repair_files(
        report, flag_values.repair, num_processes=flag_values.num_processes
    )
    for file in repaired:
        print(
            f"{file.output or f'nothing of {file.file}'}: "
            f"{file.num_written:,} records written; left out: "
            f"{file.num_left_out:,} records with faults, and "
            f"{file.lost_bytes:,} bytes that hold no record"
        )
    not_repaired = datasets.explain_unrepaired(report)
    for file, text in not_repaired.items():
        print(f"{file}: {text}")
    if not repaired:
        print(f"nothing to repair: no file was written to {flag_values.repair}")
    return {
        "repaired": [dataclasses.asdict(file) for file in repaired],
        "not_repaired": not_repaired,
    }


def _stats(flag_values: flags.FlagValues) -> int:
    for name in ("output_json", "output_plot"):
        binary.expect_folder(flag_values, name)
    if flag_values.output_plot:
        datasets.expect_plot(flag_values.output_plot)
    stats = datasets.count_files(
        flag_values.input_data_pattern,
        **_features(flag_values),
        num_processes=flag_values.num_processes,
    )
    print(stats.to_text())
    with _all_tried() as attempt:
        with attempt():
            _write_json(flag_values.output_json, stats.to_dict())
        if flag_values.output_plot:
            with attempt():
                datasets.plot_stats(
                    stats,
                    flag_values.output_plot,
                    flag_values.input_data_pattern,
                )
                print(f"drew {flag_values.output_plot}")
    return 0


def _repack(flag_values: flags.FlagValues) -> int:
    if flag_values.unpack:
        for name in ("feature_names", "feature_sizes"):
            binary.expect_given(flag_values, name)
    features = _features(flag_values)
    repacked = datasets.repack_files(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        feature_names=features["feature_names"],
        feature_sizes=features["feature_sizes"],
        unpacking=flag_values.unpack,
        overwrite=flag_values.overwrite,
        num_processes=flag_values.num_processes,
    )
    files = repacked.files
    num_videos = sum(file.num_videos for file in files.values())
    num_bytes = sum(file.num_bytes for file in files.values())
    print(
        f"{len(files):,} files, {num_videos:,} records, "
        f"{num_bytes / 1e6:,.1f} MB, in {flag_values.output_dir}"
    )
    if repacked.left_out:
        print(
            f"left out, not in --feature_names: {', '.join(repacked.left_out)}"
        )
    return 0


def _convert(flag_values: flags.FlagValues) -> int:
    binary.expect_folder(flag_values, "output_json")
    features = _features(flag_values)
    config = datasets.ConvertConfig(
        source_features=tuple(flag_values.source_features),
        feature_names=features["feature_names"] or _CONVERT.feature_names,
        feature_sizes=features["feature_sizes"] or _CONVERT.feature_sizes,
        num_classes=features["num_classes"],
        fill_missing=flag_values.fill_missing,
        keep_unlabelled=flag_values.keep_unlabelled,
        packed=flag_values.packed,
        num_shards=flag_values.num_shards,
    )
    if flag_values.vocabulary_file and not flag_values.labels_file:
        raise ValueError(
            "expected --labels_file with --vocabulary_file. Received: "
            f"vocabulary_file={flag_values.vocabulary_file!r}"
        )
    labels = vocabulary = None
    if flag_values.vocabulary_file:
        vocabulary = datasets.read_vocabulary(flag_values.vocabulary_file)
    if flag_values.labels_file:
        labels = datasets.read_labels(
            flag_values.labels_file, config.num_classes, vocabulary
        )
    report = datasets.convert_files(
        flag_values.input_data_pattern,
        flag_values.output_dir,
        config,
        labels=labels,
        overwrite=flag_values.overwrite,
    )
    print(report.to_text(config))
    _write_json(flag_values.output_json, report.to_dict())
    return 0


def _download(flag_values: flags.FlagValues) -> int:
    config = datasets.DownloadConfig(
        partition=flag_values.partition,
        split=flag_values.split,
        mirror=flag_values.mirror,
        shard=datasets.parse_shard(flag_values.shard),
        base_url=flag_values.base_url,
        checksums=flag_values.checksums,
        file_names=tuple(flag_values.file_names),
        num_connections=flag_values.num_connections,
        timeout_s=flag_values.timeout_s,
        num_retries=flag_values.num_retries,
        max_file_gb=flag_values.max_file_gb,
    )
    files = datasets.download_files(flag_values.output_dir, config)
    num_bytes = sum(tf.io.gfile.stat(file).length for file in files)
    print(
        f"{len(files):,} files, {num_bytes / 1e6:,.1f} MB, checked, in "
        f"{flag_values.output_dir}"
    )
    return 0


def _features(flag_values: flags.FlagValues) -> dict[str, Any]:
    sizes = flag_values.feature_sizes
    if not all(size.strip().isdigit() and int(size) for size in sizes):
        raise ValueError(
            "expected --feature_sizes to be a comma-separated list of whole "
            f"numbers above 0. Received: feature_sizes={','.join(sizes)!r}"
        )
    return {
        "feature_names": tuple(flag_values.feature_names),
        "feature_sizes": tuple(map(int, sizes)),
        "num_classes": _num_classes(flag_values, _NUM_CLASSES),
    }


def _num_classes(flag_values: flags.FlagValues, default: int) -> int:
    number = flag_values.num_classes
    if number is None:
        return default
    if number < 1:
        raise ValueError(
            "expected --num_classes to be at least 1, such as 3862 for "
            "YouTube-8M of 2018; leave the flag out for the default. Received: "
            f"num_classes={number}"
        )
    return number


def _write_json(path: str, values: dict[str, Any], *, say: bool = True) -> None:
    if not path:
        return
    with files_lib.writing(path) as file:
        file.write(json.dumps(values, indent=2) + "\n")
    if say:
        print(f"wrote {path}")


@contextlib.contextmanager
def _all_tried() -> Iterator[Callable[[], contextlib.AbstractContextManager]]:
    """Tries every output of a result, whichever of them fail.

    Yields:
        Makes the context in which one output is tried. The first error is
        raised at the end, when all were tried.
    """
    failed = []

    @contextlib.contextmanager
    def attempt() -> Iterator[None]:
        try:
            yield
        except (ValueError, OSError, tf.errors.OpError) as error:
            failed.append(error)

    yield attempt
    if failed:
        raise failed[0]


_VERBS: dict[str, _Verb] = {
    "download": _Verb(
        """Downloads the shards of YouTube-8M (features and labels by Google,
CC BY 4.0), several at a time.

  yt8m-data download --output_dir=data --partition=2/video --split=validate \\
    --shard=1,100

The same command continues, within a file where the server can. A file is
called NAME.part until its MD5 is that of the public download plan. Plan and
files come over plain http: the checksums protect against accidents, not against
somebody on the way. For that, give --checksums from a source you trust.""",
        ("output_dir",),
        (
            "partition",
            "split",
            "mirror",
            "shard",
            "base_url",
            "checksums",
            "file_names",
            "num_connections",
            "timeout_s",
            "num_retries",
            "max_file_gb",
        ),
        _download,
    ),
    "verify": _Verb(
        """Looks at every byte and every record of files; exit status 1 where
anything is wrong.

  yt8m-data verify --input_data_pattern='data/train*.tfrecord' \\
    --official_split=2018/train --repair=repaired

It finds damaged and missing bytes, records that don't parse or lack a feature,
wrong sizes, labels out of range, no or duplicate ids, NaN, videos without
frames, and files with another number of records than a manifest says.""",
        ("input_data_pattern",),
        (
            *_FEATURES,
            "manifest",
            "official_split",
            "repair",
            "write_manifest",
            "output_json",
            "num_processes",
        ),
        _verify,
    ),
    "stats": _Verb(
        """Counts videos, labels and frames, and shows their histograms.

  yt8m-data stats --input_data_pattern='data/*.tfrecord' --output_plot=data.png
""",
        ("input_data_pattern",),
        (*_FEATURES, "output_json", "output_plot", "num_processes"),
        _stats,
    ),
    "repack": _Verb(
        """Writes frame-level records as packed ones, which read faster, one
file for each.

  yt8m-data repack --input_data_pattern='data/*.tfrecord' --output_dir=packed

A packed record is a tf.train.Example that holds each feature as one bytes
value. Nothing is lost: --unpack gives back what was, all but features that
come frame by frame and are not in --feature_names, where that is given: they
are left out, and named. The same command continues; complete files are
kept.""",
        ("input_data_pattern", "output_dir"),
        (
            "unpack",
            "feature_names",
            "feature_sizes",
            "overwrite",
            "num_processes",
        ),
        _repack,
    ),
    "convert": _Verb(
        """Writes features that MediaPipe extracted, with labels from a CSV, as
training records.

  yt8m-data convert --input_data_pattern='features/*.pb' \\
    --labels_file=labels.csv --output_dir=data

Videos without labels and labels without videos are listed.""",
        ("input_data_pattern", "output_dir"),
        (
            "labels_file",
            "vocabulary_file",
            "num_classes",
            "source_features",
            "feature_names",
            "feature_sizes",
            "fill_missing",
            "keep_unlabelled",
            "packed",
            "num_shards",
            "overwrite",
            "output_json",
        ),
        _convert,
    ),
    "split": _Verb(
        """Writes records, unchanged, to train.tfrecord and validate.tfrecord,
by a hash of their ids.

  yt8m-data split --input_data_pattern='data/*.tfrecord' --output_dir=split""",
        ("input_data_pattern", "output_dir"),
        ("validate_percent", "overwrite"),
        _split,
    ),
    "synthesize": _Verb(
        """Writes a synthetic data set in YouTube-8M's frame-level format: a
train and a validate split. Its classes can't be seen in the mean of the frames.

  yt8m-data synthesize --output_dir=data

The same flags give the same bytes; what is already there is kept.""",
        ("output_dir",),
        (
            "num_train_videos",
            "num_validate_videos",
            "num_train_shards",
            "num_validate_shards",
            "num_classes",
            "seed",
            "overwrite",
            "num_processes",
        ),
        _synthesize,
    ),
}


def run() -> None:
    """Runs yt8m-data."""
    standard_streams.prepare()  # The help of a verb may be cut off, too.
    asked = {"--help", "-help", "-h", "--h", "-?"} & set(sys.argv[1:])
    verbs = [word for word in sys.argv[1:] if word in _VERBS]
    if asked and verbs:
        print(verb_help(verbs[0]))
        sys.exit(0)
    binary.run(__doc__, define_flags, main)


if __name__ == "__main__":
    run()
