"""Tests of what is said of unknown names."""

from absl import flags
import pytest

import console_scripts
from yt8m_compact import models
from yt8m_compact import names
from yt8m_compact import synonyms
from yt8m_compact.programs import train

_KNOWN = ("batch_size", "num_epochs", "seed")


def flags_of(module) -> list[str]:
    flag_values = flags.FlagValues()
    module.define_flags(flag_values)
    return [*flag_values]


def test_nearest_is_the_most_alike():
    assert names.nearest("batchsize", _KNOWN) == "batch_size"
    assert names.nearest("num_epoch", iter(_KNOWN)) == "num_epochs"


def test_other_letters_are_the_same_name():
    assert names.nearest("DBofModel", models.MODELS) == "DbofModel"
    assert names.nearest("Batch-Size", _KNOWN) == "batch_size"
    # Nearer than what is written alike.
    known = ["NeXtVladModel", "NetVladModel", "NETVLADMODELS"]
    assert names.nearest("netvladmodel", known) == "NetVladModel"


@pytest.mark.parametrize(
    ("given", "meant"),
    {
        "lr": "base_learning_rate",
        "learning_rate": "base_learning_rate",
        "epochs": "num_epochs",
        "max-epochs": "num_epochs",
        "bs": "batch_size",
        "per_device_train_batch_size": "batch_size",
        "num_workers": "num_readers",
        "criterion": "label_loss",
        "wd": "weight_decay",
        "max_grad_norm": "clip_gradient_norm",
        "clipnorm": "clip_gradient_norm",
        "validation_data": "eval_data_pattern",
        "train_data": "train_data_pattern",
        "output_dir": "train_dir",
        "logdir": "train_dir",
        "arch": "model",
        "fp16": "dtype_policy",
        "gpus": "num_gpu",
        "smoothing": "label_smoothing",
        "random_state": "seed",
        "xla": "jit_compile",
    }.items(),
)
def test_the_words_of_others(given, meant):
    assert names.nearest(given, flags_of(train)) == meant


def test_the_first_meaning_that_there_is_counts():
    assert names.nearest("output", ["export_dir", "top_k"]) == "export_dir"
    assert names.nearest("output", ["output_file"]) == "output_file"
    assert names.nearest("bce", ["HingeLoss", "CrossEntropyLoss"]) == (
        "CrossEntropyLoss"
    )


def test_parts_of_names():
    known = [*models.MODELS]
    assert names.nearest("moe", known) == "MoeModel"
    assert names.nearest("deep", known) == "DeepCirculantModel"
    assert names.nearest("oe", known) is None


def test_each_synonym_means_something_that_there_is():
    known = {"verbosity", *models.MODELS, "constant", "none", "mirrored"}
    known |= {"litert", "saved_model", "onnx", "float16", "bfloat16"}
    known |= {"mixed_float16", "mixed_bfloat16"}
    known |= {"CrossEntropyLoss", "SoftmaxLoss"}
    for name, module in console_scripts.PROGRAMS.items():
        modules = [module]
        if name == "yt8m-data":
            modules = module.VERBS.values()
        for one in modules:
            known |= {*flags_of(one)}
    meant = {one for all in synonyms.SYNONYMS.values() for one in all}
    assert meant - known == set()


def test_nothing_near():
    assert names.nearest("zzz", _KNOWN) is None
    assert names.suggestion("zzz", _KNOWN) == ""


def test_suggestion_is_a_question():
    assert names.suggestion("seeds", _KNOWN) == "; did you mean seed?"
    assert names.suggestion("seeds", _KNOWN, "--") == "; did you mean --seed?"
