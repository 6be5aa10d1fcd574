from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.posts.fields import read_user_names
from airflow_provider_instagram.utils import arguments

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("unset", [None, "", "  ", "None"])
def test_what_stands_for_nothing_is_nothing(unset: str | None) -> None:
    assert arguments.text("caption", unset) is None
    assert arguments.whole_number("cover", unset) is None
    assert arguments.boolean("share", unset) is None
    assert arguments.sequence("tags", unset) == []
    assert arguments.moment("publish_at", unset) is None
    assert arguments.duration("lateness", unset) is None


def test_a_literal_is_set_whatever_it_reads() -> None:
    """``None`` in a calendar is what somebody wrote there, and no template that delivered nothing."""
    text = arguments.literal("None")
    assert arguments.text("caption", text) == "None"
    assert arguments.sequence("tags", text) == ["None"]
    for read in (arguments.whole_number, arguments.boolean, arguments.moment):
        with pytest.raises(ValidationError, match="'None'"):
            read("option", text)
    assert arguments.text("caption", arguments.literal(" ")) is None
    assert arguments.literal(None) is None


def test_a_required_text_that_is_missing_is_named() -> None:
    with pytest.raises(ValidationError, match="container_id is empty"):
        arguments.required_text("container_id", "None")


def test_an_id_that_came_as_a_number_stays_exact() -> None:
    assert arguments.text("container_id", 17841400000000001) == "17841400000000001"


@pytest.mark.parametrize(("given", "read"), [("1500", 1500), (1500, 1500), (1500.0, 1500), (" 0 ", 0)])
def test_a_number_is_read_from_text(given: object, read: int) -> None:
    assert arguments.whole_number("cover", given) == read


@pytest.mark.parametrize("given", [["a"], {"a": 1}, 1.7841e16])
def test_what_is_no_text_is_refused_by_name(given: object) -> None:
    with pytest.raises(ValidationError, match="container_id must be text"):
        arguments.text("container_id", given)


@pytest.mark.parametrize(("sign", "number"), [("\0", 0), ("\x1b", 27), ("\x7f", 127), ("\ud83d", 55357)])
def test_a_text_with_an_invisible_character_is_refused_by_name(sign: str, number: int) -> None:
    with pytest.raises(ValidationError) as refused:
        arguments.text("caption", f"one{sign}two")
    assert str(refused.value) == (
        f"caption has an invisible character, number {number}. Delete it, or type the words around it again."
    )


def test_a_text_keeps_its_lines_its_tabs_and_its_emoji() -> None:
    text = "Several\r\n\tlines of 🎉 and 👩\u200d👩\u200d👧\x0b\x85"
    assert arguments.text("caption", text) == text


@pytest.mark.parametrize("given", ["a", "1.5", True, [1], "nan", "inf"])
def test_what_is_no_whole_number_is_refused_by_name(given: object) -> None:
    with pytest.raises(ValidationError, match="cover must be a"):
        arguments.whole_number("cover", given)


@pytest.mark.parametrize(
    ("given", "read"), [("true", True), ("Yes", True), ("1", True), (True, True), ("false", False), ("off", False)]
)
def test_a_yes_or_no_is_read_from_text(given: object, read: bool) -> None:
    assert arguments.boolean("share", given) is read


def test_another_word_is_neither_yes_nor_no() -> None:
    with pytest.raises(ValidationError, match="share must be true or false, not 'maybe'"):
        arguments.boolean("share", "maybe")


@pytest.mark.parametrize("given", [["ann", "bob"], ("ann", "bob"), '["ann", "bob"]', "ann, bob"])
def test_a_list_is_read_from_a_list_json_or_commas(given: object) -> None:
    assert arguments.sequence("tags", given) == ["ann", "bob"]


def test_a_list_is_read_as_a_template_renders_it() -> None:
    """``{{ params.items }}`` writes a list as Python does: in quotation marks that JSON does not have, with None."""
    items = ["it's.jpg", {"image": "b.jpg", "alt_text": None, "user_tags": [{"username": "ann", "x": 0.5}]}]
    assert arguments.sequence("carousel", str(items)) == items


@pytest.mark.parametrize(
    "given",
    ["[open('/etc/passwd')]", "[" * 5000, "['a'] * 9", "['a', 'b'][0]", "['\0']\0", "['x']" + " " * 99 + "+" * 9],
)
def test_what_only_looks_like_a_list_is_refused_without_its_text(given: str) -> None:
    """It may contain signed links."""
    with pytest.raises(ValidationError, match="tojson") as refused:
        arguments.sequence("source", given)
    assert given not in str(refused.value)


@pytest.mark.parametrize("given", ["[broken", 7])
def test_what_is_no_list_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match="tags"):
        arguments.sequence("tags", given)


@pytest.mark.parametrize(
    "given", ["2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00Z", datetime(2026, 12, 24, 17, tzinfo=timezone.utc)]
)
def test_a_time_is_read_in_utc(given: object) -> None:
    assert arguments.moment("publish_at", given) == datetime(2026, 12, 24, 17, tzinfo=timezone.utc)


@pytest.mark.parametrize("given", ["tomorrow", "2026-12-24T18:00:00", 7])
def test_a_time_without_a_zone_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match="publish_at"):
        arguments.moment("publish_at", given)


@pytest.mark.parametrize("given", [90, 90.0, "90", "90 s", "1.5 minutes", " 1.5MIN ", "1.5m", timedelta(seconds=90)])
def test_a_duration_is_seconds_or_a_timedelta_or_what_a_calendar_takes(given: object) -> None:
    assert arguments.duration("lateness", given) == timedelta(seconds=90)


@pytest.mark.parametrize(("given", "hours"), [("1h", 1), ("2 days", 48), ("36 hours", 36)])
def test_a_long_duration_has_its_unit(given: str, hours: int) -> None:
    assert arguments.duration("lateness", given) == timedelta(hours=hours)


@pytest.mark.parametrize(
    "given", ["nan", "inf", "soon", "-90", "1e9", "\u0661\u0665 minutes", "9" * 400, 1e300, "1 h 30 min"]
)
def test_what_is_no_duration_is_refused(given: object) -> None:
    with pytest.raises(ValidationError, match=r"lateness is .* not a length of time.*15 minutes, 90 s or 1 h"):
        arguments.duration("lateness", given)


def test_a_negative_duration_is_refused() -> None:
    with pytest.raises(ValidationError, match="must not be negative"):
        arguments.duration("lateness", -1)


def test_a_value_that_is_no_list_is_refused_without_being_shown() -> None:
    """It may contain a signed link."""
    with pytest.raises(ValidationError, match="files must be a list, not an object") as refused:
        arguments.sequence("files", {"video": "https://a.example/v.mp4?sig=secret"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "read", [arguments.number, arguments.boolean, arguments.moment, arguments.duration, read_user_names]
)
def test_a_link_in_the_wrong_argument_is_shown_without_its_query(read: Callable[[str, Any], Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        read("fps", "https://a.example/v.mp4?sig=secret")
    assert "'https://a.example/v.mp4?…'" in str(refused.value)
    with pytest.raises(ValidationError) as refused:
        arguments.text("video", ["https://a.example/v.mp4?sig=secret"])
    assert "secret" not in str(refused.value)
