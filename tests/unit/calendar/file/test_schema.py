"""The JSON Schema of a calendar says the same as the parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from airflow_provider_instagram.calendar.file.model import CALENDAR_FIELDS
from airflow_provider_instagram.calendar.file.parser import parse_calendar
from airflow_provider_instagram.calendar.file.schema import calendar_schema
from tests.integration.docs.pages import BLOCKS

ROOT = Path(__file__).parents[4]
SCHEMA = calendar_schema()
CALENDARS = {
    **{str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "dags").rglob("*.yaml")},
    **{block.id: block.code for block in BLOCKS if block.language in ("yaml", "json") and "posts" in block.code},
}
HEAD = "posts:\n- id: a\n  publish_at: 2030-05-06 08:30 UTC\n"


class TextLoader(yaml.SafeLoader):
    """Reads times as texts, as YAML 1.2 and the editors do."""


TextLoader.yaml_implicit_resolvers = {
    sign: [(tag, expression) for tag, expression in resolvers if not tag.endswith(":timestamp")]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def broken(text: str) -> list[str]:
    """Return the places that the schema refuses."""
    errors = jsonschema.Draft7Validator(SCHEMA).iter_errors(yaml.load(text, Loader=TextLoader))  # noqa: S506 -- a safe one
    return sorted("/".join(map(str, error.absolute_path)) for error in errors)


def problems(text: str) -> list[str]:
    return [problem.message for problem in parse_calendar(text, "/data/example.yaml").problems]


def test_the_schema_is_valid_and_has_each_field_with_what_it_is() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    fields = SCHEMA["properties"]["posts"]["items"]["properties"]
    assert {name: field["description"] for name, field in fields.items()} == {
        name: about.says for name, about in CALENDAR_FIELDS.items()
    }
    assert fields["placement"]["enum"] == ["reels", "feed", "story"]
    defaults = {*SCHEMA["properties"]["defaults"]["properties"]}
    assert {*fields} - defaults == {"id", "publish_at", "note"}


def test_calendars_are_found() -> None:
    assert len(CALENDARS) >= 10


@pytest.mark.parametrize("name", CALENDARS)
def test_each_calendar_of_the_documentation_and_the_examples_is_valid(name: str) -> None:
    assert broken(CALENDARS[name]) == []


@pytest.mark.parametrize(
    "text",
    [
        '$schema: a.json\nmin_spacing: 15\nposts: [{id: 7, publish_at: "2030-05-06 08:30Z", image: a.png}]',
        HEAD + "  video: a.mp4\n  collaborators: [ann, bob]\n  user_tags: ann, bob\n  tags: spring\n  caption:\n",
        HEAD + "  image: a.jpg\n  user_tags: [{username: ann, x: 0.5, y: '1'}]\n  alt_text: 7\n  location_id: 123\n",
        HEAD + "  video: a.mp4\n  video_cover_timestamp_ms: '1500'\n  share_to_feed: 'yes'\n",
        HEAD + "  carousel: a.jpg, b.mp4\n  first_comment: Hello\n  approval: required\n",
        HEAD + "  carousel: [a.jpg, {video: b.mp4}, {image: c.jpg, alt_text: A tree}]\n",
        HEAD + "  video: a.mp4\n  placement: story\n  user_tags: [{username: ann}]\n  caption: ''\n",
        "defaults: {video: a.mp4, caption: Hello}\n"
        + HEAD
        + "- {id: b, publish_at: 2030-05-07 08:30 UTC, image: b.jpg}",
        "slots: {instagram_default: [Mon 08:30 UTC], b: 'Tue 9:00 UTC, Wed 10:00 UTC'}\n" + HEAD + "  video: b.mp4\n",
        HEAD + "- {id: b, video: a.mp4}\n- {id: c, note: Ask Lena}\n",
    ],
)
def test_what_a_calendar_accepts_is_valid(text: str) -> None:
    assert (problems(text), broken(text)) == ([], [])


@pytest.mark.parametrize("text", ["posts:\n", "defaults:\nslots:\nposts: []\n"])
def test_a_calendar_without_posts_is_valid_while_its_author_begins_it(text: str) -> None:
    assert (problems(text), broken(text)) == (["the calendar has no posts, so nothing is published."], [])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("post: []\nposts: []", ""),
        ("defaults: {id: a}\nposts: []", "defaults"),
        ("posts: [{publish_at: 2030-05-06 08:30 UTC, video: a.mp4}]", "posts/0"),
        (
            "slots: {instagram_default: [Mon 08:30 UTC, Thu 9]}\n" + HEAD + "  video: a.mp4\n",
            "slots/instagram_default",
        ),
        ("defaults: {note: later}\n" + HEAD + "  video: a.mp4\n", "defaults"),
        (HEAD + "  vidoe: a.mp4\n  image: a.jpg\n", "posts/0"),
        (HEAD + "  video: [a.mp4]\n", "posts/0/video"),
        (HEAD + "  video: a.mp4\n  placement: reel\n", "posts/0/placement"),
        (HEAD + "  video: a.mp4\n  share_to_feed: maybe\n", "posts/0/share_to_feed"),
        (HEAD + "  video: a.mp4\n  trial_graduation: SOON\n", "posts/0/trial_graduation"),
        (HEAD + "  video: a.mp4\n  collaborators: [a, b, c, d]\n", "posts/0/collaborators"),
        (HEAD + "  video: a.mp4\n  video_cover_timestamp_ms: -1\n", "posts/0/video_cover_timestamp_ms"),
        (HEAD + "  video: a.mp4\n  video_cover_timestamp_ms: 900001\n", "posts/0/video_cover_timestamp_ms"),
        (HEAD + "  video: a.mp4\n  location_id: Berlin\n", "posts/0/location_id"),
        (HEAD + "  carousel: [a.jpg]\n", "posts/0/carousel"),
        (HEAD + "  carousel: [a.jpg, {image: b.jpg, video: c.mp4}]\n", "posts/0/carousel"),
        (HEAD.replace("id: a", "id: a b") + "  video: a.mp4\n", "posts/0/id"),
        (HEAD + "  video: a.mp4\n  account: Vienna studio\n", "posts/0/account"),
    ],
)
def test_what_a_calendar_refuses_is_invalid_at_its_field(text: str, place: str) -> None:
    assert len(problems(text)) == 1
    assert broken(text) == [place]


def test_a_calendar_in_json_may_name_its_schema() -> None:
    content: dict[str, Any] = {
        "$schema": "calendar.schema.json",
        "posts": [{"id": "a", "publish_at": "2030-05-06 08:30Z", "video": "a.mp4"}],
    }
    assert parse_calendar(json.dumps(content), "/data/example.json").problems == ()
    assert broken(json.dumps(content)) == []
