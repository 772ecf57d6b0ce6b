"""Tests that the documents are true about what can be checked by a program."""

import re

from absl import flags
import keras
import numpy as np
import pytest
import tensorflow as tf

import project_file
import record_makers
from yt8m_compact import models
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import compress
from yt8m_compact.programs import demo
from yt8m_compact.programs import export
from yt8m_compact.programs import predict
from yt8m_compact.programs import train
from yt8m_compact.programs.data import main as data

_PROGRAMS = {
    "yt8m-train": train,
    "yt8m-eval": evaluate,
    "yt8m-export": export,
    "yt8m-predict": predict,
    "yt8m-compress": compress,
    "yt8m-demo": demo,
}
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


def _commands(text: str) -> list[str]:
    """Finds the commands of our programs in blocks of code."""
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    joined = "\n".join(blocks).replace("\\\n", " ")
    return [
        line.strip()
        for line in joined.splitlines()
        if line.strip().startswith((*_PROGRAMS, "yt8m-data"))
    ]


@pytest.mark.parametrize("path", _DOCUMENTS, ids=lambda path: path.name)
def test_flags_of_commands_exist(path):
    for command in _commands(path.read_text()):
        program, word = command.split()[:2]
        flag_values = flags.FlagValues()
        if program == "yt8m-data":
            data.VERBS[word].define_flags(flag_values)
        else:
            _PROGRAMS[program].define_flags(flag_values)
        names = re.findall(r"--(\w+)", command)
        known = {*flag_values, *(f"no{name}" for name in flag_values)}
        assert set(names) <= known, command


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


@pytest.mark.slow
def test_python_of_the_readme_runs():
    text = (_ROOT / "README.md").read_text()
    preset, example = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"features": np.random.default_rng(0).standard_normal((2, 1152))}
    exec(preset, names)
    assert [len(of_video) for of_video in names["named"]] == [5, 5]
    counts = re.search(r"# ([\d,]+) against ([\d,]+)", example)
    model = keras.Sequential(
        [keras.Input((200,)), keras.layers.Dense(300, name="dense")]
    )
    names = {"model_of_yours": model}
    exec(example, names)
    found = names["fc"].count_params(), names["fc"].dense_weight_count
    assert [f"{count:,}" for count in found] == list(counts.groups())
    assert names["fc"].as_dense_kernel().shape == (8192, 512)
    structure = names["compact"].get_layer("dense").structure
    assert str(structure) == "low_rank(rank=64) + diagonal_circulant"


def test_readme_has_commands_of_every_program_but_the_makers_of_data():
    text = (_ROOT / "README.md").read_text()
    found = {command.split()[0] for command in _commands(text)}
    assert found == {"yt8m-train", "yt8m-eval", "yt8m-export", "yt8m-predict"}
