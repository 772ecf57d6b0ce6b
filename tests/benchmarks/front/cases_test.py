"""Tests of the list of cases."""

from benchmarks.front import cases

_OF_ONE_PRECISION = ("teacher", "best dense", "to a budget", "earlier recipe")


def test_names_are_unique():
    names = [(case.data, case.name) for case in cases.all_cases()]
    assert len(names) == len(set(names)) > 200


def test_every_family_has_every_precision():
    found = {}
    for case in cases.all_cases():
        if case.family not in _OF_ONE_PRECISION:
            found.setdefault((case.data, case.family), set()).add(
                case.precision
            )
    assert found.pop((cases.YT8M, "taught by a chain")) == {"binary"}
    # Its own code is its precision.
    coded = found.pop((cases.YT8M, "deep compression"))
    assert coded == {"float32", "coded"}
    assert len(found) > 15
    assert all(
        some == {"float32", *cases.PRECISIONS} for some in found.values()
    )


def test_rounded_and_trained_cases_start_from_their_floats():
    by_name = {
        case.name: case for case in cases.all_cases() if case.data == cases.YT8M
    }
    floats = by_name["low_rank/16@float32"]
    rounded = by_name["low_rank/16@int4"]
    trained = by_name["low_rank/16@binary"]
    assert floats.start is None
    assert rounded.start == trained.start == floats
    assert rounded.is_rounded and not trained.is_rounded
    assert trained.describe_places() == (
        "classifier_projection=low_rank(rank=16)@binary(block_size=64); "
        "mlp_hidden_size=1024; "
        "hidden_projection=low_rank(rank=16)@binary(block_size=64)"
    )
    assert trained.training["base_learning_rate"] == 0.01
    toeplitz = by_name["toeplitz_like/1@binary"]
    assert toeplitz.training["base_learning_rate"] == 0.003


def test_sparse_matrices_are_those_that_were_pruned():
    by_name = {case.name: case for case in cases.all_cases()}
    sparse = by_name["sparse/0.05@float32"]
    assert sparse.start == by_name["deep_compression/0.05@float32"]
    assert sparse.is_rounded and not sparse.training
    density = sparse.start.training["pruning_density"]
    assert sparse.model.classifier_projection.density == density
    assert by_name["sparse/0.05@binary"].start == sparse


def test_what_a_chain_teaches_differs_in_nothing_else():
    by_name = {case.name: case for case in cases.all_cases()}
    ours, taught = by_name["earlier/1.0MB"], by_name["taught_by_chain/1.0MB"]
    assert not ours.teachers and taught.teachers == (cases.chain(),)
    assert taught.model == ours.model and taught.length == ours.length


def test_models_to_a_budget_learn_from_teachers_that_differ_by_seed():
    by_name = {case.name: case for case in cases.all_cases()}
    few = cases.teachers(cases.YT8M)
    many = cases.many_teachers()
    assert many[: len(few)] == few and len(many) == 4 * len(few)
    assert [case.first_seed for case in many] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len({case.name for case in many}) == len(many)
    assert all(case.model == few[i % 2].model for i, case in enumerate(many))
    for case in by_name.values():
        if case.is_aimed or case.family == "best dense":
            assert case.teachers == tuple(many), case.name
    earlier = by_name["earlier/0.10MB"]
    assert not earlier.teachers
    assert earlier.model == by_name["budget/0.10MB"].model


def test_aimed_models_fit_their_bytes():
    sizes = {f"{size / 1e6:g}": size for size in cases.AIMS}
    found = set()
    for case in cases.all_cases():
        if not case.is_aimed:
            continue
        key = f"{float(case.name.split('/')[1].split('MB')[0]):g}"
        found.add(key)
        model = case.model
        size = model.mlp_hidden_size
        inputs = sum(model.mlp_input_sizes) or 1152
        packed = model.hidden_projection.num_bytes(inputs, size)
        packed += model.classifier_projection.num_bytes(size, 3862)
        # And in 16 bits batch norm and biases; names and configuration.
        packed += 2 * (4 * size + 3862) + 3500
        assert packed <= sizes[key], case.name
    assert found == set(sizes)
