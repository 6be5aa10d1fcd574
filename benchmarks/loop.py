"""Measure what the loop from numbers back to the plan is worth: eight weeks of accounts that learn their hours.

Each account posts once a day through three calendars in turn: ``slots: auto``, a fixed slot, and the slot of an oracle.
Calendar, insights and sandbox are real and share one clock, which only the benchmark moves. The followers, the captions
and their hashtags are the same for all three. The oracle computes its slot from what the sandbox states: how many
followers are online in each hour (``online_followers``), and how a post fades.
Run ``python -m benchmarks.loop --seed 2026``; ``--draw`` draws the regret for the docs. Exit code 1: ``slots: auto``
missed more in the last week than the fixed slot, or reached no more than in the first.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Final

import httpx
import yaml

from benchmarks.program import as_program

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from tests.integration.insights.quarter import Quarter

WEEKS, A_WEEK = 8, 7
#: What a lead may allow, in hours of UTC.
HOURS: Final = range(1, 24)
FIXED: Final = 18
#: After so many hours, a post reaches a third of those whom it reaches at first; after three days, nobody new.
#: Source: docs/testing/switches.md, audience_seed.
FADES_H, WATCHED_H = 6, 72
TAGS: Final = ("#studio", "#lens", "#light", "#street", "#film", "#night")
NAMES: Final = {"auto": "slots: auto", "fixed": f"{FIXED}:00 each day", "oracle": "the oracle's hour each day"}
PICTURE: Final = Path(__file__).parents[1] / "docs/images/regret.svg"


@dataclass
class Result:
    """What some accounts reached.

    :param reach: The reach of each week's posts, by the calendar and the week, on average.
    :param missed: Of the oracle's reach, the share that is missed.
    """

    reach: dict[str, list[float]] = field(default_factory=dict)
    missed: dict[str, list[float]] = field(default_factory=dict)

    def rows(self) -> Iterator[str]:
        """Yield a table in Markdown, as the docs show it."""
        yield f"| | {' | '.join(f'week {week + 1}' for week in range(WEEKS))} |"
        yield "|---" * (WEEKS + 1) + "|"
        for name, weeks in self.reach.items():
            yield f"| reach of a post, {NAMES[name]} | {' | '.join(f'{value:,.0f}' for value in weeks)} |"
        for name, weeks in self.missed.items():
            yield f"| missed, {NAMES[name]} | {' | '.join(f'{value:.0%}'.replace('%', ' %') for value in weeks)} |"


def play(seed: int, accounts: int) -> Result:
    """Play eight weeks of some accounts, one after another."""
    chance, result, played = random.Random(seed), Result(), list[dict[str, _Weeks]]()  # noqa: S311 -- followers
    for _ in range(accounts):
        followers = chance.randrange(1_000_000)
        best = _best_hour(followers)
        slots = {"auto": f"auto {{day}}-{{day}} {HOURS[0]:02}:00-{HOURS[-1]:02}:00"}
        slots |= {name: f"{{day}} {hour:02}:00" for name, hour in (("fixed", FIXED), ("oracle", best))}
        played.append({name: _weeks(followers, slot, learns=name == "auto") for name, slot in slots.items()})
    for name in NAMES:
        result.reach[name] = [mean(one[name].reach[week] for one in played) for week in range(WEEKS)]
    for name in ("auto", "fixed"):
        result.missed[name] = [
            1 - mean(one[name].worth[week] / one["oracle"].worth[week] for one in played) for week in range(WEEKS)
        ]
    return result


@dataclass(frozen=True)
class _Weeks:
    """The weeks of an account.

    :param reach: What a post reached, by the sandbox's numbers.
    :param worth: What its hour is worth, as the oracle computes it.
    """

    reach: list[float]
    worth: list[float]


def _weeks(followers: int, slot: str, *, learns: bool) -> _Weeks:
    """Publish one post a day at the time that the calendar has chosen.

    :param learns: Whether the numbers of the posts are read each night.
    """
    from tests.integration.insights.quarter import START, opened

    random.seed(followers)  # the sandbox draws the ids of posts, by which two equal posts differ
    captions = random.Random(followers)  # noqa: S311 -- what an account writes
    with tempfile.TemporaryDirectory() as home, opened(audience_seed=followers) as account:
        os.environ["AIRFLOW__INSTAGRAM__CALENDAR_SNAPSHOTS"] = home
        online, hours = _online(account), list[int]()
        for day in range(WEEKS * A_WEEK):
            account.now = START + timedelta(days=day)
            if day % 28 == 27:
                account.new_token()
            if learns:
                account.run(rerun=False)
            account.now = _time_of(Path(home, "plan.yaml"), account.now, day, slot)
            hours.append(account.now.hour)
            account.publish("reel", caption=" ".join(captions.sample(TAGS, 2)))
        account.now = START + timedelta(days=WEEKS * A_WEEK + 4)
        reached = [float(account.sandbox.insights(made.media_id)["reach"]) for made in account.made]
    return _Weeks(*(_by_week(values) for values in (reached, [_worth(online, hour) for hour in hours])))


def _by_week(values: list[float]) -> list[float]:
    return [mean(values[week * A_WEEK : (week + 1) * A_WEEK]) for week in range(WEEKS)]


def _time_of(file: Path, now: datetime, day: int, slot: str) -> datetime:
    """Return the time that the calendar chooses for the post of a day, an hour or more ahead."""
    from airflow_provider_instagram.calendar.planning.look import look
    from airflow_provider_instagram.calendar.planning.settings import CalendarSettings

    document = {
        "slots": {"brand": slot.format(day=f"{now:%a}")},
        "defaults": {"timezone": "UTC", "account": "brand", "video": "a.mp4"},
        "posts": [{"id": f"day-{day}"}],
    }
    file.write_text(yaml.safe_dump(document))
    settings = CalendarSettings.of("content", str(file), accounts=["brand"], lead_time=timedelta(hours=1))
    planned, _ = look(settings, None, now)
    (post,) = planned.plan.timely.posts
    at = post.publish_at.astimezone(timezone.utc)
    assert at.date() == now.date()
    return at


def _best_hour(followers: int) -> int:
    """Return the hour at which a post reaches most, by what the sandbox states of these followers."""
    from tests.integration.insights.quarter import opened

    with opened(audience_seed=followers) as account:
        online = _online(account)
    return max(HOURS, key=lambda hour: _worth(online, hour))


def _online(account: Quarter) -> dict[int, int]:
    """Return how many followers are online in each hour (UTC), as Instagram tells it."""
    sandbox, until = account.sandbox, account.now.replace(hour=0)
    asked = {"metric": "online_followers", "period": "lifetime", "access_token": sandbox.token}
    span = {"since": str(int((until - timedelta(days=2)).timestamp())), "until": str(int(until.timestamp()))}
    answer = httpx.get(f"{sandbox.url}/v25.0/{sandbox.user_id}/insights", params=asked | span, trust_env=False)
    value = answer.raise_for_status().json()["data"][0]["values"][-1]
    begin = datetime.strptime(value["end_time"], "%Y-%m-%dT%H:%M:%S%z").astimezone(timezone.utc)
    return {(begin.hour + int(hour)) % 24: followers for hour, followers in value["value"].items()}


def _worth(online: dict[int, int], hour: int) -> float:
    """Return what a post of an hour reaches, up to a factor that is the same for all hours."""
    return sum(math.exp(-age / FADES_H) * online[(hour + age) % 24] for age in range(WATCHED_H))


def draw(result: Result) -> bytes:
    """Return the regret of each week as SVG."""
    import pygal
    from pygal.style import Style

    style = Style(
        background="white", plot_background="white", foreground="#333", foreground_strong="#111",
        foreground_subtle="#666", colors=("#b3246b", "#1f5fa8"), font_family="sans-serif",
        label_font_size=14, major_label_font_size=14, legend_font_size=15, title_font_size=16,
    )  # fmt: skip
    chart = pygal.Line(
        style=style, js=(), no_prefix=True, width=760, height=340, margin=12, legend_at_bottom=True, dots_size=4,
        stroke_style={"width": 3}, include_x_axis=True, range=(0, 50),
        title="Reach that is missed, of the oracle's", x_title="week", value_formatter=lambda value: f"{value:.0f} %",
    )  # fmt: skip
    chart.x_labels = [str(week + 1) for week in range(WEEKS)]
    for name, weeks in result.missed.items():
        chart.add(NAMES[name], [round(100 * value) for value in weeks])
    chart.add_xml_filter(_without_script)
    return bytes(chart.render()) + b"\n"


def _without_script(svg: Element) -> Element:
    """Return a picture that only shows: a page runs no script of it."""
    for parent in svg.iter():
        for script in parent.findall("script"):
            parent.remove(script)
    return svg


def main() -> int:
    """Print the weeks, and return 1 if nothing was learned."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=2026)
    options.add_argument("--accounts", type=int, default=6)
    options.add_argument("--draw", action="store_true", help=f"write {PICTURE.name} of the docs")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
        result = play(given.seed, given.accounts)
    print(*result.rows(), sep="\n")
    if given.draw:
        PICTURE.write_bytes(draw(result))
    reach, missed = result.reach["auto"], result.missed
    return int(reach[-1] <= reach[0] or missed["auto"][-1] >= missed["fixed"][-1])


if __name__ == "__main__":
    as_program(main)
