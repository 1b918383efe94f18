"""The results pages inside Airflow's own web app: its login, its permissions, S3 behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_account import Account
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from results_data import DATASET, Project

from dermaflow.pages.app import pages_app
from dermaflow_jobs.contract.champion import Comparison, Promotion, Scores
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Interval

EXAMPLES = {
    "run_key": "lesion_training=2026-09-07T03-00-00Z",
    "dataset_id": DATASET,
    "number": "1",
    "name": "style.css",
}
OUTSIDE = (
    "../secret", "..", "....//secret", "..=", "=..", "a=../../secret", "a=b/../../secret", "a=b\0", "a=b\\..\\secret",
    "s3://other/secret", "/secret", "a=b\n", "a=" + "b" * 300,
)  # fmt: skip


def routes() -> list[APIRoute]:
    """Every route of the app, from the app itself; one of another kind would be behind no login."""
    found = list(pages_app().routes)
    assert all(isinstance(route, APIRoute) for route in found), found
    return [route for route in found if isinstance(route, APIRoute)]


def address(route: APIRoute, **given: str) -> str:
    values = EXAMPLES | given
    query = "?dag_id=lesion_training&run_id=x" if route.name == "dag_run" else ""
    return "/dermaflow" + re.sub(r"\{(\w+)\}", lambda m: values[m[1]], route.path) + query


@pytest.fixture(scope="module")
def airflow_app(account: Account, airflow_db: None) -> Iterator[Any]:
    """Airflow's API server in this process, plugins and all."""
    from airflow.api_fastapi.app import create_app

    app = create_app(apps="core")
    with TestClient(app, base_url="http://airflow.test", follow_redirects=False) as client:
        yield client


@pytest.fixture
def project(account: Account, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = f"s3://{bucket}/lesions"
    monkeypatch.setenv("DERMAFLOW_ROOT", root)
    account.s3.put_object(Bucket=bucket, Key="secret", Body=b"TOP SECRET")
    return Project(account.s3, root)


@pytest.fixture
def filled(project: Project) -> list[LedgerRecord]:
    """Four runs, a dataset and a champion."""
    records = [project.run(week) for week in range(3)]
    records.append(project.run(3, model="seed_cnn", dataset_id="other", epochs=40))
    project.tables(*records)
    project.dataset()
    project.crown(records[2])
    return records


def token(role: str | None) -> str:
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    return str(get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="somebody", role=role)))


@pytest.fixture
def visitor(airflow_app: TestClient) -> TestClient:
    """Not logged in."""
    airflow_app.cookies.clear()
    return airflow_app


@pytest.fixture
def reader(visitor: TestClient) -> TestClient:
    """Logged in by Airflow's cookie, as a viewer: may read DAGs and nothing more."""
    visitor.cookies.set("_token", token("VIEWER"))
    return visitor


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_no_route_answers_without_a_login(route: APIRoute, visitor: TestClient, project: Project) -> None:
    """Every route there is, style sheet included; with a forged token as well, and by other methods."""
    answer = visitor.get(address(route))
    assert answer.status_code == 401
    assert "Log in" in answer.text
    forged = visitor.get(address(route), headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.e30."})
    assert forged.status_code in {401, 403}
    assert visitor.post(address(route)).status_code in {401, 405}


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_no_route_answers_who_may_not_read_the_dag(route: APIRoute, visitor: TestClient, filled: object) -> None:
    """A login alone is not enough."""
    answer = visitor.get(address(route), headers={"Authorization": f"Bearer {token(None)}"})
    assert answer.status_code == 403
    assert EXAMPLES["run_key"] not in answer.text


@pytest.mark.parametrize("route", [r for r in routes() if "{" in r.path], ids=lambda route: route.name)
def test_an_address_never_leads_out_of_the_project(route: APIRoute, reader: TestClient, project: Project) -> None:
    """Whatever is written where a name belongs: not found, and nothing from elsewhere in the bucket."""
    (name,) = re.findall(r"\{(\w+)\}", route.path)
    for wrong in OUTSIDE:
        raw = "".join(f"%{byte:02x}" for byte in wrong.encode())  # else the client itself would take the dots away
        answer = reader.get(address(route, **{name: raw}))
        assert answer.status_code == 404, wrong
        assert "TOP SECRET" not in answer.text


def test_a_storage_root_that_no_run_uses_is_not_read(reader: TestClient, account: Account, filled: object) -> None:
    """The address can choose among the roots that runs of this DAG were given, and name no other."""
    elsewhere = Project(account.s3, "s3://dermaflow/elsewhere")
    elsewhere.tables(elsewhere.run(7))
    for route in ("/", "/champion", f"/runs/{EXAMPLES['run_key']}"):
        assert reader.get(f"/dermaflow{route}", params={"root": elsewhere.root}).status_code == 404


def test_a_record_cannot_send_a_reader_out_of_the_project(reader: TestClient, project: Project) -> None:
    """A champion whose card lies outside the storage root shows none."""
    record = project.run(0)
    project.crown(record)
    key = project.layout.champion_history(1)
    champion = project.s3.get_object(Bucket=project.layout.bucket, Key=key)["Body"].read().decode()
    outside = champion.replace('"card_key": null', '"card_key": "secret.html"')
    assert outside != champion
    project.put("secret.html", "TOP SECRET")
    project.put(key, outside)
    project.put(project.layout.champion(), outside)
    assert reader.get("/dermaflow/champion/1/card.html").status_code == 404


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_every_answer_forbids_scripts_and_other_origins(route: APIRoute, reader: TestClient, filled: object) -> None:
    """Also where the page is an error."""
    answer = reader.get(address(route))
    assert answer.status_code in {200, 400, 404}
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer.headers["Cache-Control"]
    if "html" in answer.headers["Content-Type"]:
        assert "<script" not in answer.text
        assert " style=" not in answer.text


def test_a_card_is_shown_where_it_can_do_nothing(reader: TestClient, project: Project) -> None:
    """A card is an object that a job wrote: sandboxed twice over, whatever is in it."""
    record = project.run(0)
    project.tables(record)
    evil = "<script>fetch('/api/v2/connections')</script>"
    project.put(project.layout.model_card(record.run_key), evil)
    card = reader.get(f"/dermaflow/runs/{record.run_key}/card.html")
    assert card.text == evil
    policy = card.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox;")
    assert "allow-" not in policy
    assert '<iframe class="card" sandbox ' in reader.get(f"/dermaflow/runs/{record.run_key}/card").text


def test_text_from_s3_is_text(reader: TestClient, project: Project) -> None:
    """In tables, in the chart and in its labels."""
    evil = "<img src=x onerror=alert(1)>\"'"
    record = project.run(0)
    metrics = record.metrics.model_copy(update={"model": evil})
    changed = record.model_copy(update={"metrics": metrics, "run_type": evil})
    project.tables(changed)
    project.put(project.layout.ledger_run(record.run_key), changed.to_json())
    for address in ("/", f"/runs/{record.run_key}"):
        page = reader.get(f"/dermaflow{address}")
        assert page.status_code == 200
        assert "<img" not in page.text
        assert "&lt;img" in page.text


def test_the_first_page_shows_champion_chart_and_runs(reader: TestClient, filled: list[LedgerRecord]) -> None:
    """Newest first; each dot of the chart leads to its run."""
    page = reader.get("/dermaflow/").text
    names = re.findall(r'<td data-label="Run"><a href="/dermaflow/runs/([^"]+)"', page)
    assert names == [record.run_key for record in reversed(filled)]
    assert page.count("<svg") == 2
    chart = page[page.index("<svg") : page.index("</svg>")]
    for record in filled:
        assert f'href="/dermaflow/runs/{record.run_key}"' in chart
    assert "page.invalid" not in page
    assert "vega-datasets" not in page
    assert "Champion" in page
    assert "0.720" in page


def test_a_run_s_page_has_scores_options_and_links(reader: TestClient, filled: list[LedgerRecord]) -> None:
    page = reader.get(f"/dermaflow/runs/{filled[3].run_key}").text
    assert "0.67 – 0.78" in page
    assert "<strong>40</strong>" in page  # epochs: not the default
    assert f"/dermaflow/runs/{filled[3].run_key}/card" in page
    assert f"/dermaflow/compare?run={filled[2].run_key}&amp;run={filled[3].run_key}".replace("=2026", "%3D2026") in page
    assert f"/dags/lesion_training/runs/{filled[3].run_id}" in page
    framed = reader.get(f"/dermaflow/runs/{filled[3].run_key}", headers={"Sec-Fetch-Dest": "iframe"}).text
    assert "/dags/lesion_training" not in framed


def test_two_runs_side_by_side(reader: TestClient, filled: list[LedgerRecord]) -> None:
    """What differs stands first; other images are said to be other images."""
    a, b = filled[0].run_key, filled[3].run_key
    page = reader.get("/dermaflow/compare", params={"run": [a, b]}).text
    assert "Their datasets differ" in page
    assert re.search(r"<td>Epochs</td><td>20</td><td>40</td>", page)
    assert "+0.030" in page
    assert "Learning rate" in page[page.index("options that do not differ") :]
    same = reader.get("/dermaflow/compare", params={"run": [a, filled[1].run_key]}).text
    assert "on the same images" in same
    assert reader.get("/dermaflow/compare", params={"run": filled[0].run_key}).status_code == 200  # with the champion
    for chosen in ([], [a, b, filled[1].run_key]):
        assert reader.get("/dermaflow/compare", params={"run": chosen}).status_code == 400
    assert reader.get("/dermaflow/compare", params={"run": [a, "x=nothing"]}).status_code == 404
    assert reader.get("/dermaflow/compare", params={"run": [a, "../secret"]}).status_code == 404


def test_a_comparison_on_the_same_images_is_shown(
    reader: TestClient, filled: list[LedgerRecord], project: Project
) -> None:
    """Where one of the two was the other's challenger; it names a model, and the history whose that is."""
    champion, challenger = filled[2], filled[3]
    crowned = project.layout.champion_history(1)
    body = project.s3.get_object(Bucket=project.layout.bucket, Key=crowned)["Body"].read().decode()
    for key in (crowned, project.layout.champion()):
        project.put(key, body.replace('"model_id": ""', '"model_id": "m1"'))
    sensitivity = {"melanoma": 0.6}
    comparison = Comparison(
        champion="m1",
        images=140,
        images_per_class={"melanoma": 140},
        challenger_scores=Scores(mean_auc=0.73, sensitivity=sensitivity),
        champion_scores=Scores(mean_auc=0.72, sensitivity=sensitivity),
        difference=0.01,
        difference_interval=Interval(low=-0.02, high=0.04),
        confidence=0.7,
        resamplings=2000,
    )
    told = Promotion(promoted=False, why="not sure", decided_at=challenger.recorded_at, comparison=comparison)
    project.put(
        project.layout.ledger_run(challenger.run_key), challenger.model_copy(update={"promotion": told}).to_json()
    )
    page = reader.get("/dermaflow/compare", params={"run": [champion.run_key, challenger.run_key]}).text
    assert "On the same 140 images" in page
    assert "−0.020 to +0.040" in page
    other = reader.get("/dermaflow/compare", params={"run": [filled[0].run_key, challenger.run_key]}).text
    assert "On the same 140 images" not in other


def test_dataset_and_champion_pages(reader: TestClient, filled: list[LedgerRecord]) -> None:
    dataset = reader.get(f"/dermaflow/datasets/{DATASET}").text
    assert "truncated" in dataset
    assert filled[0].run_key in dataset
    assert filled[3].run_key not in dataset
    champion = reader.get("/dermaflow/champion").text
    assert "present champion" in champion
    assert reader.get("/dermaflow/champion/1/card.html").text.endswith(f"The card of {filled[2].run_key}</p>")


def test_an_empty_ledger_is_said(reader: TestClient, project: Project) -> None:
    """As is a champion that there is not."""
    page = reader.get("/dermaflow/")
    assert page.status_code == 200
    assert "No run is in the ledger yet" in page.text
    assert "No model has been promoted yet" in reader.get("/dermaflow/champion").text


def test_s3_that_cannot_be_read_is_said_with_the_reason(
    reader: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMAFLOW_ROOT", "s3://no-such-bucket-anywhere")
    page = reader.get("/dermaflow/")
    assert page.status_code == 503
    assert "S3 cannot be read" in page.text
    assert "NoSuchBucket" in page.text


def test_a_table_with_bad_lines_shows_the_others(reader: TestClient, project: Project) -> None:
    records = [project.run(0), project.run(1)]
    project.tables(*records)
    key = project.layout.ledger_csv()
    text = project.s3.get_object(Bucket=project.layout.bucket, Key=key)["Body"].read().decode()
    project.put(key, f"{text}garbage\n../x,,never\n")
    page = reader.get("/dermaflow/").text
    assert "2 rows of the table could not be read" in page
    assert records[1].run_key in page


def test_an_object_that_is_none_of_ours_is_named(reader: TestClient, project: Project) -> None:
    record = project.run(0)
    project.put(project.layout.ledger_run(record.run_key), '{"hello": 1}')
    page = reader.get(f"/dermaflow/runs/{record.run_key}")
    assert page.status_code == 502
    assert project.layout.ledger_run(record.run_key) in page.text


def test_a_long_ledger_is_read_once_and_shown_in_pages(reader: TestClient, project: Project, account: Account) -> None:
    """Thousands of runs are one object, never thousands of reads."""
    first = project.run(0)
    copies = [
        first.model_copy(update={"run_key": f"lesion_training=manual-{n}", "metrics": first.metrics})
        for n in range(3000)
    ]
    project.tables(*copies)
    before = account.calls("S3.GetObject")
    page = reader.get("/dermaflow/", params={"page": 2}).text
    assert account.calls("S3.GetObject") - before <= 3
    assert page.count('data-label="Run"') == 25
    assert "Page 2 of 120, 3,000 runs" in page


def test_an_unfinished_run_shows_how_far_it_is_and_looks_again(reader: TestClient, project: Project) -> None:
    record = project.run(0)
    project.s3.delete_object(Bucket=project.layout.bucket, Key=project.layout.ledger_run(record.run_key))
    project.put(project.layout.step_report(record.run_key, "verify"), "{}")
    progress = (
        '{"step":"train","phase":"fitting","done":480,"total":4800,"unit":"images","updated_at":"2026-09-07T03:10:00Z"}'
    )
    project.put(project.layout.step_progress(record.run_key, "train"), progress)
    page = reader.get(f"/dermaflow/runs/{record.run_key}")
    assert page.headers["Refresh"] == "10"
    assert "fitting 480/4,800 images" in page.text
    assert "not begun" in page.text


def test_a_page_that_has_not_changed_is_not_sent_again(reader: TestClient, filled: object) -> None:
    first = reader.get("/dermaflow/")
    again = reader.get("/dermaflow/", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
