"""Tests of vocabularies."""

import pytest

from yt8m_compact import datasets


def test_real_vocabularies(shared_data):
    found = datasets.read_vocabulary(
        str(shared_data / "vocabulary" / "vocabulary_2018.csv")
    )
    assert found["game"] == 0
    assert found["video game"] == 1
    assert max(found.values()) <= 3861
    found = datasets.read_vocabulary(
        str(shared_data / "audioset" / "class_labels_indices.csv")
    )
    assert found["speech"] == found["/m/09x0r"] == 0
    assert found["male speech, man speaking"] == 1
    # Two classes are called Warhammer 40 there.
    found = datasets.read_vocabulary(
        str(shared_data / "vocabulary" / "label_names_2018.csv")
    )
    assert found["warhammer 40"] is None


def test_names_of_classes(tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text("mid,Name,index\n/m/1,Cat, 3\n/m/2,,0\n,,1\n/m/4,Cat,2\n")
    assert datasets.read_class_names(str(path)) == {
        3: "Cat",
        0: "/m/2",
        2: "Cat",
    }


def test_verticals_of_classes(tmp_path):
    path = tmp_path / "vocabulary.csv"
    path.write_text(
        "Index,Name,Vertical1,Vertical2,Vertical3\n2,Cat,Pets,,\n0,Go,Games,"
        "Sports ,\n1,Dog race,Sports,Pets,Sports\n3,x,,,\n"
    )
    assert datasets.read_verticals(str(path)) == {
        "Games": [0],
        "Pets": [1, 2],
        "Sports": [0, 1],
    }
    path.write_text("index,mid,display_name\n0,/m/1,Speech\n")
    assert datasets.read_verticals(str(path)) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected columns index or label_id, and name or"),
        ("index,name\nx,cat\n", "line 2: expected the number of a class"),
        ("index,name\n1,cat\n2\n", "line 3: expected the 2 columns of the"),
    ],
)
def test_wrong_vocabularies(tmp_path, text, message):
    path = tmp_path / "vocabulary.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        datasets.read_vocabulary(str(path))


def test_a_name_a_line(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("Cat\nbig dog\ncat\n")
    assert datasets.read_class_names(str(path)) == {
        0: "Cat",
        1: "big dog",
        2: "cat",
    }
    assert datasets.read_vocabulary(str(path)) == {"cat": None, "big dog": 1}
    assert datasets.read_verticals(str(path)) == {}
    path.write_text("Cat\n\n")
    with pytest.raises(
        ValueError, match="classes.txt: line 2: expected the na"
    ):
        datasets.read_class_names(str(path))


def test_names_in_order():
    names = datasets.name_classes({0: "big  dog", 2: "cat"}, 4)
    assert names == ("big dog", "1", "cat", "3")
    assert datasets.number_classes(("Cat", "dog", "cat")) == {
        "cat": None,
        "dog": 1,
    }
