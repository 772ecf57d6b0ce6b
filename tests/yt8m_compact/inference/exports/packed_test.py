"""Tests of packed models and of what travels with them."""

import re

import numpy as np
import pytest

import tiny_runs
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import packed
from yt8m_compact.run import train_dir as train_dir_lib


@pytest.fixture
def folder(tmp_path):
    run = train_dir_lib.TrainDir(tiny_runs.video_run().path)
    config, model, step = run.restore_model()
    about = companions.about_run(run, config, step)
    size = packed.save(str(tmp_path / "packed"), about, model)
    sizes = [
        (tmp_path / "packed" / name).stat().st_size
        for name in ("config.json", "weights.safetensors")
    ]
    assert size == sum(sizes)
    return tmp_path / "packed"


def test_it_is_read_as_a_run(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "export_manifest.json",
        "weights.safetensors",
    ]
    assert packed.is_saved(str(folder))
    run = tiny_runs.video_run()
    _, model, _ = train_dir_lib.TrainDir(run.path).restore_model()
    config, loaded, step = train_dir_lib.TrainDir(str(folder)).restore_model()
    assert step == 10
    # As in the configuration, nothing of the disk of who trained it.
    assert config.training.train_data_pattern == ""
    assert run.pattern not in (folder / "README.md").read_text()
    features = np.linspace(-1, 1, 18, dtype=np.float32).reshape(2, 9)
    np.testing.assert_allclose(  # Biases are of 16 bits.
        loaded({"features": features}, training=False),
        model({"features": features}, training=False),
        atol=1e-3,
    )


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_a_damaged_file_is_refused_by_its_name(folder, name):
    path = folder / name
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        ValueError,
        match=f"^{re.escape(str(path))}: expected the file that yt8m-export",
    ):
        train_dir_lib.TrainDir(str(folder)).restore_model()
