"""``airflow instagram calendar``, as a content person types it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airflow_provider_instagram.hooks.instagram import InstagramHook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle

CALENDAR = """\
min_spacing: 15 min
defaults: {timezone: Europe/Berlin, video: a.mp4, account: berlin}
posts:
  - id: monday
    publish_at: 2030-03-30 18:00
    caption: "Grüße 🎉 aus Berlin"
    tags: [spring, news]
  - {id: sunday, publish_at: 2030-03-31 18:00, approval: required}
  - {id: close, publish_at: 2030-03-31 18:05}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "posts.yaml"
    path.write_text(CALENDAR)
    (tmp_path / "a.mp4").touch()
    return path


def test_a_sheet_at_a_web_address_is_left_to_its_dag(run: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = run("calendar", "check", "https://docs.google.com/pub?output=csv&key=SECRET")
    assert code == 2
    assert "only its DAG reads a sheet at a web address. Download it." in out + err
    assert "SECRET" not in out + err


def test_check_names_every_problem_with_its_line_and_ends_with_1(
    run: Callable[..., tuple[int, str, str]], file: Path
) -> None:
    code, out, _ = run("calendar", "check", str(file))
    assert code == 1
    assert out.splitlines()[0].startswith(f"{file}:9: post 'close': it is 5 min after post 'sunday' (line 8)")
    assert out.splitlines()[-1] == "2 posts for berlin; 1 problem."
    assert run("calendar", "check", str(file), "--min-spacing", "5 min")[0] == 0
    (file.parent / "a.mp4").unlink()
    code, out, _ = run("calendar", "check", str(file))
    assert (code, out.count("there is no file")) == (1, 1)
    assert run("calendar", "check", str(file.with_name("none.yaml")))[0] == 2


def test_check_warns_of_more_hashtags_than_instagram_has_announced_and_ends_with_0(
    run: Callable[..., tuple[int, str, str]], file: Path
) -> None:
    file.write_text(
        """\
defaults: {timezone: Europe/Berlin, video: a.mp4, account: berlin}
posts:
  - {id: five, publish_at: 2030-03-30 18:00, caption: "#a #b #c #d #e"}
  - {id: six, publish_at: 2030-03-31 18:00, caption: "#a #b #c #d #e #f"}
"""
    )
    code, out, _ = run("calendar", "check", str(file))
    warned = [line for line in out.splitlines() if "hashtags" in line]
    assert [line.partition(": Warning: ")[::2] for line in warned] == [
        (
            f"{file}:4: post 'six'",
            "The caption has 6 hashtags. Instagram has announced that it allows 5 only. The post is published.",
        )
    ]
    assert (code, out.splitlines()[-1]) == (0, "2 posts for berlin; 0 problems.")


def test_check_says_which_accounts_the_dag_file_has_to_name(
    run: Callable[..., tuple[int, str, str]], file: Path
) -> None:
    """And takes those that it names: what is red in Airflow is red here."""
    assert 'The DAG file must name the accounts: accounts=["berlin"]' in run("calendar", "check", str(file))[1]
    code, out, _ = run("calendar", "check", str(file), "--accounts", "paris, berlin", "--min-spacing", "5 min")
    assert (code, "accounts=" in out) == (0, False)
    code, out, _ = run("calendar", "check", str(file), "--accounts", "paris")
    first, *_, last = out.splitlines()
    assert (code, last) == (1, "0 posts; 1 problem.")
    assert first == (
        f"{file}:2: account is 'berlin'. The DAG may not use this account. Add 'berlin' to accounts=[…] in the "
        "DAG file."
    ), "what the posts share is reported once"


FORMATS = """\
min_spacing: 0 s
defaults: {timezone: UTC, account: berlin, first_comment: "#one"}
posts:
  - {id: reel, publish_at: 2030-03-04 10:00, video: https://example.com/a.mp4}
  - {id: picture, publish_at: 2030-03-05 10:00, image: https://example.com/a.jpg, caption: Look}
  - {id: carousel, publish_at: 2030-03-06 10:00, carousel: "https://example.com/a.jpg, https://example.com/b.mp4"}
  - {id: story, publish_at: 2030-03-07 10:00, image: https://example.com/a.jpg, placement: story}
"""


def test_check_names_an_account_that_may_not_comment(
    run: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    instagram_sandbox: SandboxHandle,
    no_stored_tokens: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its posts are good, and a connection whose scopes are not known is not blamed."""
    file = tmp_path / "formats.yaml"
    file.write_text(FORMATS.replace("berlin", "instagram_default"))
    assert run("calendar", "check", str(file))[0] == 0
    manager = InstagramHook("instagram_default").token_manager()
    publishing = ("instagram_business_basic", "instagram_business_content_publish")
    manager.store.save(replace(manager.current_token(), scopes=publishing))
    code, out, _ = run("calendar", "check", str(file))
    assert code == 1
    assert out.startswith(
        f"{file}:4: instagram_default did not grant instagram_business_manage_comments, so its first comments are "
        "not written, and no comments are switched off. The posts themselves are published. Add comments to the field "
        "Scopes"
    )
    assert "4 posts for instagram_default; 1 problem." in out
    manager.store.save(replace(manager.current_token(), scopes=publishing[:1]))
    code, out, _ = run("calendar", "check", str(file))
    assert "did not grant instagram_business_content_publish, needed for publishing. This post and others like" in out


def test_check_says_that_local_pictures_need_a_place_from_which_they_are_fetched(
    run: Callable[..., tuple[int, str, str]], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting belongs to the machines that publish: that it is missing here is no problem of the calendar."""
    file.with_name("front.jpg").touch()
    file.write_text(CALENDAR + "  - {id: picture, publish_at: 2030-04-02 18:00, image: front.jpg, video: null}\n")
    note = f"{file}: 1 post with local pictures, which Instagram fetches by link. [instagram] public_prefix is not set"
    assert note in run("calendar", "check", str(file))[1]
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", "s3://bucket/public")
    assert "public_prefix" not in run("calendar", "check", str(file))[1]
    monkeypatch.setenv("AIRFLOW__INSTAGRAM__PUBLIC_PREFIX", "file:///var/www/public")
    code, out, _ = run("calendar", "check", str(file))
    (problem,) = [line for line in out.splitlines() if "public_prefix" in line]
    assert (code, "post 'picture'" in problem) == (1, True)


@pytest.mark.parametrize(("name", "text"), [("plan.csv", "id,publish_at,video\r\n"), ("plan.yaml", "posts:\n")])
def test_check_of_a_calendar_without_posts_ends_with_1(
    name: str, text: str, run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    code, out, _ = run("calendar", "check", str(tmp_path / name))
    assert (code, out.splitlines()[-1]) == (1, "0 posts; 1 problem.")
    assert "the calendar has no posts, so nothing is published. Add posts." in out
