"""The cases of the front: models of some structure and some precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
import dataclasses
from typing import Any

from yt8m_compact import models
from yt8m_compact import structures

YT8M = "yt8m"
AUDIOSET = "audioset"

# Each value of 64 that share a scale costs a quarter of a bit, and what it
# saves of the error counts the more the fewer bits there are.
PRECISIONS: dict[str, structures.Precision] = {
    "int8": structures.Int8(),
    "int4": structures.Int4(64),
    "ternary": structures.Ternary(64),
    "binary": structures.Binary(64),
}
# Rounded after training; others are trained so.
_ROUNDED = ("int8", "int4")
# Straight through, steps have to be large enough to change signs.
_FEW_BITS = {"base_learning_rate": 0.01}
# A weight of a circulant is in as many entries as the matrix has rows.
_OF_CIRCULANTS = {"base_learning_rate": 0.015}
# A weight of a product of two is in all entries, and starts small.
_OF_TOEPLITZ = {"base_learning_rate": 0.001}
_FEW_BITS_OF_TOEPLITZ = {"base_learning_rate": 0.003}

# Products in bfloat16, which takes half the time of floats.
_HALF = {"dtype_policy": "mixed_bfloat16"}

# Of each of the two teachers, for the models to a budget.
_NUM_TEACHER_SEEDS = 4

# Which of the earlier recipes, and for what budget.
_TAUGHT_BY_CHAIN = {
    "earlier/1.0MB": "1.0MB",
    "earlier/0.35MB_1800": "0.35MB",
    "earlier/0.19MB": "0.19MB",
    "earlier/0.10MB": "0.10MB",
}

# Bytes of the shipped file, and how far below the best dense model it may be.
AIMS = {2.6e6: 0.0, 1.0e6: 0.004, 0.35e6: 0.010, 0.19e6: 0.022, 0.10e6: 0.045}


@dataclasses.dataclass(frozen=True)
class Case:
    """One point of the front.

    Attributes:
        data: the data set, `YT8M` or `AUDIOSET`.
        family: its line in the picture.
        name: what it is called; unique within the data set.
        precision: "float32", a key of `PRECISIONS`, "mixed", or "coded".
        model: the model, of structures with their precisions.
        training: what differs from the training of all cases.
        length: how many steps it is trained, as a multiple of those of all.
        start: the case whose weights it starts from, None without one.
        is_rounded: whether it is `start` in fewer bits, or put down as another
            structure, and not trained.
        is_aimed: whether it is a row of the table of aims.
        num_clusters: how many values each matrix of `start` keeps, whose bytes
            are those of an entropy coder; None for no such code.
        members: of an ensemble, whose mean is measured; it has no model of its
            own.
        teachers: what it learns from in place of `teachers(data)`.
        first_seed: what is added to the seed of its training, for teachers that
            differ in that alone.
    """

    data: str
    family: str
    name: str
    precision: str
    model: models.ModelConfig
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    length: float = 1.0
    start: Case | None = None
    is_rounded: bool = False
    is_aimed: bool = False
    members: tuple[Case, ...] = ()
    num_clusters: int | None = None
    teachers: tuple[Case, ...] = ()
    first_seed: int = 0

    def describe_places(self) -> str:
        """Says what the model's places are made of."""
        return "; ".join(
            f"{field.name}={value}"
            for field in dataclasses.fields(self.model)
            if isinstance(
                value := getattr(self.model, field.name), structures.Structure
            )
            or field.name.endswith("_size")
            or (value and field.name.endswith("_sizes"))
        )


def with_precision(
    model: models.ModelConfig, precision: structures.Precision
) -> models.ModelConfig:
    """Gives all projections of a model a precision.

    Args:
        model: the model.
        precision: the precision.

    Returns:
        The model that differs in this.
    """
    changed = {
        field.name: value @ precision
        for field in dataclasses.fields(model)
        if isinstance(value := getattr(model, field.name), structures.Structure)
    }
    return dataclasses.replace(model, **changed)


def mlp(**kwargs: Any) -> models.ModelConfig:
    """Makes a video-level model; statistics move fast, as runs are short."""
    settings = {"drop_rate": 0.0, "batch_norm_momentum": 0.97, **kwargs}
    return models.MlpConfig(**settings)


def dbof(**kwargs: Any) -> models.ModelConfig:
    """Makes a frame-level model, as that of docs/accuracy.md."""
    settings = {
        "iterations": 10,
        "dbof_cluster_size": 2048,
        "dbof_hidden_size": 512,
        "dbof_pooling_method": "average",
        "batch_norm_momentum": 0.97,
        **kwargs,
    }
    return models.DbofConfig(**settings)


def teachers(data: str) -> list[Case]:
    """Lists the models that all others learn from, which learn from labels.

    Args:
        data: the data set.

    Returns:
        The cases.
    """
    made = {
        YT8M: [
            (
                mlp(input_drop_rate=0.2, drop_rate=0.5),
                {"batch_size": 256, "base_learning_rate": 0.002},
                1.2,
            ),
            (
                mlp(mlp_hidden_size=768, input_drop_rate=0.2, drop_rate=0.4),
                {"batch_size": 256, "base_learning_rate": 0.003},
                0.9,
            ),
        ],
        AUDIOSET: [
            (dbof(), {"base_learning_rate": 0.002}, 1.0),
            (
                dbof(dbof_cluster_size=1024, dbof_hidden_size=1024),
                {"base_learning_rate": 0.002},
                1.0,
            ),
        ],
    }[data]
    return [
        Case(
            data,
            "teacher",
            f"teacher/{index}",
            "float32",
            model,
            training,
            length,
        )
        for index, (model, training, length) in enumerate(made)
    ]


def many_teachers() -> list[Case]:
    """Lists what the models to a budget of YouTube-8M learn from.

    The mean of networks that differ by chance teaches more than one of them.

    Returns:
        The teachers of all cases, each with more seeds.
    """
    return [
        dataclasses.replace(
            teacher,
            name=f"{teacher.name}_{seed}" if seed else teacher.name,
            first_seed=seed,
        )
        for seed in range(_NUM_TEACHER_SEEDS)
        for teacher in teachers(YT8M)
    ]


def chain() -> Case:
    """Makes the best dense model of YouTube-8M: a chain of two classifiers.

    Returns:
        The case, which learns from labels.
    """
    return Case(
        YT8M,
        "teacher",
        "teacher/chain",
        "float32",
        models.DeepCombineChainConfig(moe_num_mixtures=1, deep_chain_layers=1),
        {"batch_size": 256, "base_learning_rate": 0.008},
        1.2,
    )


def all_cases() -> list[Case]:
    """Lists the cases: teachers, then those of the table of aims, then others.

    Returns:
        The cases, of both data sets.
    """
    taught = []
    for data in (YT8M, AUDIOSET):
        members = teachers(data)
        mean = dataclasses.replace(
            members[0], name="teacher/mean", members=tuple(members)
        )
        taught += [*members, mean]
    taught.append(chain())
    return [
        *taught,
        *_aimed(),
        *_earlier(),
        *_of_chain(),
        *_video_level(),
        *_deep_compression(),
        *_frame_level(),
    ]


def _video_level_dense() -> Iterator[Case]:
    for size in (1024, 512, 256, 128, 64):
        drops = {}
        if size == 1024:  # Smaller ones underfit.
            drops = {"input_drop_rate": 0.1, "drop_rate": 0.2}
        model = mlp(mlp_hidden_size=size, **drops)
        yield from _sweep(YT8M, "dense", f"{size}", model)


def _video_level() -> Iterator[Case]:
    def both(
        family: str,
        name: str,
        structure: str,
        training: Mapping[str, Any] | None = None,
        few_bits: Mapping[str, Any] = _FEW_BITS,
        **kwargs: Any,
    ) -> Iterator[Case]:
        return _sweep(
            YT8M,
            family,
            name,
            mlp(
                hidden_projection=structure,
                classifier_projection=structure,
                **kwargs,
            ),
            training=training,
            few_bits=few_bits,
        )

    yield from _video_level_dense()
    for rank in (256, 128, 64, 32, 16):
        yield from both("low_rank", f"{rank}", f"low_rank(rank={rank})")
    for size in (4608, 2304, 1152):
        yield from both(
            "diagonal_circulant",
            f"{size}",
            "diagonal_circulant",
            _OF_CIRCULANTS,
            mlp_hidden_size=size,
        )
    for rank in (160, 96, 24):
        yield from _sweep(
            YT8M,
            "low_rank + diagonal_circulant",
            f"{rank}",
            mlp(
                mlp_hidden_size=2304,
                hidden_projection="diagonal_circulant",
                classifier_projection=(
                    f"low_rank(rank={rank}) + diagonal_circulant"
                ),
            ),
            training=_OF_CIRCULANTS,
        )
    for size in (8, 32, 128):
        yield from both(
            "block_circulant",
            f"{size}",
            f"block_circulant(block_size={size})",
            _OF_CIRCULANTS,
        )
    for rank in (4, 1):
        yield from both(
            "toeplitz_like",
            f"{rank}",
            f"toeplitz_like(displacement_rank={rank})",
            _OF_TOEPLITZ,
            few_bits=_FEW_BITS_OF_TOEPLITZ,
        )
    for blocks in (2, 8, 32):
        yield from both("monarch", f"{blocks}", f"monarch(num_blocks={blocks})")
    for rows in (2, 4, 8):
        yield from both(
            "kronecker",
            f"{rows}",
            f"kronecker(left_rows={rows}, left_columns={rows})",
        )
    for share in (8, 32, 128):
        yield from _sweep(
            YT8M,
            "hashed",
            f"{share}",
            mlp(
                hidden_projection=f"hashed(num_buckets={1152 * 1024 // share})",
                classifier_projection=(
                    f"hashed(num_buckets={1024 * 3862 // share})"
                ),
            ),
        )
    for factors in (2, 1):
        yield from both(
            "acdc",
            f"{factors}",
            f"acdc(num_factors={factors})",
            _OF_CIRCULANTS,
            mlp_hidden_size=2304,
        )
    yield from both(
        "fastfood", "1", "fastfood", _OF_CIRCULANTS, mlp_hidden_size=2304
    )
    for density in (0.2, 0.05):
        structure = f"sparse(density={density})"
        yield from _sweep(
            YT8M,
            "sparse",
            f"{density}",
            mlp(hidden_projection=structure, classifier_projection=structure),
            origin=_pruned(density),
            is_rounded=True,
        )
    # Where what low rank leaves of the trained dense matrix is largest.
    structure = "low_rank(rank=32) + sparse(density=0.05)"
    yield from _sweep(
        YT8M,
        "low_rank + sparse",
        "32_0.05",
        mlp(hidden_projection=structure, classifier_projection=structure),
        origin=next(_video_level_dense()),
    )
    for size, columns in ((512, 1500), (256, 1000)):
        yield from _sweep(
            YT8M,
            "leading_columns",
            f"{size}_{columns}",
            mlp(
                mlp_hidden_size=size,
                classifier_projection=f"leading_columns(columns={columns})",
            ),
        )
        yield from _sweep(
            YT8M,
            "leading_columns + low_rank",
            f"{size}_{columns}",
            mlp(
                mlp_hidden_size=size,
                classifier_projection=(
                    f"leading_columns(columns={columns}) + low_rank(rank=16)"
                ),
            ),
        )


def _pruned(density: float) -> Case:
    """Makes the dense model that is pruned while it learns on.

    Little by little: of the largest entries of a trained classifier nearly
    all are negative, and hardly any is of a frequent class.
    """
    dense = next(_video_level_dense())
    return Case(
        YT8M,
        "deep compression",
        f"deep_compression/{density}@float32",
        "float32",
        dense.model,
        {"pruning_density": density},
        start=dense,
    )


def _deep_compression() -> Iterator[Case]:
    """Makes the cases of Deep Compression: prune, share values, code.

    What is left of each matrix shares few values, which are not trained on. No
    program writes that code to a file: its bytes are counted.
    """
    for density in (0.2, 0.1, 0.05):
        pruned = _pruned(density)
        yield pruned
        yield dataclasses.replace(
            pruned,
            name=f"deep_compression/{density}@coded",
            precision="coded",
            training={},
            start=pruned,
            num_clusters=32,
        )


def _frame_level() -> Iterator[Case]:
    def everywhere(family: str, name: str, structure: str) -> Iterator[Case]:
        return _sweep(
            AUDIOSET,
            family,
            name,
            dbof(
                embedding_projection=structure,
                fc_projection=structure,
                classifier_projection=structure,
            ),
        )

    yield from everywhere("dense", "2048", "dense")
    for rank in (64, 16):
        yield from everywhere("low_rank", f"{rank}", f"low_rank(rank={rank})")
    yield from everywhere("diagonal_circulant", "1", "diagonal_circulant")
    yield from _sweep(
        AUDIOSET,
        "low_rank + diagonal_circulant",
        "32",
        dbof(
            embedding_projection="diagonal_circulant",
            fc_projection="diagonal_circulant",
            classifier_projection="low_rank(rank=32) + diagonal_circulant",
        ),
    )
    for size in (8, 32):
        yield from everywhere(
            "block_circulant", f"{size}", f"block_circulant(block_size={size})"
        )
    for blocks in (4, 16):
        yield from everywhere(
            "monarch", f"{blocks}", f"monarch(num_blocks={blocks})"
        )
    yield from everywhere(
        "kronecker", "4", "kronecker(left_rows=4, left_columns=4)"
    )
    yield from everywhere("hashed", "4096", "hashed(num_buckets=4096)")


def _sweep(
    data: str,
    family: str,
    name: str,
    model: models.ModelConfig,
    origin: Case | None = None,
    training: Mapping[str, Any] | None = None,
    is_rounded: bool = False,
    few_bits: Mapping[str, Any] = _FEW_BITS,
) -> Iterator[Case]:
    """Makes the cases of one model at all precisions.

    Args:
        data: the data set.
        family: the line in the picture.
        name: of the model within the family.
        model: the model, of floats.
        origin: what the floats start from, None for new weights.
        training: what differs in the training of the floats.
        is_rounded: whether the floats are `origin` as it is, not trained.
        few_bits: what differs in the training of three levels and of one bit.

    Yields:
        The floats first, from which the others start.
    """
    floats = Case(
        data,
        family,
        f"{family}/{name}@float32",
        "float32",
        model,
        training or {},
        start=origin,
        is_rounded=is_rounded,
    )
    yield floats
    for key, precision in PRECISIONS.items():
        is_rounded = key in _ROUNDED
        yield Case(
            data,
            family,
            f"{family}/{name}@{key}",
            key,
            with_precision(model, precision),
            {} if is_rounded else few_bits,
            start=floats,
            is_rounded=is_rounded,
        )


def _aimed() -> Iterator[Case]:
    """Makes the cases of the table of aims, and their dense model.

    More hidden units get the bytes of rare classes and, in 1.0 MB, of the last
    principal components of the features. All are trained in their bits, in
    2.6 MB from the dense model of floats on. Chosen on the validation shards.
    """
    dense = next(_video_level_dense())
    best = _of_many_teachers(
        Case(
            YT8M,
            "best dense",
            "dense/1024_8_teachers@float32",
            "float32",
            dense.model,
            _HALF,
            length=2.0,
        )
    )
    yield best
    yield _of_many_teachers(
        Case(
            YT8M,
            "to a budget",
            "budget/2.6MB",
            "mixed",
            _eight_and_four_bits(dense.model),
            {"base_learning_rate": 0.001, **_HALF},
            length=0.5,
            start=best,
            is_aimed=True,
        )
    )
    for case in (
        _few_bits("budget/1.0MB", "ternary", 1680, 2000, 2.0, (640, 128)),
        _few_bits("budget/0.35MB", "ternary", 584, 1500, 1.5),
        _few_bits("budget/0.19MB", "binary", 464, 1500, 2.0),
        _few_bits("budget/0.10MB", "binary", 272, 1000, 2.0),
    ):
        yield _of_many_teachers(case)


def _of_many_teachers(case: Case) -> Case:
    return dataclasses.replace(case, teachers=tuple(many_teachers()))


def _eight_and_four_bits(model: models.ModelConfig) -> models.ModelConfig:
    return dataclasses.replace(
        model,
        hidden_projection="dense@int8",
        classifier_projection=(
            "leading_columns(columns=2500)@int4(block_size=64)"
        ),
    )


def _earlier() -> Iterator[Case]:
    """Makes the cases that are no better than those of `_aimed`.

    The wide ones and two that are trained for longer learn from many teachers,
    the others from two, as all cases do.
    """
    dense = next(_video_level_dense())
    wide = _of_many_teachers(
        Case(
            YT8M,
            "leading_columns",
            "earlier/2.6MB_1950@float32",
            "float32",
            mlp(
                mlp_hidden_size=1950,
                mlp_input_sizes=(512, 128),
                classifier_projection="leading_columns(columns=1800)",
                input_drop_rate=0.1,
                drop_rate=0.2,
            ),
            _HALF,
            length=2.0,
        )
    )
    yield wide
    yield dataclasses.replace(
        wide,
        family="earlier recipe",
        name="earlier/2.6MB_1950",
        precision="int4",
        model=with_precision(wide.model, structures.Int4(64)),
        training={},
        start=wide,
        is_rounded=True,
    )
    rounded = Case(
        YT8M,
        "earlier recipe",
        "earlier/2.6MB_eight_bits",
        "mixed",
        _eight_and_four_bits(dense.model),
        start=dense,
        is_rounded=True,
    )
    longer = (
        _few_bits(
            "earlier/1.0MB_ternary_1800", "ternary", 1680, 2000, 3.0, (640, 128)
        ),
        _few_bits("earlier/0.35MB_ternary_1800", "ternary", 584, 1500, 3.0),
    )
    few_bits = [
        *map(_of_many_teachers, longer),
        _few_bits(
            "earlier/1.0MB_ternary", "ternary", 1680, 2000, 2.0, (640, 128)
        ),
        dataclasses.replace(
            _few_bits(
                "earlier/0.35MB_640", "binary", 1136, 1500, 2.0, (512, 128)
            ),
            training=_HALF,
        ),
        _few_bits("earlier/0.19MB", "binary", 464, 1500, 2.0),
        _few_bits("earlier/0.10MB", "binary", 272, 1000, 2.0),
        _few_bits("earlier/1.0MB", "binary", 2176, 2000, 2.4),
        _few_bits("earlier/0.35MB_1800", "binary", 888, 1500, 3.0),
    ]
    yield rounded
    for case in few_bits:
        yield dataclasses.replace(case, family="earlier recipe", is_aimed=False)


def _of_chain() -> Iterator[Case]:
    """Makes the cases that show what a chain teaches."""
    for case in _earlier():
        if case.name in _TAUGHT_BY_CHAIN:
            yield dataclasses.replace(
                case,
                family="taught by a chain",
                name=f"taught_by_chain/{_TAUGHT_BY_CHAIN[case.name]}",
                teachers=(chain(),),
            )


def _few_bits(
    name: str,
    precision: str,
    size: int,
    columns: int,
    length: float,
    input_sizes: tuple[int, ...] = (),
) -> Case:
    """Makes a case to a budget, whose weights are trained straight through.

    Args:
        name: its name.
        precision: "binary" or "ternary".
        size: the number of hidden units.
        columns: how many of the first classes have weights.
        length: as of the case.
        input_sizes: how many of the first values of each feature are looked
            at; empty for all.

    Returns:
        The case.
    """
    return Case(
        YT8M,
        "to a budget",
        name,
        precision,
        mlp(
            mlp_hidden_size=size,
            mlp_input_sizes=input_sizes,
            hidden_projection=f"dense@{precision}(block_size=64)",
            classifier_projection=(
                f"leading_columns(columns={columns})@{precision}"
            ),
        ),
        _HALF if precision == "ternary" else {},
        length=length,
        is_aimed=True,
    )
