"""Tests of the configuration of a run and of config.json."""

import dataclasses
import json
import re

import keras
import pytest

import setting_values
import yt8m_compact
from yt8m_compact import models
from yt8m_compact import readers
from yt8m_compact.run import config as config_lib


def make_config(model: str = "LogisticModel", **training) -> config_lib.Config:
    """Makes a configuration of a model with its defaults."""
    cls = models.get_model_config(model)
    return config_lib.Config(
        data=config_lib.DataConfig(frame_features=cls.frame_features),
        model=cls(),
        training=config_lib.TrainingConfig(**training),
    )


@pytest.mark.parametrize("model", models.MODELS)
def test_json_and_back(model):
    config = make_config(model)
    assert config_lib.Config.from_json(config.to_json(), "here") == config


@pytest.mark.parametrize("model", models.MODELS)
def test_json_and_back_of_values_that_are_not_the_defaults(model):
    cls = models.get_model_config(model)
    data = setting_values.make_with_other_values(config_lib.DataConfig)
    training = setting_values.make_with_other_values(config_lib.TrainingConfig)
    if cls.frame_features:
        training = dataclasses.replace(training, mixup_alpha=0.0)
    config = config_lib.Config(
        data=dataclasses.replace(data, frame_features=cls.frame_features),
        model=setting_values.make_with_other_values(cls),
        training=training,
    )
    text = config.to_json()
    assert config_lib.Config.from_json(text, "here") == config
    assert json.loads(text)["model"]["name"] == model


def test_json_of_a_config():
    values = json.loads(make_config(seed=3).to_json())
    assert list(values) == [
        "format_version",
        "written_by",
        "data",
        "model",
        "training",
    ]
    assert values["format_version"] == 2
    assert values["written_by"] == yt8m_compact.__version__
    assert values["data"] == {
        "feature_names": ["mean_rgb"],
        "feature_sizes": [1024],
        "frame_features": False,
        "num_classes": 3862,
        "max_frames": 300,
        "float_frames": False,
        "segment_labels": False,
    }
    assert values["training"]["seed"] == 3


@pytest.mark.parametrize(
    ("name", "value"), [("teacher_weight", 0.75), ("teacher_temperature", 2.0)]
)
def test_settings_of_a_teacher_that_is_not_there(name, value):
    with pytest.raises(
        ValueError,
        match=(
            f"^TrainingConfig: expected a teacher with {name}, which is not "
            f"used otherwise. Received: teacher=, {name}={value}$"
        ),
    ):
        make_config(**{name: value})
    config = make_config(teacher=" a, b*,", **{name: value})
    assert config.training.teachers == ("a", "b*")
    assert make_config().training.teachers == ()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"teacher_weight": 0.0}, "teacher_weight to be above 0.0"),
        ({"teacher_weight": 1.5}, "teacher_weight to be at most 1.0"),
        ({"teacher_temperature": 0.0}, "teacher_temperature to be above 0.0"),
    ],
)
def test_bounds_of_the_settings_of_a_teacher(values, message):
    with pytest.raises(ValueError, match=f"expected {message}. Received: "):
        make_config(teacher="a", **values)


def test_save_and_load(tmp_path):
    path = str(tmp_path / "config.json")
    config = make_config("DbofModel", num_epochs=7)
    config_lib.save(make_config(), path)
    config_lib.save(config, path)
    assert config_lib.load(path) == config
    assert [p.name for p in tmp_path.iterdir()] == ["config.json"]


def test_load_without_a_file(tmp_path):
    path = str(tmp_path / "config.json")
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{path}: expected the config.json of a run, which yt8m-train "
            "writes to its train_dir. Received: no such file"
        ),
    ):
        config_lib.load(path)


@pytest.mark.parametrize(
    "content",
    [
        b"{'a': 1}",
        b"",
        b"\x80\x00\xff",
        b"[" * 100_000,
        b'{"data":' * 100_000,
        b'{"format_version": NaN}',
        b'{"format_version": 1e999}',
        b'{"format_version": ' + b"9" * 5000 + b"}",
        b'{"format_version": 1, "format_version": 1}',
    ],
)
def test_load_of_something_that_is_not_json(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"{path}: expected JSON that yt8m-train wrote. Received: "
        ),
    ):
        config_lib.load(str(path))


def test_load_of_a_file_without_end():
    with pytest.raises(
        ValueError, match="^/dev/zero: expected the config.json .*1,048,576 by"
    ):
        config_lib.load("/dev/zero")


def test_what_was_found_is_not_shown_at_length():
    with pytest.raises(ValueError, match="expected an object that") as caught:
        config_lib.Config.from_json(f'"{"a" * 1000}"', "file")
    assert len(str(caught.value)) < 200


def changed(change) -> str:
    """Returns the JSON of a config after a change to its values."""
    values = json.loads(make_config().to_json())
    change(values)
    return json.dumps(values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda v: v.update(format_version=3, written_by="9.1", more={}),
            f"file: expected format_version 2, which yt8m_compact "
            f"{yt8m_compact.__version__} reads. Received: format_version=3, "
            "written by yt8m_compact 9.1; install that version or a later one",
        ),
        (
            lambda v: v.update(format_version=1),
            "Received: format_version=1, written by a version before 0.1.0, "
            "which was not released; train the run again",
        ),
        (
            lambda v: v.pop("format_version"),
            "Received: format_version=None, written by another program, or "
            "changed by hand",
        ),
        (
            lambda v: v.update(format_version=True),
            "Received: format_version=True, written by another program",
        ),
        (
            lambda v: v.update(trainin=1),
            "file: expected the keys format_version, written_by, data, model, "
            "training. Received: trainin; did you mean training?",
        ),
        (
            lambda v: v.pop("training"),
            "file: expected the keys data, model, training. Received: no "
            "training",
        ),
        (
            lambda v: v.update(model="LogisticModel"),
            "file, model: expected an object with a name. Received: "
            "LogisticModel",
        ),
        (
            lambda v: v["model"].pop("name"),
            "file, model: expected an object with a name. Received: {",
        ),
        (
            lambda v: v["model"].update(name=["MoeModel"]),
            "file, model: expected an object with a name. Received: {",
        ),
        (
            lambda v: v["model"].update(name="GhostModel"),
            "file, model: expected a model, one of "
            f"{', '.join(models.MODELS)}. Received: model='GhostModel'",
        ),
        (
            lambda v: v["model"].update(moe_num_mixtures=2),
            "file, model: expected fields of LogisticConfig: ",
        ),
        (
            lambda v: v["model"].update(classifier_projection="circular"),
            "file, model: LogisticConfig, classifier_projection: expected a "
            "structure, one of dense, circulant, diagonal_circulant",
        ),
        (
            lambda v: v["model"].update(classifier_projection="low_rank(k=3)"),
            "file, model: LogisticConfig, classifier_projection: expected "
            "arguments of low_rank: rank. Received: argument='k'",
        ),
        (
            lambda v: v["model"].update(classifier_projection=None),
            "classifier_projection: expected a structure or its text, such as",
        ),
        (
            lambda v: v["data"].update(num_classes="3862"),
            "file, data: DataConfig: expected num_classes to be a whole "
            "number. Received: num_classes='3862'",
        ),
        (
            lambda v: v["training"].update(batchsize=1),
            "Received: batchsize=1; did you mean batch_size?",
        ),
        (
            lambda v: (v.update(written_by="9.1"), v["data"].update(more=1)),
            "Received: more=1. The file was written by yt8m_compact 9.1, and "
            f"this is {yt8m_compact.__version__}",
        ),
        (
            lambda v: v["training"].update(base_learning_rate=None),
            "file, training: TrainingConfig: expected base_learning_rate to "
            "be a finite number. Received: base_learning_rate=None",
        ),
        (
            lambda v: v["data"].update(frame_features=True),
            "file: LogisticModel reads video-level features: expected "
            "frame_features=False. Received: frame_features=True",
        ),
    ],
)
def test_strictness(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        config_lib.Config.from_json(changed(change), "file")


def test_json_that_is_not_an_object():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "file: expected an object that yt8m-train wrote. Received: [1]"
        ),
    ):
        config_lib.Config.from_json("[1]", "file")


@pytest.mark.parametrize(
    ("names", "sizes"),
    [(("rgb",), (1, 2)), (("rgb", "audio"), (1,)), (("rgb",), (0,))],
)
def test_features_and_sizes_that_do_not_pair_up(names, sizes):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected one size above 0 for each feature name. Received: "
            f"feature_names={','.join(names)}, "
            f"feature_sizes={','.join(map(str, sizes))}"
        ),
    ):
        config_lib.DataConfig(feature_names=names, feature_sizes=sizes)


def test_no_feature():
    with pytest.raises(
        ValueError, match="expected feature_names to be .* at least one name"
    ):
        config_lib.DataConfig(feature_names=(), feature_sizes=())


def test_feature_twice():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected feature_names that differ and are not empty. Received: "
            "feature_names=rgb,rgb"
        ),
    ):
        config_lib.DataConfig(
            feature_names=("rgb", "rgb"), feature_sizes=(1, 1)
        )


def test_frame_level_model_on_video_level_data():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "DbofModel reads frame-level features: expected "
            "frame_features=True. Received: frame_features=False"
        ),
    ):
        config_lib.Config(
            data=config_lib.DataConfig(),
            model=models.DbofConfig(),
            training=config_lib.TrainingConfig(),
        )


def test_seed_is_one_that_numpy_takes():
    config_lib.TrainingConfig(seed=2**32 - 1)
    with pytest.raises(ValueError, match="expected seed to be at most 4294967"):
        config_lib.TrainingConfig(seed=2**32)


def test_video_level_reader():
    data = config_lib.DataConfig(
        feature_names=("mean_rgb", "mean_audio"),
        feature_sizes=(4, 2),
        num_classes=5,
    )
    config = dataclasses.replace(make_config(), data=data)
    assert (
        config.reader(training=True)
        == config.reader(training=False)
        == readers.VideoLevelReader(("mean_rgb", "mean_audio"), (4, 2), 5)
    )


@pytest.mark.parametrize(
    ("model", "training", "sampling", "number"),
    [
        ({"iterations": 0}, True, "all", None),
        ({"iterations": 0}, False, "all", None),
        ({"iterations": 6}, True, "random", 6),
        ({"iterations": 6}, False, "even", 6),
        ({"iterations": 6, "sample_random_frames": False}, True, "sequence", 6),
        ({"iterations": 6, "sample_random_frames": False}, False, "even", 6),
    ],
)
def test_frame_level_reader(model, training, sampling, number):
    config = config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=("rgb",),
            feature_sizes=(4,),
            frame_features=True,
            num_classes=5,
            max_frames=7,
        ),
        model=models.DbofConfig(**model),
        training=config_lib.TrainingConfig(),
    )
    assert config.reader(training=training) == readers.FrameLevelReader(
        ("rgb",),
        (4,),
        5,
        max_frames=7,
        frame_sampling=readers.FrameSampling(sampling),
        num_sampled_frames=number,
    )


def _frame_config(training=None, **data):
    return config_lib.Config(
        data=config_lib.DataConfig(
            feature_names=("rgb",),
            feature_sizes=(4,),
            frame_features=True,
            **data,
        ),
        model=models.DbofConfig(),
        training=config_lib.TrainingConfig(**(training or {})),
    )


def test_parts_of_videos():
    parts = readers.VideoParts
    config = _frame_config({"split_videos": True}, float_frames=True)
    assert config.reader(training=True).parts is parts.HALVES
    assert config.reader(training=False).parts is parts.WHOLE
    assert config.reader(training=True).float_frames
    config = _frame_config(segment_labels=True)
    assert config.reader(training=True).parts is parts.SEGMENTS
    assert config.reader(training=False).parts is parts.SEGMENTS
    whole = config.prediction_reader()
    assert whole.parts is parts.WHOLE
    assert not whole.float_frames
    segments = config.prediction_reader(segments=True)
    assert segments.parts is parts.ALL_SEGMENTS
    assert segments.frame_sampling is readers.FrameSampling.EVEN
    assert not (whole.with_labels or segments.with_labels)


def test_reader_of_predictions_at_video_level():
    config = make_config()
    reader = config.prediction_reader()
    assert reader == dataclasses.replace(
        config.reader(training=False), with_labels=False
    )
    message = (
        "expected a run with frame_features to predict segments: video-level "
        "records have none. Received: frame_features=False"
    )
    with pytest.raises(ValueError, match=message):
        config.prediction_reader(segments=True)


def test_halves_of_segments_are_refused():
    config = _frame_config({"split_videos": True}, segment_labels=True)
    with pytest.raises(ValueError, match="split_videos or segment_labels, not"):
        config.reader(training=True)


@pytest.mark.parametrize(
    "name", ["float_frames", "segment_labels", "split_videos"]
)
def test_frames_of_video_level_data_are_refused(name):
    training = {name: True} if name == "split_videos" else {}
    data = {} if training else {name: True}
    config = config_lib.Config(
        data=config_lib.DataConfig(**data),
        model=models.LogisticConfig(),
        training=config_lib.TrainingConfig(**training),
    )
    with pytest.raises(
        ValueError, match=f"expected frame_features with {name}: "
    ):
        config.reader(training=True)


def test_differences():
    old = make_config("MoeModel", batch_size=8)
    new = dataclasses.replace(
        make_config("MoeModel", batch_size=9, seed=1),
        data=config_lib.DataConfig(feature_names=("a",), feature_sizes=(2,)),
        model=models.MoeConfig(moe_num_mixtures=4),
    )
    assert config_lib.differences(old, old) == {}
    assert config_lib.differences(old, new) == {
        "data.feature_names": (["mean_rgb"], ["a"]),
        "data.feature_sizes": ([1024], [2]),
        "model.moe_num_mixtures": (2, 4),
        "training.batch_size": (8, 9),
        "training.seed": (0, 1),
    }


def test_differences_between_models():
    changed_fields = config_lib.differences(
        make_config("LogisticModel"), make_config("MoeModel")
    )
    assert changed_fields == {
        "model.name": ("LogisticModel", "MoeModel"),
        "model.moe_num_mixtures": (None, 2),
    }


def test_unused_settings_are_no_difference():
    # Without a hidden layer nothing is gated, so that nothing gates.
    old = models.SoftDbofConfig(
        fc_dimred=False, gating=True, gating_projection="circulant"
    )
    new = models.SoftDbofConfig(fc_dimred=False)
    assert old.without_unused() == new == new.without_unused()
    data = config_lib.DataConfig(frame_features=True)
    training = config_lib.TrainingConfig()
    pair = (
        config_lib.Config(data=data, model=model, training=training)
        for model in (old, new)
    )
    assert config_lib.differences(*pair) == {}


def test_every_setting_has_a_help_text():
    for cls in (
        config_lib.DataConfig,
        config_lib.TrainingConfig,
        *models.MODELS.values(),
    ):
        for field in dataclasses.fields(cls):
            assert field.metadata["help"].endswith("."), field.name


@pytest.mark.parametrize(
    ("part", "field", "default"),
    [
        ("data", "max_frames", 300),
        ("model", "l2_normalize", True),
        ("training", "keep_checkpoints", 3),
    ],
)
def test_a_missing_field_takes_its_default(part, field, default):
    text = changed(lambda values: values[part].pop(field))
    read = config_lib.Config.from_json(text, "file")
    assert getattr(getattr(read, part), field) == default


REFUSED = {
    "decay of another schedule": (
        {"learning_rate_decay": 0.5, "learning_rate_schedule": "constant"},
        "learning_rate_schedule=exponential with learning_rate_decay, which is "
        "not used otherwise. Received: learning_rate_schedule=constant, "
        "learning_rate_decay=0.5",
    ),
    "examples of another schedule": (
        {
            "learning_rate_decay_examples": 5.0,
            "learning_rate_schedule": "constant",
        },
        "learning_rate_schedule=exponential with learning_rate_decay_examples",
    ),
    "steps without cosine": (
        {"schedule_steps": 5},
        "learning_rate_schedule=cosine with schedule_steps",
    ),
    "end without cosine": (
        {"final_learning_rate_fraction": 0.5},
        "learning_rate_schedule=cosine with final_learning_rate_fraction",
    ),
    "cosine without end": (
        {"learning_rate_schedule": "cosine"},
        "schedule_steps or max_steps with learning_rate_schedule=cosine, which "
        "ends at a step: num_epochs times the number of videos, divided by "
        "batch_size. Received: learning_rate_schedule=cosine, "
        "schedule_steps=None, max_steps=None",
    ),
    "warm-up to the end": (
        {
            "learning_rate_schedule": "cosine",
            "max_steps": 5,
            "warmup_steps": 5,
        },
        "fewer warmup_steps than steps of the cosine schedule. Received: "
        "warmup_steps=5, schedule_steps=None, max_steps=5",
    ),
    "gamma of another loss": (
        {"focal_gamma": 1.0},
        "label_loss=FocalLoss with focal_gamma, which is not used otherwise. "
        "Received: label_loss=CrossEntropyLoss, focal_gamma=1.0",
    ),
    "weight of softmax": (
        {"positive_weight": 2.0, "label_loss": "SoftmaxLoss"},
        "another label_loss with positive_weight: softmax has no loss of the "
        "classes that a video does not have. Received: label_loss=SoftmaxLoss, "
        "positive_weight=2.0",
    ),
    "clipping without a norm": (
        {"clip_gradients": "global", "clip_gradient_norm": 0.0},
        "clip_gradient_norm above 0 with clip_gradients=global. Received: "
        "clip_gradients=global, clip_gradient_norm=0.0",
    ),
    "a schedule of the schedule-free": (
        {"optimizer": "ScheduleFreeAdamW"},
        "learning_rate_schedule=constant with optimizer=ScheduleFreeAdamW, "
        "which averages instead. Received: learning_rate_schedule=exponential, "
        "optimizer=ScheduleFreeAdamW",
    ),
    "an average that nobody keeps": (
        {"eval_weights": "ema"},
        "ema_momentum with eval_weights=ema, such as ema_momentum=0.999: it "
        "keeps the average. Received: ema_momentum=None, eval_weights=ema",
    ),
    "places of no pruning": (
        {"pruning_places": "fc"},
        "pruning_density with pruning_places, which is not used otherwise. "
        "Received: pruning_density=None, pruning_places=fc",
    ),
    "groups of no pruning": (
        {"pruning_group": 4},
        "pruning_density with pruning_group, which is not used otherwise. "
        "Received: pruning_density=None, pruning_group=4",
    ),
    "steps of no pruning": (
        {"pruning_steps": 5},
        "pruning_density with pruning_steps, which is not used otherwise. "
        "Received: pruning_density=None, pruning_steps=5",
    ),
    "pruning without end": (
        {"pruning_density": 0.1},
        "pruning_steps, schedule_steps or max_steps with pruning_density, "
        "which is reached at a step. Received: pruning_density=0.1, "
        "pruning_steps=None, schedule_steps=None, max_steps=None",
    ),
    "pruning of averages": (
        {
            "pruning_density": 0.1,
            "pruning_steps": 5,
            "optimizer": "ScheduleFreeAdamW",
            "learning_rate_schedule": "constant",
        },
        "another optimizer with pruning_density: weights of ScheduleFreeAdamW "
        "are an average, in which none is 0. Received: pruning_density=0.1, "
        "optimizer=ScheduleFreeAdamW",
    ),
    "an address without a port": (
        {"data_service": "somewhere"},
        "data_service=host:port. Received: data_service=somewhere",
    ),
    "a service that counts": (
        {"data_service": "a:1", "on_data_error": "skip"},
        "on_data_error=stop with data_service, whose workers count nothing. "
        "Received: on_data_error=skip, data_service=a:1",
    ),
    "an average of averages": (
        {
            "optimizer": "ScheduleFreeAdamW",
            "learning_rate_schedule": "constant",
            "ema_momentum": 0.5,
        },
        "no ema_momentum with optimizer=ScheduleFreeAdamW, whose weights are "
        "an average already. Received: ema_momentum=0.5, "
        "optimizer=ScheduleFreeAdamW",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_levers_that_do_not_fit_each_other(name):
    values, message = REFUSED[name]
    with pytest.raises(
        ValueError, match=re.escape(f"TrainingConfig: expected {message}")
    ):
        config_lib.TrainingConfig(**values)


def test_step_of_pruning():
    def step(**values):
        return config_lib.TrainingConfig(**values).pruned_at_step

    assert step() is None
    assert step(max_steps=10) is None
    assert step(pruning_density=0.1, pruning_steps=7, max_steps=10) == 7
    # Three quarters: 7.5, and 3.75 of what the schedule says.
    assert step(pruning_density=0.1, max_steps=10) == 8
    cosine = {"learning_rate_schedule": "cosine", "schedule_steps": 5}
    assert step(pruning_density=0.1, max_steps=10, **cosine) == 4
    names = config_lib.TrainingConfig(
        pruning_density=0.1, pruning_steps=5, pruning_places=" fc, gates_*,"
    )
    assert names.pruning_patterns == ("fc", "gates_*")


def test_mixup_of_frames_is_refused():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected mixup_alpha=0 with frame_features: frames of videos of "
            "different lengths have no mixture. Received: mixup_alpha=0.2, "
            "frame_features=True"
        ),
    ):
        make_config("DbofModel", mixup_alpha=0.2)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("Adam", "Adam"),
        ("Lion", "Lion"),
        ("AdamOptimizer", "Adam"),
        ("AdagradOptimizer", "Adagrad"),
        ("RMSPropOptimizer", "RMSprop"),
        ("MomentumOptimizer", "Momentum"),
        ("GradientDescentOptimizer", "SGD"),
    ],
)
def test_optimizers_have_one_name_in_json(given, written):
    config = make_config(optimizer=given)
    values = json.loads(config.to_json())
    assert values["training"]["optimizer"] == written
    values["training"]["optimizer"] = given
    read = config_lib.Config.from_json(json.dumps(values), "file")
    assert read == config


@pytest.mark.parametrize("name", ["adam", "Nadam", None])
def test_unknown_optimizer(name):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "TrainingConfig, optimizer: expected one of Adam, AdamW, Lion, "
            "Muon, ScheduleFreeAdamW, SGD, Momentum, Adagrad, RMSprop, or a "
            "name of the starter code's: AdamOptimizer, AdagradOptimizer, "
            "RMSPropOptimizer, MomentumOptimizer, GradientDescentOptimizer. "
            f"Received: {name!r}"
        ),
    ):
        config_lib.TrainingConfig(optimizer=name)


@pytest.mark.parametrize(
    ("policy", "compute"),
    [
        ("float32", "float32"),
        ("mixed_bfloat16", "bfloat16"),
        ("mixed_float16", "float16"),
    ],
)
def test_models_compute_in_the_dtype_of_the_training(policy, compute):
    before = keras.config.dtype_policy()
    config = make_config("MoeModel", dtype_policy=policy)
    model = config.build_model()
    assert keras.config.dtype_policy() == before
    assert model.get_layer("experts").compute_dtype == compute
    assert model.output.dtype == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("eval_steps", 10),
        ("eval_weights", "ema"),
        ("early_stopping", "gap"),
        ("keep_best", "loss"),
    ],
)
def test_nothing_to_evaluate_on(name, value):
    with pytest.raises(
        ValueError,
        match=re.escape(
            f"expected eval_data_pattern with {name}. Received: "
            f"{name}={value!r}, eval_data_pattern=''"
        ),
    ):
        config_lib.TrainingConfig(
            **{"ema_momentum": 0.9, name: value}
        ).check_options()
    given = {"eval_data_pattern": "a*", "ema_momentum": 0.9, name: value}
    config_lib.TrainingConfig(**given).check_options()


def test_values_that_ask_for_nothing_where_there_is_nothing_to_evaluate_on():
    config_lib.TrainingConfig(keep_best="none").check_options()


@pytest.mark.parametrize("pattern", ["", "a*"])
def test_patience_with_nothing_that_stops_early(pattern):
    given = {"eval_data_pattern": pattern, "patience": 5}
    # A run that has it is still read.
    training = config_lib.TrainingConfig(**given)
    with pytest.raises(
        ValueError,
        match=re.escape(
            "expected early_stopping with patience=5, which is not used "
            "otherwise, such as early_stopping=gap. Received: "
            "early_stopping='none', patience=5"
        ),
    ):
        training.check_options()
    given = {"eval_data_pattern": "a*", "early_stopping": "map", "patience": 5}
    config_lib.TrainingConfig(**given).check_options()


def test_settings_without_those_of_the_evaluation():
    given = {"eval_data_pattern": "a*", "early_stopping": "map", "patience": 5}
    training = config_lib.TrainingConfig(
        batch_size=7, keep_best="loss", eval_steps=9, **given
    )
    expected = config_lib.TrainingConfig(batch_size=7)
    assert training.without_evaluation() == expected
