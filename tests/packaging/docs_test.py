"""Tests that the documents are true about what can be checked by a program."""

import re

import pytest
import tensorflow as tf

import project_file
import record_makers
from yt8m_compact import models

_ROOT = project_file.ROOT
_DOCUMENTS = sorted([*_ROOT.glob("*.md"), *_ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)", text)
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_is_in_the_gallery_with_its_picture(name):
    text = (_ROOT / "docs" / "models.md").read_text()
    assert f"![{name}](images/{name}.png)" in text
    (row,) = re.findall(rf"^\| \[`{name}`\]\(#.*$", text, re.MULTILINE)
    (anchor,) = re.findall(r"\(#([\w-]+)\)", row)
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", t.lower()) for t in titles]
    assert anchor in [title.replace(" ", "-") for title in anchors]
    # What is drawn is text and boxes.
    size = (_ROOT / "docs" / "images" / f"{name}.png").stat().st_size
    assert 2_000 < size < 40_000


@pytest.mark.slow
def test_workers_of_the_example_share_the_files(tmp_path):
    text = (_ROOT / "docs" / "data.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (example,) = [block for block in blocks if "def dataset_fn" in block]
    sizes = {"mean_rgb": 1024, "mean_audio": 128}
    for number in range(3):
        record_makers.write_tfrecord(
            tmp_path / f"train{number}.tfrecord",
            [
                record_makers.make_video_example(
                    10 * number + index, feature_sizes=sizes
                )
                for index in range(number + 1)
            ],
        )
    example = example.replace("data/train", f"{tmp_path}/train")
    names = {"strategy": tf.distribute.OneDeviceStrategy("/cpu:0")}
    exec(example, names)

    def ids(dataset):
        return [
            int(name[1:]) for batch in dataset for name in batch["id"].numpy()
        ]

    assert ids(names["dataset"]) == [0, 10, 11, 20, 21, 22]
    shares = [
        ids(names["dataset_fn"](tf.distribute.InputContext(2, index, 2)))
        for index in range(2)
    ]
    assert list(map(sorted, shares)) == [[0, 20, 21, 22], [10, 11]]
