"""The people and services that are told: addresses of Apprise in one setting, `JOULEBOARD_NOTIFY`.

The addresses hold passwords and tokens. So only the notifier reads them, no line here names one, and the log
of Apprise is off: it repeats an address that it does not understand.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark_tasks.errors import SettingsError
from benchmark_tasks.settings import environment_path

if TYPE_CHECKING:
    import apprise

VARIABLE = "JOULEBOARD_NOTIFY"
FORMER_VARIABLE = "JOULEBOARD_ALERT_URL"
APPLICATION = "Jouleboard"
SEND_SECONDS = 60.0
"""A receiver has so long to take a message: one that answers a byte per second would never be done."""


class Mood(Enum):
    """What a message is, for services that colour it. The values are Apprise's."""

    BROKEN = "failure"
    WELL = "success"
    NEWS = "info"


@dataclass(frozen=True)
class Message:
    """What is sent. html: the same text for receivers that show HTML, such as e-mail."""

    title: str
    text: str
    mood: Mood
    html: str | None = None


@dataclass
class _Sending:
    """A message on its way to one receiver, in a thread of its own."""

    message: Message
    taken: bool = False
    thread: threading.Thread = field(init=False)

    @classmethod
    def begin(cls, receiver: apprise.Apprise, message: Message) -> _Sending:
        sending = cls(message)

        def send() -> None:
            sending.taken = _sent(receiver, message)

        sending.thread = threading.Thread(target=send, daemon=True)
        sending.thread.start()
        return sending

    def has_taken(self, message: Message) -> bool:
        """Whether the receiver took this very message."""
        return not self.thread.is_alive() and self.taken and self.message == message


@dataclass(frozen=True)
class Receivers:
    """Whom to tell. addresses: secrets, so they are not in the repr."""

    addresses: tuple[str, ...] = ()
    _sending: dict[int, _Sending] = field(default_factory=dict, compare=False)

    def __repr__(self) -> str:
        return f"Receivers({len(self.addresses)})"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Receivers:
        """Read the setting: addresses with white space between them, or a file with one address per line.

        Raises:
            SettingsError: the file cannot be read, or other users can read it.
        """
        text = (environment.get(VARIABLE) or "").strip()
        if "://" not in text and (file := environment_path({VARIABLE: text}, VARIABLE)):
            text = _read(file)
        lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
        return cls(tuple(address for line in lines for address in line.split()))

    @cached_property
    def services(self) -> tuple[str | None, ...]:
        """What each address is, such as `E-Mail` or `Slack`; None if Apprise does not understand it."""
        return tuple(_name(each) for each in self._parsed)

    def send(self, message: Message) -> tuple[str, ...]:
        """Send to every receiver, at once. Returns those that did not take it, like `receiver 2 (Slack)`.

        One that has not taken it after `SEND_SECONDS` did not take it. While it goes on with that, it gets
        no other message; if it takes this one later, it is not sent again.
        """
        known = [number for number, service in enumerate(self.services) if service]
        for number in known:
            before = self._sending.get(number)
            if before is None or not (before.thread.is_alive() or before.has_taken(message)):
                self._sending[number] = _Sending.begin(self._parsed[number], message)
        ends = time.monotonic() + SEND_SECONDS
        for number in known:
            if self._sending[number].message == message:
                self._sending[number].thread.join(max(0.0, ends - time.monotonic()))
        took = {number for number in known if self._sending[number].has_taken(message)}
        for number in took:
            del self._sending[number]
        return tuple(
            f"receiver {number + 1} ({self.services[number]})" for number in known if number not in took
        )

    @cached_property
    def _parsed(self) -> tuple[apprise.Apprise, ...]:
        return tuple(_receiver(address) for address in self.addresses)


def former_setting(environment: Mapping[str, str] = os.environ) -> str | None:
    """What to say to whoever still sets the variable of version 0.2; None if nobody does."""
    if not environment.get(FORMER_VARIABLE) or environment.get(VARIABLE):
        return None
    return f"{FORMER_VARIABLE} is not read any more: set {VARIABLE} (docs/how-to/notifications.md)"


def _read(file: Path) -> str:
    try:
        if file.stat().st_mode & 0o077:
            raise SettingsError(f"{VARIABLE}={file}: other users can read it; run `chmod 600 {file}`")
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{VARIABLE}={file}: no text in UTF-8; write it in this encoding") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SettingsError(
            f"{VARIABLE} is neither an address (https://appriseit.com/services/) nor a file: {reason}"
        ) from error


def _receiver(address: str) -> apprise.Apprise:
    """An address as Apprise knows it; empty if it does not."""
    import apprise

    logging.getLogger("apprise").disabled = True
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    asset = apprise.AppriseAsset(
        app_id=APPLICATION,
        app_desc="Energy leaderboard",
        async_mode=False,
        http_redirects=False,  # the page behind it, a login for example, gets no message and says 200
    )
    receiver = apprise.Apprise(asset=asset)
    receiver.add(address)
    return receiver


def _name(receiver: Iterable[Any]) -> str | None:
    return next((str(service.service_name) for service in receiver), None)


def _sent(receiver: apprise.Apprise, message: Message) -> bool:
    from apprise import NotifyFormat

    if message.html is not None and _shows_html(receiver):
        body, form = message.html, NotifyFormat.HTML
    else:
        body, form = message.text, NotifyFormat.TEXT
    try:
        return bool(receiver.notify(body, message.title, notify_type=message.mood.value, body_format=form))
    except Exception:  # noqa: BLE001  100 services: whatever goes wrong in one, the others are told
        return False


def _shows_html(receiver: Iterable[Any]) -> bool:
    """Whether HTML is the first format of this service."""
    from apprise import NotifyFormat

    return any(next(iter(_formats(service))) == NotifyFormat.HTML for service in receiver)


def _formats(service: Any) -> tuple[Any, ...]:
    formats = service.notify_format
    return formats if isinstance(formats, tuple) else (formats,)
