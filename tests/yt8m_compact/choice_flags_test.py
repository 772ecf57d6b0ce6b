"""Tests of flags that choose several names."""

import re

from absl import flags
import pytest

from yt8m_compact import choice_flags


def parse(*arguments: str) -> flags.FlagValues:
    flag_values = flags.FlagValues()
    choice_flags.define_choices(
        "format",
        ["onnx"],
        ["saved_model", "onnx", "openvino"],
        "What to write.",
        flag_values=flag_values,
    )
    flag_values(["program", *arguments])
    return flag_values


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        ((), ["onnx"]),
        (("--format=openvino",), ["openvino"]),
        (("--format=openvino, saved_model",), ["openvino", "saved_model"]),
    ],
)
def test_names(arguments, chosen):
    assert parse(*arguments).format == chosen


def test_it_can_be_given_again_as_it_is_shown():
    shown = parse("--format=openvino,onnx")["format"].serialize()
    assert shown == "--format=openvino,onnx"


def test_help_lists_the_names():
    help_text = parse()["format"].help
    assert help_text == (
        "What to write. There are saved_model, onnx, openvino."
    )


@pytest.mark.parametrize(
    ("text", "received"),
    [
        ("onx", "'onx'; did you mean onnx?"),
        ("onnx,savedmodel", "'savedmodel'; did you mean saved_model?"),
        ("zip", "'zip'"),
        ("onnx,", "''"),
    ],
)
def test_other_names_are_refused(text, received):
    message = (
        f"expected some of saved_model, onnx, openvino. Received: {received}"
    )
    with pytest.raises(flags.IllegalFlagValueError, match=re.escape(message)):
        parse(f"--format={text}")


@pytest.mark.parametrize("text", ["", "onnx,openvino,onnx"])
def test_each_comes_once(text):
    message = (
        "expected some of saved_model, onnx, openvino, each once. "
        f"Received: {text!r}"
    )
    with pytest.raises(flags.IllegalFlagValueError, match=re.escape(message)):
        parse(f"--format={text}")
