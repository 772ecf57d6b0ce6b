"""Tests of flags from the fields of settings."""

import dataclasses

from absl import flags
import pytest

from yt8m_compact import settings
from yt8m_compact import settings_flags


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToolConfig:
    """One field of every kind."""

    number: int = settings.setting(2, "A number.", minimum=1)
    maybe: int | None = settings.setting(None, "Or none.")
    rate: float = settings.setting(0.5, "A rate.", above=0)
    kind: str = settings.setting("a", "A kind.", choices=("a", "b"))
    on: bool = settings.setting(False, "On?")
    names: tuple[str, ...] = settings.setting(("x", "y"), "Texts.")
    sizes: tuple[int, ...] = settings.setting((3, 1), "Sizes.")
    rates: tuple[float, ...] = settings.setting((0.5,), "Rates.")
    path: str = settings.setting("", "A file.", is_path=True)
    pattern: str = settings.setting("", "Files.", is_pattern=True)

    def __post_init__(self):
        """Checks every field."""
        settings.check(self)


def _parse(*arguments, names=None):
    flag_values = flags.FlagValues()
    settings_flags.define(ToolConfig, flag_values, names)
    flag_values(["program", *arguments])
    return flag_values


def _read(*arguments, names=None):
    flag_values = _parse(*arguments, names=names)
    return settings_flags.read(ToolConfig, flag_values)


def test_defaults_and_helps_are_those_of_the_fields():
    flag_values = _parse()
    assert settings_flags.read(ToolConfig, flag_values) == ToolConfig()
    for field in dataclasses.fields(ToolConfig):
        assert flag_values[field.name].help.endswith(field.metadata["help"])
    assert flag_values["sizes"].value == ["3", "1"]


def test_every_kind(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    config = _read(
        "--number=4",
        "--maybe=5",
        "--rate=2",
        "--kind=b",
        "--on",
        "--names=p, q",
        "--sizes=7, 8,9",
        "--rates=-2, 1e3,.5",
        "--path=~/a,~/b",
        "--pattern=~/a,~/b",
    )
    home = tmp_path
    assert config == ToolConfig(
        number=4,
        maybe=5,
        rate=2.0,
        kind="b",
        on=True,
        names=("p", "q"),
        sizes=(7, 8, 9),
        rates=(-2.0, 1000.0, 0.5),
        path=f"{home}/a,~/b",
        pattern=f"{home}/a,{home}/b",
    )


def test_fields_without_flags_take_their_defaults():
    flag_values = _parse("--number=4", names=("number", "kind"))
    assert {"number", "kind"} <= set(flag_values)
    assert "rate" not in flag_values
    config = settings_flags.read(ToolConfig, flag_values)
    assert config == ToolConfig(number=4)


@pytest.mark.parametrize("text", ["x", "3,", "3,0", "-1", "1.5", "\u00b2"])
def test_sizes_that_are_none(text):
    with pytest.raises(
        ValueError,
        match="^expected --sizes to be a comma-separated list of whole numbers "
        f"above 0. Received: sizes='{text}'$",
    ):
        _read(f"--sizes={text}")


@pytest.mark.parametrize("text", ["1,x", "1,,2"])
def test_numbers_that_are_none(text):
    with pytest.raises(
        ValueError,
        match="^expected --rates to be a comma-separated list of numbers. "
        f"Received: rates='{text}'$",
    ):
        _read(f"--rates={text}")


def test_a_number_without_end():
    with pytest.raises(
        ValueError, match="expected --rates to be a list of flo"
    ):
        _read("--rates=1,inf")


def test_a_wrong_value_is_named_as_it_is_typed():
    with pytest.raises(
        ValueError, match="^expected --rate to be above 0. Received: rate=0.0$"
    ):
        _read("--rate=0")


def test_the_setting_at_the_start_is_named():
    flag_values = _parse()
    for text, expected in {
        "AConfig: expected rate to be x": "expected --rate to be x",
        "AConfig: expected other to be x": "AConfig: expected other to be x",
        "a: AConfig: expected on to be x": "a: AConfig: expected on to be x",
        "expected rate to be x": "expected --rate to be x",
        "expected rate": "expected rate",
    }.items():
        assert settings_flags.name_flags(text, flag_values) == expected


_LEVEL = (
    "a.tfrecord: record 0: expected video-level features. Received: frames. "
    "Use the frame-level reader (frame_features=True) and a model of frames"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "/runs/train_dir: expected config.json. Received: none; choose "
            "another train_dir, or start_new_model=True to move it",
            "/runs/train_dir: expected config.json. Received: none; choose "
            "another --train_dir, or --start_new_model to move it",
        ),
        (
            "a: expected b. Received: train_dir=c; start with init_from=d/e",
            "a: expected b. Received: train_dir=c; start with --init_from=d/e",
        ),
        (_LEVEL, _LEVEL.replace("frame_features=True", "--frame_features")),
        (
            "MoeModel reads such: expected frame_features=False. Received: "
            "frame_features=True",
            "MoeModel reads such: expected --noframe_features. Received: "
            "frame_features=True",
        ),
        # In a file, where it is no flag.
        (
            "run/config.json: expected train_dir in it. Received: train_dir=1",
            "run/config.json: expected train_dir in it. Received: train_dir=1",
        ),
        (
            "a: the label is none; give train_dir and 'init_from', or "
            "set overwrite to overwrite x/init_from, init_from.json",
            "a: the label is none; give --train_dir and 'init_from', or "
            "set --overwrite to overwrite x/init_from, init_from.json",
        ),
        (
            "expected --train_dir. Received: none. Set --train_dir",
            "expected --train_dir. Received: none. Set --train_dir",
        ),
        # A word that is no setting, and one that is.
        (
            "expected no overwrite for overwrite=x. Received: none",
            "expected no overwrite for --overwrite=x. Received: none",
        ),
        # Of config.json, in what was received, too.
        (
            "a: expected the model of the run. Received: data.train_dir: 1 -> "
            "2; model.name: 'A' -> 'B'; model.init_from: 1 -> 2; training.x: 1",
            "a: expected the model of the run. Received: --train_dir: 1 -> "
            "2; model.name: 'A' -> 'B'; --init_from: 1 -> 2; training.x: 1",
        ),
        # A class of settings, two of which do not fit each other.
        (
            "AConfig: expected init_from with train_dir. Received: init_from=",
            "expected --init_from with --train_dir. Received: init_from=",
        ),
        (
            "AConfig: expected other with another. Received: other=1",
            "AConfig: expected other with another. Received: other=1",
        ),
        # Why, and a name of something else.
        (
            "expected no init_from with frame_features: it has train_dir:x",
            "expected no --init_from with --frame_features: it has train_dir:x",
        ),
        # In structures, which have arguments of such names, and in quotes.
        (
            "a's: b. Received: c; use dense@int4(init_from=6, train_dir=7) or "
            "'dense(init_from=8) + train_dir=9' of a run's init_from=b",
            "a's: b. Received: c; use dense@int4(init_from=6, train_dir=7) or "
            "'dense(init_from=8) + train_dir=9' of a run's --init_from=b",
        ),
        (
            "expected 'low_rank(init_from=1)' with (train_dir=2): others' "
            "train_dir, a runs' init_from. Received: 0",
            "expected 'low_rank(init_from=1)' with (--train_dir=2): others' "
            "--train_dir, a runs' --init_from. Received: 0",
        ),
        ("\n a", "\n a"),
        ("", ""),
    ],
)
def test_settings_in_advice_are_named_as_they_are_typed(text, expected):
    flag_values = flags.FlagValues()
    for name in ("start_new_model", "frame_features", "overwrite"):
        flags.DEFINE_bool(name, False, "Help.", flag_values=flag_values)
    for name in ("train_dir", "init_from"):
        flags.DEFINE_string(name, "", "Help.", flag_values=flag_values)
    assert settings_flags.name_flags(text, flag_values) == expected


def test_advice_that_a_program_can_not_follow_is_left_out():
    found = settings_flags.name_flags(_LEVEL, flags.FlagValues())
    assert found == _LEVEL.replace(" (frame_features=True)", "")
