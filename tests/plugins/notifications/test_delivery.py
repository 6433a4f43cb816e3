"""Told once, reminded daily, told when it is solved; by real receivers, also when one is not there."""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from benchmark_tasks import disk
from benchmark_tasks.errors import DiskFull, SettingsError
from benchmark_tasks.settings import Settings
from benchmark_tasks.testing.waiting import until
from jouleboard_airflow.notifications import Incident, Kind, delivery, receivers, recovered, tell
from jouleboard_airflow.notifications.delivery import Delivery, post
from jouleboard_airflow.notifications.messages import span
from jouleboard_airflow.notifications.receivers import VARIABLE, Message, Mood, Receivers, former_setting
from jouleboard_airflow.notifications.records import Records
from tests.receivers import CANARY, Hook, Mail, receiver_that_never_ends, write_publication

DEAD = Incident("component/scheduler", Kind.COMPONENT, "The scheduler has ended", "its log ends here")
FAILED = Incident(
    "run/benchmark_release/r1", Kind.SWEEP, "benchmark_release r1 failed.", "no GPU", "http://ui/r1"
)
NOWHERE = f"json://user:{CANARY}@127.0.0.1:9/"


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


def sender(settings: Settings, *addresses: str, clock: Clock | None = None) -> Delivery:
    receivers = Receivers(addresses)
    return Delivery(settings, receivers, Records(settings), "http://ui/board", now=clock or Clock())


def test_an_incident_is_told_once_and_its_end_once(settings: Settings, hook: Hook) -> None:
    sends = sender(settings, hook.address)
    for _ in range(3):
        tell(DEAD, settings)
        sends.deliver()
    assert hook.titles == ["The scheduler has ended."]
    text = hook.received[0]["message"]
    assert "What broke: The scheduler has ended.\nReason: its log ends here\nSince: 20" in text
    assert "Still published: nothing" in text
    assert "Board: http://ui/board" in text
    for _ in range(3):
        recovered(DEAD.key, settings, "It was started again")
        sends.deliver()
    assert hook.titles[1:] == ["solved: The scheduler has ended."]
    assert "The scheduler has ended. It was started again." in hook.received[1]["message"]
    assert Records(settings).all() == {}


def test_a_message_says_what_is_still_published(settings: Settings, hook: Hook) -> None:
    write_publication(settings, 7, datetime.now(UTC) - timedelta(hours=31, minutes=1), {"leaderboard": 1858})
    tell(FAILED, settings)
    sender(settings, hook.address).deliver()
    text = hook.received[0]["message"]
    assert "Still published: publication 7 of 20" in text
    assert "(31 hours old) with 1,858 rows." in text
    assert "Airflow: http://ui/r1" in text


def test_what_is_solved_before_anybody_was_told_is_one_message(settings: Settings, hook: Hook) -> None:
    tell(DEAD, settings)
    recovered(DEAD.key, settings, "It was started again.")
    sends = sender(settings, hook.address)
    sends.deliver()
    sends.deliver()
    assert hook.titles == ["The scheduler has ended. (solved already)"]
    assert "Solved already, after" in hook.received[0]["message"]


def test_problems_of_one_moment_are_one_message(settings: Settings, hook: Hook) -> None:
    tell(DEAD, settings)
    tell(FAILED, settings)
    sender(settings, hook.address).deliver()
    assert hook.titles == ["2 problems"]


def test_a_reminder_comes_after_a_day_and_not_for_a_run_that_failed(settings: Settings, hook: Hook) -> None:
    clock = Clock()
    sends = sender(settings, hook.address, clock=clock)
    tell(DEAD, settings)
    tell(FAILED, settings)
    sends.deliver()
    for hours in (23, 1, 23, 1):
        clock.now += timedelta(hours=hours)
        sends.deliver()
    assert hook.titles == ["2 problems", *["1 problem still open"] * 2]


def test_an_incident_that_comes_back_is_a_new_one(settings: Settings, hook: Hook) -> None:
    sends = sender(settings, hook.address)
    for _ in range(2):
        tell(DEAD, settings)
        sends.deliver()
        recovered(DEAD.key, settings)
        sends.deliver()
    assert len(hook.titles) == 4


def test_a_receiver_that_is_not_there_is_one_line_and_gets_it_later(
    settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 1e-9)
    monkeypatch.setattr(delivery, "_LONGEST_WAIT_SECONDS", 1e-9)
    with Hook() as other:
        port, address = other.server_port, other.address
        other.shutdown()
    sends = sender(settings, address)
    tell(DEAD, settings)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            sends.deliver()
        [line] = [record.message for record in caplog.records]
        assert line.startswith("not told: receiver 1 (JSON) did not take 'Jouleboard on ")
        assert line.endswith("The scheduler has ended.'; it is tried again until one takes it")
        with Hook(port) as back:
            sends.deliver()
            assert back.titles == ["The scheduler has ended."]
            back.shutdown()
    assert CANARY not in caplog.text


def test_one_of_two_receivers_is_enough(
    settings: Settings, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    sends = sender(settings, NOWHERE, f"nonsense://{CANARY}", hook.address)
    assert sends.receivers.services == ("JSON", None, "JSON")
    tell(DEAD, settings)
    sends.deliver()
    sends.deliver()
    assert len(hook.received) == 1
    assert caplog.text.count("receiver 1 (JSON) did not take") == 1
    assert CANARY not in caplog.text + repr(sends)


def test_without_receivers_nothing_breaks_and_nothing_piles_up(settings: Settings) -> None:
    tell(DEAD, settings)
    post(Message("title", "text", Mood.NEWS), settings)
    sends = sender(settings)
    sends.deliver()
    assert list(Records(settings).all()) == [DEAD.key]
    recovered(DEAD.key, settings)
    sends.deliver()
    assert Records(settings).all() == {}
    assert list(delivery.outbox(settings).iterdir()) == []


def test_mail_shows_html_and_a_hook_text(settings: Settings, mail: Mail, hook: Hook) -> None:
    post(Message("A week", "plain text", Mood.NEWS, html="<p>rich text</p>"), settings)
    sender(settings, mail.address, hook.address).deliver()
    subject, text, html = mail.received[-1]
    assert (subject, html.strip()) == ("A week", "<p>rich text</p>")
    assert "rich text" in text
    assert hook.received[-1]["message"].strip() == "plain text"


def test_a_full_disk_is_told_once_although_nothing_can_be_recorded(
    settings: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object, **_options: object) -> None:
        raise DiskFull("no space left")

    monkeypatch.setattr(disk, "replace", full)
    monkeypatch.setattr(disk, "lock", full)
    records = Records(settings)
    sends = Delivery(settings, Receivers((hook.address,)), records)
    for _ in range(3):
        tell(Incident("disk/home", Kind.DISK, "The disk is full."), settings, records=records)
        sends.deliver()
    assert hook.titles == ["The disk is full."]
    recovered("disk/home", settings, records=records)
    sends.deliver()
    assert hook.titles[1:] == ["solved: The disk is full."]


def test_noting_an_incident_never_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(Path, "mkdir", broken)
    monkeypatch.setattr(Path, "glob", broken)
    tell(DEAD, settings)
    recovered(DEAD.key, settings)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_its_advice(settings: Settings, hook: Hook, kind: Kind) -> None:
    tell(Incident("any", kind, "Something broke."), settings)
    sender(settings, hook.address).deliver()
    (advice,) = [line for line in hook.received[0]["message"].splitlines() if line.startswith("What to do: ")]
    assert len(advice) > 40


def test_the_addresses_come_from_the_setting_or_from_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "receivers"
    file.write_text("# the team\njson://a/\n\n  mailto://b\n")
    file.chmod(0o600)
    assert Receivers.from_environment({VARIABLE: str(file)}).addresses == ("json://a/", "mailto://b")
    assert Receivers.from_environment({VARIABLE: "json://a/ json://b/"}).addresses == (
        "json://a/",
        "json://b/",
    )
    assert Receivers.from_environment({}).addresses == ()
    file.chmod(0o644)
    with pytest.raises(SettingsError, match="other users can read it; run `chmod 600"):
        Receivers.from_environment({VARIABLE: str(file)})
    with pytest.raises(SettingsError, match=r"neither an address .* nor a file: No such file"):
        Receivers.from_environment({VARIABLE: "opsgenie"})


def test_whoever_sets_the_former_variable_is_told_so() -> None:
    assert "is not read any more" in str(former_setting({"JOULEBOARD_ALERT_URL": "http://x"}))
    assert former_setting({"JOULEBOARD_ALERT_URL": "http://x", VARIABLE: "json://x"}) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (172800, "2 days"),
    ],
)
def test_spans_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


def deliver_until(sends: Delivery, done: Callable[[], bool]) -> None:
    def is_done() -> bool:
        sends.deliver()
        return done()

    until(is_done, 20, "the end of the deliveries")


def failed_run(end: str) -> Incident:
    """A run whose id is as long as Airflow allows; `end` is its last part."""
    run_id = f"manual__2026-11-30T12:00:00+00:00_{'x' * 200}{end}"
    return Incident(f"run/benchmark_on_demand/{run_id}", Kind.RUN, f"The run {end} failed.")


def test_incidents_whose_keys_begin_alike_are_each_told_once(settings: Settings, hook: Hook) -> None:
    sends = sender(settings, hook.address)
    for _ in range(3):
        tell(failed_run("A"), settings)
        tell(failed_run("B"), settings)
        sends.deliver()
    assert hook.titles == ["2 problems"]
    recovered(failed_run("A").key, settings)
    sends.deliver()
    assert hook.titles[1:] == ["solved: The run A failed."]
    assert list(Records(settings).all()) == [failed_run("B").key]


def test_who_redirects_to_a_page_for_people_was_not_told(settings: Settings, hook: Hook) -> None:
    hook.moved = True
    tell(DEAD, settings)
    sender(settings, hook.address).deliver()
    hook.moved = False
    sender(settings, hook.address).deliver()
    assert hook.titles == ["The scheduler has ended."]


def test_a_receiver_that_never_ends_its_answer_keeps_nobody_from_being_told(
    settings: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(receivers, "SEND_SECONDS", 1.0)
    with receiver_that_never_ends() as address:
        sends = sender(settings, hook.address, address)
        for incident in (DEAD, FAILED):
            tell(incident, settings)
            sends.deliver()
    assert hook.titles == ["The scheduler has ended.", "benchmark_release r1 failed."]
    assert caplog.text.count("receiver 2 (JSON) did not take") == 2


def test_a_message_that_nobody_takes_stops_no_other_and_is_given_up_after_a_week(
    settings: Settings, hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    hook.largest = 2000
    clock = Clock()
    sends = sender(settings, hook.address, clock=clock)
    for number in range(6):
        post(Message(f"m: digest {number}", "x" * (5000 if number in (0, 3) else 5), Mood.NEWS), settings)
    for _ in range(4):
        sends.deliver()
    assert hook.titles == [f"digest {number}" for number in (1, 2, 4, 5)]
    tell(DEAD, settings)
    sends.deliver()
    assert hook.titles[4:] == ["The scheduler has ended."]
    clock.now += timedelta(days=8)
    again = sender(settings, hook.address, clock=clock)
    deliver_until(again, lambda: len(again._waits) == 2)
    assert len(list(delivery.outbox(settings).glob("*.json"))) == 2  # the network may just not be up yet
    clock.now += timedelta(hours=2)
    for wait in again._waits.values():
        wait.until = 0.0
    deliver_until(again, lambda: not list(delivery.outbox(settings).glob("*.json")))
    assert hook.titles[5:] == ["1 problem still open"]
    assert sorted(file.suffix for file in delivery.outbox(settings).iterdir()) == [".not-sent"] * 2
    assert caplog.text.count("no receiver took it in 7 days") == 2


def test_a_receiver_that_took_it_late_does_not_get_it_again(
    settings: Settings, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receivers, "SEND_SECONDS", 0.01)
    monkeypatch.setattr(delivery, "_FIRST_WAIT_SECONDS", 0.0)
    monkeypatch.setattr(delivery, "_LONGEST_WAIT_SECONDS", 0.0)
    held = threading.Event()
    hook.held = held
    post(Message("m: late", "text", Mood.NEWS), settings)
    sends = sender(settings, hook.address)
    for _ in range(3):
        sends.deliver()
    assert len(list(delivery.outbox(settings).iterdir())) == 1
    held.set()
    deliver_until(sends, lambda: list(delivery.outbox(settings).iterdir()) == [])
    assert hook.titles == ["late"]


def test_a_record_under_the_name_of_an_earlier_version_is_told_once(settings: Settings, hook: Hook) -> None:
    sends = sender(settings, hook.address)
    tell(failed_run("A"), settings)
    (file,) = sends.records.folder.glob("*.json")
    file.rename(file.with_name(quote(failed_run("A").key, safe="")[:200] + ".json"))
    for _ in range(3):
        sends.deliver()
    recovered(failed_run("A").key, settings)
    for _ in range(3):
        sends.deliver()
    assert hook.titles == ["The run A failed.", "solved: The run A failed."]
    assert list(sends.records.folder.glob("*.json")) == []


@pytest.mark.parametrize("content", ["[]", "null", "{}", "{", "7", '{"title": 1}', "\ud800"])
def test_what_is_no_message_is_kept_named_and_stops_no_other(
    settings: Settings, hook: Hook, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    folder = delivery.outbox(settings)
    folder.mkdir(parents=True)
    (folder / "0.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    post(Message("m: good", "text", Mood.NEWS), settings)
    sends = sender(settings, hook.address)
    for _ in range(2):
        sends.deliver()
    assert hook.titles == ["good"]
    assert [file.name for file in folder.iterdir()] == ["0.not-sent"]
    assert caplog.text.count("0.json: it is no message of ours") == 1


def test_a_file_of_addresses_in_another_encoding_is_said(tmp_path: Path) -> None:
    file = tmp_path / "receivers"
    file.write_bytes("# B\u00fcro\njson://a/\n".encode("latin-1"))
    file.chmod(0o600)
    with pytest.raises(SettingsError, match="no text in UTF-8"):
        Receivers.from_environment({VARIABLE: str(file)})
