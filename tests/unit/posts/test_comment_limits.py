"""The limits of a comment's text, each with what to change."""

from __future__ import annotations

import pytest

from airflow_provider_instagram.posts.limits import broken_comment_limits


@pytest.mark.parametrize(
    "message",
    [
        "x" * 300,
        "🎉" * 150,
        "#a #b #c #d",
        "See https://example.com",
        "Not ALL in capitals",
        "Several\r\n\tlines of 🎉 and 👩\u200d👩\u200d👧",
        "🎉",
        "123",
        "https://example.com#www",
    ],
)
def test_what_meta_takes_is_taken(message: str) -> None:
    assert list(broken_comment_limits(message)) == []


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("x" * 301, "The comment has 301 characters (emoji count as two): shorten it to 300."),
        ("🎉" * 151, "The comment has 302 characters (emoji count as two): shorten it to 300."),
        ("#a #b #c #d #e", "The comment has 5 hashtags: at most 4 are allowed."),
        ("https://example.com and www.example.org", "The comment has 2 links: at most 1 is allowed."),
        ("ALL IN CAPITALS!", "The comment is all in capital letters: write some letters in lower case."),
    ],
)
def test_each_broken_limit_says_what_to_change(message: str, said: str) -> None:
    (broken,) = broken_comment_limits(message, "first_comment")
    assert broken.option == "first_comment"
    assert str(broken) == said


def test_a_hostile_message_is_counted_in_bounded_time() -> None:
    assert {one.option for one in broken_comment_limits("#a" * 2_000_000)} == {"message"}
