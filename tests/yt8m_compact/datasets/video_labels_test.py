"""Tests of the labels of videos."""

import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from yt8m_compact import datasets
from yt8m_compact import readers


def test_labels_as_numbers_and_names(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text(
        "id,labels\na,3 1 1\nb,2;Video Game\nc,game,4\n\nd,GUITAR\n"
        'e,"jazz, rock"\n'
    )
    names = {"video game": 5, "game": 6, "guitar": 0, "jazz, rock": 7}
    found = datasets.read_labels(str(path), 10, names)
    assert found == {
        "a": (1, 3),
        "b": (2, 5),
        "c": (4, 6),
        "d": (0,),
        "e": (7,),
    }


def test_labels_by_class(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,emu,cat,Dog\na,0,1,1\nb,0,0,0\nc,0,1,0\n")
    # All names, of classes without a video too.
    names = datasets.find_label_names(str(path))
    assert names == ("cat", "Dog", "emu")
    reader = datasets.LabelReader(None, datasets.number_classes(names))
    found = datasets.read_labels(str(path), reader=reader)
    # Nothing is said of b, as of arrays.
    assert found == {"a": (0, 1), "c": (0,)}
    assert reader.num_classes == 3
    path.write_text("id,0,1,2\na,1,0,0\nb,1,1,x\n")
    with pytest.raises(
        readers.DataError, match=r"labels.csv: line 3, column 4 \(2\): .*'x'"
    ):
        datasets.read_labels(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,1\nb\n", "line 2: expected an id and labels"),
        ("a,1\n,2\n", "line 2: expected an id and labels"),
        ("a,1\nb,2\na,3\n", "line 3: expected every id once.*in line 1 too"),
        ("a,10\n", "line 1: expected one or more labels from 0 to 9"),
        ("a,\n", "line 1: expected one or more labels from 0 to 9"),
        ("a,dog\n", r"line 1: expected numbers .*\(2 names\).*'dog', neither"),
        ("a,-1\n", "line 1: expected numbers of classes"),
        ("a,twin\n", "line 1: .*'twin', a name of several"),
        ("", "expected a CSV file. Received: no line"),
        (b"\xff\xfe", "expected a CSV file. Received: what is not UTF-8"),
        ("a,1\nb\0,1\n", "line 2: expected CSV. Received: a zero byte"),
        ('a,1\n"' + 150_000 * "b", "line 2: expected CSV.*field limit"),
        ("a," + 5000 * "9", "line 1: expected numbers .*Received: .9{79},"),
    ],
)
def test_wrong_labels(tmp_path, text, message):
    path = tmp_path / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=f"{path}: {message}"):
        datasets.read_labels(str(path), 10, {"cat": 1, "twin": None})


def test_missing_labels():
    with pytest.raises(ValueError, match="missing: expected a CSV file.*no"):
        datasets.read_labels("missing", 10)


def _write(path, ids, labels):
    table = pyarrow.table({"id": ids, "labels": labels})
    pyarrow.parquet.write_table(table, path)
    return str(path)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([[3, 1], [4]], ((1, 3), (4,))),
        ([["cat", "dog"], ["cat"]], ((4, 5), (4,))),
        (["dog;3", "cat"], ((3, 5), (4,))),
        ([7, 2], ((7,), (2,))),
    ],
)
def test_labels_of_parquet(tmp_path, labels, expected):
    path = _write(tmp_path / "labels.parquet", ["a", "b"], labels)
    found = datasets.read_labels(path, 10, {"cat": 4, "dog": 5})
    assert found == dict(zip("ab", expected, strict=True))


@pytest.mark.parametrize(
    ("ids", "labels", "message"),
    [
        (["a", "b", "a"], [[1]] * 3, "row 2: expected every id once.*row 0"),
        (["a", "b"], [[1], []], "row 1: expected one or more labels from 0 t"),
        (["a", "b"], [[1], [10]], "row 1: expected one or more labels from 0"),
        (["a", "b"], [[1], None], "row 1: expected numbers or names"),
        (["a"], [[1.5]], "row 0: expected numbers or names of classes"),
        (["a"], [["emu"]], "row 0: expected numbers of classes, or names"),
        (["a", None], [[1], [2]], "row 1: expected a text or a whole number"),
    ],
)
def test_wrong_labels_of_parquet(tmp_path, ids, labels, message):
    path = _write(tmp_path / "labels.parquet", ids, labels)
    with pytest.raises(ValueError, match=f"labels.parquet: {message}"):
        datasets.read_labels(path, 10, {"cat": 4})


@pytest.mark.parametrize("kind", ["npz", "h5", "npy"])
@pytest.mark.parametrize("one_hot", [True, False])
def test_labels_of_arrays(tmp_path, kind, one_hot):
    ids = ["a", "b", "c"]
    labels = np.array([2, 0, 1])
    expected = {"a": (2,), "b": (0,), "c": (1,)}
    if one_hot:
        labels = np.array([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
        expected = {"a": (1, 2), "c": (0,)}
    path = tmp_path / f"labels.{kind}"
    if kind == "npz":
        np.savez(path, ids=ids, labels=labels)
    elif kind == "h5":
        with h5py.File(path, "w") as file:
            file["ids"], file["labels"] = ids, labels
    else:
        np.save(path, labels)
        (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    reader = datasets.LabelReader()
    assert datasets.read_labels(str(path), reader=reader) == expected
    assert reader.num_classes == (4 if one_hot else 3)


def test_wrong_labels_of_arrays(tmp_path):
    path = str(tmp_path / "labels.npy")
    np.save(path, np.array([[0, 1], [2, 0]]))
    with pytest.raises(
        ValueError, match="'ids' in a .txt file of its name and"
    ):
        datasets.read_labels(path)
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match="row 1: expected 0 or 1 for each cla"):
        datasets.read_labels(path)
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    with pytest.raises(ValueError, match="labels of 3 videos .*shape=.2, 2."):
        datasets.read_labels(path)
    path = str(tmp_path / "labels.npz")
    np.savez(path, ids=["a"], classes=[1])
    with pytest.raises(ValueError, match="'ids' and 'labels'. Received: ids"):
        datasets.read_labels(path)


def test_names_of_classes_are_found(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("id,labels\na,dog;cat\nb,ant,Dog\n")
    names = datasets.find_label_names(str(path))
    assert names == ("ant", "cat", "dog")
    found = datasets.read_labels(
        str(path), None, datasets.number_classes(names)
    )
    assert found == {"a": (1, 2), "b": (0, 2)}
    path.write_text("id,labels\na,dog\nb,3\n")
    with pytest.raises(ValueError, match="line 3: expected names of classes"):
        datasets.find_label_names(str(path))
