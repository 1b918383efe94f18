"""bootstrap.sh for real: pip, uv, PyPI's wheels (from the cache once they were there); only `aws` is folders."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bootstrap_bundle import EMR, REPO, Bundle, publish
from bootstrap_machine import Machine


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return publish(tmp_path_factory.mktemp("buckets") / "code")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, bundle: Bundle) -> Machine:
    """A machine on which the bootstrap action has run once."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    outcome = machine.bootstrap(bundle)
    assert outcome.code == 0, outcome.output
    for phase in ("machine", "fetch", "tools", "environment", "imports", "code"):
        assert f"bootstrap: {phase}: " in outcome.output
    assert "bootstrap: pyyaml 6." in outcome.output
    return machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def python(machine: Machine, *args: str) -> subprocess.CompletedProcess[str]:
    command = [machine.venv / "bin" / "python", *args]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_the_environment_holds_what_is_locked_and_nothing_else(ready: Machine) -> None:
    """The runtime packages; not the dev group, not what this machine's Python has."""
    seen = python(ready, "-c", "import importlib.metadata as m; print(sorted(d.name for d in m.distributions()))")
    assert seen.stdout.strip().lower() in {"['pyyaml', 'idna']", "['idna', 'pyyaml']"}
    assert python(ready, "--version").stdout.startswith("Python 3.11.")
    assert "include-system-site-packages = false" in (ready.venv / "pyvenv.cfg").read_text()


def test_the_launcher_runs_a_step_of_the_unpacked_code(ready: Machine) -> None:
    """With its own folder first on the path and the step's arguments in sys.argv."""
    step = ready.code / "dermaflow_jobs" / "hello"
    step.mkdir(exist_ok=True)
    (step / "__init__.py").write_text("")
    (step / "__main__.py").write_text("import sys; print(sys.argv[1:], sys.path[0], __name__)")
    ran = python(ready, str(ready.code / "launch.py"), "hello", "--run-spec", "s3://b/run.json")
    assert ran.stdout.strip() == f"['--run-spec', 's3://b/run.json'] {ready.code} __main__", ran.stderr
    assert "usage" in python(ready, str(ready.code / "launch.py"), "--run-spec").stderr


def test_a_second_run_ends_at_once_and_asks_nobody(ready: Machine, bundle: Bundle) -> None:
    """No call to S3, nothing written, a fraction of a second."""
    calls, changed = ready.aws_calls(), ready.venv.stat().st_mtime_ns
    began = time.monotonic()
    outcome = ready.bootstrap(bundle)
    assert (outcome.code, "are ready" in outcome.output) == (0, True)
    assert time.monotonic() - began < 2
    assert ready.aws_calls() == calls
    assert ready.venv.stat().st_mtime_ns == changed


def test_three_at_once_build_once(machine: Machine, bundle: Bundle) -> None:
    """The others wait for the first and then find all done."""
    running = [machine.start(bundle) for _ in range(3)]
    outputs = [each.communicate(timeout=120)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0, 0], outputs
    assert sum("bootstrap: environment:" in output for output in outputs) == 1
    assert len(machine.aws_calls()) == 1
    assert sorted(each.name for each in machine.root.iterdir()) == [".bootstrap.lock", "code-1", "env-1"]


def test_a_run_that_was_killed_is_made_good_by_the_next(machine: Machine, bundle: Bundle, ready: Machine) -> None:
    """Without its READY file an environment is built anew, and so is one whose interpreter has gone."""
    machine.venv.mkdir(parents=True)
    (machine.venv / "half").touch()
    assert machine.bootstrap(bundle).code == 0
    assert not (machine.venv / "half").exists()
    (machine.venv / "bin" / "python").unlink()
    assert "bootstrap: environment:" in machine.bootstrap(bundle).output
    assert python(machine, "-c", "import yaml").returncode == 0


def test_new_code_with_the_same_lock_keeps_the_environment(ready: Machine, tmp_path: Path) -> None:
    """Only the code folder is made: under a second, and no package index."""
    other = publish(tmp_path / "code", code="VALUE = 2\n")
    process = ready.start(other, "--code", str(ready.root / "code-2"))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert "bootstrap: environment:" not in output
    assert (ready.root / "code-2" / "dermaflow_jobs" / "hello.py").read_text() == "VALUE = 2\n"


def corrupted(bundle: Bundle, tmp_path: Path, name: str, content: bytes) -> Bundle:
    """A copy in which one file was changed after publishing."""
    copy = Bundle(tmp_path / "code", bundle.id)
    copy.folder.mkdir(parents=True)
    for each in bundle.folder.iterdir():
        (copy.folder / each.name).write_bytes(content if each.name == name else each.read_bytes())
    return copy


def test_a_corrupt_bundle_is_refused(machine: Machine, bundle: Bundle, tmp_path: Path) -> None:
    """A changed file, named; nothing is built."""
    outcome = machine.bootstrap(corrupted(bundle, tmp_path, "uv.lock", b"version = 1\n"))
    assert outcome.code == 1
    assert "uv.lock: FAILED" in outcome.output
    assert "does not match its SHA256SUMS" in outcome.output
    assert not machine.venv.exists()


def test_a_bundle_under_anothers_id_is_refused(machine: Machine, bundle: Bundle, tmp_path: Path) -> None:
    """Changed together with its SHA256SUMS: the id in the URI tells."""
    lines = (bundle.folder / "SHA256SUMS").read_text().splitlines(keepends=True)
    evil = b"evil"
    sums = [f"{hashlib.sha256(evil).hexdigest()}  launch.py\n" if "launch.py" in each else each for each in lines]
    copy = corrupted(bundle, tmp_path, "SHA256SUMS", "".join(sums).encode())
    (copy.folder / "launch.py").write_bytes(evil)
    outcome = machine.bootstrap(copy)
    assert outcome.code == 1
    assert f"not {bundle.id}" in outcome.output


def test_a_missing_bundle_says_what_to_check(machine: Machine, tmp_path: Path) -> None:
    """Published? Permitted?"""
    (tmp_path / "code").mkdir()
    outcome = machine.bootstrap(Bundle(tmp_path / "code", "0" * 64))
    assert outcome.code == 1
    assert "there is no s3://code/0000" in outcome.output


def test_a_full_disk_is_seen_before_anything_is_written(machine: Machine, bundle: Bundle) -> None:
    """By what df says."""
    machine.has("df", "#!/bin/sh\necho head\necho /dev/x 100000 99000 1000 99% /\n")
    outcome = machine.bootstrap(bundle)
    assert outcome.code == 1
    assert "1000 MB are free" in outcome.output
    assert "larger EBS volume" in outcome.output
    assert machine.aws_calls() == []


def test_a_disk_that_fills_up_while_packages_are_installed_is_named(machine: Machine, bundle: Bundle) -> None:
    """pip or uv then say so in their way; the message says it in ours."""
    real = f"{sys.base_prefix}/bin/python3"
    full = "echo 'ERROR: [Errno 28] No space left on device' >&2; exit 1"
    machine.has("python3", f'#!/bin/sh\ncase "$*" in *pip*) {full};; esac\nexec {real} "$@"\n')
    outcome = machine.bootstrap(bundle)
    assert outcome.code == 1
    assert "the disk is full" in outcome.output


def test_no_network_is_named_as_such(machine: Machine, bundle: Bundle) -> None:
    """With empty caches and an index that nobody listens at."""
    nowhere = "http://127.0.0.1:9/simple"
    machine.settings = {
        "PIP_INDEX_URL": nowhere,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "UV_CACHE_DIR": str(machine.folder / "cache"),
        "UV_DEFAULT_INDEX": nowhere,
    }
    outcome = machine.bootstrap(bundle)
    assert outcome.code == 1
    assert "no network: the package index cannot be reached" in outcome.output
    assert "NAT gateway" in outcome.output


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\nexit 127\n", "python3.11 does not run"),
        ("#!/bin/sh\necho 3.12\n", "python3.11 is Python 3.12"),
    ],
)
def test_a_wrong_python_is_refused(machine: Machine, bundle: Bundle, script: str, words: str) -> None:
    """The lock is for 3.11."""
    machine.has("python3.11", script)
    outcome = machine.bootstrap(bundle)
    assert outcome.code == 1
    assert words in outcome.output


def test_a_missing_python_is_named(machine: Machine, bundle: Bundle) -> None:
    """On a path that has all else."""
    machine.has("python3", "#!/bin/sh\nexit 0\n")
    for name in ["bash", "mkdir", "mktemp", "id", "stat", "flock", "rm", "hostname", "sha256sum", "df", "awk"]:
        machine.has(name, f'#!/bin/sh\nexec /usr/bin/{name} "$@"\n')
    machine.settings = {"PATH": str(machine.bin)}
    outcome = machine.bootstrap(bundle)
    assert outcome.code == 1
    assert "python3.11 is missing" in outcome.output


def test_a_root_that_somebody_else_owns_is_refused(machine: Machine, bundle: Bundle) -> None:
    """Code that another user can change is not run. A symbolic link is refused for the same reason."""
    if os.geteuid() == 0:
        machine.root.mkdir()
        os.chown(machine.root, 12345, 12345)
        outcome = machine.bootstrap(bundle)
        assert (outcome.code, "belongs to" in outcome.output) == (1, True)
        machine.root.rmdir()
    machine.root.symlink_to(machine.folder)
    outcome = machine.bootstrap(bundle)
    assert (outcome.code, "is a symbolic link" in outcome.output) == (1, True)


def test_wrong_arguments_are_named(machine: Machine, bundle: Bundle) -> None:
    """Unknown, without value, not an S3 URI, not beside each other."""
    for more, words in (
        (["--what", "x"], "unknown argument --what"),
        (["--code"], "--code has no value"),
        (["--bundle", "/tmp/x"], "not an s3:// URI"),  # noqa: S108
        (["--code", "relative/path"], "must be absolute"),
        (["--code", "/elsewhere/code-1"], "one parent folder"),
    ):
        outcome = machine.bootstrap(bundle, *more)
        assert (outcome.code, words in outcome.output) == (1, True), outcome.output


def test_the_script_is_clean_by_shellcheck() -> None:
    """Every check on."""
    command = [REPO / ".venv" / "bin" / "shellcheck", "--severity=style", EMR / "bootstrap.sh"]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
