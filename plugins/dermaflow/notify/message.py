"""One message, as each way of sending wants it written. What it tells is never read as a template or as markup."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

MAX_SUBJECT: Final = 100
"""Characters; SNS refuses more, and any that are not ASCII."""
MAX_FACT: Final = 600


@dataclass(frozen=True)
class Message:
    subject: str
    facts: tuple[tuple[str, str], ...]
    """Name and value, a line each."""
    link: str

    def text(self) -> str:
        return "\n".join([self.subject, "", *(f"{name}: {value[:MAX_FACT]}" for name, value in self.facts), self.link])

    def short_subject(self) -> str:
        plain = " ".join(self.subject.encode("ascii", "replace").decode().split())
        return plain[:MAX_SUBJECT]

    def html(self) -> str:
        rows = "".join(
            f"<tr><th align='left'>{escape(name)}</th><td>{escape(value[:MAX_FACT])}</td></tr>"
            for name, value in self.facts
        )
        link = escape(self.link, quote=True)
        return f"<p>{escape(self.subject)}</p><table>{rows}</table><p><a href='{link}'>{link}</a></p>"

    def slack(self) -> str:
        """Slack's own three escapes; see https://docs.slack.dev/messaging/formatting-message-text."""
        lines = [f"*{_mrkdwn(self.subject)}*", *(f"{n}: {_mrkdwn(value[:MAX_FACT])}" for n, value in self.facts)]
        return "\n".join([*lines, f"<{self.link}|in Airflow>"])


def _mrkdwn(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
