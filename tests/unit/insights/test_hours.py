"""The table by which slots are ordered: each number is computed by hand here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from airflow_provider_instagram.insights.hours import HourTable, Reached

BERLIN = ZoneInfo("Europe/Berlin")
#: A Monday.
NOW = datetime(2026, 9, 7, 0, tzinfo=BERLIN)
HOURS = (9, 12, 18)


def posts(hour: int, *reach: float, every: float = 1, first: float = 1) -> list[Reached]:
    """Return posts of an hour, the newest first, so many days before now."""
    return [
        Reached(NOW - timedelta(days=first + every * number) + timedelta(hours=hour), value)
        for number, value in enumerate(reach)
    ]


def table(*of: Sequence[Reached]) -> HourTable:
    return HourTable("24h", [one for some in of for one in some], HOURS, BERLIN, NOW)


def free(*hours: int, days: Sequence[int] = (0, 1, 2)) -> list[datetime]:
    return [NOW + timedelta(days=day, hours=hour) for day in days for hour in hours]


def medians(found: HourTable) -> list[float | None]:
    return [found.lines[hour].median for hour in HOURS]


def test_the_median_of_each_hour_is_beside_that_of_all_with_posts_and_dates() -> None:
    found = table(posts(9, 100, 100, 100, 100, 100), posts(12, 200, 210, 220, 230), posts(18, 300, 310, 320, 330))
    assert [(line.hour, line.posts, line.dates, line.median) for line in found.lines.values()] == [
        (9, 5, 5, 100),
        (12, 4, 4, 210),
        (18, 4, 4, 310),
    ]
    assert found.median == 210
    assert [*found.text()] == [
        "hour    median  posts  dates   (reach at 24h, times in Europe/Berlin)",
        "09:00      100      5      5",
        "12:00      210      4      4",
        "18:00      310      4      4",
        "all        210     13      5",
    ]


def test_a_post_that_is_8_weeks_older_weighs_half() -> None:
    """Three old posts weigh less than two new ones, and more than one."""
    old, much_older = posts(9, 900, 900, 900, first=57), posts(9, 900, 900, 900, first=1 + 2 * 56)
    others = posts(12, *[1.0] * 12)
    assert table(posts(9, 100, 100), old, others).lines[9].median == 100
    assert table(posts(9, 100), old, others).lines[9].median == 900
    assert table(posts(9, 100), much_older, others).lines[9].median == 100


def test_a_reach_of_0_counts() -> None:
    assert medians(table(posts(9, 0, 0, 0, 50), posts(12, *[100] * 8))) == [0, 100, None]


def test_nothing_is_said_with_fewer_than_12_posts() -> None:
    found = table(posts(9, *[100] * 5), posts(12, *[200] * 6))
    assert (medians(found), found.median) == ([None, None, None], None)
    assert "too few" in [*found.text()][-1]
    assert medians(table(posts(9, *[100] * 6), posts(12, *[200] * 6))) == [100, 200, None]


def test_nothing_is_said_of_an_hour_on_fewer_than_4_dates() -> None:
    """Five posts that crowd into one Tuesday are one date."""
    crowded = posts(9, *[900] * 9, every=0) + posts(9, 900, 900, first=8)
    found = table(crowded, posts(12, *[100] * 12))
    assert (found.lines[9].posts, found.lines[9].dates, found.lines[9].median) == (11, 3, None)


def test_the_newest_12_posts_of_an_hour_count_and_other_hours_do_not() -> None:
    found = table(posts(9, *[100] * 12, *[900] * 40), posts(3, *[5_000] * 20))
    assert (found.lines[9].posts, found.lines[9].median, found.median) == (12, 100, 100)


def test_an_hour_and_a_date_are_those_of_the_accounts_zone() -> None:
    late = [Reached(datetime(2026, 8, day, 22, 30, tzinfo=ZoneInfo("UTC")), 7) for day in range(1, 13)]
    found = HourTable("24h", late, (0, 22), BERLIN, NOW)
    assert (found.lines[0].posts, found.lines[22].posts) == (12, 0)


def test_without_numbers_the_hours_take_turns() -> None:
    found, taken, chosen = table(), list[float](), list[int]()
    for day in range(6):
        at, why = found.pick(f"p{day}", free(*HOURS, days=[day]), taken)
        taken.append(at.timestamp())
        chosen.append(at.hour)
        assert why.startswith("the hours take turns: ")
        assert why.endswith("has 0 posts on 0 dates, too few to tell")
    assert chosen == [9, 12, 18, 9, 12, 18]


BEST = (posts(9, *[100] * 6), posts(12, *[300] * 6), posts(18, *[200] * 6))


def picked(found: HourTable, *hours: int, number: int = 1000) -> Counter[int]:
    return Counter(found.pick(f"post-{n}", free(*hours), ())[0].hour for n in range(number))


def test_the_best_hour_that_is_free_is_taken_and_one_post_in_five_tries_another() -> None:
    found = table(*BEST)
    counts = picked(found, *HOURS)
    assert 760 < counts[12] < 840
    at, why = found.pick("post-1", free(9, 18), ())
    assert (at, why) == (
        NOW + timedelta(hours=18),
        "by results: 18:00 has 6 posts on 6 dates, median 200 beside 200 of all hours",
    )


def test_an_hour_is_tried_of_which_nothing_is_said_and_the_line_says_so() -> None:
    found = table(posts(9, *[100] * 8), posts(12, *[300] * 8), posts(18, 900, 900))
    tried = {why for n in range(1000) if (why := found.pick(f"post-{n}", free(*HOURS), ())[1]).startswith("tried")}
    assert tried == {"tried on purpose, as one post in five: 18:00 has 2 posts on 2 dates, too few to tell"}
    counts = picked(found, *HOURS)
    assert (counts[9], 160 < counts[18] < 240) == (0, True)


def test_a_post_gets_the_same_proposal_again() -> None:
    found = table(*BEST)
    assert [found.pick(f"p{n}", free(*HOURS), ()) for n in range(50)] == [
        found.pick(f"p{n}", free(*HOURS), ()) for n in range(50)
    ]


def test_before_an_hour_below_the_median_one_is_tried_of_which_nothing_is_said() -> None:
    found = table(posts(9, *[100] * 8), posts(12, *[300] * 8), posts(18, 900, 900))
    why = next(why for n in range(20) if not (why := found.pick(f"post-{n}", free(9, 18), ())[1]).startswith("tried"))
    assert why.startswith("no free hour is above the median, so another is tried: 18:00")
    assert found.pick("post-1", free(9), ())[1].startswith(("by results: 09:00", "tried"))


@pytest.mark.parametrize("hour", [22, 23, 2, 7])
def test_no_hour_without_a_slot_is_chosen_however_good_it_was(hour: int) -> None:
    found = table(*BEST, posts(hour, *[9_000] * 12))
    assert picked(found, *HOURS).keys() <= set(HOURS)


def test_the_earliest_slot_of_the_hour_is_taken() -> None:
    at, _ = table(*BEST).pick("post-1", free(9, 12, days=[3, 5]), ())
    assert at in (NOW + timedelta(days=3, hours=9), NOW + timedelta(days=3, hours=12))
