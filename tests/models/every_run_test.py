"""Every model as users use it: train, stop, and restore in another process.

What a run has learnt must come back from its folder, from a `.keras` file and
from a SavedModel: the same outputs as of the model that was trained.
"""

import os
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import small_models
import tiny_runs
from yt8m_compact import models
from yt8m_compact import training
from yt8m_compact.inference import serving
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import model as model_lib

NUM_VIDEOS = 12
# Each restores several runs: TensorFlow is imported as often.
_FRESH_PROCESSES = 6

# What a process does that knows nothing but the folders.
RESTORE = """
import pathlib, sys
import keras
import numpy as np
import tensorflow as tf
from yt8m_compact import models
from yt8m_compact.run import train_dir
for folder in map(pathlib.Path, sys.argv[1:]):
    inputs = dict(np.load(folder / "inputs.npz"))
    records = tf.constant(np.load(folder / "records.npy", allow_pickle=True))
    _, restored, _ = train_dir.TrainDir(str(folder / "run")).restore_model()
    loaded = keras.saving.load_model(folder / "model.keras")
    served = tf.saved_model.load(folder / "exported").signatures
    np.savez(
        folder / "found.npz",
        checkpoint=restored(inputs, training=False),
        keras=loaded(inputs, training=False),
        exported=served["all_scores"](examples=records)["predictions"],
    )
"""


def make_config(name: str, kinds: tuple[str, ...], folder: pathlib.Path):
    """Makes a run of two steps, with the given kinds at its places."""
    model = small_models.make_model(name, kinds)
    write, make = tiny_runs.write_videos, tiny_runs.video_config
    if model.frame_features:
        write, make = tiny_runs.write_frames, tiny_runs.frame_config
    pattern = write(folder / "data", NUM_VIDEOS)
    return make(
        pattern,
        model,
        batch_size=NUM_VIDEOS // 2,
        num_epochs=1,
        base_learning_rate=0.1,
    )


def train_model(config, path: str, monkeypatch) -> keras.Model:
    """Trains, and returns the very model that was trained."""
    make, seen = model_lib.make_model, []

    def remember(*args, **kwargs):
        seen.append(make(*args, **kwargs))
        return seen[-1]

    with monkeypatch.context() as context:
        context.setattr(model_lib, "make_model", remember)
        assert training.train(config, path).step == 2
    return seen[-1]


def read_records(config) -> tf.Tensor:
    files = sorted(tf.io.gfile.glob(config.training.train_data_pattern))
    return tf.constant([r.numpy() for r in tf.data.TFRecordDataset(files)])


def inputs_of(config, records: tf.Tensor, names) -> dict[str, np.ndarray]:
    batch = config.reader(training=False).parse(records)
    return {name: batch[name].numpy() for name in names}


# Of the models, those that a second is enough for; and the kinds that are made
# of layers themselves.
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("LogisticModel", "low_rank_plus_circulant"),
        ("MoeModel", "low_rank_plus_circulant"),
        ("LogisticModel", "fastfood"),
        ("LogisticModel", "sparse"),
        pytest.param("DbofModel", "diagonal_circulant", marks=pytest.mark.slow),
    ],
)
def test_same_outputs_after_restoring(name, kind, tmp_path, monkeypatch):
    kinds = (kind,) * len(small_models.places(name))
    config = make_config(name, kinds, tmp_path)
    path = str(tmp_path / "run")
    trained = train_model(config, path, monkeypatch)
    inputs = inputs_of(config, read_records(config), trained.input)
    expected = trained(inputs, training=False)
    _, restored, step = train_dir_lib.TrainDir(path).restore_model()
    assert step == 2
    np.testing.assert_array_equal(restored(inputs, training=False), expected)
    assert [w.path for w in restored.weights] == [
        w.path for w in trained.weights
    ]
    restored.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs, training=False), expected)


def every_run() -> list[tuple[str, tuple[str, ...]]]:
    """Pairs models with kinds for their places, other ones each.

    YT8M_EVERY_KIND=true adds every model in every kind.
    """
    kinds = [kind for kind in small_models.KINDS if kind != "dense"]
    dense = ("dense",) * len(small_models.places("LstmModel"))
    runs = [("LstmModel", dense)]  # Keras's own cells.
    for start, name in enumerate(models.MODELS):
        number = len(small_models.places(name))
        chosen = [kinds[(start + i) % len(kinds)] for i in range(number)]
        runs.append((name, tuple(chosen)))
    assert {kind for _, chosen in runs for kind in chosen} >= {*kinds}
    if os.environ.get("YT8M_EVERY_KIND") == "true":
        for name in models.MODELS:
            number = len(small_models.places(name))
            runs += [(name, (kind,) * number) for kind in kinds]
    return list(dict.fromkeys(runs))


@pytest.mark.slow
@pytest.mark.parametrize("part", range(_FRESH_PROCESSES))
def test_every_model_in_a_fresh_process(part, tmp_path, monkeypatch):
    expected = {}
    for name, kinds in every_run()[part::_FRESH_PROCESSES]:
        folder = tmp_path / "-".join([name, *kinds])
        config = make_config(name, kinds, folder)
        trained = train_model(config, str(folder / "run"), monkeypatch)
        records = read_records(config)
        inputs = inputs_of(config, records, trained.input)
        expected[folder] = trained(inputs, training=False).numpy()
        assert np.std(expected[folder], axis=0).max() > 1e-6
        np.savez(folder / "inputs.npz", **inputs)
        np.save(folder / "records.npy", records.numpy())
        run = train_dir_lib.TrainDir(str(folder / "run"))
        config, restored, _ = run.restore_model()
        tiny_runs.assert_every_weight_moved(run, restored)
        restored.save(folder / "model.keras")
        serving.save(
            serving.ServingModule(config, restored, top_k=3),
            os.fspath(folder / "exported"),
        )
    done = tiny_runs.execute(
        "-c", RESTORE, *map(os.fspath, expected), folder=tmp_path
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for folder, values in expected.items():
        found = np.load(folder / "found.npz")
        for way in ("checkpoint", "keras", "exported"):
            np.testing.assert_allclose(
                found[way],
                values,
                rtol=1e-4,
                atol=1e-6,
                err_msg=f"{folder.name}, {way}",
            )


@pytest.mark.parametrize("name", models.MODELS)
def test_paths_of_weights_do_not_depend_on_the_process(name):
    """Keras counts what has no name, and checkpoints hold the paths."""
    kinds = ("low_rank_plus_circulant",) * len(small_models.places(name))
    config = small_models.make_model(name, kinds)
    first, second = (
        config.build(feature_sizes=[6, 3], num_classes=5) for _ in range(2)
    )
    paths = [weight.path for weight in first.weights]
    assert paths == [weight.path for weight in second.weights]
    assert len(set(paths)) == len(paths)
