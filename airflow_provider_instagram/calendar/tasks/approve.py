"""The task that asks a person to approve a post, in Airflow's human-in-the-loop form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import Context, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError, TaskAwaitingInput

from airflow_provider_instagram.calendar.tasks.answers import Answer, Approval, PostRecords
from airflow_provider_instagram.calendar.tasks.base import PostTask, check_bound, has_caption
from airflow_provider_instagram.calendar.tasks.covers import cover_address, cover_name, has_cover
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.approval import (
    SHORTEST_QUESTION,
    Question,
    as_block,
    as_code,
    open_question,
    void_answer,
)
from airflow_provider_instagram.operators.base import APPROVE
from airflow_provider_instagram.posts.limits import LONGEST_CAPTION
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.urls import shown

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.calendar.tasks.answers import PreparedPost

#: How the row of a question begins that names the version of the post, and the line with the digest
#: of a file.
VERSION = "| Version | "
SHA256 = "SHA-256 of the file: "
DRY_RUN = "**This is about a dry run.** Nothing is published, and the answer counts for no run that publishes."
AT_ONCE = "**It is published at once**, and not at the time below."
SHOWN_SEPARATELY = ("caption", "placement", "cover_url", "video_cover_timestamp_ms")


class ApprovePost(PostTask):
    """Requests the approval of a post that requires it. Without an answer by its time, the post is not published.

    The task waits in Airflow's *Required Actions*, and precedes the container, which would expire
    if the answer took a day. The question and its answer are a row of the ledger:

    1. Record what is asked. Every earlier answer about the post is void from here on.
    2. Open the question in Airflow, and record that, unless Airflow keeps one about something else.
       A retry that finds this asks nobody again: it waits with the question that Airflow has, and
       goes on at once if that is answered.
    3. Resumed by an answer, record it if the question is still the last one, before anything that
       can fail.
    4. Carry it out. A retry begins with this step if the row has the answer. So does a DAG that was
       renamed.

    A Clear of the task closes the question and opens it again. An edited post is asked about in
    another run.
    """

    weight = APPROVE

    @reports_failure
    def execute(self, context: Context) -> dict[str, Any] | None:
        """Request the approval, or return at once if the post requires none or is live."""
        post = self.wanted_post(context)
        if not self.needs_approval(post) or self.live(context, post) is not None:
            return None
        prepared = self.prepared(context, post)
        check_bound(post, prepared, prepared.digests)
        records = self.records(context, post)
        approval = records.approval()
        about = (post.version, prepared.digests)
        if approval is None or (approval.version, approval.sha256) != about:
            return self._ask(context, post, prepared, approval)
        is_of_earlier_try = approval.question.is_of_earlier_try(context)
        counts = is_of_earlier_try or self.is_answered_in_renamed_dag(context, post, approval)
        if approval.answer is not None and counts:
            # the tasks that follow look for an answer of this try
            records.record_approval(approval.model_copy(update={"question": Question.of(context)}))
            return self._carry_out(context, approval.answer)
        is_open = approval.is_open and is_of_earlier_try
        return self._ask(context, post, prepared, approval, is_open=is_open)

    def _ask(
        self,
        context: Context,
        post: ScheduledPost,
        prepared: PreparedPost,
        before: Approval | None,
        *,
        is_open: bool = False,
    ) -> NoReturn:
        """Open the question, unless Airflow has it from an earlier try, and wait for its answer.

        :param before: The last question about the post.
        """
        left = self.answer_deadline(context, post) - CLOCK.now()
        if left <= timedelta() and not is_open:
            self.skip_post(
                context,
                "not approved",
                f"Its time, {post.publish_at.isoformat()}, has passed, so nobody is asked.",
            )
        records = self.records(context, post)
        is_again = before is not None and before.answer is not None
        # prepare has told it: this is in case its notification failed
        self.tell_that_it_waits(context, post, is_again=is_again)
        approval = Approval(
            question=Question.of(context),
            post_id=post.id,
            version=post.version,
            sha256=prepared.digests,
            caption=post.caption if has_caption(post) else None,
            number=before.number if is_open and before is not None else records.last_number() + 1,
            at_once=self.is_wanted_at_once(context, post),
            is_open=is_open,
        )
        records.record_approval(approval)
        if not is_open:
            self._open(context, post, prepared)
            records.record_approval(approval.model_copy(update={"is_open": True}))
        about = {
            "account": post.account,
            "post_key": post.key,
            "version": post.version,
            "is_dry": records.is_dry,
        }
        raise TaskAwaitingInput(
            method_name="execute_complete", kwargs=about, timeout=max(left, SHORTEST_QUESTION)
        )

    def _open(self, context: Context, post: ScheduledPost, prepared: PreparedPost) -> None:
        """Open the question in Airflow, or open it again if the task was cleared.

        :raises ValidationError: If Airflow keeps a question about another file or time, or about a
            dry run.
        """
        form = _form(post.caption if has_caption(post) else None)
        at = f"{post.publish_at:%a %d %b %Y, %H:%M %Z}"
        body = question(post, prepared.reports)
        if self.is_wanted_at_once(context, post):
            at = "once"
            body = f"{AT_ONCE}\n\n{body}"
        subject = f"{_about(post)}{at}?"
        if self.is_dry_run(context):
            subject += " (dry run)"
            body = f"{DRY_RUN}\n\n{body}"
        if _bound_by(open_question(context, subject, body, form)) != _bound_by(body):
            raise ValidationError(
                f"{post.id}, a file of it or dry_run has changed since this run asked, and Airflow keeps its question.",
                hint="Put back the file that the question shows, and clear prepare with all downstream tasks. To "
                f"publish the new one, trigger the DAG with the post {post.id}: that run asks about it.",
            )

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        account: str,
        post_key: str,
        version: str,
        is_dry: bool,
    ) -> dict[str, Any] | None:
        """Record the answer, and return if a person approved the post. Skip the post otherwise.

        After a Clear of a task that runs, Airflow hands this answer to its next try, which asks
        again. Another run may have asked since then. A person's no about the same version counts
        all the same: it makes the answer there void.
        """
        records = PostRecords(Ledger.of(context, account).store, post_key, is_dry)
        approval = records.approval()
        ti = context["ti"]
        if approval is None or approval.version != version:
            raise void_answer(f"This answer about {post_key}")
        asked = approval.question
        if not approval.is_open or asked.ti_id != str(ti.id):
            is_of_run = (asked.dag_id, asked.run_id) == (ti.dag_id, ti.run_id)
            if is_of_run and asked.try_number < ti.try_number:
                # cleared while it ran: Airflow has given this try the answer of the last one
                void = {"is_open": False, "answer": None}
                records.record_approval(approval.model_copy(update=void))
                records.withdraw()
                return self.execute(context)
            self._skip_unless_yes(context, records, event)
            raise void_answer(f"This answer about {post_key}")
        answer = _read_answer(event, approval)
        given = {"answer": answer, "answered_at": CLOCK.now().isoformat()}
        records.record_approval(approval.model_copy(update=given))
        post = self.wanted_post(context)
        if approval.sha256 != self.prepared(context, post).digests:
            raise ValidationError(
                f"What was shown of {post.id} is not what would be published.",
                hint="Clear this task. It asks again.",
            )
        return self._carry_out(context, answer)

    def _skip_unless_yes(
        self, context: Context, records: PostRecords, event: Mapping[str, Any]
    ) -> None:
        """Skip the post if nobody answered, or if a person rejects it, which withdraws the answer of any other run."""
        answer = Answer.read(event)
        if answer.person is None:
            self.skip_post(
                context, "asked elsewhere", "Another run has asked about the post since."
            )
        if answer.refusal is not None:
            records.withdraw()
            self.skip_post(context, *answer.refusal)

    def _carry_out(self, context: Context, answer: Answer) -> dict[str, Any]:
        """Skip the post if it is not approved, and return who approved it for people to look at."""
        if answer.refusal is not None:
            self.skip_post(context, *answer.refusal)
        self.log.info("Approved by %s", answer.person)
        return {"approved_by": answer.person}


def _read_answer(event: Mapping[str, Any], approval: Approval) -> Answer:
    """Return the answer to a question.

    :raises ValidationError: If it has a field that the form does not have, or a value that a field
        does not take, or that no XCom and no request can carry.
    """
    form = _form(approval.caption)
    given = event.get("params_input") or {}
    try:
        for name, value in given.items():
            arguments.check_printable(name, form.get_param(name).resolve(value) or "")
    except (KeyError, ParamValidationError, ValidationError) as error:
        raise ValidationError(
            f"The answer about {approval.post_id} does not fit the form, which has the fields {' and '.join(form)}: "
            f"{str(error).rstrip('.')}.",
            hint="Clear this task, and answer again.",
        ) from error
    return Answer.read(event, approval.caption)


def is_about(post: ScheduledPost, subject: str, body: str | None) -> bool:
    """Return whether a question asks about this version of a post. Airflow's record of it cannot be edited by users."""
    if not subject.startswith(_about(post)):
        return False
    for line in _bound_by(body or ""):
        if line.startswith(VERSION):
            return line == f"{VERSION}{as_code(post.version)} |"
    return False


def _bound_by(body: str) -> list[str]:
    """Return the lines of a question that say what it binds: a dry run, a publication at once, the version, the files.

    A caption may hold such lines, too. They come after the version, and are part of it.
    """
    return [
        line for line in body.splitlines() if line.startswith((DRY_RUN, AT_ONCE, VERSION, SHA256))
    ]


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
    ]
    if post.tags:
        rows.append(("Tags", ", ".join(post.tags)))
    lines = ["| | |", "|---|---|", *(f"| {name} | {as_code(value)} |" for name, value in rows)]
    lines += _covers(post, reports)
    if has_caption(post):
        lines += ["", "**Caption**", "", *as_block(post.caption)]
    if post.first_comment:
        lines += ["", "**First comment**", "", *as_block(post.first_comment)]
    for place, one in enumerate(reports, 1):
        title = "Picture" if post.image else "Video"
        if post.carousel:
            title = f"Item {place}"
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
        cover = "the first frame"
        if post.video_cover_timestamp_ms:
            cover = f"{post.video_cover_timestamp_ms} ms"
        yield "Video", shown(post.video)
        yield "Cover", shown(post.cover_url) if post.cover_url else cover


def _covers(post: ScheduledPost, reports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Return the picture of each item, as far as it is stored, as lines of Markdown."""
    if post.cover_url:
        return
    for place, report in enumerate(reports, 1):
        name = cover_name(post.version, place, report.get("sha256"))
        if has_cover(name):
            yield ""
            yield f"![{f'Item {place}' if post.carousel else 'Cover'}](<{cover_address(name)}>)"


def _form(caption: str | None) -> ParamsDict:
    """Return the fields of an answer.

    :param caption: The caption of the post. None if it cannot have one.
    """
    fields = {}
    if caption is not None:
        fields["caption"] = Param(
            caption,
            type=["string", "null"],
            format="multiline",
            maxLength=LONGEST_CAPTION,
            title="Caption",
            description="The post is published with this text. You can change it.",
        )
    fields["reason"] = Param(
        None,
        type=["string", "null"],
        title="Reason",
        description="If you reject: the reason, for the author of the post.",
    )
    return ParamsDict(fields)


def _measures(report: Mapping[str, Any]) -> list[str]:
    lines = [f"Transcoded as {as_code(report.get('tier'))}."]
    findings = (*report.get("reasons", ()), *report.get("warnings", ()))
    lines += [f"* {as_code(finding)}" for finding in findings]
    if sha256 := report.get("sha256"):
        lines += ["", f"{SHA256}{as_code(sha256)}"]
    return lines
