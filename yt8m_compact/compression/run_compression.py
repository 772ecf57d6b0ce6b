"""Compresses a trained run: measures, chooses, fine-tunes."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import functools
import logging
import math
import os

import keras
import numpy as np
import tensorflow as tf

from yt8m_compact import files as files_lib
from yt8m_compact import layers
from yt8m_compact import progress
from yt8m_compact import readers
from yt8m_compact import structures
from yt8m_compact import training
from yt8m_compact.compression import budget as budget_lib
from yt8m_compact.compression import candidates as candidates_lib
from yt8m_compact.compression import choosing
from yt8m_compact.compression import places as places_lib
from yt8m_compact.compression import plan as plan_lib
from yt8m_compact.compression import sample as sample_lib
from yt8m_compact.compression import sensitivity
from yt8m_compact.compression import settings as settings_lib
from yt8m_compact.compression import table
from yt8m_compact.compression import unit_dropping
from yt8m_compact.inference import latency
from yt8m_compact.inference.exports import companions
from yt8m_compact.inference.exports import packed
from yt8m_compact.run import config as config_lib
from yt8m_compact.run import lock as run_lock
from yt8m_compact.run import train_dir as train_dir_lib
from yt8m_compact.training import teachers as teachers_lib
from yt8m_compact.training import warm_start

# What a learning rate grows over, as a share of all steps, and at most.
_WARMUP = 0.05
_MOST_WARMUP_STEPS = 500
_FINAL_LEARNING_RATE = 0.01
# Of how many videos other teachers have to have scores before all else.
_CHECKED_VIDEOS = 64

_LOGGER = logging.getLogger(__name__)

# Gets a configuration and its model; returns metrics by name.
Evaluate = Callable[[config_lib.Config, keras.Model], Mapping[str, float]]
# Gets the configuration of the new run; returns what is done beside the steps.
MakeWatching = Callable[[config_lib.Config], training.Watching]


class RunCompression:
    """The compression of a run, which goes on where it was stopped.

    What places become is a knapsack: the loss of each candidate of each place
    is measured on a sample, that place alone replaced, and the best sum under
    the budget is chosen. That assumes that what places lose adds up.

    With `unit_penalty`, gates of the hidden units are trained before, and the
    units that are not needed are dropped: `learn_gates` comes first.

    Example:
        >>> settings = yt8m.compression.Settings(
        ...     train_dir=train_dir,  # of 140 parameters
        ...     output_dir="small",
        ...     budget=yt8m.compression.parse_budget("100_weights"),
        ...     train_data_pattern=data_pattern,
        ...     structures=("low_rank(rank=1)", "low_rank(rank=2)"),
        ...     num_epochs=1,
        ... )
        >>> compression = yt8m.compression.RunCompression(settings)
        >>> compression.choose().choice.cost <= 100
        True
        >>> result = compression.tune(lambda config: watching)
        >>> sorted(compression.plan.scores)
        ['before', 'projected', 'tuned']

    Args:
        settings: What to do.

    Raises:
        ValueError: If the run is missing or broken, has no projection, takes
            no more than the budget as it is, or can't take so little; its
            hidden units can't be dropped and shall be; a teacher is missing or
            looks at other features; or the output folder is that of another
            run.
        DataError: If the data or a teacher's scores are missing, broken, or of
            another kind or size than the run's.
    """

    def __init__(self, settings: settings_lib.Settings) -> None:
        self._settings = settings
        self._run = train_dir_lib.TrainDir(settings.train_dir)
        self._output = train_dir_lib.TrainDir(settings.output_dir)
        if self._run.is_packed():
            raise ValueError(
                f"{self._run.path}: expected a run of yt8m-train, whose weights"
                " can be trained. Received: a packed model"
            )
        self._config = self._run_config = self._run.load_config()
        self._dropped: unit_dropping.Dropped | None = None
        self._gated_config: config_lib.Config | None = None
        if settings.unit_penalty is not None:
            self._gated_config = unit_dropping.with_gates(
                self._config, settings.unit_penalty
            )
        elif unit_dropping.has_gates(self._config.model):
            self._drop_units(self._run_model)
        else:
            self._look_for_places()
        files = readers.expand_patterns(settings.train_data_pattern)
        self._check_data(files)
        if settings.sample_data_pattern:
            sampled = readers.expand_patterns(settings.sample_data_pattern)
            self._split = sample_lib.Split(tuple(files), tuple(sampled))
        else:
            self._split = sample_lib.split_files(files, settings.num_videos)
        self._check_teachers()
        self.plan = self._find_plan()

    def _look_for_places(self) -> None:
        """Lists places and what they may become, and looks at the budget."""
        settings = self._settings
        self.places = places_lib.find_places(self._config)
        self._choices = choosing.list_choices(
            self.places,
            settings.structures,
            self._precisions,
            settings.budget,
        )
        self._rest = _count_rest(self._config, self.places)
        if settings.budget.unit is not budget_lib.Unit.MILLISECONDS:
            self._check_costs()

    def _check_costs(self) -> None:
        # Without units it may be small enough as it is.
        self._costs().check(may_stay=self._dropped is not None)

    def _drop_units(self, model: keras.Model) -> None:
        """Goes on with the model that a model with gates becomes."""
        config = self._gated_config or self._run_config
        self._dropped = unit_dropping.drop_units(config, model)
        self._config = self._dropped.config
        self._look_for_places()

    @functools.cached_property
    def _run_model(self) -> keras.Model:
        """The model of the run, as it is."""
        weights = self._settings.weights
        _, model, _ = self._run.restore_model(weights.step, weights.choice)
        return model

    @functools.cached_property
    def _source(self) -> keras.Model:
        """What is measured and made smaller."""
        model = self._dropped.model if self._dropped else self._run_model
        for variable in model.weights:
            if not np.isfinite(variable.numpy()).all():
                raise ValueError(
                    f"{self._run.path}: expected finite weights, to find the "
                    "nearest to. Received: NaN or infinity in "
                    f"{variable.path}; choose a checkpoint from before the "
                    "training diverged"
                )
        return model

    @functools.cached_property
    def _sample(self) -> list[dict[str, tf.Tensor]]:
        return sample_lib.read(
            self._config, self._split.sampled, self._settings.num_videos
        )

    def _check_data(self, files: Sequence[str]) -> None:
        reader = self._config.reader(training=False)
        settings = self._settings
        patterns = (settings.sample_data_pattern, settings.eval_data_pattern)
        others = [readers.expand_patterns(text) for text in patterns if text]
        for some in (files, *others):
            readers.expect_same_ranges(self._run.path, some, classes=True)
            skips = self._config.training.on_data_error == "skip"
            readers.check_format(
                some,
                reader,
                require_labels=not self._config.data.segment_labels,
                skipped=readers.SkippedData() if skips else None,
            )

    def _check_teachers(self) -> None:
        """Loads what is learned from beside the run, to tell what is wrong.

        Scores have to be those of the first videos. All are loaded again to
        learn from, after what may take hours.
        """
        if not self._settings.teacher:
            return
        own = dataclasses.replace(
            self._run_config.training, teacher=self._settings.teacher
        )
        real = files_lib.real_path
        if real(self._run.path) in map(real, own.teachers):
            raise ValueError(
                "expected a teacher other than the run, which teaches in any "
                f"case. Received: teacher={self._settings.teacher}, "
                f"train_dir={self._settings.train_dir}"
            )
        teachers = teachers_lib.load_teachers(
            dataclasses.replace(self._run_config, training=own),
            self._output.path,
            tf.distribute.get_strategy(),
        )
        if teachers is None:
            return
        skips = self._run_config.training.on_data_error == "skip"
        videos = readers.make_dataset(
            self._run_config.reader(training=False),
            self._split.train[:1],
            batch_size=_CHECKED_VIDEOS,
            skipped=readers.SkippedData() if skips else None,
        )
        with readers.readable_errors():
            for _ in videos.take(1).map(teachers.add_scores):
                pass

    def _find_plan(self) -> plan_lib.Plan:
        """Reads the plan that is there, or makes a new one."""
        settings = self._settings
        real = os.path.realpath
        if real(self._run.path) == real(self._output.path):
            raise ValueError(
                "expected an output_dir other than the run's. Received: "
                f"output_dir={settings.output_dir}, train_dir="
                f"{settings.train_dir}"
            )
        choice = settings.weights.choice
        checkpoint = self._run.find_checkpoint(settings.weights.step)
        path = self._run.path
        if files_lib.is_local(path):
            path = os.path.abspath(path)
        source = plan_lib.Source(
            train_dir=path,
            step=train_dir_lib.checkpoint_step(checkpoint),
            weights=str(choice),
            sampled=self._split.sampled,
            num_videos=settings.num_videos,
            held_out=not self._trained_on,
            unit_penalty=settings.unit_penalty,
            unit_epochs=settings.unit_penalty and settings.unit_epochs,
        )
        plan = plan_lib.load(self._output.path)
        if plan is None:
            if self._output.exists() or self._output.checkpoints():
                raise ValueError(
                    f"{self._output.path}: expected an output_dir that is "
                    "empty, or what yt8m-compress made. Received: another run; "
                    "choose another output_dir"
                )
            return plan_lib.Plan(source)
        changed = [
            f"{field.name}: {old!r:.200} -> {new!r:.200}"
            for field in dataclasses.fields(source)
            # Of the files to train on, which may be others.
            if field.name != "held_out"
            and (old := getattr(plan.source, field.name))
            != (new := getattr(source, field.name))
        ]
        if changed:
            raise ValueError(
                f"{self._output.path}: expected the run and the sample of the "
                f"compression that is there. Received: {'; '.join(changed)}; "
                "use the same settings, or another output_dir"
            )
        if self._output.exists() and (
            plan.choice is None or plan.choice.budget != settings.budget
        ):
            raise ValueError(
                f"{self._output.path}: expected the budget of the run that is "
                f"there, {plan.choice and plan.choice.budget}. Received: "
                f"budget={settings.budget}; choose another output_dir"
            )
        if self._output.exists():
            self._expect_same_choice(plan.choice)
        plan.source = source
        return plan

    def _expect_same_choice(self, choice: plan_lib.Choice) -> None:
        """Checks that what is asked for is what the new run was chosen of."""
        settings = self._settings
        now = [str(structures.get(text)) for text in settings.structures]
        changed = []
        if choice.structure_texts is not None:
            texts = map(structures.get, choice.structure_texts)
            changed += _difference("structures", [str(t) for t in texts], now)
        if choice.precisions is not None:
            changed += _difference(
                "precisions", choice.precisions, self._precisions
            )
        if choice.metric != settings.choose_by:
            changed.append(
                f"choose_by: {choice.metric} -> {settings.choose_by}"
            )
        if changed:
            raise ValueError(
                f"{self._output.path}: expected the settings that the run that "
                f"is there was chosen by. Received: {'; '.join(changed)}; use "
                "the same settings, or another output_dir"
            )

    @functools.cached_property
    def _trained_on(self) -> list[str]:
        """The files of the sample that are trained on, too."""
        train = set(map(files_lib.real_path, self._split.train))
        return [
            file
            for file in self._split.sampled
            if files_lib.real_path(file) in train
        ]

    @property
    def _precisions(self) -> tuple[str, ...]:
        """The precisions of each."""
        if self._settings.precisions is None:
            return candidates_lib.default_precisions(self._settings.budget.unit)
        return tuple(self._settings.precisions)

    @property
    def is_done(self) -> bool:
        """Whether the new run was trained and scored."""
        return "tuned" in self.plan.scores

    def learn_gates(
        self, make_watching: MakeWatching
    ) -> training.TrainingResult | None:
        """Trains gates of the hidden units, or goes on, and drops units.

        Needed before all else where `unit_penalty` is given.

        Args:
            make_watching: Makes what is done beside the steps, in `gates_path`.

        Returns:
            How the training ended, by a signal without dropping any; None
            without `unit_penalty`.

        Raises:
            ValueError: If no unit is left, or the budget doesn't fit what is.
        """
        settings = self._settings
        if self._gated_config is None:
            return None
        if not self._output.exists():
            # Whoever goes on with other settings is told before the training.
            with run_lock.RunLock(self._output.path):
                plan_lib.save(self.plan, self._output.path)
        config = self._to_train(self._gated_config, settings.unit_epochs)
        result = training.train(
            config,
            self.gates_path,
            watching=make_watching(config),
            run_weights={settings.train_dir: settings.weights},
        )
        if result.signal_number is None:
            _, model, _ = train_dir_lib.TrainDir(
                self.gates_path
            ).restore_model()
            self._drop_units(model)
            _LOGGER.info("%s", self._dropped.to_text())
        return result

    @property
    def gates_path(self) -> str:
        """The folder of the run that trains gates."""
        return os.path.join(self._output.path, "gates")

    def choose(self) -> plan_lib.Plan:
        """Measures what was not measured yet, and chooses.

        Returns:
            The plan, which is in the output folder as well; with the choice.
        """
        if self._output.exists():
            return self.plan  # What is trained was chosen.
        settings = self._settings
        with run_lock.RunLock(self._output.path):
            self._measure()
            self.plan.choice = dataclasses.replace(
                self._costs().choose(
                    self.plan.measured, self.plan.baseline, settings.choose_by
                ),
                structure_texts=tuple(settings.structures),
                precisions=self._precisions,
            )
            plan_lib.save(self.plan, self._output.path)
        return self.plan

    def _measure(self) -> None:
        number = len(self._split.sampled)
        trained_on = ""
        if not self._trained_on:
            trained_on = ", which are not trained on"
        elif not self._split.held_out:
            trained_on = (
                ", which are trained on, too: of fewer than 5 none is held "
                "out; give others with sample_data_pattern"
            )
        _LOGGER.info(
            "measure on %d videos in %d file%s%s",
            sum(len(batch["labels"]) for batch in self._sample),
            number,
            "s" if number > 1 else "",
            trained_on,
        )
        if self._trained_on and self._split.held_out:
            _LOGGER.warning(
                "files of sample_data_pattern that are trained on, too: %d of "
                "%d, %s say; what is measured and scored there looks better "
                "than it is: give others",
                len(self._trained_on),
                number,
                self._trained_on[0],
            )
        if self._settings.budget.unit is budget_lib.Unit.MILLISECONDS:
            self._measure_latencies()
            self._check_costs()
        twin, dense = self._make_twin()
        moments = layers.collect_input_moments(
            twin, list(dense.values()), self._inputs(twin)
        )
        score = sample_lib.Scorer(
            twin, self._sample, self._config.training.make_label_loss()
        )
        if self.plan.baseline is None:
            self.plan.baseline = score()

        def keep(measured: sensitivity.Measurements) -> None:
            self.plan.measured = measured
            plan_lib.save(self.plan, self._output.path)

        self.plan.measured = sensitivity.measure(
            {
                name: sensitivity.Target(
                    layer.kernel, layer.bias if layer.use_bias else None
                )
                for name, layer in dense.items()
            },
            self._choices,
            score,
            moments=dict(zip(dense, moments, strict=True)),
            own=self._own_weights(),
            measured=self.plan.measured,
            on_measured=keep,
        )

    def _inputs(self, model: keras.Model) -> list[dict[str, tf.Tensor]]:
        """Lists the sample as a model is called with it."""
        return [
            {name: batch[name] for name in model.input}
            for batch in self._sample
        ]

    def _measure_latencies(self) -> None:
        """Measures the model with each place as each structure."""
        example = self._sample[0]
        known = self.plan.latencies
        if "" not in known:
            now = latency.measure(self._config, self._source, example)
            known[""] = {"now": now}
        pairs = [
            (place, base)
            for place, options in self._choices.items()
            for base in dict.fromkeys(option.base for option in options)
        ]
        with progress.count_bar("time", len(pairs), " structures") as bar:
            for place, base in pairs:
                found = known.setdefault(place.name, {})
                if str(base) not in found:
                    config = places_lib.with_structures(
                        self._config, {place.name: base}
                    )
                    model = config.build_model()
                    found[str(base)] = latency.measure(config, model, example)
                    plan_lib.save(self.plan, self._output.path)
                bar.update()

    def _make_twin(self) -> tuple[keras.Model, dict[str, layers.Projection]]:
        """Makes the run's model with dense places, and lists their layers."""
        config = places_lib.with_structures(
            self._config,
            {
                place.name: structures.Dense()
                for place in self.places
                if not isinstance(place.structure, structures.Dense)
            },
        )
        twin = config.build_model()
        warm_start.warm_start(twin, self._source)
        found = warm_start.find_kernels(twin)
        return twin, {
            layer.name: found[layer.name].layer
            for place in self.places
            for layer in place.layers
        }

    def _own_weights(self) -> dict[str, sensitivity.Own]:
        """Lists what the kernels are made of, which other precisions keep."""
        found = warm_start.find_kernels(self._source)
        return {
            layer.name: sensitivity.Own(
                place.structure.base, found[layer.name].floats()
            )
            for place in self.places
            for layer in place.layers
        }

    def _costs(self) -> choosing.Costs:
        """Lists what the model takes, once times are measured."""
        budget, name = self._settings.budget, self._run.path
        if self._dropped is not None:
            name = f"{name} of {self._dropped.after:,} hidden units"
        if budget.unit is budget_lib.Unit.MILLISECONDS:
            return choosing.timed_costs(
                name, budget, self._choices, self.plan.latencies
            )
        return choosing.count_costs(
            name, budget, self._rest[budget.unit], self._choices
        )

    def new_config(self) -> config_lib.Config:
        """Makes the configuration of the new run.

        Returns:
            That of the run, with the chosen structures, started from its
            weights, and with it as the teacher.
        """
        config = places_lib.with_structures(
            self._config,
            {
                name: structures.get(text)
                for name, text in self.plan.choice.structures.items()
            },
        )
        return self._to_train(config, self._settings.num_epochs)

    def _to_train(
        self, config: config_lib.Config, num_epochs: int
    ) -> config_lib.Config:
        """Says how a model is trained, started from the run's weights."""
        settings, own = self._settings, self._run_config.training
        batch_size = settings.batch_size or own.batch_size
        videos = readers.estimate_num_records(self._split.train) or 0
        steps = num_epochs * max(1, math.ceil(videos / batch_size))
        defaults = config_lib.TrainingConfig()
        # An optimiser that averages has no schedule that ends.
        ends = own.optimizer != "ScheduleFreeAdamW"
        schedule = {
            "learning_rate_schedule": "cosine",
            "schedule_steps": steps,
            "final_learning_rate_fraction": _FINAL_LEARNING_RATE,
        }
        pattern = settings.train_data_pattern
        if self._split.held_out and not settings.sample_data_pattern:
            pattern = ",".join(self._split.train)
        changes = {
            "train_data_pattern": pattern,
            "eval_data_pattern": ",".join(self._split.held_out),
            "init_from": settings.train_dir,
            "teacher": ",".join(
                [
                    settings.train_dir,
                    *config_lib.TrainingConfig(
                        teacher=settings.teacher
                    ).teachers,
                ]
            ),
            "teacher_weight": settings.teacher_weight,
            "teacher_temperature": 1.0,
            "batch_size": batch_size,
            "num_epochs": num_epochs,
            "max_steps": None,
            "base_learning_rate": settings.base_learning_rate
            or own.base_learning_rate,
            "learning_rate_schedule": "constant",
            "learning_rate_decay": defaults.learning_rate_decay,
            "learning_rate_decay_examples": (
                defaults.learning_rate_decay_examples
            ),
            "schedule_steps": None,
            "final_learning_rate_fraction": (
                defaults.final_learning_rate_fraction
            ),
            "warmup_steps": min(_MOST_WARMUP_STEPS, int(_WARMUP * steps)),
            # Biases are the run's.
            "classifier_bias": "zeros",
            **({"keep_best": own.keep_best} if self._split.held_out else {}),
            **(schedule if ends else {}),
        }
        training_config = dataclasses.replace(
            own.without_evaluation(), **changes
        )
        return dataclasses.replace(config, training=training_config)

    def tune(
        self,
        make_watching: MakeWatching,
        evaluate: Evaluate | None = None,
    ) -> training.TrainingResult:
        """Trains the new run, or goes on with it, and scores it in the end.

        Args:
            make_watching: Makes what is done beside the steps.
            evaluate: Evaluates a model; None scores it on the sample.

        Returns:
            How the training ended; by a signal, nothing is scored.
        """
        evaluate = evaluate or self._score_sample
        config = self.new_config()
        scores = self.plan.scores
        start = None
        if not self._output.checkpoints():
            model = config.build_model()
            report = warm_start.warm_start(
                model, self._source, self._inputs(self._source)
            )
            start = warm_start.ModelStart(model, report)
            if "projected" not in scores:
                scores["before"] = dict(
                    evaluate(self._run_config, self._run_model)
                )
                if self._dropped is not None:
                    scores["dropped"] = dict(
                        evaluate(self._config, self._source)
                    )
                scores["projected"] = dict(evaluate(config, model))
                plan_lib.save(self.plan, self._output.path)
        result = training.train(
            config,
            self._output.path,
            watching=make_watching(config),
            run_weights={self._settings.train_dir: self._settings.weights},
            start=start,
        )
        if result.signal_number is not None:
            return result
        _, model, _ = self._output.restore_model()
        scores["tuned"] = dict(evaluate(config, model))
        self.plan.totals = {
            "before": self._totals(self._run_config, self._run_model),
            "tuned": self._totals(config, model),
        }
        if self._dropped is not None:
            self.plan.totals["dropped"] = self._totals(
                self._config, self._source
            )
        # Last, since the model is packed.
        about = companions.about_run(self._output, config, result.step)
        packed.save(self.packed_path, about, model)
        self.plan.totals["tuned"]["bytes"] = os.path.getsize(
            train_dir_lib.TrainDir(self.packed_path).packed_path
        )
        plan_lib.save(self.plan, self._output.path)
        with files_lib.writing(self.table_path) as file:
            file.write(self.to_text() + "\n")
        return result

    @property
    def table_path(self) -> str:
        """The file of the table."""
        return os.path.join(self._output.path, table.FILE)

    @property
    def packed_path(self) -> str:
        """The folder of the packed model, as yt8m-export writes it."""
        return os.path.join(self._output.path, "packed")

    def to_text(self, max_columns: int | None = None) -> str:
        """Writes what was chosen and found as a table.

        Args:
            max_columns: How wide it may be; None for as wide as it is.
        """
        text = table.to_text(self.plan, self.places, self._rest, max_columns)
        if self._dropped is None:
            return text
        return f"{self._dropped.to_text()}\n\n{text}"

    def _score_sample(
        self, config: config_lib.Config, model: keras.Model
    ) -> dict[str, float]:
        loss = config.training.make_label_loss()
        return dataclasses.asdict(
            sample_lib.Scorer(model, self._sample, loss)()
        )

    def _totals(
        self, config: config_lib.Config, model: keras.Model
    ) -> dict[str, float]:
        places, rest = self.places, self._rest
        if config is self._run_config and self._dropped is not None:
            places = places_lib.find_places(config)
            rest = _count_rest(config, places)
        fields = places_lib.structure_fields(config.model)
        return {
            unit.value: rest[unit]
            + sum(place.count(fields[place.name], unit) for place in places)
            for unit in (budget_lib.Unit.BYTES, budget_lib.Unit.WEIGHTS)
        } | {
            budget_lib.Unit.MILLISECONDS.value: latency.measure(
                config, model, self._sample[0]
            )
        }


def _difference(
    name: str, before: Sequence[str], now: Sequence[str]
) -> list[str]:
    """Says what a list of a setting has more and less than before."""
    parts = [
        f"{word} {text}"
        for word, some, others in (
            ("without", before, now),
            ("with", now, before),
        )
        if (
            text := ", ".join(dict.fromkeys(s for s in some if s not in others))
        )
    ]
    return [f"{name} {' and '.join(parts)}"] if parts else []


def _count_rest(
    config: config_lib.Config, places: Sequence[places_lib.Place]
) -> dict[budget_lib.Unit, int]:
    """Counts what a model takes beside its places."""
    with keras.StatelessScope(initialize_variables=False):
        model = train_dir_lib.build_model(config)
        found = warm_start.find_kernels(model)
        kernels = {
            weight.path
            for place in places
            for layer in place.layers
            for weight in found[layer.name].weights.values()
        }
        return {
            unit: places_lib.count_rest(model, kernels, unit)
            for unit in (budget_lib.Unit.BYTES, budget_lib.Unit.WEIGHTS)
        }
