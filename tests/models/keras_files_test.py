"""Tests of the models' .keras files in a process that knows nothing yet."""

import numpy as np
import pytest

import small_models
import tiny_runs
from yt8m_compact import models

# One import registers every class where Keras is there; the models bring their
# layers.
_LOAD = """
import sys
import keras
import numpy as np
import yt8m_compact.models

for name in sys.argv[1:]:
    model = keras.saving.load_model(name + ".keras")
    values = dict(np.load(name + ".npz"))
    expected = values.pop("expected")
    np.testing.assert_allclose(
        model(values, training=False), expected, rtol=1e-5, atol=1e-6)
    print(name)
"""


def _model_config(name: str) -> models.ModelConfig:
    settings = small_models.FRAME_MODELS.get(name, {})
    if name == "DbofModel":
        settings = {"dbof_cluster_size": 14, "dbof_hidden_size": 5}
    if name == "PooledEmbeddingModel":
        settings = {"embeddings": ("dbof",), "dbof_clusters": 14, "fc_size": 5}
    return models.MODELS[name](**settings).without_unused()


@pytest.mark.slow
def test_one_import_is_enough_for_all_models(tmp_path):
    rng = np.random.default_rng(0)
    for name in models.MODELS:
        config = _model_config(name)
        model = config.build(feature_sizes=(6, 3), num_classes=5)
        if config.frame_features:
            inputs = {
                "frames": rng.integers(0, 256, [3, 8, 9], np.uint8),
                "num_frames": np.array([8, 1, 5], np.int32),
            }
        else:
            inputs = {"features": rng.normal(size=[3, 9]).astype(np.float32)}
        model.save(tmp_path / f"{name}.keras")
        np.savez(
            tmp_path / f"{name}.npz",
            expected=model(inputs, training=False),
            **inputs,
        )
    done = tiny_runs.execute("-c", _LOAD, *models.MODELS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == list(models.MODELS)


@pytest.mark.slow
def test_classes_are_registered_where_keras_comes_later(tmp_path):
    # A LogitMixture of layers, and the DistilledModel of models.
    model = _model_config("MixNeXtVladModel").build(
        feature_sizes=(6, 3), num_classes=5
    )
    model.save(tmp_path / "model.keras")
    code = """
import sys
from yt8m_compact import models

assert "keras" not in sys.modules
models.register_classes()
import keras

print(type(keras.saving.load_model("model.keras")) is models.DistilledModel)
"""
    done = tiny_runs.execute("-c", code, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
