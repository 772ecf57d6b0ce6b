r"""What each lever of training is worth, on real records.

    python -m benchmarks.levers --data_dir=DATA --work_dir=WORK \
      --output_csv=benchmarks/results/levers.csv
    python -m benchmarks.levers --output_csv=benchmarks/results/levers.csv \
      --table

DATA holds `yt8m_2018_video/validate0000.tfrecord` to `validate0099.tfrecord`,
video-level YouTube-8M of 2018, and `audioset/bal_train.tfrecord`. All runs of a
data set are of one dense network, and learn in batches of 256. YouTube-8M: 1152
values to 1024 hidden units to 3,862 classes, which sees each video eight times,
in the last ones sixteen times. AudioSet: DBoF of 2048 clusters, average
pooling, 512 hidden units and mixtures of 2 experts, which sees each video four
times. A lever is what a run has beside; where it has several settings, or goes
with several learning rates, the one is taken whose run on a part of the
training data is best on the rest, with seed 0: in GAP@20 for YouTube-8M (files
0000 to 0069, and 0070 to 0079), in MAP for AudioSet (a fifth of the videos, by
a hash). With that one, three seeds are trained on all training data and
evaluated where nothing is chosen: files 0000 to 0079 and 0080 to 0099; a tenth
of AudioSet's videos, by a hash.

What was measured is in the CSV file, a line a run; what is there is not
measured again, so that the command goes on where it was stopped.
"""

import argparse
from collections.abc import Iterator
import csv
import dataclasses
import datetime
import itertools
import pathlib
import shlex
import shutil
import statistics

from absl import flags
import tabulate

from benchmarks.front import cases
from benchmarks.front import data_sets
from yt8m_compact import training
from yt8m_compact.eval import evaluation
from yt8m_compact.programs import train
from yt8m_compact.run import command_line
from yt8m_compact.run import config as config_lib

# "tuning" is for choices; named as in benchmarks/front/data_sets.py.
_SPLITS = {"tuning": "validation", "test": "test"}
_BATCH_SIZE = 256
_SEEDS = (0, 1, 2)
# Of the runs that teach: none that learns from them has one of these.
_TEACHER_SEEDS = (100, 101)

_TRAINING = {
    "batch_norm_momentum": "0.97",
    "batch_size": f"{_BATCH_SIZE}",
    "num_epochs": "1000",
    "checkpoint_steps": "10000",
}
_MIXTURE = {
    "model": "MoeModel",
    "moe_num_mixtures": "1",
    "mlp_hidden_size": None,
    "drop_rate": None,
    "batch_norm_momentum": None,
}
_CHAIN = {
    **_MIXTURE,
    "model": "DeepCombineChainModel",
    "deep_chain_layers": "1",
}
_TEACHERS = "TEACHERS"
_COSINE = {"learning_rate_schedule": "cosine", "schedule_steps": "STEPS"}


@dataclasses.dataclass(frozen=True)
class Lever:
    """What a run has beside the others.

    Attributes:
        name: what it is called; unique.
        flags: values of flags of yt8m-train, None for a flag that the network
            of the others has and this one has not; `STEPS` and `TEACHERS` stand
            for the number of steps and the folders of two runs that teach.
        choices: flags' values that are tried on the tuning split.
        weights: which weights are evaluated, as --weights of yt8m-eval.
        teachers: what the two runs have that teach, where there are any.
        length: how many times the steps of the others.
    """

    name: str
    flags: dict[str, str | None]
    choices: tuple[dict[str, str], ...] = ({},)
    weights: str = "raw"
    teachers: "Lever | None" = None
    length: int = 1


def _values(flag: str, *values: float) -> tuple[dict[str, str], ...]:
    return tuple({flag: str(value)} for value in values)


def _rates(*values: float) -> tuple[dict[str, str], ...]:
    return _values("base_learning_rate", *values)


BASELINE = Lever("none", {}, _rates(0.0005, 0.001, 0.002))
_TOGETHER = {
    **_COSINE,
    "warmup_steps": "40",
    "base_learning_rate": "0.002",
    "teacher": _TEACHERS,
    "input_drop_rate": "0.2",
}
COSINE = Lever("cosine", _COSINE, _rates(0.001, 0.002, 0.004))
TOGETHER = Lever(
    "together",
    _TOGETHER,
    (
        {"teacher_weight": "0.7"},
        {"teacher_weight": "0.9"},
        {"teacher_weight": "0.7", "mixup_alpha": "0.2"},
        {"teacher_weight": "0.9", "mixup_alpha": "0.2"},
    ),
    teachers=COSINE,
)
# Of any model.
_LEVERS = (
    BASELINE,
    COSINE,
    Lever(
        "cosine, warm-up",
        {**_COSINE, "warmup_steps": "40"},
        _rates(0.001, 0.002, 0.004),
    ),
    Lever("no clipping", {"clip_gradient_norm": "0"}),
    Lever("global clipping", {"clip_gradients": "global"}),
    Lever(
        "weight decay",
        {},
        _values("weight_decay", 0.01, 0.1, 0.5),
    ),
    Lever("AdamW", {"optimizer": "AdamW"}),
    Lever("Lion", {"optimizer": "Lion"}, _rates(0.0002, 0.0004, 0.0008)),
    Lever("Muon", {"optimizer": "Muon"}, _rates(0.001, 0.002, 0.005)),
    Lever(
        "ScheduleFreeAdamW",
        {
            "optimizer": "ScheduleFreeAdamW",
            "learning_rate_schedule": "constant",
            "warmup_steps": "40",
        },
        _rates(0.001, 0.002, 0.004),
    ),
    Lever("SGD", {"optimizer": "SGD"}, _rates(1, 10, 100)),
    Lever("Momentum", {"optimizer": "Momentum"}, _rates(0.1, 1, 10)),
    Lever("Adagrad", {"optimizer": "Adagrad"}, _rates(0.01, 0.03, 0.1)),
    Lever("RMSprop", {"optimizer": "RMSprop"}, _rates(0.0003, 0.001, 0.002)),
    Lever(
        "average of weights (EMA)",
        {},
        _values("ema_momentum", 0.98, 0.99, 0.995),
        weights="ema",
    ),
    Lever(
        "average of 5 checkpoints",
        {"checkpoint_steps": "30", "keep_checkpoints": "5"},
        weights="average:5",
    ),
    Lever(
        "two batches an update",
        {"gradient_accumulation_steps": "2", "batch_size": "128"},
    ),
    Lever("bfloat16", {"dtype_policy": "mixed_bfloat16"}),
    Lever("float16", {"dtype_policy": "mixed_float16"}),
    Lever("label smoothing", {}, _values("label_smoothing", 0.01, 0.05, 0.1)),
    Lever(
        "focal loss", {"label_loss": "FocalLoss"}, _values("focal_gamma", 1, 2)
    ),
    Lever("positive weight", {}, _values("positive_weight", 1.5, 2, 3)),
)
_TWO_TEACHERS = Lever(
    "two teachers",
    {"teacher": _TEACHERS},
    _values("teacher_weight", 0.3, 0.5, 0.7, 0.9),
    teachers=BASELINE,
)


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What the runs are trained and evaluated on, what they are, and have.

    Attributes:
        name: the name, as in `Row.data`.
        metric: what choices are made by, a field of `Row`.
        num_steps: of a run, for each split.
        network: values of flags of yt8m-train that all runs have.
        levers: what is measured.
    """

    name: str
    metric: str
    num_steps: dict[str, int]
    network: dict[str, str]
    levers: tuple[Lever, ...]


DATA_SETS = {
    data.name: data
    for data in (
        DataSet(
            cases.YT8M,
            "gap",
            {"tuning": 632, "test": 720},
            {
                "feature_names": "mean_rgb,mean_audio",
                "feature_sizes": "1024,128",
                "model": "MlpModel",
                "mlp_hidden_size": "1024",
                "drop_rate": "0.5",
            },
            (
                *_LEVERS,
                Lever("mixup", {}, _values("mixup_alpha", 0.1, 0.2, 0.4)),
                Lever(
                    "dropout of inputs",
                    {},
                    _values("input_drop_rate", 0.1, 0.2, 0.3),
                ),
                Lever(
                    "a mixture of one expert instead",
                    _MIXTURE,
                    _rates(0.002, 0.005, 0.01),
                ),
                Lever(
                    "a chain of two of these mixtures",
                    _CHAIN,
                    _rates(0.002, 0.005, 0.01),
                ),
                _TWO_TEACHERS,
                TOGETHER,
                Lever(
                    "together, 16 epochs",
                    _TOGETHER,
                    (
                        {"teacher_weight": "0.7"},
                        {"teacher_weight": "0.9"},
                        {"teacher_weight": "0.7", "input_drop_rate": "0"},
                    ),
                    teachers=COSINE,
                    length=2,
                ),
                Lever(
                    "together, 16 epochs, teachers that had teachers",
                    _TOGETHER,
                    ({"teacher_weight": "0.7"},),
                    teachers=TOGETHER,
                    length=2,
                ),
            ),
        ),
        DataSet(
            cases.AUDIOSET,
            "map",
            {"tuning": 250, "test": 312},
            {
                "frame_features": "true",
                "feature_names": "audio_embedding",
                "feature_sizes": "128",
                "num_classes": "527",
                "max_frames": "10",
                "iterations": "10",
                "model": "DbofModel",
                "dbof_cluster_size": "2048",
                "dbof_hidden_size": "512",
                "dbof_pooling_method": "average",
            },
            (
                *_LEVERS,
                _TWO_TEACHERS,
                Lever(
                    "together",
                    {
                        **_COSINE,
                        "warmup_steps": "40",
                        "base_learning_rate": "0.002",
                        "teacher": _TEACHERS,
                    },
                    _values("teacher_weight", 0.5, 0.7, 0.9),
                    teachers=COSINE,
                ),
            ),
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One run: what it was, and its scores."""

    data: str
    split: str
    lever: str
    flags: str
    weights: str
    seed: int
    gap: float
    hit_at_1: float
    perr: float
    map: float
    steps: int
    date: str


class Levers:
    """Trains and evaluates what is not in the file yet.

    Args:
        data: the data set.
        data_dir: folder of the real records.
        work_dir: folder of the runs; those that teach stay there.
        output_csv: file of the rows.
    """

    def __init__(
        self,
        data: DataSet,
        data_dir: pathlib.Path,
        work_dir: pathlib.Path,
        output_csv: pathlib.Path,
    ) -> None:
        self._data = data
        self._data_dir = data_dir
        self._work_dir = work_dir
        self._output_csv = output_csv
        self._rows = read_rows(output_csv)

    def run(self, levers: tuple[Lever, ...]) -> None:
        """Measures levers one after the other."""
        for lever in levers:
            chosen = self._choose(lever)
            for seed in _SEEDS:
                row = self._measure("test", lever, chosen, seed)
                score = getattr(row, self._data.metric)
                print(f"{lever.name}, {row.flags}: {score:.4f}", flush=True)

    def _choose(self, lever: Lever) -> dict[str, str]:
        if len(lever.choices) == 1:
            return lever.choices[0]
        scores = [
            getattr(
                self._measure("tuning", lever, choice, 0), self._data.metric
            )
            for choice in lever.choices
        ]
        return lever.choices[scores.index(max(scores))]

    def _measure(
        self, split: str, lever: Lever, choice: dict[str, str], seed: int
    ) -> Row:
        values = {**lever.flags, **choice}
        if lever is not BASELINE:
            # Its learning rate is theirs, where they have none of their own.
            values = {**self._choose(BASELINE), **values}
        text = shlex.join(
            f"--{name}={value}"
            for name, value in values.items()
            if value is not None
        )
        for row in self._rows:
            if (row.data, row.split, row.lever, row.flags, row.seed) == (
                self._data.name,
                split,
                lever.name,
                text,
                seed,
            ):
                return row
        folder = self._work_dir / "current"
        # What is there of an interrupted run may be of another lever.
        shutil.rmtree(folder, ignore_errors=True)
        values = self._with_teachers(split, lever, values)
        steps = self._train(split, values, seed, folder, lever.length)
        evaluator = evaluation.Evaluator(
            str(folder),
            self._records(split).eval_pattern,
            weights=lever.weights,
        )
        metrics = evaluator.evaluate().metrics
        shutil.rmtree(folder)
        row = Row(
            data=self._data.name,
            split=split,
            lever=lever.name,
            flags=text,
            weights=lever.weights,
            seed=seed,
            gap=metrics["gap"],
            hit_at_1=metrics["hit_at_1"],
            perr=metrics["perr"],
            map=metrics["map"],
            steps=steps,
            date=datetime.date.today().isoformat(),
        )
        self._rows.append(row)
        write_rows(self._output_csv, self._rows)
        return row

    def _with_teachers(
        self, split: str, lever: Lever, values: dict[str, str | None]
    ) -> dict[str, str | None]:
        """Names the runs that teach, trained unless they are there."""
        if lever.teachers is None:
            return values
        teachers = self._teachers_of(split, lever.teachers)
        return {**values, "teacher": ",".join(map(str, teachers))}

    def _teachers_of(self, split: str, lever: Lever) -> Iterator[pathlib.Path]:
        """Trains the runs of a lever that teach, unless they are there."""
        values = self._with_teachers(
            split, lever, {**lever.flags, **self._choose(lever)}
        )
        for seed in _TEACHER_SEEDS:
            folder = self._work_dir / "_".join(
                ("teacher", self._data.name, lever.name, split, str(seed))
            )
            # The same command continues what was interrupted.
            self._train(split, values, seed, folder, lever.length)
            yield folder

    def _train(
        self,
        split: str,
        values: dict[str, str | None],
        seed: int,
        folder: pathlib.Path,
        length: int,
    ) -> int:
        """Trains a run; returns its number of steps."""
        config = self._config(split, values, seed, length)
        result = training.train(config, str(folder))
        if result.signal_number is not None:
            raise SystemExit(128 + result.signal_number)
        return result.step

    def _records(self, split: str) -> data_sets.DataSet:
        """Finds the records of a split, those of AudioSet in the folder."""
        return data_sets.make(
            self._data.name,
            _SPLITS[split],
            str(self._data_dir),
            str(self._work_dir),
        )

    def _config(
        self, split: str, values: dict[str, str | None], seed: int, length: int
    ) -> config_lib.Config:
        given = {**_TRAINING, **self._data.network, **values}
        # Half as large batches are twice as many.
        steps = self._data.num_steps[split] * length
        steps = steps * _BATCH_SIZE // int(given["batch_size"])
        given = {
            **given,
            "train_dir": str(self._work_dir),
            "train_data_pattern": self._records(split).train_pattern,
            "max_steps": str(steps),
            "seed": str(seed),
        }
        flag_values = flags.FlagValues()
        train.define_flags(flag_values)
        flag_values(
            [
                "yt8m-train",
                *(
                    f"--{name}={steps if value == 'STEPS' else value}"
                    for name, value in given.items()
                    if value is not None
                ),
            ]
        )
        return command_line.config_from_flags(flag_values)


def read_rows(path: pathlib.Path) -> list[Row]:
    """Reads the rows of a file, none if it is not there."""
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [
            Row(
                **{
                    field.name: field.type(row[field.name])
                    for field in dataclasses.fields(Row)
                }
            )
            for row in csv.DictReader(file)
        ]


def write_rows(path: pathlib.Path, rows: list[Row]) -> None:
    """Writes the rows, in the order of the data sets and their levers."""
    places = [
        (data.name, lever.name)
        for data in DATA_SETS.values()
        for lever in data.levers
    ]
    rows = sorted(
        rows,
        key=lambda row: (
            places.index((row.data, row.lever)),
            list(_SPLITS).index(row.split),
        ),
    )
    names = [field.name for field in dataclasses.fields(Row)]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            values = dataclasses.asdict(row)
            for name in ("gap", "hit_at_1", "perr", "map"):
                values[name] = f"{values[name]:.5f}"
            writer.writerow(values)


def _decimals(value: float, sign: str = "") -> str:
    """Writes a score as the other tables have it: .7100, +.0020."""
    return f"{value:{sign}.4f}".replace("0.", ".", 1)


def table(rows: list[Row], data: DataSet) -> str:
    """Formats what the levers are worth: test split, mean over the seeds."""
    tested = [
        row for row in rows if row.data == data.name and row.split == "test"
    ]
    base = {
        row.seed: getattr(row, data.metric)
        for row in tested
        if row.lever == BASELINE.name
    }
    # What choices are made by, then the other one.
    metrics = sorted(("gap", "map"), key=lambda name: name != data.metric)
    titles = {"gap": "GAP@20", "map": "MAP"}
    lines = []
    for _, group in itertools.groupby(tested, key=lambda row: row.lever):
        runs = list(group)
        gains = [
            getattr(row, data.metric) - base[row.seed]
            for row in runs
            if row.seed in base
        ]
        lines.append(
            [
                runs[0].lever,
                f"`{runs[0].flags}`" if runs[0].flags else "",
                len(runs),
                _decimals(
                    statistics.mean(getattr(row, metrics[0]) for row in runs)
                ),
                _decimals(statistics.mean(gains), "+") if gains else "",
                " to ".join(
                    _decimals(edge(gains), "+") for edge in (min, max) if gains
                ),
                _decimals(
                    statistics.mean(getattr(row, metrics[1]) for row in runs)
                ),
            ]
        )
    return tabulate.tabulate(
        lines,
        [
            "lever",
            "flags",
            "seeds",
            titles[metrics[0]],
            "gain",
            "of seeds",
            titles[metrics[1]],
        ],
        tablefmt="github",
        disable_numparse=True,
        colalign=("left", "left", *["right"] * 5),
    )


def main() -> None:
    """Measures what is missing, or prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data_dir", type=pathlib.Path)
    parser.add_argument("--work_dir", type=pathlib.Path)
    parser.add_argument("--output_csv", type=pathlib.Path, required=True)
    parser.add_argument(
        "--data", choices=tuple(DATA_SETS), help="one data set; else all"
    )
    parser.add_argument("--levers", help="names, comma-separated; else all")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    chosen = [DATA_SETS[args.data]] if args.data else [*DATA_SETS.values()]
    if args.table:
        rows = read_rows(args.output_csv)
        print("\n\n".join(table(rows, data) for data in chosen))
        return
    if not (args.data_dir and args.work_dir):
        parser.error("expected --data_dir and --work_dir, or --table")
    names = {lever.name: None for data in chosen for lever in data.levers}
    wanted = args.levers.split(",") if args.levers else list(names)
    if unknown := [name for name in wanted if name not in names]:
        parser.error(
            f"expected --levers of {list(names)}. Received: "
            f"{', '.join(unknown)}"
        )
    args.work_dir.mkdir(parents=True, exist_ok=True)
    for data in chosen:
        Levers(data, args.data_dir, args.work_dir, args.output_csv).run(
            tuple(lever for lever in data.levers if lever.name in wanted)
        )


if __name__ == "__main__":
    main()
