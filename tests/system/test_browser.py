"""What a person does in Airflow's pages: fill in the form, follow the link to the post, press Clear."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from demo.stack import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Run, Videos

CAPTION = "Typed into the form,\nin two lines"
TRY_LIMIT_S = 60


def test_a_post_made_from_the_form_is_one_post_also_after_clear(
    page: Page,
    airflow: AirflowStack,
    videos: Videos,
    sandbox: SandboxHandle,
    run_of: Callable[[str, str], Run],
    posts_of: Callable[[str], list[str]],
) -> None:
    page.goto(f"{airflow.url}/dags/publish_reel")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.locator("[name=element_video]").fill(str(videos.reel))
    form.locator("[name=element_caption]").fill(CAPTION)
    form.get_by_role("button", name="Trigger").click()
    page.wait_for_url(re.compile(r"/dags/publish_reel/runs/"), timeout=120_000)
    run = run_of("publish_reel", page.url.rpartition("/runs/")[2].partition("/")[0])
    run.wait()
    (permalink,) = posts_of(CAPTION)

    page.goto(f"{airflow.url}/dags/publish_reel/runs/{run.run_id}/tasks/publish/details")
    expect(page.get_by_role("link", name="View on Instagram")).to_have_attribute("href", permalink)
    page.get_by_role("button", name="Press shift+c to clear").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    wait_until(lambda: run.task("publish")["try_number"] == 2, "publish runs again", TRY_LIMIT_S)
    run.wait()

    assert posts_of(CAPTION) == [permalink]
    again = run.result("publish")
    assert (again["permalink"], again["already_published"]) == (permalink, True)
    assert len(sandbox.journal("publish", container_id=again["container_id"])) == 1
