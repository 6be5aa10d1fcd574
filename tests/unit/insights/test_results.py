"""The tables of results: each number is computed by hand here."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, datetime, timedelta, timezone
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
TOO_FEW = "too few to tell"


def post(number: int, value: float | None = None, **more: Any) -> Measured:
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
    rows = table(results([post(0, 100), post(1, 400), post(2, 200), post(3)]), "posts").rows
    assert [(row[0], row[4], row[5]) for row in rows] == [
        ("2026-09-08 10:30", 400, 2.0),
        ("2026-09-09 10:30", 200, 1.0),
        ("2026-09-07 10:30", 100, 0.5),
        ("2026-09-10 10:30", "not read", None),
    ]


def test_a_post_is_compared_with_its_own_account_and_kind() -> None:
    story: dict[str, Any] = {"kind": PostKind.STORY, "readings": {"23h": Reading(82_800, "read", 30)}}
    other: dict[str, Any] = {"conn_id": "other", "readings": {"24h": Reading(86_400, "read", 5000)}}
    found = results([post(0, 100), post(1, 300), post(2, **story), post(3, **other)])
    assert found.multiples == {"m0": 0.5, "m1": 1.5, "m2": 1.0, "m3": 1.0}
    assert table(found, "kind").rows == [
        ("brand, reel", 2, 200, 150, 250, TOO_FEW),
        ("brand, story", 1, 30, 30, 30, TOO_FEW),
        ("other, reel", 1, 5000, 5000, 5000, TOO_FEW),
    ]


def test_each_median_has_its_number_of_posts_and_its_quartiles() -> None:
    # On Mondays 10 to 50, on Tuesdays 60: the median of all is 35.
    posts = [post(7 * week, 10 * (week + 1)) for week in range(5)] + [post(1, 60)]
    assert table(results(posts), "weekday").rows == [
        ("Monday", 5, round(30 / 35, 2), round(20 / 35, 2), round(40 / 35, 2), ""),
        ("Tuesday", 1, round(60 / 35, 2), round(60 / 35, 2), round(60 / 35, 2), TOO_FEW),
    ]


def test_hours_and_weekdays_are_those_of_the_zone() -> None:
    late = MONDAY.replace(hour=22, minute=30)  # Tuesday, 00:30 in Berlin
    found = results([post(0, 100, at=late)])
    assert (table(found, "hour").rows[0][0], table(found, "weekday").rows[0][0]) == ("00:00", "Tuesday")


def test_captions_are_compared_by_tags_length_and_first_words() -> None:
    captions = ["", "New in: a lens #Edit", "NEW in, again " + "x" * 120, "y" * 501]
    found = results(
        [post(day, 100, caption=caption) for day, caption in enumerate(captions)] + [post(9, 100, tags=("spring",))]
    )
    assert [row[:2] for row in table(found, "opening").rows] == [("new in", 2), ("y" * 501, 1)]
    assert [row[:2] for row in table(found, "tag").rows] == [("#edit", 1), ("spring", 1)]
    assert [row[:2] for row in table(found, "length").rows] == [
        ("no caption", 2),
        ("up to 125 characters", 1),
        ("126 to 500", 1),
        ("more than 500", 1),
    ]


def test_a_curve_stands_beside_the_medians_of_its_account_and_kind_at_each_age() -> None:
    def curve(number: int, *values: float) -> Measured:
        ages = zip(AGES.items(), values, strict=False)
        return post(number, readings={name: Reading(age_s, "read", value) for (name, age_s), value in ages})

    posts = [curve(number, 10 * number, 100 * number) for number in range(1, 6)]
    story = post(7, kind=PostKind.STORY, readings={"1h": Reading(3600, "read", 9999)})
    rows = table(results([*posts, story, curve(6, 7, 70, 700)], post="m2"), "curve").rows
    # At 1h: 7 10 20 30 40 50, at 24h: 70 100 200 300 400 500.
    assert rows == [
        ("1h", 20, 6, 25.0, 12.5, 37.5, ""),
        ("24h", 200, 6, 250.0, 125.0, 375.0, ""),
        ("3d", "not read", 1, 700, 700, 700, TOO_FEW),
    ]
    assert table(results([*posts, story]), "curve").title == "m5 (beside each reel of brand)", "the best one by default"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("no_data", "no numbers yet"),
        ("too_few_viewers", "too few viewers"),
        ("refused", "refused by Instagram"),
        ("gone", "deleted"),
        ("missed", "missed"),
        ("read", "no number"),
    ],
)
def test_a_number_that_is_missing_says_why_and_is_not_zero(status: str, word: str) -> None:
    found = results([post(0, 100), post(1, readings={"24h": Reading(86_400, status, None)})])
    assert [row[4] for row in table(found, "posts").rows] == [100, word]
    assert found.multiples == {"m0": 1.0}
    assert found.notes()[0] == f"1 of 2 posts have a number at 24h, 1 {word}."


def test_a_post_that_is_younger_than_the_age_is_left_out_and_said_to_be_young() -> None:
    found = results([post(0, 100), post(1)], now=MONDAY + timedelta(days=1, hours=23))
    assert [row[4] for row in table(found, "posts").rows] == [100, "too young"]
    assert table(found, "weekday").rows == [("Monday", 1, 1.0, 1.0, 1.0, TOO_FEW)]


def test_a_story_has_a_last_age_that_stands_for_all_later_ones() -> None:
    readings = {"1h": Reading(3600, "read", 1), "23h": Reading(82_800, "read", 30)}
    reel = post(0, readings={name: Reading(age_s, "read", 100) for name, age_s in AGES.items()})
    story = post(1, kind=PostKind.STORY, readings=readings)
    found = results([reel, story], age="3d", post="m1")
    assert [*found.ages] == ["1h", "24h", "3d"]
    assert found.values == {"m0": 100, "m1": 30}
    assert [row[:2] for row in table(found, "curve").rows] == [("1h", 1), ("23h", 30)]
    assert [*results([story]).ages] == ["1h", "23h"]
    young = results([reel, post(1, kind=PostKind.STORY)], now=MONDAY + timedelta(days=1, hours=22), age="3d")
    assert young.cells["m1"] == "too young"


def test_the_usual_age_is_the_last_one_within_a_day() -> None:
    readings = {name: Reading(age_s, "read", age_s) for name, age_s in AGES.items()}
    assert results([post(0, readings=readings)]).age == "24h"
    assert results([post(0, readings=readings)], age="3d").age == "3d"
    assert results([post(0, readings={"3d": readings["3d"]})], age="24h").age == "3d"


def test_a_change_of_the_plan_is_compared_only_with_enough_posts_on_both_sides() -> None:
    def split(before: Sequence[float], after: Sequence[float]) -> Table:
        values = [*before, *after]
        posts = [post(day, value) for day, value in enumerate(values)]
        return table(results(posts, split=date(2026, 9, 7 + len(before))), "split")

    apart = split([10, 20, 30, 40, 50], [100, 100, 100, 100, 100])
    assert apart.rows == [  # the median of all is 75
        ("before 2026-09-12", 5, 0.4, round(20 / 75, 2), round(40 / 75, 2), ""),
        ("from 2026-09-12 on", 5, round(100 / 75, 2), round(100 / 75, 2), round(100 / 75, 2), ""),
    ]
    assert apart.note.startswith("The middle halves are apart.")
    assert "overlap: no clear difference" in split([10, 20, 30, 40, 50], [30, 30, 40, 50, 60]).note
    few = split([10, 20, 30, 40, 50], [100, 100, 100, 100])
    assert "does not tell whether the change made a difference" in few.note
    assert few.rows[1][-1] == TOO_FEW


def test_nothing_is_a_law_of_few_posts_and_no_posts_are_said_to_be_none() -> None:
    assert (
        "nothing here tells what the next post will reach" in results([post(day, 10) for day in range(11)]).notes()[1]
    )
    assert len(results([post(day, 10) for day in range(12)]).notes()) == 1
    empty = results([], split=date(2026, 9, 7))
    assert empty.notes() == ["The database has no posts of these days."]
    assert [row for one in empty.tables() for row in one.rows if row[1]] == []
    unread = results([post(0)])
    assert unread.notes()[0] == "0 of 1 posts have a number at any age, 1 not read."


def test_where_the_median_is_zero_there_are_no_multiples() -> None:
    found = results([post(0, 0), post(1, 0), post(2, 9)])
    assert found.multiples == {}
    assert [row[4:6] for row in table(found, "posts").rows] == [(9, None), (0, None), (0, None)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1", '=HYPERLINK("x")'])  # noqa: RUF001
def test_no_text_of_a_post_is_a_formula_in_a_spreadsheet(text: str) -> None:
    found = results([post(0, 100, caption=text, tags=(text,), conn_id="brand")])
    row = list(csv.reader(io.StringIO(table(found, "posts").as_csv())))[1]
    assert row[3] == "'" + text.replace("\t=", "\t'=")
    assert row[6].startswith("'")
    assert row[4] == "100", "numbers stay numbers"
    formulas = re.compile(r" *[=+\-@\uff1d]")
    split = csv.reader(
        io.StringIO(table(results([post(0, 100, caption=f"Sale;{text}")]), "posts").as_csv()), delimiter=";"
    )
    assert not any(formulas.match(cell) for cells in split for cell in cells)
