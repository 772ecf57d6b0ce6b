"""Programs answer before TensorFlow is imported, where nothing is computed."""

import dataclasses
import re

from absl import flags
import pytest

import console_scripts
from yt8m_compact import models
from yt8m_compact.programs.data import main as data
from yt8m_compact.run import config as config_lib

PROGRAMS = console_scripts.PROGRAMS
_VERBS = [f"yt8m-data {verb}" for verb in data.VERBS]
_WITHOUT_MODEL = {
    **dict.fromkeys(
        ("yt8m-predict", "yt8m-export", "yt8m-compress"),
        "reads the model and its settings from --train_dir",
    ),
    "yt8m-demo": "trains two models of its own",
}
_TRAIN = "yt8m-train --train_dir=run --train_data_pattern=a"

# The command, its exit status, and what it says on its first line.
ANSWERS = [
    *(
        (f"{name} {flag}", 0, module.__doc__.splitlines()[0])
        for name, module in PROGRAMS.items()
        for flag in ("--help", "-h", "-?", "--helpfull", "--wrng --help")
        if name != "yt8m-data" or "wrng" not in flag
    ),
    *(
        (f"{name} --help --model=MoeModel", 0, "settings of --model=MoeModel:")
        for name in ("yt8m-train", "yt8m-eval")
    ),
    # They make no model of that name.
    *(
        (f"{name} --help --model=MoeModel", 0, f"{name} {says}")
        for name, says in _WITHOUT_MODEL.items()
    ),
    *(
        (f"yt8m-data {verb} {flag}", 0, module.__doc__.splitlines()[0])
        for verb, module in data.VERBS.items()
        for flag in ("--help", "-h")
    ),
    *((f"{name} --version", 0, f"{name} ") for name in PROGRAMS),
    *((f"{verb} --version", 0, "yt8m-data ") for verb in _VERBS),
]
ERRORS = [
    *(
        (f"{name} --wrng", 2, f"error: expected a flag of {name}; see `{name}")
        for name in PROGRAMS
        if name != "yt8m-data"
    ),
    ("yt8m-data --wrng", 2, "error: expected one verb, of download, "),
    ("yt8m-data unheard", 2, "error: expected one verb, of download, "),
    *(
        (f"{verb} --wrng", 2, f"error: expected a flag of {verb.split()[1]};")
        for verb in _VERBS
    ),
    *(
        (
            f"{name} --model=MoeModel",
            2,
            f"error: expected no --model: {name} {says}",
        )
        for name, says in _WITHOUT_MODEL.items()
    ),
    # A flag that is needed.
    ("yt8m-train", 2, "error: expected --train_dir. Folder of the run: "),
    ("yt8m-train --train_dir=run", 2, "expected --train_data_pattern. "),
    ("yt8m-export", 2, "error: expected --train_dir. Folder of the run. "),
    ("yt8m-predict", 2, "error: expected --output_file. File to write. "),
    ("yt8m-predict --output_file=a", 2, "expected --input_data_pattern. "),
    ("yt8m-eval --train_dir=run", 2, "expected --eval_data_pattern. "),
    *((verb, 2, "error: expected --") for verb in _VERBS),
    # A value that is refused, by the flag or by the settings.
    (
        f"{_TRAIN} --batch_size=a",
        2,
        "error: expected --batch_size to be an integer. Received: "
        "batch_size='a'",
    ),
    (f"{_TRAIN} --batch_size=0", 2, "expected --batch_size to be at least 1"),
    (f"{_TRAIN} --model=Dbof", 2, "model='Dbof'; did you mean DbofModel?"),
    ("yt8m-train --model=DBofModel --help", 2, "; did you mean DbofModel?"),
    (f"{_TRAIN} --lr=1", 2, "--lr; did you mean --base_learning_rate?"),
    (f"{_TRAIN} --noxla", 2, "--noxla; did you mean --nojit_compile?"),
    ("yt8m-eval --val_data=a", 2, "did you mean --eval_data_pattern?"),
    ("yt8m-predict --output=a", 2, "did you mean --output_file?"),
    ("yt8m-demo --epochs=2", 2, "--epochs; did you mean --num_epochs?"),
    ("yt8m-compress --bs=2", 2, "--bs; did you mean --batch_size?"),
    ("yt8m-export --format=tflite", 2, "'tflite'; did you mean litert?"),
    ("yt8m-export --projection_export=fast", 2, "one of auto, fft, dft, dens"),
    ("yt8m-data pool --num_workers=2", 2, "did you mean --num_processes?"),
    (
        f"{_TRAIN} --checkpoint_step",
        2,
        "--checkpoint_step; did you mean --checkpoint_steps?",
    ),
    (f"{_TRAIN} --batch_size", 2, "Missing value for flag --batch_size; see"),
    (
        f"{_TRAIN} --classifier_projection=low_rnk",
        2,
        "error: --classifier_projection: expected a structure, one of",
    ),
    (
        f"{_TRAIN} --model=MoeModel --frame_features",
        2,
        "error: MoeModel reads video-level features: expected",
    ),
    (
        f"{_TRAIN} --dbof_cluster_size=5",
        2,
        "error: --dbof_cluster_size is not used by LogisticModel",
    ),
    (
        f"{_TRAIN} --model=DbofModel --frame_features "
        "--video_level_classifier_model=LogisticModel --moe_num_mixtures=3",
        2,
        "expected --video_level_classifier_model=MoeModel with "
        "--moe_num_mixtures",
    ),
    (f"{_TRAIN} --rank=2", 2, "error: --rank is not supported: "),
    ("yt8m-train --train_dir=script --train_data_pattern=a", 2, "which is a f"),
    (
        "yt8m-train --train_dir=run --study=missing",
        2,
        "missing: expected a study, in TOML. Received: no such file",
    ),
    (
        "yt8m-train --train_dir=run --study=study.toml",
        2,
        "study.toml: expected flags of yt8m-train, but for train_dir, study,",
    ),
    (
        "yt8m-train --train_dir=run --study=value.toml",
        2,
        "expected --batch_size to be at least 1. Received: batch_size=0 (in "
        "the run of batch_size=0, train_data_pattern=script)",
    ),
    ("yt8m-eval --parameters_only --num_classes=0", 2, "expected --num_class"),
    ("yt8m-eval --top_k=0", 2, "to be a positive integer. Rec"),
    (
        "yt8m-eval --train_dir=run --eval_data_pattern=a --model=MoeModel",
        2,
        "expected no --model: the model is read from --train_dir",
    ),
    (
        "yt8m-predict --output_file=a --input_data_pattern=script",
        2,
        "expected one of --train_dir, --model_file, --preset and --ensemble. ",
    ),
    (
        "yt8m-predict --output_file=a --input_data_pattern=script "
        "--model_file=missing.tflite",
        1,
        "missing.tflite: expected a model of yt8m-export: a file .tflite, ",
    ),
    (
        "yt8m-eval --eval_data_pattern=script --model_file=run",
        1,
        "run: expected a model of yt8m-export: a file .tflite, ",
    ),
    ("yt8m-export --train_dir=run more", 2, "expected flags only, such as"),
    # Before what is needed, and was perhaps typed without its dashes.
    *(
        (
            f"{program} foo",
            2,
            "error: expected flags only, such as --batch_size=1024. "
            "Received: foo",
        )
        for program in PROGRAMS
        if program != "yt8m-data"
    ),
    (
        f"{_TRAIN} --model=DbofModel --frame_features --dbof_clusters=3",
        2,
        "Received: dbof_clusters=3; did you mean --dbof_cluster_size?",
    ),
    ("yt8m-demo --num_epochs=0", 2, "to be a positive integer."),
    (
        "yt8m-compress --train_dir=run --output_dir=out --budget=1",
        2,
        "budget to be a number and a unit, one of B, bytes, kB, MB",
    ),
    (
        "yt8m-compress --train_dir=run --output_dir=out --budget=1MB "
        "--structures=rank",
        2,
        "expected a structure, one of dense, circulant",
    ),
    (
        "yt8m-compress --train_dir=run --output_dir=out --budget=1MB "
        "--teacher_weight=2",
        2,
        "teacher_weight=2",
    ),
    (
        "yt8m-compress --train_dir=run --output_dir=out --budget=1MB "
        "--train_data_pattern=script",
        1,
        "run/config.json: expected the config.json of a run",
    ),
    (
        "yt8m-compress --train_dir=made --output_dir=out --budget=1MB "
        "--train_data_pattern=missing",
        1,
        "no file matches the pattern 'missing'",
    ),
    ("yt8m-data convert --num_classes=a", 2, "expected --num_classes to be an"),
    (
        "yt8m-data download --output_dir=out --mirror=nowhere",
        2,
        "expected --mirror to be one of us, eu, asia. Received: ",
    ),
    (
        "yt8m-data synthesize --output_dir=out --num_classes=0",
        2,
        "expected --num_classes to be at least 1",
    ),
    (
        "yt8m-data verify --input_data_pattern=a --num_classes=0",
        2,
        "expected --num_classes to be at least 1",
    ),
    # A folder that can't be made, since a file is in its way.
    *(
        (
            f"{command}=script/new",
            2,
            f"error: expected --{command.rsplit('--', 1)[1]} to be a folder "
            "that can be written. Received: ",
        )
        for command in (
            "yt8m-export --train_dir=made --export_dir",
            "yt8m-export --train_dir=made --versioned --export_dir",
            "yt8m-export --train_dir=made --format=packed,keras --export_dir",
            "yt8m-demo --output_dir",
            "yt8m-compress --train_dir=made --budget=1MB "
            "--train_data_pattern=script --output_dir",
            "yt8m-train --train_data_pattern=script --study=good.toml "
            "--train_dir",
            "yt8m-data convert --input_data_pattern=script --output_dir",
            "yt8m-data download --output_dir",
            "yt8m-data repack --input_data_pattern=script --output_dir",
            "yt8m-data pool --input_data_pattern=script --output_dir",
            "yt8m-data split --input_data_pattern=script --output_dir",
            "yt8m-data synthesize --output_dir",
        )
    ),
    # No error of the command line, and none that needs TensorFlow.
    *(
        (
            f"{command}={pattern}",
            1,
            f"no file matches the pattern '{pattern}': expected at least",
        )
        for command in (
            "yt8m-train --train_dir=run --train_data_pattern",
            "yt8m-train --train_dir=run --train_data_pattern=script --teacher",
            "yt8m-eval --train_dir=made --eval_data_pattern",
            "yt8m-predict --train_dir=made --output_file=a"
            " --input_data_pattern",
            "yt8m-data convert --output_dir=out --input_data_pattern",
            "yt8m-data repack --output_dir=out --input_data_pattern",
            "yt8m-data pool --output_dir=out --input_data_pattern",
            "yt8m-data split --output_dir=out --input_data_pattern",
            "yt8m-data stats --input_data_pattern",
            "yt8m-data verify --input_data_pattern",
        )
        for pattern in ("missing", "missing*", "missing/*.tfrecord")
    ),
    *(
        (f"{command} --train_dir=run", 1, "run/config.json: expected the conf")
        for command in (
            "yt8m-eval --eval_data_pattern=script",
            "yt8m-export",
            "yt8m-predict --output_file=a --input_data_pattern=a",
        )
    ),
]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, console_scripts.Answer]:
    """What each command answers."""
    commands = [command.split() for command, _, _ in ANSWERS + ERRORS]
    folder = tmp_path_factory.mktemp("commands")
    (folder / "script").touch()
    start = 'score_data_pattern = "script"\n[grid]\n'
    (folder / "study.toml").write_text(f"{start}batch_sise = [1]")
    (folder / "good.toml").write_text(f"{start}batch_size = [1]")
    values = 'batch_size = [1, 0]\ntrain_data_pattern = ["script"]'
    (folder / "value.toml").write_text(start + values)
    config = config_lib.Config(
        data=config_lib.DataConfig(),
        model=models.LogisticConfig(),
        training=config_lib.TrainingConfig(),
    )
    (folder / "made").mkdir()
    config_lib.save(config, str(folder / "made" / "config.json"))
    at_import, answers = console_scripts.answers(
        commands, folder, [module.__name__ for module in PROGRAMS.values()]
    )
    assert at_import == []
    return dict(zip(map(" ".join, commands), answers, strict=True))


@pytest.mark.parametrize(("command", "status", "start"), ANSWERS)
def test_help_and_version(results, command, status, start):
    found, output, errors, heavy = results[command]
    assert (found, errors, heavy) == (status, "", [])
    assert output.startswith(start)
    assert max(map(len, output.splitlines())) <= 80 or "full" in command


def test_flags_that_may_be_repeated_say_it_in_our_words(results):
    text = results["yt8m-eval --helpfull"].output
    found = " ".join(text.split())
    assert "; the newest one if not given. Given several times, all of" in found
    assert "repeat this option" not in found


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_short_and_full_help_is_not(results, program):
    if program == "yt8m-data":
        return
    flag_values = flags.FlagValues()
    PROGRAMS[program].define_flags(flag_values)
    short, full = (
        re.findall(
            r"^  --(?:\[no\])?(\w+):",
            results[f"{program} {flag}"].output,
            re.MULTILINE,
        )
        for flag in ("--help", "--helpfull")
    )
    assert {*short} <= {*flag_values}
    assert len(short) <= 26
    # Each once, with those of every program.
    assert {*flag_values} < {*full}
    assert len(full) == len({*full})
    # By theme, where there are more than a few.
    headings = re.findall(
        r"^\w.*:$", results[f"{program} --help"].output, re.MULTILINE
    )
    assert len(headings) >= 4 or len(short) < 10


def test_help_of_a_model_has_its_settings_only(results):
    text = results["yt8m-train --help --model=MoeModel"].output
    listed = re.findall(r"^  --(?:\[no\])?(\w+):", text, re.MULTILINE)
    fields = dataclasses.fields(models.MODELS["MoeModel"])
    assert listed == [field.name for field in fields]
    # Its own default; another model has 4.
    assert "on top. (default: 2)" in " ".join(text.split())


@pytest.mark.parametrize(("command", "status", "text"), ERRORS)
def test_errors_of_the_command_line(results, command, status, text):
    found, output, errors, heavy = results[command]
    assert (found, output, heavy) == (status, "", [])
    (line,) = errors.splitlines()
    assert line.startswith(f"{command.split()[0]}: error: ")
    assert text in line
