"""absl flags from the fields of configurations, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
import dataclasses
from typing import Any

from absl import flags

from yt8m_compact import files
from yt8m_compact import flag_help
from yt8m_compact import help_pages
from yt8m_compact import models
from yt8m_compact import names
from yt8m_compact import path_flags
from yt8m_compact import presets
from yt8m_compact import readers
from yt8m_compact import settings_flags
from yt8m_compact import usage_error
from yt8m_compact.readers import features_file
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import weight_choice

# Flags of the starter code that mean nothing here, and what to do instead.
_REPLACED: dict[str, tuple[Callable[..., Any], str]] = {
    "export_model_steps": (
        flags.DEFINE_integer,
        "use --checkpoint_steps for checkpoints, and yt8m-export for a "
        "SavedModel",
    ),
    "log_device_placement": (
        flags.DEFINE_bool,
        "call tf.debugging.set_log_device_placement, or set the variable "
        "TF_CPP_MAX_VLOG_LEVEL",
    ),
    "input_model_tgz": (
        flags.DEFINE_string,
        "use --train_dir or --model_file",
    ),
    "untar_model_dir": (
        flags.DEFINE_string,
        "use --train_dir or --model_file",
    ),
    "output_model_tgz": (
        flags.DEFINE_string,
        "use yt8m-export for a model to send away",
    ),
    "label_loss": (flags.DEFINE_string, "the loss is that of --train_dir"),
}
_REPLACED_IN_TRAINING = (
    "export_model_steps",
    "log_device_placement",
)
# Flags that held for every projection that had such an argument, and where the
# argument is now. Turned off, they asked for something, too.
_REPLACED_BY_STRUCTURES: dict[str, tuple[Callable[..., Any], str]] = {
    "rank": (flags.DEFINE_string, "low_rank(rank=8)"),
    "num_factors": (flags.DEFINE_string, "diagonal_circulant(num_factors=3)"),
    "block_size": (flags.DEFINE_string, "block_circulant(block_size=128)"),
    "num_buckets": (flags.DEFINE_string, "hashed(num_buckets=1000)"),
    "shared_diagonal": (
        flags.DEFINE_bool,
        "diagonal_circulant(shared_diagonal=True)",
    ),
    "pad_input": (flags.DEFINE_bool, "diagonal_circulant(pad_input=True)"),
}

_MODEL_OF_FRAMES = "FrameLevelLogisticModel"
_FEW = 4  # models that are named by what they lack


def define_replaced_flags(
    names: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS
) -> None:
    """Defines flags of the starter code, to be refused with what to do.

    Args:
        names: the flags.
        flag_values: where to define them.
    """
    for name in names:
        define, replacement = _REPLACED[name]
        define(
            name,
            None,
            f"Not supported: {replacement}.",
            flag_values=flag_values,
        )
        help_pages.set_group(flag_values, name, help_pages.NOT_SUPPORTED)


def refuse_replaced_flags(
    names: Sequence[str], flag_values: flags.FlagValues = flags.FLAGS
) -> None:
    """Refuses flags of the starter code; one turned off asks for nothing.

    Args:
        names: the flags.
        flag_values: where `define_replaced_flags` defined them.

    Raises:
        UsageError: if one was given.
    """
    for name in names:
        value = flag_values[name].value
        if value is not None and value is not False:
            raise usage_error.UsageError(
                f"--{name} is not supported: {_REPLACED[name][1]}"
            )


def define_model_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines `--model`, and the flags of the data and of all models.

    Flags of models default to None, which means the default of the model;
    their help names the models that use them.

    Args:
        flag_values: where to define them.
    """
    flags.DEFINE_enum(
        "model",
        "LogisticModel",
        list(models.MODELS),
        "The model.",
        flag_values=flag_values,
    )
    help_pages.set_group(flag_values, "model", "model")
    settings_flags.define(config_lib.DataConfig, flag_values)
    _group(flag_values, config_lib.DataConfig, "data")
    for name, users in _model_fields().items():
        user, field = next(iter(users.items()))
        help_text = (
            f"{field.metadata['help']} (default: {_defaults(users)}; used by "
            f"{_users(users)})"
        )
        if name not in flag_values:
            settings_flags.define_field(
                models.MODELS[user], field, None, help_text, flag_values
            )
            help_pages.set_group(flag_values, name, "model")
    for name, (define, text) in _REPLACED_BY_STRUCTURES.items():
        define(
            name,
            None,
            f"Not supported: write --classifier_projection='{text}'.",
            flag_values=flag_values,
        )
        help_pages.set_group(flag_values, name, help_pages.NOT_SUPPORTED)


def define_training_flags(flag_values: flags.FlagValues = flags.FLAGS) -> None:
    """Defines the flags of training, and those that were replaced.

    Args:
        flag_values: where to define them.
    """
    settings_flags.define(config_lib.TrainingConfig, flag_values)
    _group(flag_values, config_lib.TrainingConfig, "training")
    for group, members in config_lib.TRAINING_GROUPS.items():
        for name in members:
            help_pages.set_group(flag_values, name, group)
    define_replaced_flags(_REPLACED_IN_TRAINING, flag_values)


def _group(flag_values: flags.FlagValues, cls: type, group: str) -> None:
    for field in dataclasses.fields(cls):
        help_pages.set_group(flag_values, field.name, group)


def model_from_flags(
    flag_values: flags.FlagValues = flags.FLAGS,
) -> tuple[config_lib.DataConfig, models.ModelConfig]:
    """Reads the data and the model from flags.

    Args:
        flag_values: where `define_model_flags` defined them.

    Returns:
        The data's and the model's configuration.

    Raises:
        UsageError: if a value does not fit, or a flag that was given is not
            used by the chosen model, or not supported any more.
    """
    for name, (_, text) in _REPLACED_BY_STRUCTURES.items():
        if flag_values[name].present:
            raise usage_error.UsageError(
                f"--{name} is not supported: write "
                f"--classifier_projection='{text}'"
            )
    data = settings_flags.read(config_lib.DataConfig, flag_values)
    name = flag_values.model
    own = [field.name for field in dataclasses.fields(models.MODELS[name])]
    for field, users in _model_fields().items():
        if flag_values[field].value is not None and name not in users:
            raise usage_error.UsageError(
                f"--{field} is not used by {name}: expected "
                f"--model={' or '.join(users)}, or no --{field}. Received: "
                f"{field}={flag_values[field].value!r}"
                f"{names.suggestion(field, own, '--')}"
            )
    model = settings_flags.read(models.get_model_config(name), flag_values)
    with usage_error.from_value_errors():
        config_lib.check_level(data, model)
    return data, model


def define_weights_flag(flag_values: flags.FlagValues) -> None:
    """Defines `--weights`.

    Args:
        flag_values: where to define it.
    """
    flags.DEFINE_string(
        "weights",
        str(weight_choice.RAW),
        "Which weights of --train_dir: raw, those of the checkpoint; ema, "
        "their moving average (of runs with --ema_momentum); average:5, the "
        "mean of the last 5 checkpoints.",
        flag_values=flag_values,
    )


def weights_from_flag(
    flag_values: flags.FlagValues,
) -> weight_choice.WeightChoice:
    """Reads `--weights`.

    Args:
        flag_values: where `define_weights_flag` defined it.

    Returns:
        The choice.

    Raises:
        UsageError: if it is none.
    """
    with usage_error.from_value_errors():
        return weight_choice.parse(flag_values.weights)


class _StepParser(flags.ArgumentParser):
    """Reads the step of a checkpoint, or "best"."""

    def parse(self, argument: str | int) -> str | int:
        if argument == "best":
            return argument
        if str(argument).isdecimal():
            return int(argument)
        raise ValueError(f"expected a step or best. Received: {argument!r:.80}")


def define_checkpoint_flag(
    flag_values: flags.FlagValues, text: str, *, repeated: bool = False
) -> None:
    """Defines `--checkpoint_step`.

    Args:
        flag_values: where to define it.
        text: what the checkpoint is for, the start of the help.
        repeated: whether it may be given several times; its value is a list.
    """
    help_text = (
        f"{text}, or best for that which was best when training evaluated it "
        "(--keep_best); the newest one if not given."
    )
    parser, serializer = _StepParser(), flags.ArgumentSerializer()
    if repeated:
        flags.DEFINE_multi(
            parser,
            serializer,
            "checkpoint_step",
            None,
            f"{help_text} Given several times, all of them.",
            flag_values=flag_values,
        )
        return
    flags.DEFINE(
        parser,
        "checkpoint_step",
        None,
        help_text,
        flag_values=flag_values,
        serializer=serializer,
    )


def define_model_file_flag(
    flag_values: flags.FlagValues, use: str, *, repeated: bool = False
) -> None:
    """Defines `--model_file`.

    Args:
        flag_values: where to define it.
        use: what the model is for, for the help.
        repeated: whether it may be given several times; its value is a list.
    """
    help_text = (
        f"What yt8m-export wrote, to {use} in the place of --train_dir: a file "
        ".tflite, .onnx, .xml (OpenVINO) or .keras, or the folder of one, of a "
        "SavedModel or of a packed model. A SavedModel runs what its author "
        "wrote: give only one that you trust."
    )
    if repeated:
        path_flags.define_repeated_path(
            "model_file",
            f"{help_text} Given several times, all are compared.",
            flag_values=flag_values,
        )
        return
    path_flags.define_path(
        "model_file", None, help_text, flag_values=flag_values
    )


def refuse_choice_of_weights(flag_values: flags.FlagValues) -> None:
    """Refuses flags that choose weights of a run, beside `--model_file`.

    Args:
        flag_values: where `--checkpoint_step` and `--weights` are defined.

    Raises:
        UsageError: if one was given.
    """
    step = flag_values.checkpoint_step
    if step is not None:
        steps = step if isinstance(step, list) else [step]
        raise usage_error.UsageError(
            "expected no --checkpoint_step: --model_file holds one. Received: "
            f"checkpoint_step={','.join(map(str, steps))}"
        )
    choice = weights_from_flag(flag_values)
    if choice != weight_choice.RAW:
        raise usage_error.UsageError(
            "expected no --weights: --model_file holds those that were "
            f"exported. Received: weights={choice}"
        )


def define_data_flag(flag_values: flags.FlagValues, use: str) -> None:
    """Defines `--data`.

    Args:
        flag_values: where to define it.
        use: what the program does with which split, for the help.
    """
    flags.DEFINE_string(
        "data",
        "",
        "A data set that TensorFlow Datasets prepared, such as "
        f"tfds:youtube8m/video_level: {use}.",
        flag_values=flag_values,
    )


def use_data_flag(
    flag_values: flags.FlagValues, pattern_flag: str, *splits: str
) -> readers.PreparedDataset | None:
    """Lets `--data` say what another flag would: which files to read.

    Args:
        flag_values: where `define_data_flag` defined it.
        pattern_flag: the flag that is set to the files of the data set.
        *splits: the split to read if `--data` names none: the first there is.

    Returns:
        The data set, None if `--data` was not given.

    Raises:
        UsageError: if both flags were given, or `--data` is no `tfds:...`.
        DataError: if there is no such data set or split.
    """
    text = flag_values.data
    if not text:
        return None
    if flag_values[pattern_flag].value:
        raise usage_error.UsageError(
            f"expected --data or --{pattern_flag}, not both. Received: "
            f"data={text!r}, {pattern_flag}={flag_values[pattern_flag].value!r}"
        )
    if not text.startswith("tfds:"):
        raise usage_error.UsageError(
            "expected --data to be a data set that TensorFlow Datasets "
            f"prepared, such as tfds:youtube8m/video_level; use "
            f"--{pattern_flag} for files. Received: data={text!r}"
        )
    prepared = readers.find_prepared(text)
    flag_values[pattern_flag].value = prepared.split_pattern(*splits)
    return prepared


def use_features(
    flag_values: flags.FlagValues, prepared: readers.PreparedDataset
) -> None:
    """Sets the flags of the data that were not given to what a data set has.

    Args:
        flag_values: where `define_model_flags` defined them.
        prepared: the data set.
    """
    for name, value in {
        "feature_names": list(prepared.feature_names),
        "feature_sizes": [str(size) for size in prepared.feature_sizes],
        "frame_features": prepared.frame_features,
        "num_classes": prepared.num_classes,
    }.items():
        if not flag_values[name].present:
            flag_values[name].value = value


def use_record_features(
    flag_values: flags.FlagValues, pattern_flag: str
) -> readers.RecordFeatures | None:
    """Sets the flags of the data that were not given to what records hold.

    That is said beside records of `yt8m-data convert`. Where no `--model` was
    given, it is one that reads what they hold.

    Args:
        flag_values: where `define_model_flags` defined them.
        pattern_flag: the flag of the files.

    Returns:
        What is said; None where nothing is.

    Raises:
        UsageError: if a flag says anything else of the features.
        DataError: if files of several folders are said to hold what does not go
            together.
    """
    try:
        files = readers.expand_patterns(flag_values[pattern_flag].value)
    except readers.DataError:  # To be told after what is wrong with flags.
        return None
    said = readers.find_features(files)
    if said is None:
        return None
    path = next(filter(None, map(features_file.path_beside, files)))
    sizes = dict(zip(said.feature_names, said.feature_sizes, strict=True))
    names = said.feature_names
    if flag_values["feature_names"].present:
        names = [name.strip() for name in flag_values.feature_names]
        _expect_said(
            "feature_names",
            flag_values.feature_names,
            [name for name in names if name in sizes],
            list(sizes),
            path,
        )
    for flag, value in {
        "feature_names": list(names),
        "feature_sizes": [str(sizes[name]) for name in names],
        "frame_features": said.level == "frame",
        "float_frames": said.float_frames,
    }.items():
        if not flag_values[flag].present:
            flag_values[flag].value = value
        _expect_said(flag, flag_values[flag].value, value, value, path)
    if said.num_classes and not flag_values["num_classes"].present:
        flag_values["num_classes"].value = said.num_classes
    if said.max_frames and not flag_values["max_frames"].present:
        flag_values["max_frames"].value = max(
            flag_values.max_frames, said.max_frames
        )
    if said.level == "frame" and not flag_values["model"].present:
        flag_values["model"].value = _MODEL_OF_FRAMES
    return said


def _expect_said(
    flag: str, given: Any, fits: Any, said: Any, path: str
) -> None:
    """Refuses a flag that does not fit what is said of records."""
    if isinstance(given, list):
        given = [text.strip() for text in given]
    if given != fits:
        raise usage_error.UsageError(
            f"expected --{flag} as {path} says of the records beside it, "
            f"{_shown(said)}; leave the flag out, or those records. Received: "
            f"{flag}={_shown(given)}"
        )


def _shown(value: Any) -> str:
    return _text(tuple(value) if isinstance(value, list) else value)


def expect_presets(names: Iterable[str]) -> None:
    """Refuses names of presets that there are not.

    Args:
        names: folders of runs and the like, and `preset:NAME`.

    Raises:
        UsageError: if there is no preset of a name.
    """
    with usage_error.from_value_errors():
        for name in names:
            if name.startswith(presets.PREFIX):
                presets.folder(name.removeprefix(presets.PREFIX))


def expect_teachers(text: str) -> None:
    """Refuses files of scores that there are not, before models are loaded.

    Args:
        text: as of `TrainingConfig.teacher`.

    Raises:
        DataError: if a pattern matches nothing.
    """
    for teacher in config_lib.TrainingConfig(teacher=text).teachers:
        if not files.is_folder(teacher):
            readers.expect_local_files(teacher, readers.SCORES)


def refuse_model_flags(
    flag_values: flags.FlagValues, reason: str, but: Sequence[str] = ()
) -> None:
    """Refuses the flags of data and model, where a run says what they are.

    Args:
        flag_values: where `define_model_flags` defined them.
        reason: why they are refused, for the error.
        but: those that are not.

    Raises:
        UsageError: if one was given.
    """
    fields = dataclasses.fields(config_lib.DataConfig)
    for name in (
        "model",
        *(field.name for field in fields),
        *_model_fields(),
        *_REPLACED_BY_STRUCTURES,
    ):
        if flag_values[name].present and name not in but:
            raise usage_error.UsageError(
                f"expected no --{name}: {reason}. Received: "
                f"{name}={flag_values[name].value!r}"
            )


def config_from_flags(
    flag_values: flags.FlagValues = flags.FLAGS,
) -> config_lib.Config:
    """Reads a whole configuration from flags.

    Args:
        flag_values: where `define_model_flags` and `define_training_flags`
            defined them.

    Returns:
        The configuration.

    Raises:
        UsageError: if a value does not fit, or a flag is not supported.
    """
    refuse_replaced_flags(_REPLACED_IN_TRAINING, flag_values)
    data, model = model_from_flags(flag_values)
    training = settings_flags.read(config_lib.TrainingConfig, flag_values)
    with usage_error.from_value_errors():
        return config_lib.Config(data=data, model=model, training=training)


def _model_fields() -> dict[str, dict[str, dataclasses.Field]]:
    """Lists the models' fields: name of the field, of the model, the field."""
    fields: dict[str, dict[str, dataclasses.Field]] = {}
    for model, cls in models.MODELS.items():
        for field in dataclasses.fields(cls):
            fields.setdefault(field.name, {})[model] = field
    return fields


def describe_model(name: str) -> str:
    """Writes the settings of a model as `--help` lists flags.

    Args:
        name: a key of `models.MODELS`.

    Returns:
        A section.
    """
    return flag_help.section(
        f"settings of --model={name}",
        [
            flag_help.Entry(
                name=field.name,
                text=field.metadata["help"],
                default=_text(field.default),
                choices=field.metadata["choices"] or (),
                is_boolean=isinstance(field.default, bool),
            )
            for field in dataclasses.fields(models.MODELS[name])
        ],
    )


def _users(users: Mapping[str, Any]) -> str:
    """Names the models that have a setting, or the few that do not."""
    others = [name for name in models.MODELS if name not in users]
    if not others:
        return "all models"
    if len(others) <= _FEW:
        return f"all models but {', '.join(others)}"
    return ", ".join(users)


def _defaults(users: dict[str, dataclasses.Field]) -> str:
    """Writes a field's default, and what differs from it in other models."""
    texts = {model: _text(field.default) for model, field in users.items()}
    first = next(iter(texts.values()))
    others = [
        f"{text} in {model}" for model, text in texts.items() if text != first
    ]
    return ", ".join([first, *others])


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return str(value)


def given(program: str, flag_values: flags.FlagValues) -> list[str]:
    """Lists the arguments that a program was started with, to show.

    Args:
        program: its name.
        flag_values: its flags.

    Returns:
        The name, and the flags that were given.
    """
    return [program] + [
        flag_values[name].serialize()
        for name in flag_values
        if flag_values[name].present and flag_values[name].value is not None
    ]
