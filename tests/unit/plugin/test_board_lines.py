"""The lines of a calendar's file that the Posts page shows of one post."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_instagram.calendar.file.model import ScheduledPost
from airflow_provider_instagram.plugin.board.lines import lines_of

AT = datetime(2030, 5, 6, 8, 30, tzinfo=timezone.utc)
YAML = """\
defaults:
  account: studio
posts:
  - id: one
    caption: |
      A new week

      - not an item
    video: {video}

  # about the next one
  - id: two
    video: b.mp4
other: 1
"""
SIGNED = "https://media.example.com/a.mp4?X-Signature=abcdef&Expires=1"


def post(line: int, video: str = "a.mp4") -> ScheduledPost:
    return ScheduledPost(id="one", publish_at=AT, account="studio", video=video, line=line)


def test_an_item_of_yaml_ends_where_the_next_one_begins() -> None:
    text = YAML.format(video="a.mp4")
    assert lines_of(post(4), text, "a.yaml", [4, 12]) == "\n".join(text.splitlines()[3:9])
    assert lines_of(post(12), text, "a.yaml", [4, 12]) == "  - id: two\n    video: b.mp4"


def test_a_row_of_csv_may_have_several_lines() -> None:
    text = 'id,caption\none,"two\nlines"\ntwo,b\n'
    assert lines_of(post(2), text, "a.csv", [2, 4]) == 'one,"two\nlines"'


def test_the_query_of_a_link_is_left_out() -> None:
    found = lines_of(post(4), YAML.format(video=SIGNED), "a.yaml", [4, 12])
    assert "    video: https://media.example.com/a.mp4?…" in found.splitlines()
    assert "- not an item" in found


HOST = "https://media.example.com"
#: Links with a secret, as a file may contain them, also a broken one: in YAML, in JSON and in CSV.
SECRETS = {
    "plain": f"video: {HOST}/a.mp4?s=SECRET",
    "in capitals": "video: HTTPS://media.example.com/a.mp4?S=SECRET",
    "in a comment": f"video: b.mp4  # was {HOST}/a.mp4?s=SECRET",
    "in a commented line": f"# video: {HOST}/a.mp4?s=SECRET",
    "without a scheme": "video: //media.example.com/a.mp4?s=SECRET",
    "of object storage": "video: s3://bucket/a.mp4?s=SECRET",
    "without a slash": "video: a.mp4?s=SECRET",
    "with an empty path": f"video: {HOST}?SECRET",
    "with a space": f"video: {HOST}/a.mp4 ?s=SECRET",
    "with a space after it": f"video: {HOST}/a.mp4? s=SECRET",
    "with an odd first letter": f"video: {HOST}/a.mp4?[s]=SECRET",
    "as a fragment": f"video: {HOST}/a.mp4#SECRET",
    "after an address of mail": f"video: {HOST}/a.mp4?mail=me@example.com&s=SECRET",
    "after a comma and an @": f"video: {HOST}/a.mp4?a,b@SECRET",
    "after an apostrophe and an @": f'video: "{HOST}/a.mp4?a\'b@SECRET"',
    "after an @ in an escape of YAML": rf'video: "{HOST}/a.mp4\x3Fme@SECRET"',
    "as a password": "video: https://me:SECRET@media.example.com/a.mp4",
    "as a password with a slash": "video: https://me:SE/SECRET@media.example.com/a.mp4",
    "as a password with a comma": "video: https://me:SE,SECRET@media.example.com/a.mp4",
    "as a password with an apostrophe": 'video: "https://me:SE\'SECRET@media.example.com/a.mp4"',
    "as a password in JSON": r'"video": "https:\/\/me:SECRET@media.example.com/a.mp4"',
    "as a password after a line": "video: https://\n  me:SECRET@media.example.com/a.mp4",
    "percent-encoded": "video: https%3A%2F%2Fmedia.example.com%2Fa.mp4%3Fs%3DSECRET",
    "percent-encoded twice": "video: media.example.com%252Fa.mp4%253fs%253DSECRET",
    "in an escape of YAML": rf'video: "{HOST}/a.mp4\x3Fs=SECRET"',
    "in a long escape of YAML": rf'video: "{HOST}/a.mp4\U0000003fs=SECRET"',
    "in an escape of JSON": r'"video": "https:\/\/media.example.com\/a.mp4\u003fs=SECRET"',
    "in JSON on one line": rf'{{"video": "{HOST}/a.mp4?s\u003dSECRET", "caption": "x"}},',
    "in HTML": f"caption: {HOST}/a.mp4&#63;s=SECRET",
    "in an unclosed quote": f'video: "{HOST}/a.mp4?s=1\n  &t=SECRET\n\n  SECRET',
    "in a single quote": f"video: '{HOST}/a.mp4?\n\n   s=SECRET'",
    "over lines": f'video: "{HOST}/a.mp4?s=1&\\\n    SECRET"',
    "over lines before its question mark": f'video: "{HOST}/a.mp4\\\n    ?SECRET"',
    "over lines in its name": f'video: "{HOST}/\\\n    a.mp4?\\x73=SECRET"',
    "over lines after its question mark": 'video: "media.example.com:443/a?\\\n    SECRET"',
    "over lines in its name, with an odd first letter": f'video: "{HOST}/\\\n    a.mp4?(SECRET)"',
    "over lines in its name and after an odd letter": f'video: "{HOST}/\\\n    a.mp4?!\\\n    SECRET"',
    "over lines without a question mark": "  &X-Amz-Signature=SECRETSECRETSECRET",
    "in a list": f"carousel: [a.jpg, {HOST}/b.jpg?s=SECRET, c.jpg]",
    "in a block": f"caption: >\n  See {HOST}/b.jpg?s=\n  SECRET\n  SECRET",
    "in a cell": f'x,2030-05-06 08:30,studio,"{HOST}/a.mp4?a=1,s=SECRET",Hello',
    "in a cell with lines": f'x,2030-05-06 08:30,studio,"{HOST}/a.mp4?a=1\nSECRET",Hello',
    "in a cell that is not closed": f'x,2030-05-06 08:30,"{HOST}/a.mp4\n?s=SECRET,Hello',
    "in the next row": f'x,2030-05-06 08:30,"a.mp4\ny,2030-05-07 08:30,{HOST}/a.mp4?s=SECRET',
}


@pytest.mark.parametrize("ending", ["yaml", "json", "csv"])
@pytest.mark.parametrize("how", SECRETS)
def test_no_query_is_shown_however_it_is_written(how: str, ending: str) -> None:
    text = f"  - id: one\n    caption: Hello\n    {SECRETS[how]}\n    tags: [spring]\n"
    if ending == "csv":
        text = f"id,caption\n{SECRETS[how]}\n"
    for shown in (lines_of(post(1 if ending != "csv" else 2), text, f"a.{ending}", []),):
        assert "SECRET" not in shown, shown
        assert ending == "csv" or "caption: Hello" in shown


def test_a_query_that_ends_where_another_post_begins_is_hidden() -> None:
    text = f'posts: [{{id: one, video: "{HOST}/a.mp4?s=\\\n  SECRET"}}, {{id: two}},\n  {{id: three}}]'
    assert "SECRET" not in lines_of(post(2), text, "a.yaml", [1, 2, 3])
    assert lines_of(post(3), text, "a.yaml", [1, 2, 3]) == "  {id: three}]"


@pytest.mark.parametrize("item", ["- id: two", "- {id: two, video: b.mp4}", "- <<: *base", '{"id": "two"}', "{"])
def test_the_query_of_the_post_before_hides_nothing_of_a_post(item: str) -> None:
    text = f"posts:\n- id: one\n  video: {HOST}/a.mp4?s=SECRET\n{item}\n"
    assert lines_of(post(4), text, "a.yaml", [2, 4]) == item


@pytest.mark.parametrize("sign", ["\u2028", "\x85", "\x0c"])
def test_what_ends_no_line_of_the_file_shows_no_other_posts_lines(sign: str) -> None:
    text = f"id,caption\none,A new{sign}week\ntwo,Two\r\nthree,Three\n"
    assert lines_of(post(3), text, "a.csv", [2, 3, 4]) == "two,Two"
    assert lines_of(post(4), text, "a.csv", [2, 3, 4]) == "three,Three"


@pytest.mark.parametrize(
    "line",
    [
        "caption: Ready? Yes! Are you? #spring #sale 1+1=2",
        'caption: "Ready?"',
        r'"caption": "Ready?\nGo",',
        "caption: ¿Listo? Vamos @brand",
        "publish_at: 2026-05-06 08:30",
        "video: videos/teaser.mp4",
        "x,2030-05-06 08:30,studio,a.mp4,Why? Ask @brand",
    ],
)
def test_a_text_without_a_link_is_shown_as_it_is(line: str) -> None:
    assert lines_of(post(1), line, "a.json", []) == line


def test_a_long_line_of_a_hostile_file_is_cut_in_no_time() -> None:
    for part in ("/", "%25", "@", "a:", "\\", "&#0", "?", "= "):
        assert len(lines_of(post(1), f"- {part * 3_000_000}", "a.yaml", [])) <= 2_001


@pytest.mark.parametrize("line", [0, 99])
def test_a_line_that_the_file_does_not_have_shows_nothing(line: int) -> None:
    assert lines_of(post(line), YAML, "a.yaml", []) == ""
