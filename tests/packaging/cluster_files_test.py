"""Tests of the files for clusters in docs/."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

import project_file
import tiny_runs
from yt8m_compact.programs import train
from yt8m_compact.training import strategies

FOLDER = project_file.ROOT / "docs" / "cluster"


def kubernetes_script():
    """Returns the shell script of a pod, as YAML's block scalar gives it."""
    text = (FOLDER / "kubernetes.yaml").read_text()
    match = re.search(r"^( +)- \|\n((?:\1  .*\n|\n)+)", text, re.MULTILINE)
    indent = len(match[1]) + 2
    return "".join(line[indent:] + "\n" for line in match[2].splitlines())


@pytest.fixture
def bash():
    path = shutil.which("bash")
    assert path, "these tests need bash"
    return path


def run_with_program(bash, script, folder, variables):
    """Runs a script where yt8m-train prints its flags and TF_CONFIG."""
    for name in ("yt8m-train", "srun"):
        program = folder / name
        program.write_text(
            '#!/bin/bash\n[ "${0##*/}" = srun ] && shift && exec "$@"\n'
            'printf "%s\\n" "$TF_CONFIG" > "$OUTPUT.config"\n'
            'printf "%s\\n" "$@" > "$OUTPUT"\n'
        )
        program.chmod(0o755)
    output = folder / "output"
    subprocess.run(
        [bash, "-euc", script],
        check=True,
        env={
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "OUTPUT": str(output),
            **variables,
        },
    )
    flags = output.read_text().splitlines()
    return flags, output.with_suffix(".config").read_text()


def expect_flags(flags):
    """Checks flags as yt8m-train would, without data."""
    values = tiny_runs.parse_flags(train.define_flags, *flags)
    assert values["batch_size"].value == 320
    assert values["model"].value == "NetVladModel"


def test_pods_find_each_other(bash, tmp_path, monkeypatch):
    script = kubernetes_script()
    for index in range(4):
        flags, text = run_with_program(
            bash,
            script,
            tmp_path,
            {"NUM_WORKERS": "4", "JOB_COMPLETION_INDEX": str(index)},
        )
        monkeypatch.setenv("TF_CONFIG", text)
        addresses, found = strategies._parse_tf_config()
        assert found == index
        assert addresses == [
            f"yt8m-train-{number}.yt8m-train:2222" for number in range(4)
        ]
        expect_flags(flags)
    assert json.loads(text)["task"]["type"] == "worker"


def test_slurm_script(bash, tmp_path):
    path = FOLDER / "slurm.sbatch"
    subprocess.run([bash, "-n", path], check=True)
    flags, _ = run_with_program(
        bash, path.read_text(), tmp_path, {"TF_CONFIG": ""}
    )
    assert "--strategy=multi_worker" in flags
    expect_flags(flags)


def test_yaml_is_indented_by_two():
    text = (FOLDER / "kubernetes.yaml").read_text()
    assert "\t" not in text
    service, job = yaml.safe_load_all(text)
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    assert service["spec"]["clusterIP"] == "None"
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 4
    pod = job["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"]
    (container,) = pod["containers"]
    assert container["args"][0] == kubernetes_script()
