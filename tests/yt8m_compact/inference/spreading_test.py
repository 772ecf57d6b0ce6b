"""Tests of predictions by many processes."""

import functools

import pytest

import formula_predictors
import local_mapper
import tiny_runs
from yt8m_compact import readers
from yt8m_compact.inference import outputs
from yt8m_compact.inference import predictors
from yt8m_compact.inference import spreading
from yt8m_compact.predictions import formats


def _make_spread(seed=0, mapper=None, **kwargs):
    return spreading.Spread(
        mapper or local_mapper.LocalMapper(),
        functools.partial(formula_predictors.make, seed, **kwargs),
    )


@pytest.fixture
def pattern(tmp_path):
    # Of more videos than a block has, and of files of which none is a whole
    # number of blocks.
    return tiny_runs.write_videos(tmp_path / "data", 250, num_files=3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("out.csv", None),
        ("out.jsonl.gz", outputs.Output(formats.Format.JSONL, top_k=3)),
        ("out.parquet", outputs.Output(formats.Format.PARQUET)),
        ("out.tfrecord", outputs.Output(formats.Format.TEACHER, top_k=2)),
    ],
)
def test_the_same_bytes_as_in_one_process(tmp_path, pattern, name, output):
    paths = []
    # A runner may do a task more than once.
    spread = _make_spread(mapper=local_mapper.LocalMapper(times=2))
    for folder, more in (("one", None), ("many", spread)):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / name)
        number = predictors.write_predictions(
            formula_predictors.make(),
            pattern,
            str(paths[-1]),
            output,
            num_readers=1,
            spread=more,
        )
        assert number == 250
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert len(spread.mapper.tasks) == 3
    assert [path.name for path in paths[1].parent.iterdir()] == [name]


@pytest.mark.slow
def test_the_same_embeddings(tmp_path, pattern):
    texts = []
    for more in (None, _make_spread(output="embeddings")):
        path = tmp_path / f"{len(texts)}.jsonl"
        predictors.write_predictions(
            formula_predictors.make(output="embeddings"),
            pattern,
            str(path),
            outputs.Output(formats.Format.JSONL, embeddings=True),
            num_readers=1,
            spread=more,
        )
        texts.append(path.read_text())
    assert texts[0] == texts[1]


@pytest.mark.slow
def test_what_is_left_out(tmp_path, pattern, caplog):
    (tmp_path / "data" / "train00.tfrecord").touch()  # Without a record.
    path = tmp_path / "data" / "train1.tfrecord"
    path.write_bytes(path.read_bytes()[:-5])
    texts, found = [], []
    for more, resume in ((None, False), (_make_spread(), False), (None, True)):
        caplog.clear()
        output = tmp_path / f"{len(texts)}.csv"
        skipped = readers.SkippedData()
        predictors.write_csv(
            formula_predictors.make(),
            pattern,
            str(output),
            num_readers=1,
            skipped=skipped,
            spread=more,
            resume=resume,
        )
        texts.append(output.read_text())
        found.append((skipped.files(), sorted(caplog.messages)))
    assert texts[0] == texts[1] == texts[2]
    # Told once, wherever it was found.
    assert found[0] == found[1] == found[2]
    assert len(found[0][0]) == len(found[0][1]) == 2
    # All of them.
    for path in (tmp_path / "data").iterdir():
        path.write_bytes(b"")
    with pytest.raises(readers.DataError, match="The file is empty"):
        predictors.write_csv(
            formula_predictors.make(),
            pattern,
            str(output),
            skipped=readers.SkippedData(),
            spread=_make_spread(),
        )


@pytest.mark.slow
def test_a_damaged_file_and_going_on(tmp_path, pattern):
    output = tmp_path / "out.csv"
    predictors.write_csv(
        formula_predictors.make(), pattern, str(output), num_readers=1
    )
    expected = output.read_bytes()
    output.unlink()
    path = tmp_path / "data" / "train1.tfrecord"
    content = path.read_bytes()
    path.write_bytes(content[:400] + b"????" + content[404:])

    def predict(mapper, **kwargs):
        return predictors.write_csv(
            formula_predictors.make(),
            pattern,
            str(output),
            spread=_make_spread(mapper=mapper),
            **kwargs,
        )

    with pytest.raises(
        readers.DataError,
        match=r"train1.tfrecord: record \d+ .*videos predicted of other files "
        "are not kept; to go on, leave out",
    ):
        predict(local_mapper.LocalMapper())
    with pytest.raises(
        readers.DataError,
        match=r"train1.tfrecord: record \d+ .*predicted of other files is kept",
    ):
        predict(local_mapper.LocalMapper(), resume=True)
    assert not output.exists()
    path.write_bytes(content)
    mapper = local_mapper.LocalMapper()
    assert predict(mapper, resume=True) == 250
    assert [number for number, _ in mapper.tasks] == [1, 2]
    assert output.read_bytes() == expected
    # Nothing is left beside it.
    assert {path.name for path in tmp_path.iterdir()} == {"data", "out.csv"}


def test_another_model_in_a_process(tmp_path, pattern):
    with pytest.raises(
        ValueError, match="began with, formula 0. Received: formula 1; has its"
    ):
        predictors.write_csv(
            formula_predictors.make(0),
            pattern,
            str(tmp_path / "out.csv"),
            spread=_make_spread(1),
        )
