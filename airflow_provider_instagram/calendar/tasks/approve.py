"""The task that asks a person to approve a post, in Airflow's human-in-the-loop form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError, TaskAwaitingInput

from airflow_provider_instagram.calendar.planning.plan import post_of
from airflow_provider_instagram.calendar.planning.rows import PostRows
from airflow_provider_instagram.calendar.tasks.answers import Answer
from airflow_provider_instagram.calendar.tasks.base import PostTask, check_bound, has_caption, reports_of
from airflow_provider_instagram.calendar.tasks.covers import cover_address, cover_name, has_cover
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.approval import as_block, as_code, held_subject
from airflow_provider_instagram.operators.base import APPROVE
from airflow_provider_instagram.posts.fields import canonical
from airflow_provider_instagram.posts.limits import LONGEST_CAPTION
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost

#: How the row of a question begins that names the version of the post.
VERSION = "| Version | "


class ApprovePost(PostTask, ApprovalOperator):
    """Requests the approval of a post that requires it. Without an answer by its time, the post is not published.

    The task waits in Airflow's *Required Actions*, and precedes the container, which would expire if the answer took a
    day. It returns the sealed answer: the caption as the person left it, and the digests of the files. A Clear of the
    task closes the question and opens it again. An edited post is asked about in another run.
    """

    template_fields: Sequence[str] = ("prepared",)
    weight = APPROVE
    tells = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "subject": "Publish this post?", "params": _form("")})

    @reports_failure
    def execute(self, context: Context) -> dict[str, Any] | None:
        """Request the approval, or return at once if the post requires none or is live."""
        post = self.wanted_post(context)
        if not self.needs_approval(post) or self.live(context, post) is not None:
            return None
        check_bound(post, reports_of(self.prepared), digests_in(self.prepared))
        return self._ask(context, post, is_first=self._check_first(context, post))

    def _check_first(self, context: Context, post: ScheduledPost) -> bool:
        """Check that this run asks about nothing else than before. Airflow keeps the first question of a task instance.

        :return: Whether no run has asked about the post before, also of a DAG that was renamed.
        :raises ValidationError: If a file has been replaced since.
        """
        about, run_id = canonical([post.version, digests_in(self.prepared)]), context["ti"].run_id
        rows = PostRows(Ledger.of(context, post.account).store)
        is_first = not rows.was_asked(post.key)
        if not rows.asks_first(post.key, run_id, hashlib.sha256(about.encode()).hexdigest()):
            raise ValidationError(
                f"{post.id}, or a file of it, has changed since this run asked. Airflow keeps its first question.",
                hint="Put back the file that the question shows, and clear prepare with all downstream tasks. To "
                f"publish the new one, trigger the DAG with the post {post.id}: that run asks about it.",
            )
        return is_first and post_of(run_id) == run_id

    def _ask(self, context: Context, post: ScheduledPost, *, is_first: bool) -> NoReturn:
        """Open the question, and wait for its answer. Silence publishes only if nobody can have answered before."""
        deadline, now = self.answer_by(context, post), CLOCK.now()
        if now >= deadline:
            self.skip_post(
                context, "not approved", f"Its time, {post.publish_at.isoformat()}, has passed, so nobody is asked."
            )
        self.tell_that_it_waits(context, post, emits=False)  # if the own attempt of prepare failed
        self.response_timeout = max(deadline - now, timedelta(seconds=1))
        publishes = self.settings.unanswered == "publish"
        self.defaults = [self.APPROVE if publishes and is_first else self.REJECT]
        self.params = ParamsDict(_form(post.caption, has_caption=has_caption(post)))
        self.subject = f"{_about(post)}{post.publish_at:%a %d %b %Y, %H:%M %Z}?"
        self.body = question(post, reports_of(self.prepared))
        if self.is_dry_run(context):
            self.subject, self.body = f"{self.subject} (dry run)", f"{DRY_RUN}\n\n{self.body}"
        if publishes and not is_first:
            self.body = f"{SILENCE_REJECTS}\n\n{self.body}"
        try:
            super().execute(context)  # parks the task until a person answers
        except TaskAwaitingInput as waiting:
            # The XCom with what was shown may be edited meanwhile. Airflow keeps this with the question.
            shown = Answer(
                approved=False,
                person=None,
                version=post.version,
                caption=post.caption,
                sha256=digests_in(self.prepared),
                first_comment=post.first_comment,
            )
            waiting.kwargs = {"shown": shown.sealed(context, post)}
            raise
        raise AssertionError("unreachable")

    def execute_complete(self, context: Context, event: dict[str, Any], shown: Any = None) -> dict[str, Any]:
        """Return the sealed answer if a person approved the post, and skip the post otherwise."""
        if "error" in event:
            self.process_trigger_event_error(event)
        post = self.wanted_post(context)
        asked = Answer.unsealed(shown, context, post)
        if asked is None or asked.sha256 != digests_in(self.prepared):
            raise ValidationError(
                f"What was shown of {post.id} is not what would be published.", hint="Clear this task. It asks again."
            )
        answer = self._read_answer(event, post, asked)
        if event.get("timedout") and context["ti"].try_number > 1:  # an earlier try may have had an answer
            answer = replace(answer, approved=False)
        if answer.refusal is not None:
            self.skip_post(context, *answer.refusal)
        self.log.info("Approved by %s", answer.person or "default")
        return answer.sealed(context, post)

    def _read_answer(self, event: Mapping[str, Any], post: ScheduledPost, asked: Answer) -> Answer:
        """Return the answer, which may leave out fields, as answers by REST do.

        :raises ValidationError: If it has a field that the form does not have, or a value that a field does not take,
            or that no XCom and no request can carry.
        """
        form = ParamsDict(_form(asked.caption, has_caption=has_caption(post)))
        given = event.get("params_input") or {}
        try:
            for name, value in given.items():
                arguments.check_printable(name, form.get_param(name).resolve(value) or "")
        except (KeyError, ParamValidationError, ValidationError) as error:
            raise ValidationError(
                f"The answer about {post.id} does not fit the form, which has the fields {' and '.join(form)}: "
                f"{str(error).rstrip('.')}.",
                hint="Clear this task, and answer again.",
            ) from error
        return replace(
            asked,
            approved=event.get("chosen_options") == [ApprovePost.APPROVE],
            person=(event.get("responded_by_user") or {}).get("name"),
            caption=given.get("caption", asked.caption) or "",
            reason=given.get("reason"),
        )


def digests_in(prepared: Any) -> tuple[str | None, ...]:
    """Return the digest of each file that was prepared. Empty if there is none.

    A file that Instagram fetches from the web has none.
    """
    digests = tuple(one.get("sha256") for one in reports_of(prepared))
    return digests if any(digests) else ()


def is_about(post: ScheduledPost, subject: str, body: str | None, *, is_held: bool = False) -> bool:
    """Return whether a question asks about this version of a post. Airflow's record of it cannot be edited by users.

    :param is_held: Whether it is the question about a post that the copyright check has held.
    """
    if is_held:
        return subject == held_subject(post.key)
    rows = (line for line in (body or "").splitlines() if line.startswith(VERSION))  # a caption may hold another one
    return subject.startswith(_about(post)) and next(rows, "") == f"{VERSION}{as_code(post.version)} |"


def _about(post: ScheduledPost) -> str:
    return f"Publish {post.id} on {post.account} at "


def question(post: ScheduledPost, reports: Sequence[Mapping[str, Any]]) -> str:
    """Return in Markdown what a person needs to know to decide. Text from the calendar appears as plain text."""
    rows = [
        ("Account", post.account),
        ("Time", f"{post.publish_at:%A, %d %B %Y, %H:%M:%S %Z}"),
        ("Placement", post.appears_in),
        ("Version", post.version),
        *_shown_media(post),
        *((name, value) for name, value in post.options.items() if name not in SHOWN_SEPARATELY),
        *(("Tags", ", ".join(post.tags)) for _ in post.tags[:1]),
    ]
    lines = ["| | |", "|---|---|", *(f"| {name} | {as_code(value)} |" for name, value in rows)]
    lines += _covers(post)
    if has_caption(post):
        lines += ["", "**Caption**", "", *as_block(post.caption)]
    if post.first_comment:
        lines += ["", "**First comment**", "", *as_block(post.first_comment)]
    for place, one in enumerate(reports, 1):
        title = f"Item {place}" if post.carousel else "Picture" if post.image else "Video"
        lines += ["", f"**{title}**", "", *_measures(one)]
    return "\n".join(lines)


def _shown_media(post: ScheduledPost) -> Iterator[tuple[str, Any]]:
    """Return the names and values of the rows that say what the post shows."""
    for place, item in enumerate(post.carousel, 1):
        yield f"Item {place}", shown(item.location)
        if item.alt_text:
            yield f"Item {place}: alt_text", item.alt_text
        if item.user_tags:
            yield f"Item {place}: user_tags", list(item.user_tags)
    if post.image is not None:
        yield "Picture", shown(post.image)
    if post.video is not None:
        cover = post.video_cover_timestamp_ms
        yield "Video", shown(post.video)
        yield "Cover", shown(str(post.cover_url or (f"{cover} ms" if cover else "the first frame")))


def _covers(post: ScheduledPost) -> Iterator[str]:
    """Return the picture of each item, as far as it is stored, as lines of Markdown."""
    if post.cover_url:
        return
    for place in range(1, len(post.media) + 1):
        name = cover_name(post.version, place)
        if has_cover(name):
            yield ""
            yield f"![{f'Item {place}' if post.carousel else 'Cover'}](<{cover_address(name)}>)"


DRY_RUN = "**This is about a dry run.** Nothing is published, and the answer counts for no run that publishes."
SILENCE_REJECTS = (
    "**Without an answer, the post is not published**, because it was edited or asked about before, and somebody may "
    "have answered then."
)
SHOWN_SEPARATELY = ("caption", "placement", "cover_url", "video_cover_timestamp_ms")


def _form(caption: str, *, has_caption: bool = True) -> dict[str, Param]:
    caption_field = Param(
        caption,
        type=["string", "null"],
        format="multiline",
        maxLength=LONGEST_CAPTION,
        title="Caption",
        description="The post is published with this text. You can change it.",
    )
    reason = Param(
        None,
        type=["string", "null"],
        title="Reason",
        description="If you reject: the reason, for the author of the post.",
    )
    return {**({"caption": caption_field} if has_caption else {}), "reason": reason}


def _measures(report: Mapping[str, Any]) -> list[str]:
    if not report:
        return ["There is no report of the transcode."]
    lines = [f"Transcoded as {as_code(report.get('tier'))}."]
    lines += [f"* {as_code(reason)}" for reason in (*report.get("reasons", ()), *report.get("warnings", ()))]
    if sha256 := report.get("sha256"):
        lines += ["", f"SHA-256 of the file: {as_code(sha256)}"]
    return lines
