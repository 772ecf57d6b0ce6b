"""Tests of starting with the weights of a trained model."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.linalg

import numpy_models
import small_models
import tiny_runs
from yt8m_compact import layers
from yt8m_compact import models
from yt8m_compact import training
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.run import weight_choice
from yt8m_compact.training import warm_start

COPIED, NEAREST, KEPT = warm_start.Outcome


def by_name(report: warm_start.WarmStartReport) -> dict:
    return {place.name: place for place in report.places}


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    return {weight.path: weight.numpy() for weight in model.weights}


def make_batch(config: models.ModelConfig) -> dict[str, np.ndarray]:
    if config.frame_features:
        return numpy_models.make_frames()
    return numpy_models.make_features()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "low_rank_plus_circulant"])
@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_is_copied(name, kind):
    kinds = (kind,) * len(small_models.places(name))
    config = small_models.make_model(name, kinds)
    source = numpy_models.build(config, seed=1)
    model = numpy_models.build(config, seed=2)
    before = weights_of(source)
    report = warm_start.warm_start(model, source)
    assert {place.outcome for place in report.places} == {COPIED}
    assert report.unused == ()
    for path, value in weights_of(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
        np.testing.assert_array_equal(value, weights_of(source)[path])
    # No projection was taken for anything else.
    kernels = [place for place in report.places if place.kept is not None]
    assert all(place.kept == 1.0 for place in kernels)
    compact = [place for place in kernels if "rank" in place.now]
    found = small_models.projections_of(model)
    assert len(compact) == (len(found) if kind != "dense" else 0)
    assert len(kernels) >= len(found)


def test_what_low_rank_keeps_of_a_dense_kernel():
    source = numpy_models.build(models.LogisticConfig(), seed=1)
    model = numpy_models.build(
        models.LogisticConfig(classifier_projection="low_rank(rank=2)")
    )
    kernel = source.get_layer("classifier").kernel.numpy().astype(np.float64)
    u, s, v = np.linalg.svd(kernel, full_matrices=False)
    report = warm_start.warm_start(model, source)
    np.testing.assert_allclose(
        model.get_layer("classifier").as_dense_kernel(),
        (u[:, :2] * s[:2]) @ v[:2],
        rtol=0,
        atol=1e-5,
    )
    np.testing.assert_array_equal(
        model.get_layer("classifier").bias, source.get_layer("classifier").bias
    )
    place = by_name(report)["classifier"]
    assert (place.outcome, place.before, place.now) == (
        NEAREST,
        "[9, 7] dense",
        "[9, 7] low_rank(rank=2)",
    )
    expected = np.sum(s[:2] ** 2) / np.sum(s**2)
    assert 0.3 < expected < 0.95
    assert place.kept == pytest.approx(expected, abs=1e-6)
    assert by_name(report)["classifier/bias"] == warm_start.Place(
        "classifier/bias", COPIED, "[7]", "[7]"
    )


def test_with_data_the_outputs_of_low_rank_are_near():
    source = numpy_models.build(models.LogisticConfig(), seed=1)
    source.get_layer("classifier").bias.assign(np.arange(7) / 7)
    model = numpy_models.build(
        models.LogisticConfig(classifier_projection="low_rank(rank=2)")
    )
    rows = np.random.default_rng(0).normal(size=(5000, 9)) * 0.6 ** np.arange(9)
    rows = (rows + np.arange(9) / 9).astype(np.float32)
    plain = by_name(warm_start.warm_start(model, source))["classifier"]
    data = [{"features": rows[:3000]}, {"features": rows[3000:]}]
    report = warm_start.warm_start(model, source, data)
    place = by_name(report)["classifier"]
    layer = source.get_layer("classifier")
    before = keras.Model(source.inputs, layer.input)
    inputs = before({"features": rows}).numpy().astype(np.float64)
    outputs = inputs @ layer.kernel.numpy()
    s = np.linalg.svd(outputs - outputs.mean(axis=0), compute_uv=False)
    # The principal components of the outputs, and their mean by the bias.
    expected = np.sum(s[:2] ** 2) / np.sum(s**2)
    assert place.kept == pytest.approx(expected, abs=1e-3)
    assert place.kept != plain.kept
    compact = model.get_layer("classifier")
    now = inputs @ compact.as_dense_kernel().numpy() + compact.bias.numpy()
    error = now - outputs - layer.bias.numpy()
    np.testing.assert_allclose(error.mean(axis=0), 0, atol=1e-4)
    assert 1 - np.sum(error**2) / np.sum(s**2) == pytest.approx(
        place.kept, abs=1e-5
    )
    assert "output kept" in report.to_text().split("\n")[0]


@pytest.mark.parametrize("name", ["LstmModel", "DbofModel", "MoeModel"])
def test_with_data_every_place_is_found(name):
    places = small_models.places(name)
    source = numpy_models.build(
        small_models.make_model(name, ("dense",) * len(places)), seed=1
    )
    config = small_models.make_model(name, ("circulant",) * len(places))
    model = numpy_models.build(config, seed=2)
    report = warm_start.warm_start(model, source, [make_batch(config)])
    found = [p for p in report.places if p.outcome is NEAREST]
    assert len(found) == len(small_models.projections_of(model))
    assert all(0 < place.kept <= 1 for place in found)


def test_a_compact_kernel_becomes_dense_and_another_structure():
    config = models.LogisticConfig(classifier_projection="circulant")
    source = config.build(feature_sizes=(7,), num_classes=7)
    column = np.random.default_rng(0).normal(size=7)
    source.get_layer("classifier").kernel.assign(column[np.newaxis])
    matrix = scipy.linalg.circulant(column)
    model = models.LogisticConfig().build(feature_sizes=(7,), num_classes=7)
    place = by_name(warm_start.warm_start(model, source))["classifier"]
    assert (place.outcome, place.before) == (NEAREST, "[7, 7] circulant")
    assert place.kept == pytest.approx(1.0, abs=1e-9)
    np.testing.assert_allclose(
        model.get_layer("classifier").kernel, matrix, rtol=0, atol=1e-6
    )
    # By way of the dense matrix: of rank 3, say.
    config = models.LogisticConfig(classifier_projection="low_rank(rank=3)")
    model = config.build(feature_sizes=(7,), num_classes=7)
    place = by_name(warm_start.warm_start(model, source))["classifier"]
    s = np.linalg.svd(matrix, compute_uv=False)
    assert place.kept == pytest.approx(
        np.sum(s[:3] ** 2) / np.sum(s**2), abs=1e-6
    )


def test_a_kernel_of_zeros_is_kept_whole():
    source = numpy_models.build(models.LogisticConfig())
    source.get_layer("classifier").kernel.assign(np.zeros([9, 7]))
    model = numpy_models.build(
        models.LogisticConfig(classifier_projection="circulant")
    )
    report = warm_start.warm_start(model, source)
    assert by_name(report)["classifier"].kept == 1.0
    assert not np.any(model.get_layer("classifier").as_dense_kernel())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LstmModel", "GruModel"])
def test_recurrent_layers_of_keras_become_cells_and_back(name):
    # A circulant of size 1 is a number: the structure holds any matrix.
    exact = "block_circulant(block_size=1)"
    dense = small_models.make_model(name, ("dense",) * 3)
    cells = dataclasses.replace(
        dense, embedding_projection=exact, recurrent_projection=exact
    )
    for one, other in ((dense, cells), (cells, dense)):
        source = numpy_models.build(one, seed=1)
        model = numpy_models.build(other, seed=2)
        report = warm_start.warm_start(model, source)
        assert report.unused == ()
        assert KEPT not in {place.outcome for place in report.places}
        assert by_name(report)["layer_1/cell/recurrent"].outcome is NEAREST
        batch = numpy_models.make_frames()
        np.testing.assert_allclose(
            model(batch), source(batch), rtol=0, atol=1e-5
        )


def test_what_does_not_fit_keeps_its_initialisation():
    source = numpy_models.build(
        small_models.make_model("DbofModel", ("dense",) * 3), seed=1
    )
    config = small_models.make_model(
        "DbofModel",
        ("dense",) * 3,
        dbof_hidden_size=6,
        video_level_classifier_model="LogisticModel",
    )
    model = numpy_models.build(config, seed=2)
    before = weights_of(model)
    report = warm_start.warm_start(model, source)
    kept = {p.name for p in report.places if p.outcome is KEPT}
    assert kept == {
        "fc",
        "fc_bn/gamma",
        "fc_bn/beta",
        "fc_bn/moving_mean",
        "fc_bn/moving_variance",
        "classifier",
        "classifier/bias",
    }
    after, trained = weights_of(model), weights_of(source)
    for path in before:
        taken = not any(path.startswith(f"{name}") for name in kept)
        np.testing.assert_array_equal(
            after[path], trained[path] if taken else before[path], err_msg=path
        )
    assert by_name(report)["fc"].before == "[14, 5] dense"
    assert by_name(report)["classifier"].before is None
    assert report.unused == ("experts", "experts/bias", "gates")


def test_table():
    report = warm_start.WarmStartReport(
        (
            warm_start.Place(
                "fc", NEAREST, "[8, 4] circulant", "[8, 4] dense", 0.25
            ),
            warm_start.Place("bias", KEPT, "[4]", None),
        ),
        ("gates",),
    )
    assert report.to_text().splitlines() == [
        "place  weights         were          now               norm kept",
        "fc     nearest         [8, 4] dense  [8, 4] circulant  0.2500",
        "bias   as initialised  not there     [4]",
        "not used: gates",
    ]


def make_run(folder, **values):
    """A new run from that of `tiny_runs.video_run`, a mixture of circulants."""
    run = tiny_runs.video_run()
    return tiny_runs.video_config(
        run.pattern,
        models.MoeConfig(classifier_projection="diagonal_circulant"),
        init_from=run.path,
        num_epochs=1,
        **values,
    ), str(folder / "run")


@pytest.mark.slow
def test_a_run_starts_from_another(tmp_path):
    config, path = make_run(tmp_path)
    source = tiny_runs.weights_of(tiny_runs.video_run().path)
    result = training.train(config, path)
    outcomes = {p.name: p.outcome for p in result.warm_start.places}
    assert outcomes == {
        "gates": NEAREST,
        "experts": NEAREST,
        "experts/bias": COPIED,
    }
    _, model, _ = train_dir_lib.TrainDir(path).restore_model(0)
    _, trained, _ = train_dir_lib.TrainDir(
        tiny_runs.video_run().path
    ).restore_model()
    for name in ("gates", "experts"):
        # A circulant is one with a diagonal of ones.
        np.testing.assert_allclose(
            model.get_layer(name).as_dense_kernel(),
            trained.get_layer(name).as_dense_kernel(),
            rtol=0,
            atol=1e-5,
        )
    np.testing.assert_array_equal(
        model.get_layer("experts").bias, source["experts/bias"]
    )
    saved = train_dir_lib.TrainDir(path).load_config()
    assert saved.training.init_from == tiny_runs.video_run().path


@pytest.mark.slow
def test_only_a_new_run_starts_from_another(tmp_path):
    source = tiny_runs.copy_run(tiny_runs.video_run(), tmp_path / "source")
    config, path = make_run(tmp_path, max_steps=2)
    config = tiny_runs.change_training(config, init_from=source.path)
    training.train(config, path)
    # The other run is not needed any more.
    (tmp_path / "source").rename(tmp_path / "gone")
    config = tiny_runs.change_training(config, max_steps=4)
    result = training.train(config, path)
    assert (result.step, result.warm_start) == (4, None)
    # As without a stop.
    (tmp_path / "gone").rename(tmp_path / "source")
    whole = str(tmp_path / "whole")
    training.train(config, whole)
    tiny_runs.assert_same_weights(path, whole)
    with pytest.raises(
        ValueError,
        match="the optimiser and the start of the run that is there. Received: "
        "training.init_from: .*source/run' -> ''",
    ):
        training.train(tiny_runs.change_training(config, init_from=""), path)


@pytest.mark.slow
def test_what_does_not_fit_starts_as_without(tmp_path):
    pattern = tiny_runs.video_run().pattern
    paths = {name: str(tmp_path / name) for name in ("two", "three", "new")}
    for name, num_layers, start in (
        ("two", 2, ""),
        ("three", 3, paths["two"]),
        ("new", 3, ""),
    ):
        config = tiny_runs.video_config(
            pattern,
            models.DeepCirculantConfig(num_layers=num_layers),
            init_from=start,
            max_steps=1,
        )
        training.train(config, paths[name])
    trained = tiny_runs.weights_of(paths["two"])
    found, new = (tiny_runs.weights_of(paths[n], 0) for n in ("three", "new"))
    for path in found:
        expected = new if path.startswith("hidden_2") else trained
        np.testing.assert_array_equal(found[path], expected[path], err_msg=path)


@pytest.mark.slow
def test_a_run_of_which_nothing_fits_is_refused(tmp_path):
    run = tiny_runs.video_run()
    config = tiny_runs.video_config(
        run.pattern, models.MoeConfig(moe_num_mixtures=3), init_from=run.path
    )
    with pytest.raises(
        ValueError,
        match=f"{run.path}: expected a run to start from that has weights in "
        "the places of the new model, and of their sizes. Received: none\n"
        "place .*\ngates +as initialised",
    ):
        training.train(config, str(tmp_path / "run"))


def test_no_run_to_start_from(tmp_path):
    config, path = make_run(tmp_path)
    config = tiny_runs.change_training(config, init_from=str(tmp_path / "none"))
    with pytest.raises(
        ValueError, match="none/config.json: expected the config.json of a run"
    ):
        training.train(config, path)
    # Nor one that has no checkpoint yet.
    train_dir_lib.TrainDir(str(tmp_path / "none")).save_config(config)
    with pytest.raises(
        ValueError, match="none/checkpoints: expected a checkpo"
    ):
        training.train(config, path)
    assert not train_dir_lib.TrainDir(path).exists()


def test_projections_in_recurrent_cells_are_found():
    cell = layers.LstmCell(4, "low_rank(rank=2)", name="cell")
    inputs = keras.Input((None, 16))
    model = keras.Model(inputs, keras.layers.RNN(cell, name="rnn")(inputs))
    report = warm_start.warm_start(model, model)
    assert {place.name: place.now for place in report.places} == {
        "rnn/cell/recurrent": "[4, 16] low_rank(rank=2)",
        "rnn/cell/bias": "[16]",
    }


@pytest.mark.slow
def test_a_run_starts_from_weights_that_were_chosen(tmp_path):
    """Of another run: those of a step, and those of a model in memory."""
    run = tiny_runs.video_run()
    start = dataclasses.replace(
        run.config.training, init_from=run.path, max_steps=1
    )
    config = dataclasses.replace(run.config, training=start)
    training.train(
        config,
        str(tmp_path / "chosen"),
        run_weights={run.path: weight_choice.RunWeights(5)},
    )
    expected = tiny_runs.weights_of(run.path, 5)
    found = tiny_runs.weights_of(str(tmp_path / "chosen"), 0)
    newest = tiny_runs.weights_of(run.path)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
        assert np.any(value != newest[name])
    model = config.build_model()
    report = warm_start.warm_start(model, config.build_model())
    result = training.train(
        config,
        str(tmp_path / "given"),
        start=warm_start.ModelStart(model, report),
    )
    assert result.warm_start is report
    found = tiny_runs.weights_of(str(tmp_path / "given"), 0)
    for name, value in weights_of(model).items():
        np.testing.assert_array_equal(found[name], value)
