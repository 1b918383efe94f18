"""An environment that one node built and published is unpacked by the others, without a package index."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from pathlib import Path

import pytest
from bootstrap_bundle import Bundle, publish
from bootstrap_machine import Machine, Outcome

NOWHERE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_RETRIES": "0",
    "PIP_NO_CACHE_DIR": "1",
    "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
}
ARCHIVES = "s3://code/environments"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle, and beside it the archive that the first node made."""
    bundle = publish(tmp_path_factory.mktemp("buckets") / "code")
    outcome = Machine(tmp_path_factory.mktemp("first")).bootstrap(bundle, "--archives", ARCHIVES)
    assert outcome.code == 0, outcome.output
    assert "bootstrap: publish: " in outcome.output
    return bundle


@pytest.fixture
def copy(published: Bundle, tmp_path: Path) -> Bundle:
    """Its own to corrupt."""
    shutil.copytree(published.bucket, tmp_path / "code")
    return Bundle(tmp_path / "code", published.id)


def offline(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "offline", {**NOWHERE, "UV_CACHE_DIR": str(tmp_path / "no-cache")})


def run(machine: Machine, bundle: Bundle) -> Outcome:
    return machine.bootstrap(bundle, "--archives", ARCHIVES)


def files(bundle: Bundle) -> list[Path]:
    return sorted((bundle.bucket / "environments").rglob("*.*"))


def imports(machine: Machine) -> bool:
    return os.system(f"{machine.venv}/bin/python -c 'import yaml, idna'") == 0  # noqa: S605


def test_the_second_node_needs_no_package_index(published: Bundle, tmp_path: Path) -> None:
    """It unpacks, checks that every package is present, and is ready like the first."""
    machine = offline(tmp_path)
    outcome = run(machine, published)
    assert outcome.code == 0, outcome.output
    assert "bootstrap: archive: " in outcome.output
    assert "bootstrap: environment: " not in outcome.output
    assert imports(machine)
    assert (machine.venv / "READY").is_file()


def test_names_are_hashes_and_places_tell_architectures_apart(published: Bundle) -> None:
    """Lock, architecture and Python name the folder; what is in it is named by its SHA-256."""
    archive, tools = (
        next(each for each in files(published) if each.name.endswith(end)) for end in ("zst", "tools.tar.gz")
    )
    assert f"-{os.uname().machine}-" in archive.parent.name
    assert len(archive.name) == 64 + len(".tar.zst")
    assert tools.stat().st_size < 20_000_000, "uv itself is not in it"


@pytest.mark.parametrize("which", [".tar.zst", ".tools.tar.gz"])
def test_a_corrupt_archive_is_refused_and_another_made(copy: Bundle, tmp_path: Path, which: str) -> None:
    """One flipped byte: the node builds and publishes beside it, and the next node passes over it and unpacks."""
    victim = next(each for each in files(copy) if each.name.endswith(which))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    machine = Machine(tmp_path / "builds")
    outcome = run(machine, copy)
    assert outcome.code == 0, outcome.output
    assert f"{victim.name} is refused: its hash is " in outcome.output
    assert "bootstrap: environment: " in outcome.output
    assert imports(machine)
    assert "bootstrap: archive: " in run(offline(tmp_path), copy).output


def test_what_is_published_later_is_looked_at_by_nobody(copy: Bundle, tmp_path: Path) -> None:
    """A node that was taken over can add an archive with a right name, yet the oldest sound one counts."""
    sound = next(each for each in files(copy) if each.name.endswith(".tar.zst"))
    evil = b"another environment"
    later = sound.with_name(f"{hashlib.sha256(evil).hexdigest()}.tar.zst")
    later.write_bytes(evil)
    for path in files(copy):
        os.utime(path, (time.time() - 60 * (path != later),) * 2)
    machine = offline(tmp_path)
    outcome = run(machine, copy)
    assert outcome.code == 0, outcome.output
    assert later.name not in (machine.folder / "aws-calls").read_text()
    assert imports(machine)


def test_the_two_builds_have_places_of_their_own(copy: Bundle, tmp_path: Path) -> None:
    """TensorFlow with CUDA is another environment, and its extra of the lock is what is installed."""
    machine = Machine(tmp_path / "gpu")
    outcome = machine.bootstrap(copy, "--archives", ARCHIVES, "--build", "gpu")
    assert outcome.code == 0, outcome.output
    assert "bootstrap: markupsafe " in outcome.output
    places = {each.parent.name.split("-")[2] for each in files(copy)}
    assert places == {"cpu", "gpu"}
    assert machine.bootstrap(copy, "--build", "tpu").code == 1


def test_an_archive_for_another_lock_is_not_looked_at(copy: Bundle, tmp_path: Path) -> None:
    """Another lock is another place: nothing there, so the environment is built and published beside the first."""
    lock = tmp_path / "lock"
    shutil.copytree(Path(__file__).parent / "small", lock)
    (lock / "uv.lock").write_text((lock / "uv.lock").read_text() + "\n")
    other = publish(copy.bucket, lock=lock)
    assert "bootstrap: environment: " in run(Machine(tmp_path / "other"), other).output
    assert len(list((copy.bucket / "environments").iterdir())) == 2


def test_archives_that_cannot_be_written_do_not_fail_the_node(published: Bundle, tmp_path: Path) -> None:
    """The environment is there; the next cluster builds its own too."""
    only_read = Bundle(tmp_path / "code", published.id)
    shutil.copytree(published.folder, only_read.folder)
    (tmp_path / "code" / "environments").write_text("a file where the folder would be")
    machine = Machine(tmp_path / "machine")
    outcome = run(machine, only_read)
    assert outcome.code == 0, outcome.output
    assert "could not be written" in outcome.output
    assert imports(machine)
