"""Which slot each post is proposed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_instagram.calendar.file.slots import Slot
from airflow_provider_instagram.calendar.file.times import moment
from airflow_provider_instagram.calendar.planning.fill import AccountSlots, Proposed, propose

BERLIN = ZoneInfo("Europe/Berlin")
#: A Tuesday.
NOON = datetime(2026, 12, 1, 12, tzinfo=BERLIN)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def slots(*written: str) -> list[Slot]:
    """Return slots such as ``Mon 08:30``, with a zone if it is not Berlin."""
    parts = [one.split() for one in written]
    return [Slot(DAYS.index(day), time, *(zone or ["Europe/Berlin"])) for day, time, *zone in parts]


def at(written: str) -> datetime:
    return moment(datetime.strptime(written, "%Y-%m-%d %H:%M").replace(tzinfo=BERLIN))


def said(found: Sequence[Proposed]) -> dict[str, str]:
    return {one.id: one.why if one.at is None else f"{one.at:%a %d %b %H:%M}" for one in found}


WEEKLY = ("Mon 08:30", "Thu 19:00")


@pytest.mark.parametrize(
    ("wanted", "own", "taken", "expected"),
    [
        pytest.param(
            ["a", "b", "c"],
            WEEKLY,
            [],
            {"a": "Thu 03 Dec 19:00", "b": "Mon 07 Dec 08:30", "c": "Thu 10 Dec 19:00"},
            id="in the order of the file",
        ),
        pytest.param(["a"], WEEKLY, ["2026-12-03 19:03"], {"a": "Mon 07 Dec 08:30"}, id="a slot that is taken"),
        pytest.param(["a"], ["Tue 12:59", "Tue 13:00"], [], {"a": "Tue 01 Dec 13:00"}, id="an hour ahead"),
        pytest.param(
            ["a", "b"], ["Sat 10:00"], [], {"a": "Sat 05 Dec 10:00", "b": "Sat 12 Dec 10:00"}, id="one a week"
        ),
        pytest.param(["a"], ["Sun 02:30"], [], {"a": "Sun 06 Dec 02:30"}, id="at night, if a slot is there"),
        pytest.param(["a"], ["Thu 00:30 Asia/Tokyo"], [], {"a": "Thu 03 Dec 00:30"}, id="a zone of its own"),
    ],
)
def test_what_is_proposed(wanted: list[str], own: Sequence[str], taken: list[str], expected: dict[str, str]) -> None:
    of = AccountSlots(slots(*own), [at(one).timestamp() for one in taken], timedelta(minutes=5))
    assert said(propose(dict.fromkeys(wanted, "brand"), {"brand": of}, NOON)) == expected


def test_posts_keep_the_smallest_distance() -> None:
    own = slots("Wed 08:00", "Wed 12:00", "Thu 08:00")
    of = AccountSlots(own, [at("2026-12-02 10:00").timestamp()], timedelta(hours=3))
    assert said(propose({"a": "brand", "b": "brand"}, {"brand": of}, NOON)) == {
        "a": "Thu 03 Dec 08:00",
        "b": "Wed 09 Dec 08:00",
    }


@pytest.mark.parametrize(
    ("now", "time", "expected"),
    [
        ("2027-03-22 12:00", "Sun 02:30", "2027-04-04 02:30+02:00"),  # the clocks skip it on 28 March
        ("2027-10-25 12:00", "Sun 02:30", "2027-11-07 02:30+01:00"),  # and show it twice on 31 October
        ("2027-03-22 12:00", "Sun 03:00", "2027-03-28 03:00+02:00"),
        ("2027-02-22 12:00", "Sun 23:59", "2027-02-28 23:59+01:00"),  # the last day of a month
        ("2028-02-28 12:00", "Tue 12:00", "2028-02-29 12:00+01:00"),
        ("2026-12-31 23:30", "Fri 00:45", "2027-01-01 00:45+01:00"),
    ],
)
def test_a_slot_that_the_clocks_skip_or_repeat_is_not_used(now: str, time: str, expected: str) -> None:
    (found,) = propose({"a": "brand"}, {"brand": AccountSlots(slots(time))}, at(now))
    assert found.at is not None
    assert found.at.isoformat(" ", "minutes") == expected


def test_accounts_do_not_take_each_others_slots() -> None:
    found = propose(
        {"a": "brand", "b": "shop", "c": "none"},
        {name: AccountSlots(slots(*WEEKLY)) for name in ("brand", "shop")},
        NOON,
    )
    of_none = "none has no slots: write slots: {none: [Mon 08:30, Thu 19:00]} at the head of the file"
    assert said(found) == {"a": "Thu 03 Dec 19:00", "b": "Thu 03 Dec 19:00", "c": of_none}


def test_more_posts_than_slots_of_a_year_stay_without_a_time() -> None:
    found = propose({f"p{n}": "brand" for n in range(60)}, {"brand": AccountSlots(slots("Mon 08:30"))}, NOON)
    assert [one.why for one in found if one.at is None] == ["no slot is free within 366 days"] * 8
