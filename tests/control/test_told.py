"""Messages: who is told is read strictly, real servers are told, and one that is broken keeps nobody from anything."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aws_account import REPO, Account
from emr_requests import job_flow
from fake_run import FakeRun
from proxy import free_port

from dermaflow.notify import callbacks, notice
from dermaflow.notify.addresses import AddressError, parse
from dermaflow.notify.message import Message
from dermaflow.notify.news import REAPED
from dermaflow.operators.create_cluster import CreateClusterOperator
from dermaflow.operators.reap_clusters import ReapClustersOperator
from dermaflow.run import run_key_of
from dermaflow_jobs.contract.ledger import LedgerRecord
from dermaflow_jobs.contract.metrics import Metrics, SplitMetrics
from dermaflow_jobs.contract.s3_layout import Layout

ARN = "arn:aws:sns:us-east-1:123456789012:lesions"
SECRET = "xoxb-nobody-may-read-this"


@dataclass
class Slack:
    """What a server in Slack's place was sent: path, headers' token, body."""

    url: str
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    """Connections `chat` (API token) and `hook` (incoming webhook) lead to it."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.calls.append((self.path, self.headers.get("Authorization", ""), body))
            answer = b'{"ok": true}' if "chat.postMessage" in self.path else b"ok"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Slack(f"http://127.0.0.1:{http.server_port}")
    Thread(target=http.serve_forever, daemon=True).start()
    api = {"conn_type": "slack", "password": SECRET, "extra": {"base_url": f"{server.url}/api/"}}
    hook = {"conn_type": "slackwebhook", "host": f"{server.url}/services", "password": "T0/B0/hidden"}
    monkeypatch.setenv("AIRFLOW_CONN_CHAT", json.dumps(api))
    monkeypatch.setenv("AIRFLOW_CONN_HOOK", json.dumps(hook))
    yield server
    http.shutdown()
    http.server_close()


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Envelopes that a mail server got; connection `mail` leads to it."""
    got: list[Any] = []

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name
            got.append(envelope)
            return "250 kept"

    controller = Controller(Handler(), hostname="127.0.0.1", port=(port := free_port()))
    controller.start()
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org"}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_MAIL", json.dumps(connection))
    yield got
    controller.stop()


def record(run_key: str) -> LedgerRecord:
    valid = SplitMetrics(
        images=150, images_per_class={"a": 75, "b": 75}, accuracy=0.5, balanced_accuracy=0.5,
        auc={"a": 0.8, "b": 0.8}, mean_auc=0.8, confusion=((40, 35), (40, 35)),
    )  # fmt: skip
    now = datetime(2026, 11, 1, 3, tzinfo=UTC)
    found = Metrics(
        run_key=run_key, dataset_id="d" * 16, classes=("a", "b"), image_size=100, model="small_cnn", synthetic=False,
        train_images=1000, splits={"valid": valid}, created_at=now,
    )  # fmt: skip
    return LedgerRecord(
        run_key=run_key, run_id=run_key, logical_date=None, recorded_at=now, code_id="c" * 64, cluster_id="j-1",
        metrics=found,
    )  # fmt: skip


@pytest.fixture
def over(account: Account, bucket: str, run: FakeRun) -> dict[str, Any]:
    """The context of a finished run: its record is in the ledger, two of its tasks have failed."""
    run.params = {"root": f"s3://{bucket}", "password": SECRET}
    context = run.context()
    context["ti"].task_id = "approve"
    run.states |= {"check_inputs": "success", "train": "failed", "evaluate": "upstream_failed"}
    context["dag_run"].start_date = datetime.now(UTC)
    found = record(run_key_of(context))
    layout = Layout.of(f"s3://{bucket}")
    account.s3.put_object(Bucket=bucket, Key=layout.ledger_run(found.run_key), Body=found.to_json().encode())
    account.s3.put_object(Bucket=bucket, Key=layout.model_card(found.run_key), Body=b"<html>")
    return context


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("mailto:me@example.org", "begin it with one of sns:, slack:"),
        ("sns:lesions", "a topic's ARN"),
        ("sns:arn:aws:sqs:us-east-1:123456789012:lesions", "a topic's ARN"),
        ("slack:chat", "then #channel"),
        ("slack-webhook:", "a connection's id"),
        ("smtp:mail", "mail addresses"),
        ("smtp:mail?to=me", "mail addresses"),
        ("smtp:mail?to=a@b.org&from=Airflow", "one mail address"),
        ("smtp:mail?to=a@b.org&cc=c@d.org", "no such option: cc"),
        ("smtp:mail?to=a@b.org&to=c@d.org", "stands there twice"),
        ("slack:chat?on=failed#lesions", "on= takes success, failure"),
        ("slack:chat?failure#lesions", "name=value"),
    ],
)
def test_an_address_that_is_not_understood_is_an_error(text: str, says: str) -> None:
    """Which names the address and what one looks like: silence would be found out too late."""
    with pytest.raises(AddressError) as error:
        parse(f"sns:{ARN} {text}")
    assert says in str(error.value)
    assert text in str(error.value)


def test_nobody_is_told_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """No callback stands in the DAGs then; of some events only, where that is asked for."""
    assert callbacks("success", "failure") == {}
    notice("approval")({})
    monkeypatch.setenv("DERMAFLOW_NOTIFY", "slack:chat?on=failure,approval#lesions")
    assert set(callbacks("success", "failure")) == {"on_failure_callback"}


def test_the_dags_tell_where_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag

    monkeypatch.setenv("DERMAFLOW_NOTIFY", f"sns:{ARN}")
    bag = DagBag(REPO / "dags", load_op_links=False)
    assert bag.import_errors == {}
    told = {name: (bool(dag.on_success_callback), bool(dag.on_failure_callback)) for name, dag in bag.dags.items()}
    assert told["lesion_training"] == told["lesion_scoring"] == (True, True)
    assert told["emr_reaper"] == (False, True)
    assert bag.dags["emr_reaper"].get_task("reap").notifiers[0].addresses


def test_sns_carries_the_result(account: Account, over: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the topic into a queue: subject, score, link."""
    sns, sqs = account.client("sns"), account.client("sqs")
    arn = sns.create_topic(Name="lesions")["TopicArn"]
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    monkeypatch.setenv("DERMAFLOW_NOTIFY", f"sns:{arn}")
    notice("success")(over)
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5)["Messages"]
    told = json.loads(message["Body"])
    assert told["Subject"] == "Dermaflow airflow: lesions: success"
    assert "result: mean AUC 0.800, accuracy 50.0 %" in told["Message"]
    assert "/dags/lesions/runs/manual__" in told["Message"]
    assert SECRET not in told["Message"]


def test_slack_carries_what_failed(slack: Slack, over: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """To a channel by the API, and by a webhook; the token goes into the header and nowhere else."""
    monkeypatch.setenv("DERMAFLOW_NOTIFY", "slack:chat#lesions slack-webhook:hook")
    notice("failure")(over)
    (path, token, api), (hook_path, _, hook) = slack.calls
    assert (path, token, api["channel"]) == ("/api/chat.postMessage", f"Bearer {SECRET}", "#lesions")
    assert hook_path == "/services/T0/B0/hidden"
    for body in (api, hook):
        assert "lesions: failed" in body["text"]
        assert "failed: train\n" in body["text"]
        assert SECRET not in json.dumps(body)


def test_mail_asks_for_approval(mails: list[Any], over: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With links to the very task that waits and to the model's card."""
    monkeypatch.setenv("DERMAFLOW_NOTIFY", "smtp:mail?to=one@example.org,two@example.org")
    notice("approval")(over)
    (envelope,) = mails
    assert envelope.rcpt_tos == ["one@example.org", "two@example.org"]
    mail = message_from_bytes(envelope.content, policy=policy.default)
    assert mail["Subject"].endswith("an approval is wanted")
    body = mail.get_body().get_content()
    assert "/tasks/approve/required_actions" in body
    assert "mean AUC 0.800" in body
    assert "/card" in body


def test_a_broken_one_keeps_nobody_from_anything(
    mails: list[Any], over: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No such connection, nobody listening: logged by name, the next address is told, the caller goes on."""
    monkeypatch.setenv("AIRFLOW_CONN_CLOSED", json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": 9}))
    monkeypatch.setenv(
        "DERMAFLOW_NOTIFY", "slack:nowhere#a smtp:closed?to=a@b.org&from=c@d.org smtp:mail?to=a@b.org slack-webhook:no"
    )
    with caplog.at_level(logging.INFO, "dermaflow"):
        notice("success")(over)
    assert len(mails) == 1
    assert {line.split(" was not")[0] for line in caplog.messages if " was not told" in line} == {
        "slack:nowhere#a",
        "smtp:closed",
        "slack-webhook:no",
    }


def test_s3_down_leaves_a_gap_not_silence(
    mails: list[Any], over: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMAFLOW_NOTIFY", "smtp:mail?to=a@b.org")
    over["params"]["root"] = "s3://nobody-made-this"
    notice("success")(over)
    assert b"result" not in mails[0].content
    assert b"lesions: success" in mails[0].content


def test_what_a_message_quotes_is_no_template_and_no_markup() -> None:
    """A run id is anybody's text; Airflow's notifiers would render it."""
    evil = "{{ conn.aws_default.password }} <script>alert(1)</script> <!channel>"
    message = Message(evil, (("run", evil),), "http://a/?b=c&d='e'")
    assert "<script>" not in message.html()
    assert "<!channel>" not in message.slack()
    assert len(Message("ü\n" * 200, (), "l").short_subject()) == 100
    sent: list[str] = []

    class Quoting(Message):
        pass

    for address in parse("slack-webhook:hook sns:" + ARN):
        notifier = address.notifier(Quoting(evil, (), "l"))
        sent.append(getattr(notifier, "text", None) or notifier.message)
    assert all("{{ conn.aws_default.password }}" in text for text in sent)


def test_a_template_in_a_run_id_is_sent_as_it_is(
    slack: Slack, over: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMAFLOW_NOTIFY", "slack-webhook:hook")
    over["dag_run"].run_id = "manual__{{ conn.chat.password }}"
    notice("failure")(over)
    text = slack.calls[0][2]["text"]
    assert "{{ conn.chat.password }}" in text
    assert SECRET not in text


def test_the_reaper_tells_what_it_ended(
    clean: Account, slack: Slack, run: FakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, with cluster, reason and cost; a dry run tells nobody; a notifier that raises ends nothing."""
    monkeypatch.setenv("DERMAFLOW_NOTIFY", "slack-webhook:hook")
    late = CreateClusterOperator(task_id="create", job_flow=job_flow(), max_age=timedelta(seconds=-1))
    cluster_id = run.execute(late)

    class Broken:
        def __call__(self, _: Any) -> None:
            raise RuntimeError("nobody is there")

    context = run.context()
    context["ti"].get_dr_count = lambda **_: 1
    notifiers = [Broken(), notice("reaped")]
    monkeypatch.setattr(run, "context", lambda: context)
    run.execute(ReapClustersOperator(task_id="reap", only_tell=True, notifiers=notifiers))
    assert not slack.calls
    run.execute(ReapClustersOperator(task_id="reap", notifiers=notifiers))
    ((_, _, body),) = slack.calls
    assert "had to be ended by the reaper" in body["text"]
    assert cluster_id in body["text"]
    assert "outlived its deadline" in body["text"]
    assert "USD" in body["text"]
    assert REAPED not in context
