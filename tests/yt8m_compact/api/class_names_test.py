"""Tests of the names of classes."""

import pytest

from yt8m_compact.api import class_names


def test_every_form(tmp_path):
    (tmp_path / "names.txt").write_text("Game\nCar\nCat\n")
    (tmp_path / "names.csv").write_text("index,name\n2,Cat\n0,Game\n")
    read = class_names.read_class_names
    assert read(["Game", "Car", "Cat"], 3) == ("Game", "Car", "Cat")
    assert read(tmp_path / "names.txt", 3) == ("Game", "Car", "Cat")
    assert read({0: "Game", 2: "Cat"}, 3) == ("Game", "class 1", "Cat")
    (tmp_path / "names.csv").write_text("index,display_name\n2,Cat\n0,Game\n")
    found = read(str(tmp_path / "names.csv"), 3)
    assert found == ("Game", "class 1", "Cat")


def test_known_ones():
    assert class_names.read_class_names(None, 3) is None
    found = class_names.read_class_names(None, 3862)
    assert (len(found), found[0]) == (3862, "Game")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Game"], "each of 2 classes. Received: 1 names"),
        ({2: "Cat"}, "names of 2 classes, from 0 to 1. .* a name of class 2"),
    ],
)
def test_names_that_do_not_fit(names, message):
    with pytest.raises(ValueError, match=message):
        class_names.read_class_names(names, 2)
