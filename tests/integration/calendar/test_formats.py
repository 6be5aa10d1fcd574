"""Posts of every format, from a calendar's file to Instagram."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.media.spec import profile_for
from tests.integration.calendar.runs import ACCOUNT, made, run_by_hand, run_post, run_report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle


def of(**post: Any) -> dict[str, Any]:
    """Return a post that has no video of its own."""
    return {"video": None, **post}


@pytest.mark.usefixtures("pictures")
@pytest.mark.long
def test_one_post_of_each_format(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], portrait_video: Path
) -> None:
    """The texts are only text, each post is published once, and a Clear of its run publishes nothing again.

    The default ``upload: file`` is for the videos.
    """
    due_s = dict.fromkeys(("picture", "carousel", "story", "clip-story"), 5.0)
    items = ["wide.png", {"image": "tall.jpg", "alt_text": "Tall {{ 7 * 7 }}"}, str(portrait_video)]
    file = calendar(
        due_s,
        picture=of(image="wide.png", caption="A {{ picture }}", alt_text="Wide {{ 7 * 7 }}"),
        carousel=of(carousel=items, caption="A {{ carousel }}"),
        story=of(image="tall.jpg", placement="story"),
        **{"clip-story": {"placement": "story"}, "defaults": {"upload": "file"}},
    )
    results = {post_id: run_post(run_dag, made(file), post_id) for post_id in due_s}
    assert {result.state for result in results.values()} == {"success"}

    posts = {post.caption or post.media_type: post for post in instagram_sandbox.posts}
    assert {name: (post.media_type, post.media_product_type) for name, post in posts.items()} == {
        "A {{ picture }}": ("IMAGE", "FEED"),
        "A {{ carousel }}": ("CAROUSEL_ALBUM", "FEED"),
        "IMAGE": ("IMAGE", "STORY"),
        "VIDEO": ("VIDEO", "STORY"),
    }
    assert len(posts["A {{ carousel }}"].children) == 3
    created = [entry.parameters for entry in instagram_sandbox.journal("create")]
    assert {one["alt_text"] for one in created if "alt_text" in one} == {"Wide {{ 7 * 7 }}", "Tall {{ 7 * 7 }}"}
    assert sum(one.get("is_carousel_item") == "true" for one in created) == 3
    keys = {result.xcom("publish")["post_key"] for result in results.values()}
    assert keys == {f"{ACCOUNT}/{post_id}" for post_id in due_s}
    assert instagram_sandbox.warnings == []

    again = run_post(run_dag, made(file), "carousel")
    assert again.xcom("publish")["already_published"] is True
    assert (instagram_sandbox.calls("publish"), instagram_sandbox.calls("create")) == (4, len(created))


@pytest.mark.usefixtures("pictures")
def test_the_items_of_a_carousel_get_the_shape_of_the_first(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], tmp_path: Path
) -> None:
    file = calendar({"shapes": 5}, shapes=of(carousel="wide.png, tall.jpg"))
    result = run_post(run_dag, made(file), "shapes")
    assert result.state == "success"
    sizes = []
    for location in result.xcom("prepare")["media"]:
        with Image.open(location) as picture:
            sizes.append(picture.width / picture.height)
    assert sizes == pytest.approx([1.6, 1.6], rel=0.01)


@pytest.mark.usefixtures("pictures", "instagram_sandbox")
def test_a_post_says_how_its_files_are_fitted(
    run_dag: Any,
    calendar: Callable[..., Path],
    tmp_path: Path,
    portrait_video: Path,
    mocker: MockerFixture,
) -> None:
    """A story is 9:16. The video lasts 4 s, and here, a reel lasts 3 s at most."""
    Image.new("RGB", (800, 800), "white").save(tmp_path / "white.png")
    profile = profile_for("reels")
    short = replace(profile, video=replace(profile.video, max_duration_s=3.0))
    mocker.patch(
        "airflow_provider_instagram.media.spec.profile_for",
        lambda placement, shapes: short if placement == "reels" else profile_for(placement, shapes),
    )
    story = of(image="white.png", placement="story")
    posts = {
        "red": {**story, "background": "red"},
        "cropped": {**story, "fit": "crop", "background": "red"},
        "long": {},
        "cut": {"trim": "end"},
    }
    dag = made(calendar(dict.fromkeys(posts, 5), **posts), dry_run=True)
    assert run_post(run_dag, dag, "long").states()["prepare"] == "failed"
    made_of = {name: run_post(run_dag, dag, name).xcom("prepare")["media"] for name in ("red", "cropped", "cut")}
    results = {name: media[0] for name, media in made_of.items()}
    corners = {}
    for name in ("red", "cropped"):
        with Image.open(results[name]) as picture:
            corners[name] = picture.getpixel((5, 5))
    assert corners == {"red": pytest.approx((255, 0, 0), abs=4), "cropped": (255, 255, 255)}
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", results["cut"]]
    duration_s = float(subprocess.run(command, capture_output=True, check=True).stdout)
    assert duration_s == pytest.approx(3.0, abs=0.05)


@pytest.mark.usefixtures("pictures")
def test_an_item_that_is_not_what_the_calendar_calls_it_is_refused(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    tmp_path: Path,
    portrait_video: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its name shows nothing."""
    (tmp_path / "clip").write_bytes(portrait_video.read_bytes())
    file = calendar({"wrong": 5}, wrong=of(carousel=["tall.jpg", {"image": "clip"}]))
    assert run_post(run_dag, made(file), "wrong").states()["create"] == "failed"
    assert "clip image, but it is a video. Write video: before its name." in capsys.readouterr().out
    assert instagram_sandbox.calls("create") == 0


def test_a_first_comment_is_written_once(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    """Also if everything is done again. The other post of the account has none."""
    file = calendar({"commented": 5, "plain": 5}, commented={"first_comment": "{{ 7 * 7 }} #one"})
    for _ in range(2):
        for post_id, became in (("commented", "success"), ("plain", "skipped")):
            result = run_post(run_dag, made(file), post_id)
            assert (result.state, result.states()["comment"]) == ("success", became)
    assert [comment.text for comment in instagram_sandbox.comments()] == ["{{ 7 * 7 }} #one"]
    assert instagram_sandbox.calls("publish") == 2


def test_comments_are_switched_off_once_when_the_post_is_published(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Also if the answer is lost, or everything is done again. A person may switch them on again."""
    file = calendar({"quiet": 5}, quiet={"comment_enabled": False})
    instagram_sandbox.fail("moderate", drop="after")
    for _ in range(2):
        result = run_post(run_dag, made(file), "quiet")
        assert (result.state, result.states()["comment"]) == ("success", "success")
    (post,) = instagram_sandbox.posts
    assert "Comments are switched off." in httpx.get(post.permalink, trust_env=False).text
    assert instagram_sandbox.calls("moderate") == 1

    instagram_sandbox.fail("moderate", 10)
    result = run_post(run_dag, made(calendar({"loud": 5}, loud={"comment_enabled": False})), "loud")
    assert (result.state, result.states()["comment"]) == ("success", "failed")
    assert "loud is published, but its comments are not switched off: " in capsys.readouterr().out


def test_the_label_of_a_paid_partnership_goes_from_the_calendar_to_the_post(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    pictures: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sponsor's name becomes an id, and a second run publishes nothing again."""
    instagram_sandbox.switch(login="facebook")
    instagram_sandbox.add_account("17841400000000077", "brand.one")
    token = instagram_sandbox.add_token(instagram_sandbox.user_id, kind="page")
    page = instagram_sandbox.connection | {"password": token}
    monkeypatch.setenv(f"AIRFLOW_CONN_{ACCOUNT.upper()}", json.dumps(page))
    label = {"is_paid_partnership": True, "branded_content_sponsor_ids": ["@brand.one"]}
    file = calendar({"paid": 5}, paid=of(image="wide.png", caption="Ad", **label))
    for _ in range(2):
        assert run_post(run_dag, made(file), "paid").state == "success"
    (entry,) = instagram_sandbox.journal("create")
    sent = {name: entry.parameters[name] for name in label}
    assert sent == {"is_paid_partnership": "true", "branded_content_sponsor_ids": '["17841400000000077"]'}
    (post,) = instagram_sandbox.posts
    assert "Paid partnership with brand.one" in httpx.get(post.permalink, trust_env=False).text


def test_a_comment_that_fails_leaves_the_post_and_the_run_green_and_says_what_is_missing(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    instagram_sandbox.fail("comment", 10)
    result = run_post(run_dag, made(calendar({"a": 5}, a={"first_comment": "Hi"})), "a")
    assert (result.states()["publish"], result.states()["comment"]) == ("success", "failed")
    assert result.state == "success"
    assert "a is published, but its first comment is not written: " in capsys.readouterr().out
    assert len(instagram_sandbox.posts) == 1


def test_a_post_with_a_first_comment_that_is_not_published_fails_its_run(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    instagram_sandbox.fail("publish", 25, 2207050)
    result = run_post(run_dag, made(calendar({"denied": 5}, denied={"first_comment": "Hi"})), "denied")
    assert (result.states()["publish"], result.states()["comment"]) == ("failed", "skipped")
    assert result.state == "failed"
    assert instagram_sandbox.calls("comment") == 0


def test_a_dry_run_comments_on_nothing(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path]
) -> None:
    result = run_by_hand(run_dag, made(calendar({"a": 3600}, a={"first_comment": "Hi"})), "a", dry_run=True)
    assert (result.state, result.states()["comment"]) == ("success", "skipped")
    assert instagram_sandbox.calls("comment") == 0


def test_a_missing_file_of_a_carousel_is_reported_the_day_before(
    instagram_sandbox: SandboxHandle, run_dag: Any, calendar: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    file = calendar({"soon": 3600}, soon=of(carousel="gone.jpg, https://example.com/a.jpg"))
    assert run_report(run_dag, made(file)).state == "success"
    assert "post 'soon': there is no file " in capsys.readouterr().out


def test_what_will_not_work_is_said_by_the_planner_the_day_before(
    instagram_sandbox: SandboxHandle,
    run_dag: Any,
    calendar: Callable[..., Path],
    no_stored_tokens: None,
    square_picture: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A permission that is missing for comments, and a local picture without a place from which it is fetched."""
    (tmp_path / "local.jpg").write_bytes(square_picture.read_bytes())
    manager = InstagramHook(ACCOUNT).token_manager()
    publishing = ("instagram_business_basic", "instagram_business_content_publish")
    manager.store.save(replace(manager.current_token(), scopes=publishing))
    file = calendar({"soon": 3600}, soon=of(image="local.jpg", first_comment="Hi"))
    assert run_report(run_dag, made(file)).state == "success"
    said = capsys.readouterr().out
    assert "did not grant instagram_business_manage_comments, so its first comments are not written" in said
    assert "local.jpg is a local picture." in said
    assert "[instagram] public_prefix is not set" in said
