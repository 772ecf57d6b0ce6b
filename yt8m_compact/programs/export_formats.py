"""The formats of yt8m-export, whatever module writes them."""

from __future__ import annotations

from collections.abc import Callable, Collection
import dataclasses
import functools

from yt8m_compact import lazy
from yt8m_compact.inference.exports import export_precision
from yt8m_compact.inference.exports import projection_export as forms

with lazy.imports():
    import keras
    import tensorflow as tf

    from yt8m_compact.inference.exports import companions
    from yt8m_compact.inference.exports import keras_file
    from yt8m_compact.inference.exports import litert
    from yt8m_compact.inference.exports import litert_quantization
    from yt8m_compact.inference.exports import onnx
    from yt8m_compact.inference.exports import openvino
    from yt8m_compact.inference.exports import packed
    from yt8m_compact.inference.exports import portable_file
    from yt8m_compact.inference.exports import saved_model
    from yt8m_compact.inference.exports import versions
    from yt8m_compact.run import config as config_lib

# Those that turn the weights of a model into their bits, which the others don't
# take: they come last.
_PACKING = ("saved_model", "packed", "keras")
# Those of runtimes that have no Fourier transforms.
PORTABLE = ("litert", "onnx", "openvino")


@dataclasses.dataclass(frozen=True)
class Options:
    """How formats are written.

    Attributes:
        projection_export: how portable ones write products with projections.
        batch_size: videos that portable ones predict at once; None is any
            number.
        precision: what portable ones store constants in.
        calibration_data_pattern: records that portable ones are compared on,
            and choose by; None draws inputs.
        served: what is about a SavedModel alone.
    """

    projection_export: forms.ProjectionExport
    batch_size: int | None
    precision: export_precision.ExportPrecision
    calibration_data_pattern: str | None
    served: saved_model.Options


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        folder: where.
        size: the bytes of its files.
        difference: the largest one of a score to the model; None if it was not
            looked for.
        mean_difference: the mean one.
        lines: how it is stored.
    """

    folder: str
    size: int
    difference: float | None = None
    mean_difference: float | None = None
    lines: tuple[str, ...] = ()

    def describe(self) -> str:
        """Describes it in the line of an export."""
        text = f"{self.folder}, {self.size:,} bytes"
        if self.difference is None:
            return text
        text += f", scores within {self.difference:.1e}"
        if self.mean_difference is None:
            return text
        return f"{text}, {self.mean_difference:.1e} on average"


def in_order(kinds: Collection[str]) -> list[str]:
    """Sorts formats so that each gets the model as it needs it.

    Args:
        kinds: their names.
    """
    return sorted(kinds, key=lambda kind: kind in _PACKING)


def expect_packages(kind: str) -> None:
    """Refuses to go on without the packages that a format needs.

    Args:
        kind: the format.

    Raises:
        ValueError: if one is not installed.
    """
    if kind == "onnx":
        onnx.expect_packages()
    if kind == "openvino":
        openvino.expect_packages()


def write(
    kind: str,
    folder: str,
    about: companions.About,
    model: keras.Model,
    options: Options,
) -> Written:
    """Writes one format.

    Args:
        kind: the format.
        folder: where to.
        about: how the export comes about.
        model: the model of the run, which some formats pack in place.
        options: how it is written.

    Returns:
        What was written.

    Raises:
        ValueError: if the format can't hold the model, or does not predict
            what it does.
        OSError: if it can't be written.
    """
    if kind == "packed":
        return Written(folder, packed.save(folder, about, model))
    if kind == "keras":
        return Written(folder, *keras_file.save(folder, about, model))
    if kind == "saved_model":
        return Written(*saved_model.save(folder, about, model, options.served))
    arguments = [
        folder,
        about,
        model,
        options.projection_export,
        options.batch_size,
        options.precision,
        options.calibration_data_pattern,
    ]
    if kind == "litert":
        saved = litert.save(*arguments)
    elif kind == "onnx":
        saved = onnx.save(*arguments)
    else:
        saved = openvino.save(*arguments)
    return Written(folder, **dataclasses.asdict(saved))


def twins(
    kind: str, about: companions.About, options: Options
) -> dict[str, Callable[[str, config_lib.Config, keras.Model], object]]:
    """Says what an export is compared with: dense models, untrained.

    Args:
        kind: the format.
        about: how the export comes about.
        options: how it is written.

    Returns:
        By name, what writes a model of a configuration to a folder: in the same
        way, and to portable formats also with all constants in few bits.
    """

    def same(folder: str, config: config_lib.Config, model: keras.Model):
        served = dataclasses.replace(options.served, versioned=False)
        write(
            kind,
            folder,
            dataclasses.replace(about, config=config),
            model,
            dataclasses.replace(
                options,
                precision=export_precision.ExportPrecision.FLOAT32,
                served=served,
            ),
        )

    found = {"dense": same}
    convert = _converter_in_few_bits(kind)
    if convert is not None:
        for precision in (
            export_precision.ExportPrecision.INT8,
            export_precision.ExportPrecision.INT4,
        ):
            found[f"dense {precision}"] = functools.partial(
                portable_file.save_in_few_bits,
                precision=precision,
                batch_size=options.batch_size,
                convert=convert,
            )
    return found


def _converter_in_few_bits(
    kind: str,
) -> portable_file.ConvertInFewBits | None:
    """Finds what converts to a format with all constants in few bits."""
    if kind == "litert" and litert_quantization.is_possible():
        return litert.convert_in_few_bits
    if kind == "onnx":
        return onnx.convert_in_few_bits
    if kind == "openvino":
        return openvino.convert_in_few_bits
    return None


def check_holds_versions(export_dir: str) -> None:
    """Refuses a folder of anything but versions.

    Args:
        export_dir: the folder.

    Raises:
        ValueError: if there is something else in it.
    """
    if not tf.io.gfile.exists(export_dir):
        return
    others = [
        name.rstrip("/")
        for name in tf.io.gfile.listdir(export_dir)
        if not name.startswith(".")
    ]
    numbers = {str(number) for number in versions.numbers_in(export_dir)}
    others = sorted({*others} - numbers)
    if others:
        raise ValueError(
            f"{export_dir}: expected a folder of nothing but versions, whose "
            f"names are numbers, with --versioned. Received: {others[0]} in it;"
            " use another --export_dir"
        )


def check_replaceable(export_dir: str, overwrite: bool, kind: str) -> None:
    """Refuses a folder that would be overwritten, or is none of an export.

    Args:
        export_dir: the folder.
        overwrite: whether an export of the same format is replaced.
        kind: the format.

    Raises:
        ValueError: if it is not empty.
    """
    if not tf.io.gfile.exists(export_dir):
        return
    if tf.io.gfile.isdir(export_dir) and not tf.io.gfile.listdir(export_dir):
        return
    noun, there = {
        "saved_model": ("a SavedModel", saved_model.is_saved),
        "packed": ("a packed model", packed.is_saved),
        "litert": ("a LiteRT model", litert.is_saved),
        "onnx": ("an ONNX model", onnx.is_saved),
        "openvino": ("an OpenVINO model", openvino.is_saved),
        "keras": ("a Keras model", keras_file.is_saved),
    }[kind]
    is_exported = there(export_dir)
    if overwrite and is_exported:
        return
    received = noun if is_exported else "something else"
    advice = "--overwrite or " if is_exported else ""
    raise ValueError(
        f"{export_dir}: expected a folder that is empty or does not exist yet. "
        f"Received: {received} in it; use {advice}another --export_dir"
    )
