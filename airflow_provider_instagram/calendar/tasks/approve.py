"""The task that asks a person to approve a post, in Airflow's human-in-the-loop form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import UUID

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Context, Param
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError, TaskAwaitingInput

from airflow_provider_instagram.calendar.planning.assignments import run_name
from airflow_provider_instagram.calendar.tasks.answers import Answer, Question, answer_row, sealed, unsealed
from airflow_provider_instagram.calendar.tasks.base import PostStep, check_bound, has_caption
from airflow_provider_instagram.calendar.tasks.covers import cover_address, cover_name, has_cover
from airflow_provider_instagram.calendar.tasks.outcome import reports_failure
from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.ledger.records import Try
from airflow_provider_instagram.operators.approval import as_block, as_code, held_subject
from airflow_provider_instagram.operators.base import APPROVE
from airflow_provider_instagram.posts.limits import LONGEST_CAPTION
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.locations import shown
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost
    from airflow_provider_instagram.calendar.planning.plan import Plan


#: How long the triggerer may take to read the answer to an earlier question. Then the task is tried again.
READ_WITHIN, TRIES_TO_READ = timedelta(minutes=10), 3
#: How the row of a question begins that names the version of the post.
VERSION = "| Version | "
ASKED = ("asked", "A person is asked. The run that publishes the post reads the answer, or asks again.")


class ApprovePost(PostStep, ApprovalOperator):
    """Requests the approval of a post that requires it. Without an answer by its time, the post is not published.

    The task precedes the container, which would expire if the answer took a day. It returns the sealed record of the
    answer: the caption as the person left it, and the digests of the files. An answer counts in all further tries for
    this version of the post and of its files. A user who clears the task is asked again.

    A run that only prepares the post opens the question and ends, because an active run costs the scheduler time:

    1. Open the question. If the process dies before step 2, the next try opens it again, and an answer is lost.
    2. Record which task instance has asked, sealed, and skip the task. A person answers by the page *Posts* or by REST.
    3. The post's own run reads the answer from Airflow's record of that question, through the triggerer, which closes
       it if it is open. If it dies here, the next try reads the same. If there is no answer, it asks by itself.
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
        post, plan = self.still_wanted(context)
        if post.approval == "none":
            return None
        check_bound(post, self.report, digests_in(self.report))
        found = self._found(context, post)
        if isinstance(found, Answer):
            return self._carry_out(context, found, post.version)
        if found is not None and not self.only_prepares(context, post):
            self._read_answer_to(found)
        return self._ask(context, post, nobody_answered=self._asks_first(context, post, plan))

    def _asks_first(self, context: Context, post: ScheduledPost, plan: Plan) -> bool:
        """Return whether nobody can have been asked before: no run has prepared this version, and no row is there.

        When a version was first seen is in the snapshots, which no user of Airflow can edit. A row can be deleted.
        """
        seen, settings = plan.seen.get(post.id), self.settings
        if seen is None or seen.version != post.version or context["ti"].max_tries != self.retries:
            return False
        is_prepared = seen.prepared_at(settings.lead_time, settings.prepare_ahead, plan.since) is not None
        return not is_prepared and Ledger.of(context, self.instagram_conn_id).store.get(self._row(context)) is None

    def _found(self, context: Context, post: ScheduledPost) -> Answer | Question | None:
        """Return what was answered, or else asked, about this version and these files, in this run or another one.

        The state of the task that asked then is Airflow's own record: a user may have cleared it, and the question is
        open again, or an old row of the ledger may have been written once more.
        """
        ti, key = context["ti"], self._row(context)
        row = Ledger.of(context, self.instagram_conn_id).store.get(key)
        digests, run, sign = digests_in(self.report), run_name(context), self._sign
        answer = unsealed(row, key, post.version, run, sign, ti.max_tries)
        if answer is not None and answer.sha256 == digests:
            return answer
        is_cleared = ti.max_tries != self.retries  # to be asked again
        if is_cleared or not isinstance(row, dict) or row.get("run") == run:
            return None
        dag_id, _, run_id = str(row.get("run")).partition("/")
        asked = Question.unsealed(row, key, post.version, sign)
        found = unsealed(row, key, post.version, f"{dag_id}/{run_id}", sign) or asked
        if dag_id != ti.dag_id or found is None or found.sha256 != digests:
            return None
        asks, index = f"{self.instagram_conn_id}.approve", row["map_index"]
        state = ti.get_task_states(dag_id, index, [asks], run_ids=[run_id]).get(run_id, {}).get(f"{asks}_{index}")
        is_approval = isinstance(found, Answer) and found.approved
        return found if state == ("success" if is_approval else "skipped") else None

    def _ask(self, context: Context, post: ScheduledPost, *, nobody_answered: bool = False) -> NoReturn:
        """Open the question, and wait for its answer unless a later run publishes the post.

        :param nobody_answered: Whether it is certain that nobody has answered before. Otherwise, silence rejects.
        """
        deadline, now = self.answer_by(context, post), CLOCK.now()
        if now >= deadline:
            self.skip_post(
                context, "not approved", f"Its time, {post.publish_at.isoformat()}, has passed, so nobody is asked."
            )
        self.tell_that_it_waits(context, post, emits=False)  # if the transcode's own attempt failed
        self.response_timeout = max(deadline - now, timedelta(seconds=1))
        is_repeated, publishes = Try.of(self, context).number > 1, self.settings.unanswered == "publish"
        is_certain = nobody_answered and not is_repeated
        self.defaults = [self.APPROVE if publishes and is_certain else self.REJECT]
        self.params = ParamsDict(_form(post.caption, has_caption=has_caption(post)))
        self.subject = f"{_about(post)}{post.publish_at:%a %d %b %Y, %H:%M %Z}?"
        self.body = question(post, self.report, is_repeated=is_repeated)
        if self.dry_run_requested(context):
            self.subject, self.body = f"{self.subject} (dry run)", f"{DRY_RUN}\n\n{self.body}"
        if publishes and not is_certain and not self.only_prepares(context, post):
            self.body = f"{SILENCE_REJECTS}\n\n{self.body}"
        ti, asked = context["ti"], (post.version, post.caption, digests_in(self.report), post.first_comment)
        opened = Question(run_name(context), ti.map_index, str(ti.id), *asked)
        try:
            super().execute(context)  # parks the task until a person answers
        except TaskAwaitingInput as waiting:
            if self.only_prepares(context, post):
                key = self._row(context)
                Ledger.of(context, self.instagram_conn_id).store.set(key, opened.sealed(key, self._sign))
                self.leave_to_later_run(context, *ASKED)
            waiting.kwargs = _kept(opened)
            raise
        raise AssertionError("unreachable")

    def _read_answer_to(self, asked: Question) -> NoReturn:
        """Wait until the triggerer has read the answer to an earlier question: Airflow lets no other task read it.

        Airflow's own trigger reads it at once, because its time is over, on any clock. An open question is closed.
        """
        from airflow.providers.standard.triggers.hitl import HITLTrigger

        over, options = datetime.fromtimestamp(0, timezone.utc), [self.APPROVE, self.REJECT]
        trigger = HITLTrigger(
            ti_id=UUID(asked.asked_by), options=options, defaults=[self.REJECT], params={}, multiple=False,
            timeout_datetime=over,
        )  # fmt: skip
        self.defer(trigger=trigger, method_name="take_over", kwargs=_kept(asked), timeout=READ_WITHIN)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Continue after a wait. If the triggerer cannot read an earlier question's answer, ask after some tries."""
        if next_method == TRIGGER_FAIL_REPR and Try.of(self, context).number >= TRIES_TO_READ:
            return self._ask(context, self.still_wanted(context)[0])
        return super().resume_execution(next_method, next_kwargs, context)

    def take_over(self, context: Context, event: dict[str, Any], **asked: Any) -> dict[str, Any]:
        """Do what :meth:`execute_complete` does with the answer to an earlier question, or ask if there is none."""
        if "error" not in event and event.get("responded_by_user") is None:
            return self._ask(context, self.still_wanted(context)[0], nobody_answered=True)
        return self.execute_complete(context, event, **asked)

    def execute_complete(
        self,
        context: Context,
        event: dict[str, Any],
        version: str = "",
        caption: str = "",
        sha256: Sequence[str | None] = (),
        first_comment: str | None = None,
    ) -> dict[str, Any]:
        """Return the record of the answer if a person approved the post, and skip the post otherwise."""
        if "error" in event:
            self.process_trigger_event_error(event)
        self.still_wanted(context)  # an answer about another version must not replace that about this one
        if tuple(sha256) != digests_in(self.report):
            raise ValidationError(
                f"The files of {self.as_post().id} were made again after this question was asked, and are not the "
                "same.",
                hint="Clear this task. It asks about the new ones.",
            )
        answer = replace(self._read_answer(event, caption), sha256=tuple(sha256), first_comment=first_comment)
        return self._carry_out(context, answer, version)

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
        key = self._row(context)
        record = sealed(answer, key, version, run_name(context), ti.map_index, ti.max_tries, self._sign)
        Ledger.of(context, self.instagram_conn_id).store.set(key, record)
        if answer.refusal is not None:
            self.skip_post(context, *answer.refusal)
        self.log.info("Approved by %s", answer.person or "default")
        return record

    def _row(self, context: Context) -> str:
        return answer_row(self.as_post(), is_dry_run=self.dry_run_requested(context))

    def _sign(self, text: str) -> str:
        return InstagramHook(self.instagram_conn_id).sign(text)


def _kept(asked: Question) -> dict[str, Any]:
    """Return what Airflow keeps of a question while the task waits: the XCom with the post may be edited meanwhile."""
    return {
        "version": asked.version,
        "caption": asked.caption,
        "sha256": list(asked.sha256),
        "first_comment": asked.first_comment,
    }


def answer_in(event: Mapping[str, Any], caption: str) -> Answer:
    """Return the answer that an event of the question contains. A caption that it leaves out stays as it was."""
    given = event.get("params_input") or {}
    approved = event.get("chosen_options") == [ApprovePost.APPROVE]
    person = (event.get("responded_by_user") or {}).get("name")
    return Answer(approved, person, given.get("caption", caption) or "", given.get("reason"))


def digests_in(report: Any) -> tuple[str | None, ...]:
    """Return the digest of each file that a report is about. Empty if it has none.

    A file that Instagram fetches from the web has none.
    """
    reports = report if isinstance(report, list) else [report]
    digests = tuple(one.get("sha256") if isinstance(one, dict) else None for one in reports)
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


def question(post: ScheduledPost, report: Any, *, is_repeated: bool = False) -> str:
    """Return in Markdown what a person needs to know to decide. Text from the calendar appears as plain text.

    :param is_repeated: Whether an earlier try asked and could not continue.
    """
    rows = [
        ("Account", post.account),
        ("Time", f"{post.publish_at:%A, %d %B %Y, %H:%M:%S %Z}"),
        ("Placement", post.appears_in),
        ("Version", post.version),
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
DRY_RUN = "**This is about a dry run.** Nothing is published, and the answer counts for no run that publishes."
SILENCE_REJECTS = (
    "**Without an answer, the post is not published**, because somebody may have answered before. To publish it, "
    "approve it."
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
