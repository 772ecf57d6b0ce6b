"""The folder of a model in the files of another runtime."""

# ruff: noqa: E402
from yt8m_compact import keras_backend

keras_backend.expect_tensorflow()

from collections.abc import Callable, Mapping
import dataclasses
import os
from typing import Any

import keras
import numpy as np

from yt8m_compact import files
from yt8m_compact.inference.artefacts import artefact
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import few_bits
from yt8m_compact.inference.exports import portable_function
from yt8m_compact.inference.exports import prepared
from yt8m_compact.inference.exports import projection_export
from yt8m_compact.inference.exports import same_scores
from yt8m_compact.run import config as config_lib

OpenFile = Callable[[str], artefact.Artefact]
# From a function of `portable_function.make_portable_function`, the bytes of
# files by name, with all constants in a precision.
ConvertInFewBits = Callable[
    [Any, export_precision.ExportPrecision], Mapping[str, bytes]
]


@dataclasses.dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes:
        size: the bytes of the files.
        difference: the largest of a score to that of the model.
        mean_difference: the mean of all scores.
        lines: how projections and constants are stored.
    """

    size: int
    difference: float
    mean_difference: float
    lines: tuple[str, ...]


def save(
    folder: str,
    about: companions.About,
    made: prepared.Prepared,
    contents: Mapping[str, bytes],
    open_file: OpenFile,
    card: companions.Artefact,
    precision: export_precision.ExportPrecision = (
        export_precision.ExportPrecision.FLOAT32
    ),
    lines: tuple[str, ...] = (),
) -> Saved:
    """Writes files that predict what their model does, and their companions.

    They are opened before they appear, and all appear or none.

    Args:
        folder: the folder, which is replaced.
        about: how the export comes about.
        made: what the files are of.
        contents: their bytes, by name; the first file is the one to open.
        open_file: opens it.
        card: what they are, for the model card, but for inputs and outputs.
        precision: of their constants, which were chosen by every second video:
            the others judge.
        lines: how constants are stored.

    Returns:
        What was written.

    Raises:
        ValueError: if they can't be opened, or do not predict the same.
        OSError: if they can't be written.
    """
    opened = open_contents(contents, open_file)
    differences = _expect_same_scores(opened, made, precision)
    del opened  # Which may hold the files open.
    lines = (*made.lines, *lines)
    card = dataclasses.replace(
        card,
        inputs=companions.describe_specs(made.specs),
        outputs=companions.describe_scores(about.config),
        notes=[*card.notes, *(f"Stored: {line}." for line in lines)],
    )
    with files.writing_folder(folder, replace=True) as partial:
        _write(partial, contents)
        companions.write(partial, about, made.model, card)
    return Saved(
        sum(map(len, contents.values())),
        float(differences.max()),
        float(differences.mean()),
        lines,
    )


def save_in_few_bits(
    folder: str,
    config: config_lib.Config,
    model: keras.Model,
    precision: export_precision.ExportPrecision,
    batch_size: int | None,
    convert: ConvertInFewBits,
) -> None:
    """Writes files alone, all of their constants in a precision.

    Whatever scores bear: for a comparison of bytes and times.

    Args:
        folder: the folder, which is replaced.
        config: the configuration of the model.
        model: the model.
        precision: of all constants.
        batch_size: videos to predict at once; None is any number.
        convert: to the files of a runtime.

    Raises:
        ValueError: if the model has operators that the runtime has not, or a
            package is missing.
        OSError: if they can't be written.
    """
    model = portable_function.in_float32(config, model)
    specs = portable_function.specs_of_run(config, model, batch_size)
    function = portable_function.make_portable_function(
        model, specs, projection_export.ProjectionExport.DENSE
    )
    contents = convert(function, precision)
    with files.writing_folder(folder, replace=True) as partial:
        for name, content in contents.items():
            with files.writing(os.path.join(partial, name), "wb") as file:
                file.write(content)


def open_contents(
    contents: Mapping[str, bytes], open_file: OpenFile
) -> artefact.Artefact:
    """Opens files that are not written yet.

    They are put in a folder of this system, which every runtime can read, and
    which goes away when they are open.

    Args:
        contents: the bytes of the files, by name; the first is the one to open.
        open_file: opens it.

    Raises:
        ValueError: if they can't be opened.
    """
    with files.temporary_folder() as local:
        _write(local, contents)
        return open_file(os.path.join(local, next(iter(contents))))


def _expect_same_scores(
    opened: artefact.Artefact,
    made: prepared.Prepared,
    precision: export_precision.ExportPrecision,
) -> np.ndarray:
    """Compares all of the sample at once, and the first video alone.

    Of one video, axes of size 1 hide what is wrong with more, and the other
    way round.
    """
    noun = opened.KIND.partition(" ")[2]
    judging = slice(None)
    if precision is not export_precision.ExportPrecision.FLOAT32:
        noun += f" in {precision}"
        if len(made.expected) > 1:  # Those that nothing was chosen by.
            judging = slice(1, None, 2)
    inputs = {name: value[judging] for name, value in made.inputs.items()}
    expected = made.expected[judging]
    tolerance = few_bits.TOLERANCES[precision]
    differences = same_scores.expect(
        opened.predict_each(inputs), expected, noun, tolerance
    )
    first = same_scores.expect(
        opened.predict_each({k: v[:1] for k, v in inputs.items()}),
        expected[:1],
        noun,
        tolerance,
    )
    differences[:1] = np.maximum(differences[:1], first)
    return differences


def _write(folder: str, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        with files.writing(os.path.join(folder, name), "wb") as file:
            file.write(content)
