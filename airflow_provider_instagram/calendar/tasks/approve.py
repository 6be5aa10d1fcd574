"""The task that asks a person to approve a post, in Airflow's human-in-the-loop form."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from airflow_provider_instagram.calendar.tasks.base import PostStep
from airflow_provider_instagram.calendar.tasks.covers import cover_address, cover_file
from airflow_provider_instagram.calendar.tasks.run_request import is_requested_now
from airflow_provider_instagram.files.locations import shown
from airflow_provider_instagram.publishing.options import LONGEST_CAPTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.parser import Post


class ApprovePost(PostStep, ApprovalOperator):
    """Ask a person to approve a post that requires it. Without an answer by its time, the post is not published.

    The task precedes the container, which would expire if the answer took a day. It returns the caption as the person
    left it.

    :param report: What the transcode did, which the form shows.
    """

    template_fields: Sequence[str] = ("post", "report")

    def __init__(self, *, report: Any = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "subject": "Publish this post?", "params": _form("")})
        self.report = report

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask, or return at once if the post requires no approval."""
        post, _ = self.still_wanted(context)
        if post.approval == "none":
            return {"caption": post.caption}
        now = datetime.now(timezone.utc)
        deadline = self.deadline(context, post, now)
        if now >= deadline:
            self.skip_post(
                context, "not approved", f"Its time, {post.publish_at.isoformat()}, has passed, so nobody is asked."
            )
        self.response_timeout = max(deadline - now, timedelta(seconds=1))
        self.defaults = [self.APPROVE if self.settings.unanswered == "publish" else self.REJECT]
        self.params = ParamsDict(_form(post.caption))
        self.subject = f"Publish {post.id} on {post.account} at {post.publish_at:%a %d %b %Y, %H:%M %Z}?"
        self.body = question(post, self.report or {})
        super().execute(context)  # defers the task until a person answers
        raise AssertionError("unreachable")

    def deadline(self, context: Context, post: Post, now: datetime) -> datetime:
        """Return until when a person may answer: as long as the post may be published.

        For a post that a user requested after its time, that is one lead time.
        """
        if is_requested_now(context, post):
            return now + self.settings.lead_time
        is_late = now >= post.publish_at and self.settings.late == "publish"
        return post.publish_at + (self.settings.max_lateness if is_late else timedelta())

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Return the caption if a person approved the post, and skip the post otherwise."""
        post = self.as_post()
        answer = {**event, "params_input": event.get("params_input") or {}}
        approved = answer.get("chosen_options") == [self.APPROVE]
        person = (answer.get("responded_by_user") or {}).get("name") if answer.get("responded_by_user") else None
        if "error" in event:
            self.process_trigger_event_error(event)
        if not approved and (event.get("timedout") or person is None):
            self.skip_post(context, "not approved", "Nobody has answered in time.")
        if not approved:
            reason = answer["params_input"].get("reason") or "no reason given"
            self.skip_post(context, f"rejected: {reason}"[:80], f"Rejected by {person}: {reason}")
        self.validate_params_input(answer["params_input"])
        caption = answer["params_input"].get("caption", post.caption)
        self.log.info(
            "Approved by %s%s", person or "default", "" if caption == post.caption else ", with a new caption"
        )
        return {"caption": caption or ""}


def question(post: Post, report: Mapping[str, Any]) -> str:
    """Return in Markdown what a person needs to know to decide. Text from the calendar appears as plain text.

    :param post: The post.
    :param report: What the transcode did.
    """
    cover = post.options.get("video_cover_timestamp_ms")
    rows = [
        ("Account", post.account),
        ("Time", f"{post.publish_at:%A, %d %B %Y, %H:%M:%S %Z}"),
        ("Placement", post.placement),
        ("Video", shown(post.video)),
        ("Cover", shown(str(post.options.get("cover_url") or (f"{cover} ms" if cover else "the first frame")))),
        *((name, value) for name, value in post.options.items() if name not in SHOWN_APART),
        *(("Tags", ", ".join(post.tags)) for _ in post.tags[:1]),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {_code(value)} |" for name, value in rows)]
    if "cover_url" not in post.options and cover_file(post.version).is_file():
        lines += ["", f"![Cover](<{cover_address(post.version)}>)"]
    return "\n".join([*lines, "", "**Caption**", "", *_block(post.caption), "", "**Video**", "", *_measures(report)])


SHOWN_APART = ("caption", "placement", "cover_url", "video_cover_timestamp_ms")


def _form(caption: str) -> dict[str, Param]:
    return {
        "caption": Param(
            caption,
            type=["string", "null"],
            format="multiline",
            maxLength=LONGEST_CAPTION,
            title="Caption",
            description="The post is published with this text. You can change it.",
        ),
        "reason": Param(
            None,
            type=["string", "null"],
            title="Reason",
            description="If you reject: the reason, for the author of the post.",
        ),
    }


def _code(value: Any) -> str:
    """Return a value as inline code for a table cell, so that nothing in it is Markdown, a link or a picture.

    No escape reliably keeps ``|`` from ending the cell, so ``¦`` replaces it.
    """
    text = " ".join(str(value).split()).replace("|", "¦") or " "
    fence = _fence(text)
    return f"{fence} {text} {fence}"


def _block(text: str) -> list[str]:
    """Return a text as a code block, so that nothing in it is Markdown, a link or a picture."""
    fence = f"``{_fence(text)}"
    return [f"{fence}text", *text.splitlines(), fence] if text.strip() else ["*(none)*"]


def _fence(text: str) -> str:
    """Return one backtick more than the longest run of backticks in a text."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))


def _measures(report: Mapping[str, Any]) -> list[str]:
    if not report:
        return ["There is no report of the transcode."]
    lines = [f"Transcoded as {_code(report.get('tier'))}."]
    lines += [f"* {_code(reason)}" for reason in (*report.get("reasons", ()), *report.get("warnings", ()))]
    return lines
