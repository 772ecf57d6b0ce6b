"""Programs answer before TensorFlow is imported, where nothing is computed."""

import json

import pytest

import console_scripts
import tiny_runs
from yt8m_compact import models
from yt8m_compact.programs.data import main as data
from yt8m_compact.run import config as config_lib

# One process imports the programs, and runs each command in a child of its own.
# Every one says which of the heavy packages it has imported.
_RUN_ALL = """
import importlib, json, os, sys, tempfile, traceback

HEAVY = [
    "tensorflow", "keras", "tensorboard", "tensorflow_datasets", "google",
    "h5py", "matplotlib", "numpy", "pandas", "scipy", "sklearn"]

def heavy():
    return [name for name in HEAVY if name in sys.modules]

modules, commands = json.loads(sys.argv[1])
for module in modules:
    importlib.import_module(module)
results = [heavy()]
for module, arguments in commands:
    streams = [tempfile.TemporaryFile("w+") for _ in range(3)]
    child = os.fork()
    if not child:
        for number, stream in enumerate(streams[:2], start=1):
            os.dup2(stream.fileno(), number)
        sys.argv = arguments
        status = 99
        try:
            sys.modules[module].run()
        except SystemExit as error:
            status = error.code or 0
        except BaseException:
            traceback.print_exc()
        json.dump(heavy(), streams[2])
        for stream in (sys.stdout, sys.stderr, streams[2]):
            stream.flush()
        os._exit(status)
    _, status = os.waitpid(child, 0)
    texts = []
    for stream in streams:
        stream.seek(0)
        texts.append(stream.read())
    results.append([
        os.waitstatus_to_exitcode(status), *texts[:2], json.loads(texts[2])])
print(json.dumps(results))
"""

PROGRAMS = console_scripts.PROGRAMS
_VERBS = [f"yt8m-data {verb}" for verb in data.VERBS]
_TRAIN = "yt8m-train --train_dir=run --train_data_pattern=a"

# The command, its exit status, and what it says on its first line.
ANSWERS = [
    *(
        (f"{name} {flag}", 0, module.__doc__.splitlines()[0])
        for name, module in PROGRAMS.items()
        for flag in ("--help", "-h", "--helpfull")
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
        (f"{name} --wrng", 2, "error: Unknown command line flag 'wrng'")
        for name in PROGRAMS
        if name != "yt8m-data"
    ),
    ("yt8m-data --wrng", 2, "error: expected one verb, of download, "),
    ("yt8m-data unheard", 2, "error: expected one verb, of download, "),
    *(
        (f"{verb} --wrng", 2, f"error: expected a flag of {verb.split()[1]};")
        for verb in _VERBS
    ),
    # A flag that is needed.
    ("yt8m-train", 2, "--train_dir must have a value"),
    ("yt8m-train --train_dir=run", 2, "expected --train_data_pattern. "),
    ("yt8m-export", 2, "--train_dir must have a value"),
    ("yt8m-predict", 2, "--output_file must have a value"),
    ("yt8m-predict --output_file=a", 2, "expected --input_data_pattern. "),
    ("yt8m-eval --train_dir=run", 2, "expected --eval_data_pattern. "),
    *((verb, 2, "error: expected --") for verb in _VERBS),
    # A value that is refused, by the flag or by the settings.
    (f"{_TRAIN} --batch_size=a", 2, "flag --batch_size=a: "),
    (f"{_TRAIN} --batch_size=0", 2, "expected --batch_size to be at least 1"),
    (f"{_TRAIN} --model=Dbof", 2, "flag --model=Dbof: value should be one of"),
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
        "expected video_level_classifier_model=MoeModel with moe_num_mixtures",
    ),
    (f"{_TRAIN} --num_gpu=2", 2, "error: --num_gpu is not supported: "),
    (f"{_TRAIN} --rank=2", 2, "error: --rank is not supported: "),
    ("yt8m-train --train_dir=script --train_data_pattern=a", 2, "which is a f"),
    ("yt8m-eval --parameters_only --num_classes=0", 2, "expected --num_class"),
    ("yt8m-eval --top_k=0", 2, "flag --top_k=0: "),
    (
        "yt8m-eval --train_dir=run --eval_data_pattern=a --model=MoeModel",
        2,
        "expected no --model: the model is read from --train_dir",
    ),
    (
        "yt8m-predict --output_file=a --input_data_pattern=script",
        2,
        "expected one of --train_dir and --saved_model. Received: ",
    ),
    ("yt8m-export --train_dir=run more", 2, "expected flags only, such as"),
    ("yt8m-demo --num_epochs=0", 2, "flag --num_epochs=0: "),
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
    # No error of the command line, and none that needs TensorFlow.
    *(
        (
            f"{command}={pattern}",
            1,
            f"no file matches the pattern '{pattern}': expected at least",
        )
        for command in (
            "yt8m-train --train_dir=run --train_data_pattern",
            "yt8m-eval --train_dir=made --eval_data_pattern",
            "yt8m-predict --train_dir=made --output_file=a"
            " --input_data_pattern",
            "yt8m-data convert --output_dir=out --input_data_pattern",
            "yt8m-data repack --output_dir=out --input_data_pattern",
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
def results(tmp_path_factory) -> dict[str, list]:
    """Exit status, output, errors and heavy imports of each command."""
    commands = [command.split() for command, _, _ in ANSWERS + ERRORS]
    names = {name: module.__name__ for name, module in PROGRAMS.items()}
    folder = tmp_path_factory.mktemp("commands")
    (folder / "script").touch()
    config = config_lib.Config(
        data=config_lib.DataConfig(),
        model=models.LogisticConfig(),
        training=config_lib.TrainingConfig(),
    )
    (folder / "made").mkdir()
    config_lib.save(config, str(folder / "made" / "config.json"))
    done = tiny_runs.execute(
        "-c",
        _RUN_ALL,
        json.dumps(
            [
                list(names.values()),
                [(names[command[0]], command) for command in commands],
            ]
        ),
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    at_import, *answers = json.loads(done.stdout)
    assert at_import == []
    return dict(zip(map(" ".join, commands), answers, strict=True))


@pytest.mark.parametrize(("command", "status", "start"), ANSWERS)
def test_help_and_version(results, command, status, start):
    found, output, errors, heavy = results[command]
    assert (found, errors, heavy) == (status, "", [])
    assert output.lstrip().startswith(start)


@pytest.mark.parametrize(("command", "status", "text"), ERRORS)
def test_errors_of_the_command_line(results, command, status, text):
    found, output, errors, heavy = results[command]
    assert (found, output, heavy) == (status, "", [])
    (line,) = errors.splitlines()
    assert line.startswith(f"{command.split()[0]}: error: ")
    assert text in line
