"""DERMAFLOW_NOTIFY: who is told of what. Read strictly: an address that is not understood is an error, not silence.

    sns:arn:aws:sns:eu-central-1:123456789012:lesions      a topic; ?conn=… for another connection than aws_default
    slack:slack_default#lesions                            a channel, by the API token of that connection
    slack-webhook:slack_hook                               what that connection's incoming webhook leads to
    smtp:mail?to=one@example.org,two@example.org           mail over that connection; &from=… where it has no sender

Each may have `on=failure,approval`: only of these it is told. Several addresses stand apart by blanks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, parse_qsl, urlsplit

from airflow.sdk.bases.notifier import BaseNotifier

from dermaflow.notify.message import Message
from dermaflow.settings import AWS_CONN_ID

Event = Literal["success", "failure", "approval", "reaped"]
EVENTS: Final[tuple[Event, ...]] = get_args(Event)
TIMEOUT_S: Final = 15
_ARN: Final = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+")
_MAIL: Final = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
_NAME: Final = re.compile(r"[\w.-]+")


class AddressError(ValueError):
    """An entry of DERMAFLOW_NOTIFY that is no address; says which, and what one looks like."""


@dataclass(frozen=True)
class Address:
    name: str
    """As written, without query: for the log."""
    events: frozenset[Event]
    notifier: Callable[[Message], BaseNotifier]
    """A notifier of Airflow's that sends this message."""


def parse(text: str) -> tuple[Address, ...]:
    """Raises AddressError."""
    return tuple(_address(word) for word in text.split())


def _address(word: str) -> Address:
    url = urlsplit(word)
    build = _SCHEMES.get(url.scheme)
    if build is None:
        raise AddressError(f"{word}: begin it with one of {', '.join(f'{name}:' for name in _SCHEMES)}")
    try:
        pairs = parse_qsl(url.query, keep_blank_values=True, strict_parsing=bool(url.query))
    except ValueError as error:
        raise AddressError(f"{word}: options are written name=value, with & between them") from error
    query = dict(pairs)
    if len(query) < len(pairs):
        raise AddressError(f"{word}: an option stands there twice")
    events = _events(word, query.pop("on", ""))
    notifier = build(word, url, query)
    if query:
        raise AddressError(f"{word}: no such option: {', '.join(query)}")
    return Address(word.partition("?")[0], events, notifier)


def _events(word: str, names: str) -> frozenset[Event]:
    chosen = frozenset(event for event in EVENTS if event in names.split(","))
    if names and len(chosen) < len(names.split(",")):
        raise AddressError(f"{word}: on= takes {', '.join(EVENTS)}, with commas")
    return chosen or frozenset(EVENTS)


def _sns(word: str, url: SplitResult, query: dict[str, str]) -> Callable[[Message], BaseNotifier]:
    arn = _matching(_ARN, url.path, word, "sns: takes a topic's ARN")
    conn_id = _matching(_NAME, query.pop("conn", AWS_CONN_ID), word, "conn= takes a connection's id")

    def build(message: Message) -> BaseNotifier:
        from airflow.providers.amazon.aws.notifications.sns import SnsNotifier

        # the topic's own region: a topic elsewhere than the clusters is as good
        return SnsNotifier(
            aws_conn_id=conn_id,
            target_arn=arn,
            region_name=arn.split(":")[3],
            subject=message.short_subject(),
            message=message.text(),
        )

    return build


def _slack(word: str, url: SplitResult, _query: dict[str, str]) -> Callable[[Message], BaseNotifier]:
    conn_id = _matching(_NAME, url.path, word, "slack: takes a connection's id, then #channel")
    channel = _matching(_NAME, url.fragment, word, "slack: takes a connection's id, then #channel")

    def build(message: Message) -> BaseNotifier:
        from airflow.providers.slack.notifications.slack import SlackNotifier

        text = message.slack()
        return SlackNotifier(
            slack_conn_id=conn_id, channel=f"#{channel}", text=text, unfurl_links=False, timeout=TIMEOUT_S
        )

    return build


def _slack_webhook(word: str, url: SplitResult, _query: dict[str, str]) -> Callable[[Message], BaseNotifier]:
    conn_id = _matching(_NAME, url.path, word, "slack-webhook: takes a connection's id")

    def build(message: Message) -> BaseNotifier:
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier

        text = message.slack()
        return SlackWebhookNotifier(slack_webhook_conn_id=conn_id, text=text, unfurl_links=False, timeout=TIMEOUT_S)

    return build


def _smtp(word: str, url: SplitResult, query: dict[str, str]) -> Callable[[Message], BaseNotifier]:
    conn_id = _matching(_NAME, url.path, word, "smtp: takes a connection's id, then ?to=")
    to = [_matching(_MAIL, each, word, "to= takes mail addresses") for each in query.pop("to", "").split(",")]
    sender = query.pop("from", None)
    if sender is not None:
        _matching(_MAIL, sender, word, "from= takes one mail address")

    def build(message: Message) -> BaseNotifier:
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier

        return SmtpNotifier(
            smtp_conn_id=conn_id, to=to, from_email=sender, subject=message.subject, html_content=message.html()
        )

    return build


def _matching(pattern: re.Pattern[str], text: str, word: str, wanted: str) -> str:
    if not pattern.fullmatch(text):
        raise AddressError(f"{word}: {wanted}")
    return text


_Build = Callable[[str, SplitResult, dict[str, str]], Callable[[Message], BaseNotifier]]
_SCHEMES: Final[Mapping[str, _Build]] = {
    "sns": _sns,
    "slack": _slack,
    "slack-webhook": _slack_webhook,
    "smtp": _smtp,
}


def told_of(event: Event, addresses: Iterable[Address]) -> tuple[Address, ...]:
    return tuple(address for address in addresses if event in address.events)
