"""What travels with an export: configuration, model card, manifest."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Mapping, Sequence
import dataclasses
import math
import os
import re
import shlex

import keras
import tensorflow as tf

import yt8m_compact
from yt8m_compact import files
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import untrusted
from yt8m_compact.inference.exports import last_evaluation
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import export_manifest
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice

_METRICS = {
    "gap": "GAP",
    "hit_at_1": "Hit@1",
    "perr": "PERR",
    "map": "MAP",
    "loss": "loss",
}
# What nobody but who exports knows.
_TO_FILL_IN = "*to fill in*"


@dataclasses.dataclass(frozen=True)
class About:
    """How an export came about.

    Attributes:
        config: the configuration of the run.
        step: the step of its checkpoint.
        weights: which weights.
        command: what exports: a program and its arguments.
        evaluation: what the last evaluation of the run found, if there was one.
        licence: what the weights may be used for, as text; None if not known.
        data_licence: likewise, of the data.
        features: what the codes of the training data stand for, if it is known.
    """

    config: config_lib.Config
    step: int
    weights: weight_choice.WeightChoice = weight_choice.RAW
    command: Sequence[str] = ()
    evaluation: last_evaluation.Found | None = None
    licence: str | None = None
    data_licence: str | None = None
    features: readers.RecordFeatures | None = None


def about_run(
    run: train_dir_lib.TrainDir,
    config: config_lib.Config,
    step: int,
    choice: weight_choice.WeightChoice = weight_choice.RAW,
    *,
    command: Sequence[str] = (),
    licence: str | None = None,
    data_licence: str | None = None,
) -> About:
    """Says how an export of a run comes about.

    Args:
        run: its folder, in which evaluations are looked for.
        config: as of `About`.
        step: likewise.
        choice: as `weights` of it.
        command: as of `About`.
        licence: likewise.
        data_licence: likewise.

    Returns:
        What to give to the writer of a format.

    Raises:
        ValueError: if the file of the run's evaluations is damaged.
    """
    features = None
    if files.exists(run.features_path):
        features = readers.read_features(run.features_path)
    return About(
        config=config,
        step=step,
        weights=choice,
        command=command,
        evaluation=last_evaluation.find(run, step, choice),
        licence=licence,
        data_licence=data_licence,
        features=features,
    )


@dataclasses.dataclass(frozen=True)
class Artefact:
    """What a format is, for the model card.

    Attributes:
        format: its name, as `yt8m-export --format` takes it.
        what: what it is, after "It is": "a LiteRT file of ...".
        usage: Python that predicts with it.
        inputs: what it takes: "float32 `[batch, 1152]`" by name.
        outputs: what it gives, likewise.
        notes: sentences on what to know.
        config_path: where the folder has the configuration.
    """

    format: str
    what: str
    usage: str
    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()
    config_path: str = "config.json"


def describe_specs(specs: Mapping[str, tf.TensorSpec]) -> dict[str, str]:
    """Describes tensors as `Artefact` does.

    Args:
        specs: the tensors by name; the first dimension is the videos.
    """
    described = {}
    for name, spec in specs.items():
        sizes = spec.shape.as_list()
        unknown = ("batch", "frames")
        shown = [
            str(size or unknown[min(place, 1)])
            for place, size in enumerate(sizes)
        ]
        described[name] = f"{spec.dtype.name} `[{', '.join(shown)}]`"
    return described


def describe_scores(config: config_lib.Config) -> dict[str, str]:
    """Describes the scores of all classes, as `Artefact` does.

    Args:
        config: the configuration of the run.
    """
    return {"predictions": f"float32 `[batch, {config.data.num_classes}]`"}


def write(
    folder: str, about: About, model: keras.Model, artefact: Artefact
) -> None:
    """Writes `config.json`, `README.md` and `export_manifest.json`.

    And `yt8m_features.json`, if the codes' ranges are known. To be called last,
    in the folder that is about to appear: the manifest has the SHA-256 of every
    file that is there then. The configuration is written unless it is there
    already.

    Args:
        folder: the folder, with all other files of the export.
        about: how it came about.
        model: the model.
        artefact: what it is.

    Raises:
        OSError: if a file can't be written.
    """
    config_path = os.path.join(folder, artefact.config_path)
    if not files.exists(config_path):
        config_lib.save(about.config, config_path)
    if about.features is not None:
        readers.write_features(
            os.path.join(folder, readers.FEATURES_NAME), about.features
        )
    facts = _facts(about, model, artefact)
    export_manifest.write(folder, facts)
    manifest = export_manifest.read(folder)
    sizes = {name: entry["bytes"] for name, entry in manifest["files"].items()}
    path = os.path.join(folder, export_manifest.CARD_NAME)
    with files.writing(path) as file:
        file.write(_card(about, artefact, facts, sizes))


def add_section(folder: str, title: str, text: str) -> None:
    """Adds a section to the model card of an export, before its licence.

    Args:
        folder: the folder of the export.
        title: of the section; one of the same title is replaced.
        text: Markdown.

    Raises:
        ValueError: if there is no model card.
        OSError: if it can't be written.
    """
    path = os.path.join(folder, export_manifest.CARD_NAME)
    card = untrusted.read_text(path, "the model card that yt8m-export wrote")
    parts = re.split(r"(?m)^(?=## )", card)
    parts = [part for part in parts if not part.startswith(f"## {title}\n")]
    parts.insert(-1, f"## {title}\n\n{text.strip()}\n\n")
    with files.writing(path) as file:
        file.write("".join(parts))


def _facts(about: About, model: keras.Model, artefact: Artefact) -> dict:
    evaluation = about.evaluation
    training = about.config.training
    return {
        "format": artefact.format,
        "model": models.model_name(about.config.model),
        "num_weights": _count_weights(model),
        "step": about.step,
        "weights": str(about.weights),
        "data": {
            "train_data_pattern": _without_folders(training.train_data_pattern),
            "eval_data_pattern": _without_folders(training.eval_data_pattern),
        },
        "evaluation": evaluation and dataclasses.asdict(evaluation),
        "command": shlex.join(map(_without_folders, about.command)),
        "licence": about.licence,
        "versions": {
            "yt8m_compact": yt8m_compact.__version__,
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
        },
    }


def _count_weights(model: keras.Model) -> int:
    """Counts weights, those that are packed as what they stand for."""
    total = sum(math.prod(weight.shape) for weight in model.weights)
    for layer in layers.projections(model):
        specs = layer.structure.weights(*layer.sizes)
        total += layer.structure.num_weights(*layer.sizes)
        total -= sum(spec.size for spec in specs)
    return total


def _card(
    about: About, artefact: Artefact, facts: dict, sizes: Mapping[str, int]
) -> str:
    config, data = about.config, about.config.data
    level = "frame" if data.frame_features else "video"
    lines = [
        f"# {facts['model']}",
        "",
        f"A classifier of videos by {level}-level features, "
        f"{_features(data)}: {data.num_classes:,} classes. It is "
        f"{artefact.what}",
        "",
        *_table(
            ("", ""),
            [
                ("format", artefact.format),
                ("weights", f"{facts['num_weights']:,}"),
                ("files", f"{sum(sizes.values()):,} bytes"),
                *((f"`{name}`", f"{size:,}") for name, size in sizes.items()),
                ("checkpoint", f"step {about.step}, weights {about.weights}"),
                *(
                    (name, version)
                    for name, version in facts["versions"].items()
                ),
            ],
        ),
        "",
        "## Inputs and outputs",
        "",
        *_table(
            ("name", "what"),
            [
                *((f"`{k}`", v) for k, v in artefact.inputs.items()),
                *((f"gives `{k}`", v) for k, v in artefact.outputs.items()),
            ],
        ),
        "",
        "```python",
        artefact.usage.strip(),
        "```",
        "",
    ]
    for note in artefact.notes:
        lines += [note, ""]
    lines += ["## Metrics", "", *_metrics(about), ""]
    lines += ["## Data", "", *_data(config, facts["data"]), ""]
    lines += ["## Training", "", *_training(config), ""]
    if facts["command"]:
        lines += ["## Command", "", "```bash", facts["command"], "```", ""]
    lines += [
        "## Licence",
        "",
        *_table(
            ("of", "licence"),
            [
                ("the weights", about.licence or _TO_FILL_IN),
                ("the data", about.data_licence or _TO_FILL_IN),
            ],
        ),
    ]
    return "\n".join(lines) + "\n"


def _features(data: config_lib.DataConfig) -> str:
    pairs = zip(data.feature_names, data.feature_sizes, strict=True)
    return ", ".join(f"{size:,} values of `{name}`" for name, size in pairs)


def _metrics(about: About) -> list[str]:
    found = about.evaluation
    if found is None:
        return [
            "The folder of the run has no evaluation. `yt8m-eval` evaluates; "
            "then export again."
        ]
    of_step = f"By `{found.source}`, of step {found.step}"
    if found.step != about.step:
        of_step += f", which is not that of this export ({about.step})"
    rows = [
        (title, f"{found.metrics[name]:.4f}")
        for name, title in _METRICS.items()
        if name in found.metrics
    ]
    return [f"{of_step}, before the export.", "", *_table(("", ""), rows)]


def _data(config: config_lib.Config, patterns: Mapping[str, str]) -> list[str]:
    rows = [("features", _features(config.data))]
    rows += [
        (title, f"`{patterns[name]}`")
        for name, title in (
            ("train_data_pattern", "trained on"),
            ("eval_data_pattern", "evaluated on while training"),
        )
        if patterns[name]
    ]
    return _table(("", ""), rows)


def _training(config: config_lib.Config) -> list[str]:
    """Lists the settings that are not those by default."""
    values = config.to_dict()
    rows = []
    for part, name in ((config.model, "model"), (config.training, "training")):
        for field in dataclasses.fields(part):
            is_path = field.metadata["is_path"] or field.metadata["is_pattern"]
            if not is_path and getattr(part, field.name) != field.default:
                rows.append((f"`{field.name}`", values[name][field.name]))
    if not rows:
        return ["All settings are those by default."]
    return _table(("setting", "value"), rows)


def _table(
    head: tuple[str, str], rows: Sequence[tuple[str, object]]
) -> list[str]:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    for name, value in rows:
        text = str(value).replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {name} | {text} |")
    return lines


def _without_folders(text: str) -> str:
    """Leaves the names of files, which say nothing of whose disk it was.

    Args:
        text: an argument of a command, or patterns of files, comma-separated.
    """
    name, equals, value = text.rpartition("=")
    parts = [
        part.rstrip("/").rpartition("/")[2] if "/" in part else part
        for part in value.split(",")
    ]
    return name + equals + ",".join(parts)
