"""What a person sees: the profile, the posts behind their permalinks, and the video that plays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from pathlib import Path

    from instagram_sandbox.testing.handle import SandboxHandle
    from sandbox.tests.integration.conftest import Caller


PLAY = """video => new Promise(done => {
    video.ontimeupdate = () => { if (video.currentTime > 0.1) done(video.duration); };
    video.muted = true;
    video.play();
})"""


def test_the_permalink_opens_the_post(caller: Caller, instagram_sandbox: SandboxHandle, clip: Path) -> None:
    caller.publish(caller.ready(clip, caption="Autumn, at last"))
    [post] = instagram_sandbox.posts
    page = httpx.get(post.permalink)
    assert page.status_code == 200
    assert "Autumn, at last" in page.text
    assert post.media_id in page.text
    assert httpx.get(instagram_sandbox.url + "/reel/nothing/").status_code == 404


def test_the_video_is_served_in_ranges(caller: Caller, instagram_sandbox: SandboxHandle, clip: Path) -> None:
    caller.publish(caller.ready(clip))
    url = f"{instagram_sandbox.url}/media/{instagram_sandbox.posts[0].media_id}"
    part = httpx.get(f"{url}.mp4", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.headers["content-type"]) == (206, "video/mp4")
    assert part.content == clip.read_bytes()[100:200]
    assert httpx.get(f"{url}.jpg").content[:2] == b"\xff\xd8"
    assert httpx.get(f"{url}.exe").status_code == 404


def test_the_profile_shows_posts_and_what_is_on_its_way(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    caller.publish(caller.ready(clip, caption="Live"))
    instagram_sandbox.process_next(never=True)
    caller.reel(clip, caption="Soon")
    instagram_sandbox.add_account("17841400000000002", "second")
    page = httpx.get(instagram_sandbox.url).text
    for text in ("sandbox_studio", "Live", "Soon", "in progress", "/u/second/"):
        assert text in page
    assert "Live" not in httpx.get(f"{instagram_sandbox.url}/u/second/").text
    assert httpx.get(f"{instagram_sandbox.url}/u/nobody/").status_code == 404


def test_a_caption_is_text_and_never_markup(instagram_sandbox: SandboxHandle) -> None:
    instagram_sandbox.add_foreign_post("<script>alert(1)</script>{{ 7 * 7 }}")
    page = httpx.get(instagram_sandbox.url)
    assert "<script>alert" not in page.text
    assert "{{ 7 * 7 }}" in page.text


def test_pages_load_nothing_from_elsewhere_and_allow_no_frame(instagram_sandbox: SandboxHandle) -> None:
    policy = httpx.get(instagram_sandbox.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_video_plays_in_a_browser_and_nothing_is_blocked(
    caller: Caller, instagram_sandbox: SandboxHandle, clip: Path
) -> None:
    """Chromium opens the profile, follows the post, and its clock runs; the page breaks no rule of its own policy."""
    caller.publish(caller.ready(clip, caption="Moving"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(instagram_sandbox.url)
        page.get_by_role("link", name="Moving").click()
        duration = page.locator("video").evaluate(PLAY)
        browser.close()
    assert 3.9 < duration < 4.2
    assert complaints == []
