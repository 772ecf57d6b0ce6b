"""Tests of several models together."""

import re

import numpy as np
import pytest
import tensorflow as tf

import formula_predictors
import record_makers
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.inference import ensembles
from yt8m_compact.inference import outputs
from yt8m_compact.inference import prediction_rows
from yt8m_compact.inference import predictors


def features_of(files):
    """Reads ids and features of files, one after the other."""
    records = [record.numpy() for record in tf.data.TFRecordDataset(files)]
    reader = formula_predictors.make().reader
    batch = reader.parse(tf.constant(records))
    return batch["id"].numpy().tolist(), batch["features"].numpy()


def read(ensemble, files, **kwargs):
    reading = prediction_rows.Reading(num_readers=1, **kwargs)
    blocks = [*ensemble.blocks(files, reading)]
    ids = [one for block, _ in blocks for one in block]
    return ids, np.concatenate([values for _, values in blocks])


@pytest.mark.parametrize(
    "together", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_weighted_mean(tmp_path, together):
    files = readers.expand_patterns(tiny_runs.write_videos(tmp_path, 150))
    calls = []
    # Models of other readers read the files each. The order is that of the
    # models, not that of their readers.
    other = {} if together else {"column_ids": False}
    members = [
        formula_predictors.make(0, lambda: calls.append(0)),
        formula_predictors.make(1, lambda: calls.append(1), **other),
        formula_predictors.make(2, lambda: calls.append(2)),
    ]
    ensemble = ensembles.Ensemble(members, [1, 2, 5])
    assert ensemble.weights.tolist() == [0.125, 0.25, 0.625]
    ids, predictions = read(ensemble, files)
    expected_ids, features = features_of(files)
    assert ids == expected_ids
    np.testing.assert_allclose(
        predictions,
        sum(
            weight * formula_predictors.values_of(features, seed)
            for seed, weight in enumerate([0.125, 0.25, 0.625])
        ),
        rtol=1e-6,
    )
    assert sorted(calls) == [0] * 3 + [1] * 3 + [2] * 3  # 150 by 64s


@pytest.mark.slow
def test_records_that_one_model_leaves_out(tmp_path, monkeypatch):
    monkeypatch.setattr(
        record_makers, "video_id", lambda index: b"a,b" if index == 5 else b"x"
    )
    files = readers.expand_patterns(tiny_runs.write_videos(tmp_path, 9))
    members = [formula_predictors.make(0), formula_predictors.make(1)]
    skipped = readers.SkippedData()
    ids, _ = read(ensembles.Ensemble(members), files, skipped=skipped)
    assert (len(ids), skipped.num_records) == (8, 1)
    members[1] = formula_predictors.make(1, column_ids=False)
    with pytest.raises(
        readers.DataError, match="expected the same records for all models"
    ):
        read(ensembles.Ensemble(members), files, skipped=readers.SkippedData())


def test_what_is_known_of_all():
    members = [formula_predictors.make(seed) for seed in (3, 4)]
    ensemble = ensembles.Ensemble(members, [1, 3])
    assert ensemble.identity() == "0.25 * formula 3 0.75 * formula 4"
    assert ensemble.model_name == "unknown+unknown"
    assert (ensemble.num_classes, ensemble.unit) == (5, "videos")
    nameless = predictors.Predictor(members[0].reader, members[0].predict)
    assert ensembles.Ensemble([members[0], nameless]).identity is None


def test_probabilities_stay_probabilities():
    ones = np.ones([3, 2, 2], np.float32)
    weights = ensembles.normalise([0.1, 0.7, 0.2], 3)
    assert ensembles.blend(ones, weights).max() == 1


@pytest.mark.parametrize(
    ("members", "weights", "message"),
    [
        ([], None, "expected a model or more"),
        ([{}, {"num_classes": 6}], None, "model 1, of 6 classes of videos"),
        ([{"output": "embeddings"}], None, "model 0, .* with embeddings"),
        ([{}, {}], [1], "expected 2 weights of an ensemble, .*weights=[1]"),
        ([{}, {}], [1, -1], "expected 2 weights"),
        ([{}, {}], [0, 0], "expected 2 weights"),
        ([{}, {}], [1, float("nan")], "expected 2 weights"),
    ],
)
def test_what_is_refused(members, weights, message, monkeypatch):
    made = []
    for number, kwargs in enumerate(members):
        kwargs = dict(kwargs)
        monkeypatch.setattr(
            tiny_runs, "NUM_CLASSES", kwargs.pop("num_classes", 5)
        )
        made.append(formula_predictors.make(number, **kwargs))
    pattern = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(ValueError, match=pattern):
        ensembles.Ensemble(made, weights)


@pytest.mark.slow
def test_a_run_twice_is_the_run(tmp_path):
    run = tiny_runs.video_run()
    names = [run.path, run.path]
    ensemble = ensembles.Ensemble([ensembles.load_member(n) for n in names])
    paths = [str(tmp_path / name) for name in ("one.csv", "two.csv")]
    output = outputs.Output(top_k=5)
    for path, source in zip(
        paths, (ensemble, ensemble.members[0]), strict=True
    ):
        predictors.write_predictions(
            source, run.pattern, path, output, num_readers=1
        )
    texts = [open(path, encoding="utf-8").read() for path in paths]
    assert texts[0] == texts[1]
