"""Tests of models and predictions that are evaluated on the same videos."""

import dataclasses

import numpy as np
import pytest

import tiny_runs
from yt8m_compact.eval import comparing
from yt8m_compact.eval import comparison_sources
from yt8m_compact.eval import ranked_videos
from yt8m_compact.eval import same_videos
from yt8m_compact.run import config as config_lib


@pytest.mark.parametrize("file", ["", "model.onnx"])
def test_models_of_other_classes_are_not_compared(tmp_path, file):
    config = tiny_runs.video_config("missing*")
    data = dataclasses.replace(config.data, num_classes=4)
    for name, of_run in (
        ("one", config),
        ("other", dataclasses.replace(config, data=data)),
    ):
        (tmp_path / name).mkdir()
        config_lib.save(of_run, str(tmp_path / name / "config.json"))
    sources = [
        comparison_sources.Source("one", train_dir=str(tmp_path / "one"))
    ]
    if file:
        path = tmp_path / "other" / file
        path.touch()
        sources.append(comparison_sources.Source("other", model_file=str(path)))
    else:
        path = tmp_path / "other"
        sources.append(comparison_sources.Source("other", train_dir=str(path)))
    # Told before there is a look at models or data, which are not there.
    comparer = comparing.Comparer("missing*", num_draws=2)
    with pytest.raises(
        ValueError, match="Received: 4 classes of other, where one has 5"
    ):
        next(comparer.evaluate(sources))


def test_checkpoints_that_are_missing_are_told_at_the_start():
    run = tiny_runs.video_run()
    sources = comparison_sources.make_sources([run.path], [10, 99], [])
    comparer = comparing.Comparer("missing*", num_draws=2)
    with pytest.raises(ValueError, match="one of the steps .*10. Rec.*step=99"):
        next(comparer.evaluate(sources))


@pytest.mark.slow
def test_predictions_beside_a_model():
    run = tiny_runs.video_run()
    features = tiny_runs.features_of(run, run.pattern)
    predictions = tiny_runs.predictions_of(run, run.pattern)
    labels = features["labels"] > 0
    ids = np.asarray(features["id"]).astype(bytes)
    # Those of the model itself, the last video first.
    order = np.argsort(-predictions, axis=1, kind="stable")
    hits = np.take_along_axis(labels, order, axis=1)
    num_labels = labels.sum(axis=1)
    in_first = np.arange(5) < num_labels[:, np.newaxis]
    best = ranked_videos.RankedVideos(
        np.take_along_axis(predictions, order, axis=1)[:, :3],
        order[:, :3],
        hits[:, :3],
        num_labels,
        np.sum(hits & in_first, axis=1),
    ).take(np.arange(len(labels))[::-1])
    digests = same_videos.label_digests(*np.nonzero(labels), len(labels))
    comparer = comparing.Comparer(run.pattern, num_draws=20, top_k=3)
    list(
        comparer.evaluate(
            [comparison_sources.Source("run", train_dir=run.path)]
        )
    )
    comparer.add_predictions("file", ids[::-1], digests[::-1], best)
    compared = comparer.result()
    assert [member.name for member in compared.members] == ["run", "file"]
    assert (compared.num_videos, compared.top_k) == (40, 3)
    ((letter, found),) = compared.differences()
    assert letter == "B"
    for metric in ("gap", "hit_at_1", "perr"):
        assert found[metric].value == pytest.approx(0, abs=1e-6)
        assert found[metric].high == pytest.approx(0, abs=1e-6)
    digests[3] += np.uint64(1)
    with pytest.raises(ValueError, match="other labels of the video"):
        comparer.add_predictions("other", ids[::-1], digests[::-1], best)
