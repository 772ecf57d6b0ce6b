"""Tests of the settings dataclasses: checks and JSON form."""

import dataclasses
import fractions
import json
import re
import typing

import pytest

from yt8m_compact import settings


def read_share(value):
    if not isinstance(value, str | fractions.Fraction):
        raise ValueError(f"expected a share. Received: share={value!r}")
    return fractions.Fraction(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """One field of every kind."""

    number: int = settings.setting(2, "A whole number.", minimum=1, maximum=9)
    maybe: int | None = settings.setting(None, "Or none.", minimum=1)
    rate: float = settings.setting(0.5, "A number.", above=0.0)
    text: str = settings.setting("a", "A text.", choices=("a", "b"))
    flag: bool = settings.setting(False, "Yes or no.")
    names: tuple[str, ...] = settings.setting(("x", "y"), "Texts.")
    sizes: tuple[int, ...] = settings.setting((3, 1), "Whole numbers.")
    some: tuple[str, ...] = settings.setting(
        ("p",), "Some of three.", choices=("p", "q", "r")
    )
    share: fractions.Fraction = settings.setting(
        "1/2", "What has a text form.", parse=read_share
    )

    def __post_init__(self):
        """Checks every field."""
        settings.check(self)


OTHERS = Settings(
    number=3,
    maybe=4,
    rate=0.25,
    text="b",
    flag=True,
    names=("z",),
    sizes=(5, 6, 7),
    some=("r", "p"),
    share=fractions.Fraction(3, 4),
)


@pytest.mark.parametrize("config", [Settings(), OTHERS], ids=["same", "other"])
def test_dict_and_back(config):
    values = settings.to_dict(config)
    assert list(values) == [
        "number",
        "maybe",
        "rate",
        "text",
        "flag",
        "names",
        "sizes",
        "some",
        "share",
    ]
    assert isinstance(values["sizes"], list)
    assert values["share"] == str(config.share)
    assert settings.from_dict(Settings, values, "here") == config


def test_metadata_of_a_field():
    (field,) = (f for f in dataclasses.fields(Settings) if f.name == "text")
    assert field.metadata["help"] == "A text."
    assert field.metadata["choices"] == ("a", "b")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("number", "2", "a whole number"),
        ("number", 2.0, "a whole number"),
        ("number", True, "a whole number"),
        ("number", None, "a whole number"),
        ("number", 0, "at least 1"),
        ("number", 10, "at most 9"),
        ("maybe", "2", "a whole number or null"),
        ("maybe", 0, "at least 1"),
        ("rate", "0.5", "a finite number"),
        ("rate", False, "a finite number"),
        ("rate", float("nan"), "a finite number"),
        ("rate", float("inf"), "a finite number"),
        # Larger than any float.
        ("rate", 2 * 10**308, "a finite number"),
        ("rate", -2 * 10**308, "a finite number"),
        ("rate", 0.0, "above 0.0"),
        ("text", 1, "a string"),
        ("text", "c", "one of a, b"),
        ("flag", 1, "true or false"),
        ("flag", "true", "true or false"),
        ("names", "x", "a list of str"),
        ("names", ("x", 1), "a list of str"),
        ("sizes", (1, "2"), "a list of int"),
        ("sizes", (1, 2.0), "a list of int"),
        ("some", "p", "a list of str"),
        ("some", (), "one or several of p, q, r, each once"),
        ("some", ("p", "s"), "one or several of p, q, r, each once"),
        ("some", ("q", "p", "q"), "one or several of p, q, r, each once"),
    ],
)
def test_wrong_value(name, value, expected):
    message = (
        f"Settings: expected {name} to be {expected}. Received: "
        f"{name}={value!r:.200}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Settings(**{name: value})


def test_a_value_with_a_text_form():
    assert Settings().share == fractions.Fraction(1, 2)
    (field,) = (f for f in dataclasses.fields(Settings) if f.name == "share")
    assert field.default == fractions.Fraction(1, 2)
    assert Settings(share="6/8").share == OTHERS.share
    assert Settings(share="6/8") == Settings(share=OTHERS.share)
    assert dataclasses.replace(Settings(), share="3/4").share == OTHERS.share
    assert json.loads(json.dumps(settings.to_dict(OTHERS)))["share"] == "3/4"


def test_a_text_that_is_none():
    message = "Settings, share: Invalid literal for Fraction: 'half'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Settings(share="half")
    message = "here: Settings, share: expected a share. Received: share=(1,)"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        settings.from_dict(Settings, {"share": [1]}, "here")


def test_whole_number_as_a_number():
    assert settings.from_dict(
        Settings, {**settings.to_dict(Settings()), "rate": 1}, "here"
    ) == Settings(rate=1.0)


def test_from_dict_of_something_else():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "here: expected an object with the fields of Settings. Received: "
            "[1, 2]"
        ),
    ):
        settings.from_dict(Settings, [1, 2], "here")


def test_from_dict_refuses_unknown_fields():
    values = {**settings.to_dict(Settings()), "nummber": [1], "zzz": 2}
    with pytest.raises(
        ValueError,
        match=re.escape(
            "here: expected fields of Settings: number, maybe, rate, text, "
            "flag, names, sizes, some, share. Received: nummber=[1]; did you "
            "mean number?"
        ),
    ):
        settings.from_dict(Settings, values, "here")


def test_from_dict_takes_defaults_of_missing_fields():
    assert settings.from_dict(Settings, {"rate": 2.0}, "here") == Settings(
        rate=2.0
    )


def test_from_dict_needs_fields_without_a_default():
    @dataclasses.dataclass(frozen=True)
    class Needy:
        number: int

    message = "here: expected number, which has no default. Received: no field"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        settings.from_dict(Needy, {}, "here")


def test_from_dict_with_a_wrong_value():
    values = {**settings.to_dict(Settings()), "sizes": [1, "2"]}
    with pytest.raises(
        ValueError,
        match=re.escape(
            "here: Settings: expected sizes to be a list of int. Received: "
            "sizes=(1, '2')"
        ),
    ):
        settings.from_dict(Settings, values, "here")


def test_types_of_fields_whose_annotations_are_texts():
    @dataclasses.dataclass
    class Texts:
        number: "int | None" = 1
        names: "tuple[str, ...]" = ()
        kind: "typing.ClassVar[str]" = "a"

    assert settings.field_types(Texts) == {
        "number": int | None,
        "names": tuple[str, ...],
    }
