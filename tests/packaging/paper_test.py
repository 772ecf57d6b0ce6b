"""Tests that the commands of docs/paper.md give the numbers of the paper."""

import json
import re
import shlex

import pytest

import project_file
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.eval import evaluate
from yt8m_compact.programs import train
from yt8m_compact.run import command_line
from yt8m_compact.training import optimizers

_TEXT = (project_file.ROOT / "docs" / "paper.md").read_text()

# Tables T2 and T4 of the paper (https://arxiv.org/abs/1810.01140; arXiv
# 2109.00959 prints all digits).
_TOTALS = {
    "t2_dense": 45_359_764,
    "t2_compact_dbof": 36_987_540,
    "t2_compact_fc": 41_181_844,
    "t2_compact_moe": 12_668_504,
    "t4_dbof": 65_795_732,
    "t4_dbof_compact_fc": 59_528_852,
    "t4_netvlad": 86_333_460,
    "t4_netvlad_compact_fc": 50_821_140,
    "t4_netfv": 122_054_676,
    "t4_netfv_compact_fc": 51_030_036,
}
# Table T3: the weights of the two FC layers.
_FC_WEIGHTS = {
    "t3_1_factor": 24_576,
    "t3_3_factors": 73_728,
    "t3_6_factors": 147_456,
}
# The follow-up's table of video-level models (https://arxiv.org/abs/1901.10255).
_DEEP = {
    "deep_dense": 5_781_142,
    "deep_2": 18_498,
    "deep_4": 25_410,
    "deep_8": 39_234,
    "deep_16": 66_882,
    "deep_32": 122_178,
    "deep_4_dense": 4_466_710,
}
# The figure of size against accuracy, in millions, some rounded, some cut.
_MILLIONS = {
    "figure_netvlad32": 25,
    "figure_netvlad256": 87,
    "figure_netvlad128_netfv64": 158,
    "figure_netvlad256_netfv128": 159,
    "figure_dbof8192_netvlad128": 166,
    "figure_dbof16384_netvlad256": 176,
}


def _commands() -> dict[str, list[str]]:
    """Finds the flags of each counting command by the name of its JSON."""
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", _TEXT, re.DOTALL))
    variables, commands = {}, {}
    for line in blocks.replace("\\\n", " ").splitlines():
        for name, value in variables.items():
            line = re.sub(rf"\${name}\b", value, line)
        assignment = re.fullmatch(r'(\w+)="(.*)"', line)
        if assignment:
            variables[assignment[1]] = assignment[2]
        elif line.startswith("yt8m-eval"):
            *arguments, output = shlex.split(line)[1:]
            name = re.fullmatch(r"--output_json=(\w+)\.json", output)[1]
            commands[name] = arguments
    return commands


_COMMANDS = _commands()


def test_the_training_is_the_papers():
    (command,) = re.findall(r"^yt8m-train (.*?)\n```", _TEXT, re.M | re.S)
    flag_values = tiny_runs.parse_flags(
        train.define_flags, *shlex.split(command.replace("\\\n", " "))
    )
    config = command_line.config_from_flags(flag_values)
    reader = config.reader(training=True)
    assert reader.parts is readers.VideoParts.HALVES
    # Halves of 300 frames, of which 10 bags of 15 are drawn.
    assert reader.num_output_frames == 150
    # The paper's figures have 4,822,555 videos an epoch, 320 a step; after 10
    # epochs the learning rate fell 10 * 4,822,555 // 4,000,000 = 12 times.
    assert config.training.batch_size == 320
    rate = optimizers.make_optimizer(config.training)._learning_rate
    steps = 10 * 4_822_555 // 320
    assert float(rate(steps)) == pytest.approx(2e-4 * 0.8**12)


def test_every_number_has_its_command():
    assert set(_COMMANDS) == {*_TOTALS, *_FC_WEIGHTS, *_DEEP, *_MILLIONS}


def _count(name: str, folder) -> dict:
    path = folder / "report.json"
    flag_values = tiny_runs.parse_flags(
        evaluate.define_flags, *_COMMANDS[name], f"--output_json={path}"
    )
    assert evaluate.main(flag_values, []) == 0
    return json.loads(path.read_text())["weights"]


@pytest.mark.parametrize("name", _TOTALS)
def test_totals_of_the_tables(name, tmp_path):
    counted = _count(name, tmp_path)
    assert counted["total"] == _TOTALS[name]
    assert f"{_TOTALS[name]:,}" in _TEXT
    dense = {"t2": "t2_dense", "t4": re.sub("_compact_fc", "", name)}[name[:2]]
    if name != "t2_compact_moe":  # which lacks the context gating
        assert counted["dense_equivalent"] == _TOTALS[dense]


@pytest.mark.parametrize("name", _FC_WEIGHTS)
def test_weights_of_the_fc_layers_by_factors(name, tmp_path):
    counted = _count(name, tmp_path)
    fc = [
        x for x in counted["layers"] if re.fullmatch(r"dbof_\d_fc", x["name"])
    ]
    assert sum(layer["total"] for layer in fc) == _FC_WEIGHTS[name]
    assert sum(layer["dense_equivalent"] for layer in fc) == 6_291_456
    assert f"{_FC_WEIGHTS[name]:,}" in _TEXT


def test_weights_of_the_fc_layers_of_one_factor(tmp_path):
    counted = _count("t4_dbof_compact_fc", tmp_path)
    layers = {layer["name"]: layer["total"] for layer in counted["layers"]}
    assert layers["dbof_0_fc"] + layers["dbof_1_fc"] == 24_576


@pytest.mark.parametrize("name", _DEEP)
def test_totals_of_deep_networks(name, tmp_path):
    assert _count(name, tmp_path)["total"] == _DEEP[name]
    assert f"{_DEEP[name]:,}" in _TEXT


@pytest.mark.parametrize("name", _MILLIONS)
def test_totals_of_the_figure(name, tmp_path):
    total = _count(name, tmp_path)["total"]
    assert abs(total - _MILLIONS[name] * 1e6) < 1e6
    assert f"{total:,}" in _TEXT


def test_dense_size_of_the_largest_model(tmp_path):
    # "160M ... against 728M dense", the paper says in its text.
    counted = _count("figure_netvlad256_netfv128", tmp_path)
    assert counted["dense_equivalent"] // 10**6 == 728
