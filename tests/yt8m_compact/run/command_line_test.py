"""Tests of the flags of data, models and training."""

import dataclasses
import re

from absl import flags
import pytest

import prepared_data
import setting_values
import tiny_runs
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact import structures
from yt8m_compact import usage_error
from yt8m_compact.run import command_line
from yt8m_compact.run import config as config_lib

# The models that can end with a mixture of experts.
WITH_MIXTURES = (
    "MoeModel",
    "DeepCombineChainModel",
    "LstmModel",
    "GruModel",
    "DbofModel",
    "NetVladModel",
    "NetFvModel",
    "SoftDbofModel",
    "GatedDbofModel",
    "NeXtVladModel",
    "TransformerModel",
    "PooledEmbeddingModel",
)


def define_flags(flag_values):
    command_line.define_model_flags(flag_values)
    command_line.define_training_flags(flag_values)


def parse(*arguments: str) -> flags.FlagValues:
    return tiny_runs.parse_flags(define_flags, *arguments)


def read(*arguments: str) -> config_lib.Config:
    return command_line.config_from_flags(parse(*arguments))


def as_text(value) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def fields_of(*classes):
    return [(cls, f) for cls in classes for f in dataclasses.fields(cls)]


def test_defaults():
    assert read() == config_lib.Config(
        data=config_lib.DataConfig(),
        model=models.LogisticConfig(),
        training=config_lib.TrainingConfig(),
    )


@pytest.mark.parametrize("model", models.MODELS)
def test_every_flag_of_a_model_is_read(model):
    cls = models.get_model_config(model)
    level = f"--frame_features={as_text(cls.frame_features)}"
    for field in dataclasses.fields(cls):
        value = setting_values.other_value(field)
        config = read(
            f"--model={model}", level, f"--{field.name}={as_text(value)}"
        )
        assert config.model == cls(**{field.name: value}), field.name
        assert config.training == config_lib.TrainingConfig()


def test_every_flag_of_training_is_read():
    cls = config_lib.TrainingConfig
    for field in dataclasses.fields(cls):
        values = {
            field.name: setting_values.other_value(field),
            **setting_values.NEEDED.get(field.name, {}),
        }
        config = read(*(f"--{k}={as_text(v)}" for k, v in values.items()))
        assert config.training == cls(**values), field.name
        assert config.model == models.LogisticConfig()


def test_refusals_of_training_name_flags():
    """Each setting that needs another one, alone; and pairs that contradict."""
    fields = {f.name: f for f in dataclasses.fields(config_lib.TrainingConfig)}
    pairs = [
        {name: as_text(setting_values.other_value(fields[name]))}
        for name in setting_values.NEEDED
        if name != "label_loss"  # which needs nothing but another value
    ] + [
        {"optimizer": "ScheduleFreeAdamW"},
        {"label_loss": "SoftmaxLoss", "positive_weight": "2"},
        {"clip_gradients": "global", "clip_gradient_norm": "0"},
        {
            "learning_rate_schedule": "cosine",
            "max_steps": "5",
            "warmup_steps": "5",
        },
    ]
    for pair in pairs:
        with pytest.raises(usage_error.UsageError) as caught:
            read(*(f"--{name}={value}" for name, value in pair.items()))
        expected, _, _ = str(caught.value).partition(" Received: ")
        assert expected.startswith("expected "), expected
        named = re.findall(r"(-*)\b([a-z]\w*)", expected)
        bare = [name for dashes, name in named if "_" in name and not dashes]
        assert not bare, expected


def test_every_flag_of_data_is_read():
    config = read(
        "--feature_names=rgb, audio",
        "--feature_sizes=7, 8",
        "--frame_features",
        "--num_classes=9",
        "--max_frames=10",
        "--model=DbofModel",
    )
    assert config.data == config_lib.DataConfig(
        feature_names=("rgb", "audio"),
        feature_sizes=(7, 8),
        frame_features=True,
        num_classes=9,
        max_frames=10,
    )
    covered = {f.name for f in dataclasses.fields(config_lib.DataConfig)}
    assert covered == set(config.to_dict()["data"])


def other_training(cls) -> config_lib.TrainingConfig:
    """Settings away from their defaults, that fit a class of models."""
    training = setting_values.make_with_other_values(config_lib.TrainingConfig)
    if not cls.frame_features:
        return training
    return dataclasses.replace(training, mixup_alpha=0.0)


@pytest.mark.parametrize("model", models.MODELS)
def test_config_to_flags_and_back(model):
    cls = models.get_model_config(model)
    config = config_lib.Config(
        data=dataclasses.replace(
            setting_values.make_with_other_values(config_lib.DataConfig),
            frame_features=cls.frame_features,
        ),
        model=setting_values.make_with_other_values(cls),
        training=other_training(cls),
    )
    assert read(*tiny_runs.training_flags(config)) == config


def test_a_sum_at_one_place_and_a_bare_name_at_another():
    model = read(
        "--model=DbofModel",
        "--frame_features",
        "--fc_projection=low_rank(rank=8)",
        "--classifier_projection=low_rank(rank=64) + diagonal_circulant",
        "--embedding_projection=low_rank_plus_circulant",
    ).model
    assert model.fc_projection == structures.LowRank(8)
    assert model.classifier_projection == (
        structures.LowRank(64) + structures.DiagonalCirculant()
    )
    assert model.embedding_projection == (
        structures.LowRank(32) + structures.DiagonalCirculant()
    )


def test_replacements_of_flags_are_structures():
    # What an error tells people to write can be written.
    for name, (_, text) in command_line._REPLACED_BY_STRUCTURES.items():
        config = read(f"--classifier_projection={text}")
        assert f"{name}=" in str(config.model.classifier_projection)


def test_flags_that_are_turned_off():
    config = read(
        "--nojit_compile",
        "--nol2_normalize",
        "--clip_gradient_norm=0",
        "--shuffle_buffer=0",
    )
    assert config.training.jit_compile is False
    assert config.model.l2_normalize is False
    assert config.training.clip_gradient_norm == 0
    assert config.training.shuffle_buffer == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--moe_num_mixtures=4"],
            "--moe_num_mixtures is not used by LogisticModel: expected "
            f"--model={' or '.join(WITH_MIXTURES)}, or no --moe_num_mixtures. "
            "Received: moe_num_mixtures=4",
        ),
        (
            ["--model=MoeModel", "--nodbof_add_batch_norm"],
            "--dbof_add_batch_norm is not used by MoeModel: expected "
            "--model=DbofModel, or no --dbof_add_batch_norm. Received: "
            "dbof_add_batch_norm=False",
        ),
        (
            ["--feature_sizes=1024,many"],
            "expected --feature_sizes to be a comma-separated list of whole "
            "numbers above 0. Received: feature_sizes='1024,many'",
        ),
        (
            ["--feature_sizes="],
            "expected one size above 0 for each feature name. Received: "
            "feature_names=mean_rgb, feature_sizes=",
        ),
        (
            ["--batch_size=0"],
            "expected --batch_size to be at least 1. Received: batch_size=0",
        ),
        (
            ["--base_learning_rate=nan"],
            "expected --base_learning_rate to be a finite number",
        ),
        (
            ["--frame_features"],
            "LogisticModel reads video-level features: expected "
            "frame_features=False. Received: frame_features=True",
        ),
        (
            [
                "--model=PooledEmbeddingModel",
                "--frame_features",
                "--embeddings=dbof,lstm",
            ],
            "expected --embeddings to be one or several of dbof, netvlad, "
            "netfv, moments, each once. Received: embeddings=('dbof', 'lstm')",
        ),
        (
            ["--classifier_projection=low_rank(ramk=8)"],
            "--classifier_projection: expected arguments of "
            "low_rank: rank. Received: argument='ramk'; did you mean rank?",
        ),
        (
            ["--rank=8"],
            "--rank is not supported: write "
            "--classifier_projection='low_rank(rank=8)'",
        ),
        (
            ["--num_factors=3"],
            "--num_factors is not supported: write --classifier_projection="
            "'diagonal_circulant(num_factors=3)'",
        ),
        (
            ["--block_size=3"],
            "--block_size is not supported: write --classifier_projection="
            "'block_circulant(block_size=128)'",
        ),
        (
            ["--num_buckets=3"],
            "--num_buckets is not supported: write --classifier_projection="
            "'hashed(num_buckets=1000)'",
        ),
        (
            ["--noshared_diagonal"],
            "--shared_diagonal is not supported: write "
            "--classifier_projection='diagonal_circulant(shared_diagonal=True)",
        ),
        (
            ["--nopad_input"],
            "--pad_input is not supported: write --classifier_projection="
            "'diagonal_circulant(pad_input=True)'",
        ),
        (
            ["--export_model_steps=0"],
            "--export_model_steps is not supported: use --checkpoint_steps",
        ),
        (
            ["--log_device_placement"],
            "--log_device_placement is not supported: call tf.debugging",
        ),
    ],
)
def test_values_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read(*arguments)


def test_flags_of_the_starter_code_that_ask_for_nothing():
    config = read("--nosegment_labels", "--log_device_placement=false")
    assert config == read()


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "--model=GhostModel",
            "LogisticModel|MoeModel|MlpModel|DeepCirculantModel",
        ),
        ("--num_epochs=some", "flag --num_epochs=some"),
    ],
)
def test_values_that_absl_refuses(argument, message):
    with pytest.raises(flags.IllegalFlagValueError, match=re.escape(message)):
        parse(argument)


def test_help_of_a_flag_of_models():
    flag_values = parse()
    text = flag_values["moe_num_mixtures"].help
    assert text.startswith("Number of experts of each class")
    assert text.endswith(
        "(default: 2, 4 in PooledEmbeddingModel; used by "
        f"{', '.join(WITH_MIXTURES)})"
    )
    text = flag_values["classifier_projection"].help
    assert text.startswith(
        "Structure of the projection from the video's representation to the "
        "classes: low_rank(rank=64) say, or a sum such as low_rank(rank=64) + "
        "diagonal_circulant. There are dense(zero_diagonal=False), circulant("
    )
    assert "(default: dense, diagonal_circulant(pad_input=True) in Deep" in text
    names = [*structures.STRUCTURES, *structures.ALIASES]
    for name in names:
        assert re.search(rf"\b{name}\b", text), name
    for flag in ("fc_projection", "hidden_projection"):
        text = flag_values[flag].help
        assert ": as for --classifier_projection. (default: " in text
        assert "toeplitz" not in text
    assert flag_values["rank"].help == (
        "Not supported: write --classifier_projection='low_rank(rank=8)'."
    )
    text = flag_values["embeddings"].help
    assert text.endswith("(default: dbof; used by PooledEmbeddingModel)")
    text = flag_values["l2_normalize"].help
    assert text.endswith("(default: true; used by all models)")
    text = flag_values["export_model_steps"].help
    assert text.startswith("Not supported: use --checkpoint_steps")


@pytest.mark.slow
def test_every_flag_of_data_and_model_is_refused_beside_a_run():
    fields = fields_of(config_lib.DataConfig, *models.MODELS.values())
    for _, field in fields:
        value = setting_values.other_value(field)
        flag_values = parse(f"--{field.name}={as_text(value)}")
        with pytest.raises(
            ValueError, match=f"expected no --{field.name}: because. Received"
        ):
            command_line.refuse_model_flags(flag_values, "because")
    with pytest.raises(
        ValueError,
        match=("expected no --model: because. Received: model='LogisticModel'"),
    ):
        # Given, though with the default.
        command_line.refuse_model_flags(
            parse("--model=LogisticModel"), "because"
        )
    command_line.refuse_model_flags(parse("--batch_size=3"), "because")


@pytest.fixture(name="prepared")
def fixture_prepared(tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    prepared_data.write_prepared(tmp_path, {"train": [3], "test": [2]})


def parse_data(*arguments: str) -> flags.FlagValues:
    def define(flag_values):
        define_flags(flag_values)
        command_line.define_data_flag(flag_values, "reads it")

    return tiny_runs.parse_flags(define, *arguments)


def test_data_says_which_files(prepared):
    text = "tfds:youtube8m/video_level"
    flag_values = parse_data(f"--data={text}")
    found = command_line.use_data_flag(
        flag_values, "train_data_pattern", "validation", "test"
    )
    assert found.feature_names == ("mean_rgb", "mean_audio")
    assert flag_values.train_data_pattern == f"{text}/test"
    flag_values = parse_data(f"--data={text}/train")
    command_line.use_data_flag(flag_values, "train_data_pattern", "test")
    assert flag_values.train_data_pattern == f"{text}/train"


def test_presets():
    command_line.expect_presets(["runs/a", "preset:yt8m_2018_video_100k", ""])
    with pytest.raises(
        usage_error.UsageError,
        match="expected a preset, one of yt8m_2018_video_100k, .*Received: "
        r"preset='yt8m'; did you mean yt8m_2018_video_\d+k\?",
    ):
        command_line.expect_presets(["runs/a", "preset:yt8m"])


def test_no_data_flag():
    flag_values = parse_data("--train_data_pattern=x")
    assert not command_line.use_data_flag(flag_values, "train_data_pattern")
    assert flag_values.train_data_pattern == "x"


def test_data_says_what_flags_do_not(prepared):
    flag_values = parse_data(
        "--data=tfds:youtube8m/video_level/train",
        "--feature_names=mean_rgb",
        "--feature_sizes=6",
    )
    found = command_line.use_data_flag(flag_values, "train_data_pattern")
    command_line.use_features(flag_values, found)
    data = command_line.config_from_flags(flag_values).data
    assert data == config_lib.DataConfig(
        feature_names=("mean_rgb",), feature_sizes=(6,), num_classes=10
    )
    flag_values = parse_data("--data=tfds:youtube8m/video_level/train")
    command_line.use_features(flag_values, found)
    data = command_line.config_from_flags(flag_values).data
    assert data == config_lib.DataConfig(
        feature_names=("mean_rgb", "mean_audio"),
        feature_sizes=(6, 3),
        num_classes=10,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data=tfds:youtube8m/video_level", "--train_data_pattern=x"],
            "expected --data or --train_data_pattern, not both. Received: ",
        ),
        (
            ["--data=data/*.tfrecord"],
            "use --train_data_pattern for files. Received: data='data/",
        ),
        (
            ["--data=tfds:youtube8m/video_level"],
            "expected the split validation. Received: a data set with train, t",
        ),
        (["--data=tfds:other/video_level"], "expected a data set that Tensor"),
    ],
)
def test_data_that_is_refused(prepared, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        command_line.use_data_flag(
            parse_data(*arguments), "train_data_pattern", "validation"
        )


def test_groups_of_help():
    flag_values = parse()
    groups = {
        name: flag_values[name].group
        for name in ("max_frames", "gating", "num_epochs", "label_loss")
    }
    assert groups == {
        "max_frames": "data",
        "gating": "model",
        "num_epochs": "training",
        "label_loss": "loss",
    }
    fields = {f.name for f in dataclasses.fields(config_lib.TrainingConfig)}
    named = [n for names in config_lib.TRAINING_GROUPS.values() for n in names]
    assert set(named) <= fields
    assert len(named) == len(set(named))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [([], None), (["best"], "best"), (["0"], 0), (["120"], 120)],
)
def test_checkpoint_step(arguments, expected):
    flag_values = tiny_runs.parse_flags(
        lambda values: command_line.define_checkpoint_flag(values, "Step"),
        *(f"--checkpoint_step={text}" for text in arguments),
    )
    assert flag_values.checkpoint_step == expected


@pytest.mark.parametrize("text", ["newest", "-1", "1.5", ""])
def test_no_checkpoint_step(text):
    with pytest.raises(
        flags.IllegalFlagValueError,
        match=f"expected a step or best. Received: '{text}'",
    ):
        tiny_runs.parse_flags(
            lambda values: command_line.define_checkpoint_flag(values, "Step"),
            f"--checkpoint_step={text}",
        )


_SAID = readers.RecordFeatures(
    feature_names=("clip", "sound"),
    feature_sizes=(7, 3),
    num_classes=5,
    class_names=("a", "b", "c", "d", "e"),
    min_quantized_value=(0.0,),
    max_quantized_value=(1.0,),
    max_frames=812,
)


def _use_said(folder, said, *arguments):
    (folder / "x.tfrecord").touch()
    if said is not None:
        readers.write_features(str(folder / readers.FEATURES_NAME), said)
    flag_values = parse(f"--train_data_pattern={folder}/*.tfrecord", *arguments)
    found = command_line.use_record_features(flag_values, "train_data_pattern")
    assert found == said
    return command_line.config_from_flags(flag_values)


def test_what_is_said_beside_records_is_the_default(tmp_path):
    config = _use_said(tmp_path, _SAID)
    assert config.data == config_lib.DataConfig(
        feature_names=("clip", "sound"),
        feature_sizes=(7, 3),
        num_classes=5,
        frame_features=True,
        max_frames=812,
    )
    assert models.model_name(config.model) == "FrameLevelLogisticModel"
    video = dataclasses.replace(
        _SAID,
        level="video",
        min_quantized_value=(),
        max_quantized_value=(),
        max_frames=None,
    )
    config = _use_said(tmp_path, video)
    assert not config.data.frame_features
    assert config.data.max_frames == 300
    assert models.model_name(config.model) == "LogisticModel"


def test_flags_are_before_what_is_said_beside_records(tmp_path):
    config = _use_said(
        tmp_path,
        _SAID,
        "--model=DbofModel",
        "--feature_names=sound",
        "--num_classes=9",
        "--max_frames=20",
    )
    assert config.data == config_lib.DataConfig(
        feature_names=("sound",),
        feature_sizes=(3,),
        num_classes=9,
        frame_features=True,
        max_frames=20,
    )
    assert models.model_name(config.model) == "DbofModel"
    floats = dataclasses.replace(_SAID, float_frames=True)
    assert _use_said(tmp_path, floats).data.float_frames
    (tmp_path / readers.FEATURES_NAME).unlink()
    assert _use_said(tmp_path, None).data == config_lib.DataConfig()


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        (
            "--feature_names=clip,rgb",
            "expected --feature_names as .*/yt8m_features.json says of the "
            "records beside it, clip,sound; leave the flag out, or those "
            "records. Received: feature_names=clip,rgb",
        ),
        ("--feature_sizes=7,4", "expected --feature_sizes .* 7,3; .*=7,4"),
        ("--noframe_features", "expected --frame_features .* true; .*=false"),
        ("--float_frames", "expected --float_frames .* false; .*=true"),
    ],
)
def test_flags_that_are_not_what_is_said_beside_records(
    tmp_path, flag, message
):
    with pytest.raises(usage_error.UsageError, match=message):
        _use_said(tmp_path, _SAID, flag)
