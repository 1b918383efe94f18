"""docker-compose.yml, its secrets and what MWAA gets, as far as they can be judged without Docker or AWS."""

from __future__ import annotations

import importlib.util
import re
import stat
from pathlib import Path
from typing import Any

import yaml

REPO = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPO / "docker-compose.yml").read_text())


def load(name: str) -> Any:
    """A file of infra/airflow, whose folder is no package: it would hide Airflow's."""
    spec = importlib.util.spec_from_file_location(name, REPO / "infra" / "airflow" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_secret_is_drawn_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    """Each another; a second call keeps what is there; what compose insists on is among them."""
    target = tmp_path / ".env"
    env_file = load("env_file")
    assert env_file.main(target) == 0
    written = target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    insisted = set(re.findall(r"\$\{(\w+):\?", (REPO / "docker-compose.yml").read_text()))
    drawn = {name: value for name, value in re.findall(r"^(\w+)=(.+)$", written, re.MULTILINE) if name in insisted}
    assert set(drawn) == insisted
    assert len(set(drawn.values())) == len(drawn)
    assert all(len(value) == 44 for value in drawn.values()), "32 bytes, as a Fernet key wants"
    env_file.main(target)
    assert target.read_text() == written


def test_ports_are_on_loopback_and_nothing_gains_privileges() -> None:
    """What listens for everybody here would be a stand-in without authentication."""
    for name, service in COMPOSE["services"].items():
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ())), name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert not service.get("privileged")
        if name != "postgres":  # its entry point changes owner and user
            assert service["cap_drop"] == ["ALL"], name


def test_what_runs_for_long_says_whether_it_is_well_and_comes_back() -> None:
    """One-shot services apart."""
    once = {"init", "account"}
    for name, service in COMPOSE["services"].items():
        assert ("healthcheck" in service) == (name not in once), name
        assert service["restart"] == ("no" if name in once else "unless-stopped"), name


def test_images_run_as_a_user_and_hold_no_secret() -> None:
    """The last USER is none with rights; nothing is copied from .env."""
    for path in (REPO / "infra").glob("*/Dockerfile"):
        text = path.read_text()
        assert re.findall(r"^USER (\w+)", text, re.MULTILINE)[-1] in {"airflow", "hadoop"}
        assert not re.search(r"\.env\b|SECRET|PASSWORD", text)
    assert ".env" in (REPO / ".dockerignore").read_text().split()


def test_mwaa_gets_the_plugin_the_contract_and_the_job_code() -> None:
    """And requirements with hashes that leave Airflow to MWAA."""
    mwaa = load("mwaa")
    names = {name for name, _ in mwaa.plugin_files()}
    assert {"dermaflow_plugin.py", "dermaflow/operators/base.py", "dermaflow_jobs/contract/run_spec.py"} <= names
    assert {"code/infra/emr/bootstrap.sh", "code/jobs/uv.lock", "code/jobs/dermaflow_jobs/train/job.py"} <= names
    text = mwaa.requirements(str(REPO / ".tools" / "bin" / "uv"))
    assert "apache-airflow-providers-amazon==" in text
    assert not re.search(r"^(apache-airflow|apache-airflow-core|dermaflow-jobs)[ =@]", text, re.MULTILINE)
    assert text.count("--hash=sha256:") > 100
