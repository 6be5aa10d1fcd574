"""The task that asks a person to approve a post, in Airflow's human-in-the-loop form."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError, TaskAwaitingInput

from airflow_provider_instagram.calendar.planning.assignments import run_name
from airflow_provider_instagram.calendar.planning.schedule import run_time_of
from airflow_provider_instagram.calendar.tasks.answers import Answer, answer_row, sealed, unsealed
from airflow_provider_instagram.calendar.tasks.base import PostStep, has_caption
from airflow_provider_instagram.calendar.tasks.covers import cover_address, cover_name, has_cover
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Try
from airflow_provider_instagram.operators.approval import as_block, as_code
from airflow_provider_instagram.operators.base import APPROVE
from airflow_provider_instagram.posts.limits import LONGEST_CAPTION
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.locations import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost


#: How long before the run that publishes a post the question of the run that prepares it ends. The scheduler ends it up
#: to 15 s later, and its task needs a free slot.
SETTLED = timedelta(minutes=2)
UNANSWERED = ("not answered yet", "Nobody has answered yet. The run that publishes the post asks again.")


class ApprovePost(PostStep, ApprovalOperator):
    """Requests the approval of a post that requires it. Without an answer by its time, the post is not published.

    The task precedes the container, which would expire if the answer took a day. It returns the sealed record of the
    answer: the caption as the person left it, and the digests of the files. An answer counts in all further tries for
    this version of the post and of its files. A user who clears the task is asked again.

    A run that only prepares the post asks until shortly before the post's own run begins. That run takes the answer
    over, or asks itself if there is none.

    :param report: What the transcode did, which the form shows.
    """

    template_fields: Sequence[str] = ("post", "report")
    weight = APPROVE
    tells = True

    def __init__(self, *, report: Any = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "subject": "Publish this post?", "params": _form("")})
        self.report = report

    @reports_failure
    def execute(self, context: Context) -> dict[str, Any] | None:
        """Request the approval, or return at once if the post requires none or the question has been answered."""
        post, _ = self.still_wanted(context)
        if post.approval == "none":
            return None
        answer = self._given_before(context, post)
        if answer is not None and answer.sha256 == digests_in(self.report):
            return self._carry_out(context, answer, post.version)
        now = datetime.now(timezone.utc)
        deadline = self.deadline(context, post, now)
        if now >= deadline:
            if self.only_prepares(context, post):
                self.leave_to_later_run(context, *UNANSWERED)
            self.skip_post(
                context, "not approved", f"Its time, {post.publish_at.isoformat()}, has passed, so nobody is asked."
            )
        self.tell_that_it_waits(context, post, emits=False)  # if the transcode's own attempt failed
        self.response_timeout = max(deadline - now, timedelta(seconds=1))
        self.defaults = [self.APPROVE if self.settings.unanswered == "publish" else self.REJECT]
        self.params = ParamsDict(_form(post.caption, has_caption=has_caption(post)))
        self.subject = f"Publish {post.id} on {post.account} at {post.publish_at:%a %d %b %Y, %H:%M %Z}?"
        self.body = question(post, self.report, is_repeated=Try.of(self, context).number > 1)
        try:
            super().execute(context)  # parks the task until a person answers
        except TaskAwaitingInput as waiting:
            waiting.kwargs = {  # Airflow keeps them: the XCom with the post may be edited meanwhile
                "version": post.version,
                "caption": post.caption,
                "sha256": list(digests_in(self.report)),
                "first_comment": post.first_comment,
            }
            raise
        raise AssertionError("unreachable")

    def deadline(self, context: Context, post: ScheduledPost, now: datetime) -> datetime:
        """Return until when a person may answer: in a run that only prepares the post, until shortly before its own.

        So only one of them asks.
        """
        if self.only_prepares(context, post):
            begin_s = run_time_of(post.publish_at.timestamp(), self.settings.lead_time)
            return datetime.fromtimestamp(begin_s, timezone.utc) - SETTLED
        return self.answer_by(context, post, now)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        version: str = "",
        caption: str = "",
        sha256: Sequence[str | None] = (),
        first_comment: str | None = None,
    ) -> dict[str, Any]:
        """Return the record of the answer if a person approved the post, and skip the post otherwise.

        :param version: The version of the post that the question was about.
        """
        if "error" in event:
            self.process_trigger_event_error(event)
        post, _ = self.still_wanted(context)  # an answer about another version must not replace that about this one
        if tuple(sha256) != digests_in(self.report):
            raise ValidationError(
                f"The files of {self.as_post().id} were made again after this question was asked, and are not the "
                "same.",
                hint="Clear this task. It asks about the new ones.",
            )
        answer = replace(self._read_answer(event, caption), sha256=tuple(sha256), first_comment=first_comment)
        if answer.person is None and self.only_prepares(context, post):
            self.leave_to_later_run(context, *UNANSWERED)
        return self._carry_out(context, answer, version)

    def _given_before(self, context: Context, post: ScheduledPost) -> Answer | None:
        """Return the answer about this version of the post, from this run or from the one that prepared it.

        The state of the task that asked then is Airflow's own record: a user may have cleared it, and the question is
        open again, or an old row of the ledger may have been written once more.
        """
        ti, row = context["ti"], Ledger.of(context, self.instagram_conn_id).store.get(self._row(context))
        answer = unsealed(row, post.version, run_name(context), self._sign, ti.max_tries)
        is_cleared = ti.max_tries != self.retries  # to be asked again
        if answer is not None or is_cleared or not isinstance(row, dict):
            return answer
        dag_id, _, run_id = str(row.get("run")).partition("/")
        if dag_id != ti.dag_id or (answer := unsealed(row, post.version, f"{dag_id}/{run_id}", self._sign)) is None:
            return None
        asks, index = f"{self.instagram_conn_id}.approve", row["map_index"]
        states = ti.get_task_states(dag_id, index, [asks], run_ids=[run_id]).get(run_id, {})
        agrees = states.get(f"{asks}_{index}") == ("success" if answer.approved else "skipped")
        return answer if agrees else None

    def _read_answer(self, event: Mapping[str, Any], caption: str) -> Answer:
        """Return the answer, which may leave out fields, as answers by REST do.

        :raises ValidationError: If it has a field that the form does not have, or a value that a field does not take,
            or that no XCom and no request can carry.
        """
        post = self.as_post()
        form = ParamsDict(_form(caption, has_caption=has_caption(post)))
        try:
            for name, value in (event.get("params_input") or {}).items():
                arguments.check_printable(name, form.get_param(name).resolve(value) or "")
        except (KeyError, ParamValidationError, ValidationError) as error:
            raise ValidationError(
                f"The answer about {post.id} does not fit the form, which has the fields {' and '.join(form)}: "
                f"{str(error).rstrip('.')}.",
                hint="Clear this task, and answer again.",
            ) from error
        return answer_in(event, caption)

    def _carry_out(self, context: Context, answer: Answer, version: str) -> dict[str, Any]:
        """Record an answer, also in the ledger, where a later try and the publisher find it. Skip a refused post."""
        ti = context["ti"]
        record = sealed(answer, version, run_name(context), ti.max_tries, self._sign, map_index=ti.map_index)
        Ledger.of(context, self.instagram_conn_id).store.set(self._row(context), record)
        if answer.refusal is not None:
            self.skip_post(context, *answer.refusal)
        self.log.info("Approved by %s", answer.person or "default")
        return record

    def _row(self, context: Context) -> str:
        return answer_row(self.as_post(), is_dry_run=self.dry_run_requested(context))

    def _sign(self, text: str) -> str:
        return InstagramHook(self.instagram_conn_id).sign(text)


def answer_in(event: Mapping[str, Any], caption: str) -> Answer:
    """Return the answer that an event of the question contains. A caption that it leaves out stays as it was."""
    given = event.get("params_input") or {}
    approved = event.get("chosen_options") == [ApprovePost.APPROVE]
    person = (event.get("responded_by_user") or {}).get("name")
    return Answer(approved, person, given.get("caption", caption) or "", given.get("reason"))


def digests_in(report: Any) -> tuple[str | None, ...]:
    """Return the digest of each file that a report is about. Empty if it has none.

    A file that Instagram fetches from the web has none.

    :param report: A report, or a list of them for a carousel.
    """
    reports = report if isinstance(report, list) else [report]
    digests = tuple(one.get("sha256") if isinstance(one, dict) else None for one in reports)
    return digests if any(digests) else ()


def question(post: ScheduledPost, report: Any, *, is_repeated: bool = False) -> str:
    """Return in Markdown what a person needs to know to decide. Text from the calendar appears as plain text.

    :param report: What the transcode did: a report, or a list of them for a carousel.
    :param is_repeated: Whether an earlier try asked and could not continue.
    """
    rows = [
        ("Account", post.account),
        ("Time", f"{post.publish_at:%A, %d %B %Y, %H:%M:%S %Z}"),
        ("Placement", post.appears_in),
        *_shown_media(post),
        *((name, value) for name, value in post.options.items() if name not in SHOWN_SEPARATELY),
        *(("Tags", ", ".join(post.tags)) for _ in post.tags[:1]),
    ]
    lines = [ASKED_AGAIN, ""] if is_repeated else []
    lines += ["| | |", "|---|---|", *(f"| {name} | {as_code(value)} |" for name, value in rows)]
    lines += _covers(post)
    if has_caption(post):
        lines += ["", "**Caption**", "", *as_block(post.caption)]
    if post.first_comment:
        lines += ["", "**First comment**", "", *as_block(post.first_comment)]
    reports = report if isinstance(report, list) else [report or {}]
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


ASKED_AGAIN = (
    "**This is asked again**, because the task was interrupted. If you have answered, please answer once more."
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
