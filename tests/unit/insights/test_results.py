"""The tables of results: each number is computed by hand here."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_instagram.insights.results import Measured, Reading, Results, Table
from airflow_provider_instagram.posts.kinds import PostKind

if TYPE_CHECKING:
    from collections.abc import Sequence

MONDAY = datetime(2026, 9, 7, 8, 30, tzinfo=timezone.utc)  # 10:30 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")
AGES = {"1h": 3600, "24h": 86_400, "3d": 259_200}


def post(number: float, value: float | None = None, **more: Any) -> Measured:
    """Return a reel of the account brand, published so many days after Monday, that reached a number at 24 h."""
    readings = {"24h": Reading(AGES["24h"], "read", value)} if value is not None else {}
    return Measured(
        **{
            "media_id": f"m{number}",
            "conn_id": "brand",
            "kind": PostKind.REEL,
            "at": MONDAY + timedelta(days=number),
            "caption": "",
            "link": None,
            "post_key": None,
            "readings": readings,
            **more,
        }
    )


def results(posts: Sequence[Measured], **more: Any) -> Results:
    given = {"metric": "reach", "age": "", "zone": BERLIN, "now": MONDAY + timedelta(days=90), **more}
    return Results(posts, **given)


def table(found: Results, name: str) -> Table:
    return next(one for one in found.tables() if one.name == name)


def test_posts_are_in_the_order_of_what_they_reached_with_multiples_of_the_median() -> None:
    found = results([post(0, 100), post(1, 400), post(2, 200), post(3)])
    assert [(row[0], row[4], row[5]) for row in table(found, "posts").rows] == [
        ("2026-09-08 10:30", 400, 2.0),
        ("2026-09-09 10:30", 200, 1.0),
        ("2026-09-07 10:30", 100, 0.5),
    ]


def test_posts_without_a_number_are_not_among_those_that_reached_least() -> None:
    missed = {"24h": Reading(86_400, "missed", None)}
    found = results([post(0, 0), post(1, readings=missed), post(89.5), post(88, 5)])
    assert [row[4] for row in table(found, "posts").rows] == [5, 0]
    assert [(row[0], row[4]) for row in table(found, "apart").rows] == [
        ("2026-12-05 21:30", "too young"),
        ("2026-09-08 10:30", "missed"),
    ]
    assert found.notes()[0] == "2 of 4 posts are compared at 24h, 1 missed, 1 too young."


@pytest.mark.parametrize(("late", "is_compared"), [(6.0, True), (6.1, False), (-6.0, True), (-6.1, False)])
def test_a_reading_that_is_off_by_more_than_a_quarter_of_its_age_is_shown_and_not_compared(
    late: float, is_compared: bool
) -> None:
    taken_at = MONDAY + timedelta(hours=24 + late)
    reading = {"1h": Reading(3600, "read", 7), "24h": Reading(86_400, "read", 900, taken_at)}
    found = results([post(0, readings=reading), *(post(day, 100) for day in range(1, 6))])
    row = next(row for row in table(found, "posts" if is_compared else "apart").rows if row[-1] == "m0")
    at = f"{taken_at.astimezone(BERLIN):%Y-%m-%d %H:%M}"
    assert (row[4], row[6], row[7]) == (900, "24h", at if is_compared else f"{at}, read too late")
    assert found.values.get("m0") == (900 if is_compared else None)
    assert ("read too late" in found.notes()[0]) is not is_compared
    age, own, _, count, read_at = table(results(found.posts, post="m0"), "curve").rows[-1]
    assert (age, own, count, read_at) == ("24h", 900, 6 if is_compared else 5, row[7])


def test_a_post_is_compared_with_its_own_account_and_kind() -> None:
    story: dict[str, Any] = {"kind": PostKind.STORY, "readings": {"23h": Reading(82_800, "read", 30)}}
    other: dict[str, Any] = {"conn_id": "other", "readings": {"24h": Reading(86_400, "read", 5000)}}
    found = results([post(0, 100), post(1, 300), post(2, **story), post(3, **other)])
    assert found.multiples == {"m0": 0.5, "m1": 1.5, "m2": 1.0, "m3": 1.0}


def test_a_curve_stands_beside_the_medians_of_its_account_and_kind_at_each_age() -> None:
    def curve(number: int, *values: float) -> Measured:
        ages = zip(AGES.items(), values, strict=False)
        return post(number, readings={name: Reading(age_s, "read", value) for (name, age_s), value in ages})

    posts = [curve(number, 10 * number, 100 * number) for number in range(1, 6)]
    story = post(7, kind=PostKind.STORY, readings={"1h": Reading(3600, "read", 9999)})
    rows = table(results([*posts, story, curve(6, 7, 70, 700)], post="m2"), "curve").rows
    # At 1h: 7 10 20 30 40 50, at 24h: 70 100 200 300 400 500.
    assert rows == [
        ("1h", 20, 25.0, 6, ""),
        ("24h", 200, 250.0, 6, ""),
        ("3d", "not read", 700, 1, ""),
    ]
    assert table(results([*posts, story]), "curve").title == "m5 (beside each reel of brand)", "the best one by default"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("no_data", "no metrics yet"),
        ("too_few_viewers", "too few viewers"),
        ("refused", "refused by Instagram"),
        ("gone", "deleted"),
        ("missed", "missed"),
        ("read", "no value"),
    ],
)
def test_a_number_that_is_missing_says_why_and_is_not_zero(status: str, word: str) -> None:
    found = results([post(0, 100), post(1, readings={"24h": Reading(86_400, status, None)})])
    assert [row[4] for name in ("posts", "apart") for row in table(found, name).rows] == [100, word]
    assert found.multiples == {"m0": 1.0}
    assert found.notes()[0] == f"1 of 2 posts are compared at 24h, 1 {word}."


def test_a_post_that_is_younger_than_the_age_is_left_out_and_said_to_be_young() -> None:
    found = results([post(0, 100), post(1)], now=MONDAY + timedelta(days=1, hours=23))
    assert [row[4] for name in ("posts", "apart") for row in table(found, name).rows] == [100, "too young"]


def test_a_story_has_a_last_age_that_stands_for_all_later_ones() -> None:
    readings = {"1h": Reading(3600, "read", 1), "23h": Reading(82_800, "read", 30)}
    reel = post(0, readings={name: Reading(age_s, "read", 100) for name, age_s in AGES.items()})
    story = post(1, kind=PostKind.STORY, readings=readings)
    found = results([reel, story], age="3d", post="m1")
    assert [*found.ages] == ["1h", "24h", "3d"]
    assert found.values == {"m0": 100, "m1": 30}
    assert [row[:2] for row in table(found, "curve").rows] == [("1h", 1), ("23h", 30)]
    assert [row[6] for row in table(found, "posts").rows] == ["3d", "23h"], "each row names its own age"
    assert [*results([story]).ages] == ["1h", "23h"]
    young = results([reel, post(1, kind=PostKind.STORY)], now=MONDAY + timedelta(days=1, hours=22), age="3d")
    assert [row[4] for row in table(young, "apart").rows] == ["too young"]


def test_the_usual_age_is_the_last_one_within_a_day() -> None:
    readings = {name: Reading(age_s, "read", age_s) for name, age_s in AGES.items()}
    assert results([post(0, readings=readings)]).age == "24h"
    assert results([post(0, readings=readings)], age="3d").age == "3d"
    assert results([post(0, readings={"3d": readings["3d"]})], age="24h").age == "3d"


def test_without_posts_the_page_says_so_and_has_no_rows() -> None:
    empty = results([])
    assert empty.notes() == ["The database has no posts of these days."]
    assert [row for one in empty.tables() for row in one.rows] == []


def test_one_post_is_shown_and_nothing_is_compared() -> None:
    found = results([post(0, 100)])
    assert found.notes() == ["1 of 1 posts are compared at 24h."]
    assert [row[4] for row in table(found, "posts").rows] == [100]
    unread = results([post(0)])
    assert unread.notes()[0] == "0 of 1 posts are compared at any age, 1 not read."
    assert [row[4] for row in table(unread, "apart").rows] == ["not read"]


def test_where_the_median_is_zero_there_are_no_multiples() -> None:
    found = results([post(0, 0), post(1, 0), post(2, 9)])
    assert found.multiples == {}
    json.dumps([asdict(one) for one in found.tables()], allow_nan=False)
    assert [row[4:6] for row in table(found, "posts").rows] == [(9, None), (0, None), (0, None)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1", '=HYPERLINK("x")'])  # noqa: RUF001
def test_no_text_of_a_post_is_a_formula_in_a_spreadsheet(text: str) -> None:
    found = results([post(0, 100, caption=text, tags=(text,), conn_id="brand")])
    row = list(csv.reader(io.StringIO(table(found, "posts").as_csv())))[1]
    assert row[3] == "'" + text.replace("\t=", "\t'=")
    assert row[8].startswith("'")
    assert row[4] == "100", "numbers stay numbers"
    formulas = re.compile(r" *[=+\-@\uff1d]")
    split = csv.reader(
        io.StringIO(table(results([post(0, 100, caption=f"Sale;{text}")]), "posts").as_csv()), delimiter=";"
    )
    assert not any(formulas.match(cell) for cells in split for cell in cells)
