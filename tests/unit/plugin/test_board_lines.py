"""The lines of a calendar's file that the page Posts shows of one post."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from airflow_provider_instagram.calendar.file.model import Post
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


def post(line: int, video: str = "a.mp4") -> Post:
    return Post(id="one", publish_at=AT, account="studio", video=video, options={}, line=line)


def test_an_item_of_yaml_ends_where_the_next_one_begins() -> None:
    text = YAML.format(video="a.mp4")
    assert lines_of(post(4), text, "a.yaml", [4, 12]) == "\n".join(text.splitlines()[3:9])
    assert lines_of(post(12), text, "a.yaml", [4, 12]) == "  - id: two\n    video: b.mp4"


def test_a_row_of_csv_may_have_several_lines() -> None:
    text = 'id,caption\none,"two\nlines"\ntwo,b\n'
    assert lines_of(post(2), text, "a.csv", [2, 4]) == 'one,"two\nlines"'


def test_a_signature_is_left_out() -> None:
    found = lines_of(post(4, SIGNED), YAML.format(video=SIGNED), "a.yaml", [4, 12])
    assert found is not None
    assert "abcdef" not in found
    assert "https://media.example.com/a.mp4?…" in found


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "\\x68ttps"])
def test_lines_with_a_signature_in_another_spelling_are_not_shown(scheme: str) -> None:
    written = '"' + SIGNED.replace("=", "\\x3d").replace("https", scheme) + '"'
    assert lines_of(post(4, SIGNED), YAML.format(video=written), "a.yaml", [4, 12]) is None


@pytest.mark.parametrize("line", [0, 99])
def test_a_line_that_the_file_does_not_have_shows_nothing(line: int) -> None:
    assert lines_of(post(line), YAML, "a.yaml", []) == ""
