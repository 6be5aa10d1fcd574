"""What a sheet of another tool adds to a calendar, and what a month adds to another one."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest
import yaml

from airflow_provider_instagram.calendar.file.edits import apply_fill
from airflow_provider_instagram.calendar.file.media_paths import CalendarFiles
from airflow_provider_instagram.calendar.file.problems import InvalidValue
from airflow_provider_instagram.calendar.file.reader import sheet_text
from airflow_provider_instagram.calendar.file.sheet_import import SheetReading
from airflow_provider_instagram.calendar.planning.importing import (
    Additions,
    SheetProposal,
    Target,
    sheet_proposal,
)

NOW = datetime(2030, 11, 1, tzinfo=timezone.utc)
LOCATION = "/calendars/plan.yaml"
STUDIO, SHOP = "instagram_studio", "instagram_shop"
YAML = """\
defaults: {timezone: Europe/Berlin, account: instagram_studio}
posts:
  # the end of the year
  - {id: market, publish_at: 2030-12-03 08:30, video: a.mp4}
"""
#: As a user downloads it for Buffer's bulk upload.
BUFFER = """\
Text,Image URL,Tags,Posting Time
"The new set, today",https://cdn.example.com/set.jpg,spring,2030-12-01 08:30
Behind the scenes,https://cdn.example.com/behind.jpg,"spring, sale",2030-12-02 17:00
"""
LATER = """\
Profile,Post Type,Scheduled Date,Scheduled Time,Caption,Hashtags,Media URL,First Comment
@studio,Reel,Dec 1 2030,9:30 AM,Hello,#hello,https://cdn.example.com/a.mp4,Hi
Shop,Photo,"December 2nd, 2030",6:15 PM,Sale,,https://cdn.example.com/b.jpg,
shop,Story,12/13/2030,6:15 PM,,,https://cdn.example.com/c.jpg,
"""
GERMAN = """\
Datum;Uhrzeit;Kanal;Format;Beitragstext;Datei;Notiz
So, 01.12.2030;9 Uhr;studio;Karussell;Größe 52 Ärmel;a.jpg, b.jpg;mit Lena
3. Dezember 2030;18:30 Uhr;Studio;Reel;Käse 5 €;markt.mp4;
"""


def target(text: str = YAML) -> Target:
    rules: Any = {"accounts": [STUDIO, SHOP]}
    return Target(text, LOCATION, CalendarFiles(LOCATION), NOW, rules)


def look(sheet: str, text: str = YAML, zone: str = "", account: str = "", **reading: Any) -> SheetProposal:
    return sheet_proposal(target(text), sheet, SheetReading(accounts=[STUDIO, SHOP], **reading), zone, account)


def written(found: Additions, text: str = YAML) -> str:
    assert found.fill is not None
    return apply_fill(text, LOCATION, found.fill, CalendarFiles(LOCATION), {}).text


def added(found: Additions, text: str = YAML) -> list[dict[str, Any]]:
    before = len(yaml.safe_load(text)["posts"])
    return list(yaml.safe_load(written(found, text))["posts"][before:])


def told(found: Additions) -> list[tuple[int, str]]:
    return [(one.line, one.message) for one in found.left_out]


def test_a_sheet_of_buffer_is_understood_as_it_is() -> None:
    found = look(BUFFER)
    assert [(title, name) for title, name, _ in found.columns] == [
        ("Text", "caption"),
        ("Image URL", "image"),
        ("Tags", "tags"),
        ("Posting Time", "publish_at"),
    ]
    assert (found.asked, found.needs, found.additions.left_out) == ((), frozenset(), ())
    assert added(found.additions) == [
        {"id": "2030-12-01-the-new-set-today", "publish_at": "2030-12-01 08:30", "caption": "The new set, today",
         "image": "https://cdn.example.com/set.jpg", "tags": "spring"},
        {"id": "2030-12-02-behind-the-scenes", "publish_at": "2030-12-02 17:00", "caption": "Behind the scenes",
         "image": "https://cdn.example.com/behind.jpg", "tags": "spring, sale"},
    ]  # fmt: skip
    assert written(found.additions).startswith(YAML)


def test_a_sheet_with_accounts_formats_and_american_dates_is_understood() -> None:
    found = look(LATER)
    assert (found.asked, found.needs, found.additions.left_out) == ((), frozenset(), ())
    reel, picture, story = added(found.additions)
    assert (reel["publish_at"], reel["video"], reel["placement"]) == (
        "2030-12-01 09:30",
        "https://cdn.example.com/a.mp4",
        "reels",
    )
    assert (reel["caption"], reel["first_comment"], reel["account"]) == ("Hello\n\n#hello", "Hi", STUDIO)
    assert (picture["publish_at"], picture["image"], picture["account"]) == (
        "2030-12-02 18:15",
        "https://cdn.example.com/b.jpg",
        SHOP,
    )
    assert (story["publish_at"], story["placement"], "caption" in story) == ("2030-12-13 18:15", "story", False)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_german_sheet_is_understood_in_each_encoding(encoding: str) -> None:
    found = look(sheet_text(GERMAN.encode(encoding)))
    assert (found.asked, found.needs, found.additions.left_out) == ((), frozenset(), ())
    carousel, reel = added(found.additions)
    assert (carousel["publish_at"], carousel["carousel"], carousel["note"]) == (
        "2030-12-01 09:00",
        "a.jpg, b.jpg",
        "mit Lena",
    )
    assert (carousel["id"], reel["id"]) == ("2030-12-01-groesse-52-aermel", "2030-12-03-kaese-5")
    assert (reel["publish_at"], reel["caption"], reel["video"]) == ("2030-12-03 18:30", "Käse 5 €", "markt.mp4")


def test_a_second_run_adds_nothing_and_a_title_of_another_month_is_another_post() -> None:
    text = written(look(LATER).additions)
    again = look(LATER, text).additions
    assert (again.fill, again.present) == (None, 3)
    tip = "Title,Date,Video\nMarket,2031-01-07 09:00,b.mp4\n"
    (post,) = added(look(tip).additions)
    assert post["id"] == "2031-01-07-market"
    text = written(look(tip).additions)
    assert look(tip, text).additions.present == 1


def test_what_is_unclear_is_asked_for_and_what_was_said_counts() -> None:
    sheet = "Date,Channel,Format,Video\n3/4/2031,TikTok,Shorts,a.mp4\nDec 5 2030,studio,Reel,b.mp4\n"
    found = look(sheet)
    assert [(one.field, one.word, one.lines) for one in found.asked] == [
        ("account", "TikTok", (2,)),
        ("placement", "Shorts", (2,)),
    ]
    assert found.needs == {"time"}
    words = {"account": {"TikTok": SHOP}, "placement": {"Shorts": "reel"}}
    found = look(sheet, words=words, time="12:00")
    assert [one.said for one in found.asked] == [SHOP, "reel"], "what was said can be changed"
    assert found.needs == {"dates"}
    first, second = added(look(sheet, words=words, time="12:00", order="day-first").additions)
    assert (first["publish_at"], first["account"]) == ("2031-04-03 12:00", SHOP)
    assert second["publish_at"] == "2030-12-05 12:00"
    wrong = look(sheet.replace("3/4", "3/14"), words=words, time="12:00", order="day-first")
    assert wrong.needs == {"dates"}
    assert wrong.additions.posts == 0, "one date puts all dates in doubt"
    left_out = look(sheet, words={"account": {"TikTok": ""}}, time="12:00")
    assert [(one.word, one.said) for one in left_out.asked] == [("TikTok", "")], "no other word of its row is asked for"
    assert left_out.additions.posts == 1


def test_a_column_means_what_the_user_says() -> None:
    sheet = "When,What,Notes\n2030-12-05 12:00,Hello,Secret\n"
    assert [name for _, name, _ in look(sheet).columns] == ["", "", "note"]
    found = look(sheet, columns={"When": "publish_at", "What": "caption", "Notes": ""})
    assert (found.additions.drafts, added(found.additions)) == (
        1,
        [{"id": "2030-12-05-hello", "publish_at": "2030-12-05 12:00", "caption": "Hello"}],
    )


def test_an_account_that_neither_the_row_nor_the_file_names_is_asked_for() -> None:
    """What a calendar without one takes by default is not for every DAG."""
    text = YAML.replace(", account: instagram_studio", "").replace("video", "account: instagram_studio, video")
    found = look(BUFFER, text)
    assert (found.account, told(found.additions)) == (
        "", [(2, "the row names no account."), (3, "the row names no account.")],
    )  # fmt: skip
    chosen = look(BUFFER, text, account=SHOP)
    assert (chosen.account, [post["account"] for post in added(chosen.additions, text)]) == (SHOP, [SHOP, SHOP])
    again = written(chosen.additions, text)
    assert (look(BUFFER, again).additions.present, told(look(BUFFER, again).additions)) == (2, [])
    only = sheet_proposal(target(text), BUFFER, SheetReading(accounts=[STUDIO]), "", "")
    assert (only.account, only.additions.left_out) == (STUDIO, ())


def test_times_are_in_the_zone_that_the_user_names() -> None:
    (first, _) = added(look(BUFFER, zone="America/New_York").additions)
    assert (first["publish_at"], first["timezone"]) == ("2030-12-01 08:30", "America/New_York")
    assert "timezone" not in added(look(BUFFER, zone="Europe/Berlin").additions)[0]
    with pytest.raises(InvalidValue, match="is not a time zone"):
        look(BUFFER, zone="Berlin/Europe")


def test_rows_that_the_calendar_does_not_take_are_told_and_the_others_are_added() -> None:
    sheet = (
        "Date,Video,Text\n2030-12-03 08:32,a.mp4,after\n2030-12-03 08:27,b.mp4,before\n2030-10-05 12:00,c.mp4,old\n"
        f"2030-12-24 12:00,d.mp4,good\n2030-12-25 12:00,e.mp4,{'x' * 2_300}\n"
    )
    found = look(sheet).additions
    assert [line for line, _ in told(found)] == [2, 3, 4, 6]
    assert "min_spacing is 5 min" in told(found)[0][1]
    assert "min_spacing is 5 min" in told(found)[1][1]
    assert "2030-10-05 12:00 is in the past" in told(found)[2][1]
    assert [post["caption"] for post in added(found)] == ["good"]


def test_a_row_or_a_column_that_is_not_clear_is_not_guessed() -> None:
    found = look("Date,Video,Text\n2030-12-24 12:00,a.mp4,Hello, world\n2030-12-25 12:00,a.mp4,Good\n").additions
    assert ([line for line, _ in told(found)], [post["caption"] for post in added(found)]) == ([2], ["Good"])
    twice = look("Date,Video,Text,Copy\n2030-12-24 12:00,a.mp4,One,Two\n")
    assert (twice.additions.fill, told(twice.additions)) == (None, [(1, "several columns mean caption: Text, Copy.")])
    named = look("Date,Video,Text,Copy\n2030-12-24 12:00,a.mp4,One,Two\n", columns={"Copy": ""})
    assert [post["caption"] for post in added(named.additions)] == ["One"]


def test_empty_rows_below_a_sheet_are_not_counted_up_to_a_limit() -> None:
    assert look("Date,Video\n2030-12-24 12:00,d.mp4\n" + ",\n" * 5_000).additions.posts == 1
    with pytest.raises(InvalidValue, match="more than 120,000 rows, also empty ones"):
        look("Date,Video\n2030-12-24 12:00,d.mp4\n" + "\n" * 900_000)


@pytest.mark.parametrize("text", ["@ann and @bob (photo)", "- one\n- two", "+1 for that", "<b>bold</b>"])
def test_a_text_that_only_looks_like_one_is(text: str) -> None:
    (post,) = added(look(f'Date,Video,Text\n2030-12-24 12:00,d.mp4,"{text}"\n').additions)
    assert post["caption"] == text


@pytest.mark.parametrize("row", ["a{},2020-05-06 08:30,b.mp4", ",,a{}.mp4"], ids=["with a problem", "without a name"])
def test_the_time_for_a_sheet_does_not_grow_with_the_square_of_its_rows(row: str) -> None:
    sheet = "\n".join(row.format(number) for number in range(9_900))
    begun_s = time.process_time()
    found = look(f"id,publish_at,video\n{sheet}", account=STUDIO)
    assert found.additions.drafts + len(found.additions.left_out) == 9_900
    assert time.process_time() - begun_s < 8
