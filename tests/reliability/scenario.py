"""What a scenario consists of: a disturbance, the recovery after it, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Side = Literal["before", "after"]
Recovery = Literal["retry", "clear the task", "clear from create", "clear the run", "new run", "backfill"]
#: The recoveries in dag.test(), which makes no backfill.
RECOVERIES: Final[tuple[Recovery, ...]] = ("retry", "clear the task", "clear from create", "clear the run", "new run")
MAKES_CONTAINERS_AGAIN: Final = ("clear from create", "clear the run", "new run", "backfill")

#: Stands for half of the video's bytes, which the harness knows.
HALF: Final = "half"

#: What is posted: a reel, a picture, a story with a video, or a carousel of a picture, a video and a picture; or a reel
#: with licensed music, or with a poll.
MediaOfPost = Literal["reel", "picture", "story", "carousel", "music", "poll"]
#: What the job does at its end to the comment of a stranger on its post.
CommentAct = Literal["reply", "hide", "private_reply"]
ITEMS: Final = 3
CAPTION: Final = "Exactly once"
CAPTIONS: Final[dict[MediaOfPost, str]] = {
    "reel": CAPTION,
    "picture": CAPTION,
    "story": "",
    "carousel": CAPTION,
    "music": CAPTION,
    "poll": CAPTION,
}

#: What a person has to do before the recovery can bring a post.
Remedy = Literal[
    "nothing",
    "clear anyway",
    "clear create",
    "new token",
    "wait for quota",
    "wait for expiry",
    "another file behind the link",
    "none exists",
]


@dataclass(frozen=True, slots=True)
class ApiFault:
    """The sandbox disturbs calls of an operation.

    :param operation: The sandbox's name of the operation.
    :param fault: As :meth:`SandboxHandle.fail` takes it.
    :param client_timeout: Whether the first of these calls takes longer than the client waits.
    :param begins: The moment from which the calls are counted, such as ``before publish``. None: from the beginning.
    """

    operation: str
    fault: Mapping[str, Any]
    client_timeout: bool = False
    begins: str | None = None


@dataclass(frozen=True, slots=True)
class ProcessKill:
    """The try ends at once, as with ``kill -9``: none of our code runs any more.

    :param side: Before or after the moment.
    :param call: The API call that is the moment.
    :param row: Or the kind of ledger row whose writing is the moment.
    :param nth: Which of these calls or writes, from 1.
    :param process: Which process: the task's own, or its supervisor, which leaves the task an orphan.
    """

    side: Side
    call: str | None = None
    row: str | None = None
    nth: int = 1
    process: Literal["task", "supervisor"] = "task"


@dataclass(frozen=True, slots=True)
class ProcessFreeze:
    """A task and its supervisor are stopped at a moment until Airflow has given the try up, and wake up later.

    A worker that was declared dead lives on.

    :param side: Before or after the moment.
    :param call: The API call that is the moment.
    :param row: Or the kind of ledger row.
    :param nth: Which of these calls or writes, from 1.
    :param woken: When they wake up: ``during`` the next try, or ``after`` it has ended.
    """

    side: Side
    call: str | None = None
    row: str | None = None
    nth: int = 1
    woken: Literal["during", "after"] = "after"


@dataclass(frozen=True, slots=True)
class TriggererKill:
    """The triggerer is killed while the sensor waits in it, and started again."""


@dataclass(frozen=True, slots=True)
class MarkedAsFailed:
    """A person marks a task as failed while it is at a call, or while it waits in the triggerer.

    :param call: The API call; None is the wait.
    """

    call: str | None


@dataclass(frozen=True, slots=True)
class ConcurrentRun:
    """Another run with the same key starts at the same time."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """Airflow's state store does not take a row.

    :param row: The kind of row.
    :param nth: Which writing of such a row.
    """

    row: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class ContainerOutcome:
    """What Instagram makes of the first container, as :meth:`SandboxHandle.process_next` takes it."""

    processing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TokenRevocation:
    """The access token dies just before a call of this operation.

    :param operation: The sandbox's name of the operation.
    :param replaced: Whether another one has been put into the connection meanwhile.
    """

    operation: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Delay:
    """Hours pass before a task starts."""

    before: Literal["wait", "publish"]
    hours: float


@dataclass(frozen=True, slots=True)
class QuotaUsedUp:
    """The account has used up its posts of the day.

    :param free_in_hours: When quota is free again; None: not within the container's life.
    """

    free_in_hours: float | None


Injection = (
    ApiFault
    | ProcessKill
    | RefusedRow
    | ContainerOutcome
    | TokenRevocation
    | Delay
    | QuotaUsedUp
    | ProcessFreeze
    | TriggererKill
    | MarkedAsFailed
    | ConcurrentRun
)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that goes wrong, once.

    :param when: At which moment of the main job.
    :param what: What.
    :param injections: How it is brought about.
    :param first: The error that ends the first try of the disturbed task; None when the try copes by itself.
    :param remedy: What is needed for a post.
    :param containers: How many containers exist in the end.
    :param uploads: How often the whole video is sent.
    :param permalink: Whether the disturbed try reads the permalink; the next one does in any case.
    :param create_waits: Whether create itself waits for the processing, instead of a sensor.
    :param comment: Whether the job ends with a first comment.
    :param act: What it does to the comment of a stranger at its end.
    :param left: How many messages there are when it ends with the statement that its outcome is unknown.
    :param delete: Whether it ends with the deletion of the post, to which a person says yes as often as asked.
    :param identified: Whether a try after which there is none can tell which post it made; else it succeeds with nulls.
    :param media: What is posted.
    :param children: How many containers of a carousel's items exist in the end.
    """

    when: str
    what: str
    injections: tuple[Injection, ...]
    first: str | None
    remedy: Remedy = "nothing"
    containers: int = 1
    uploads: int = 1
    permalink: bool = True
    create_waits: bool = False
    identified: bool = True
    media: MediaOfPost = "reel"
    children: int = 0
    comment: bool = False
    act: CommentAct | None = None
    left: int | None = None
    delete: bool = False

    @property
    def last_task(self) -> str:
        """The task after publish, or an empty text."""
        return "comment" if self.comment else "delete" if self.delete else self.act or ""

    @property
    def needs_page(self) -> bool:
        """Whether only an account of Facebook Login can do this."""
        return self.delete or self.media in ("music", "poll")


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to come of a scenario.

    :param posts: How many posts there are.
    :param last: The error that the job ends with; None is success.
    :param asks_for_clear: Whether the error asks a person to clear create and what follows. It is done then, and brings
        the post.
    :param containers: How many containers.
    :param uploads: How often the whole video is sent.
    :param children: How many containers of a carousel's items.
    """

    posts: int
    last: str | None
    asks_for_clear: bool
    containers: int
    uploads: int
    children: int = 0


@dataclass(frozen=True, slots=True)
class Scenario:
    """A disturbance, and how a person or Airflow recovers from it."""

    disturbance: Disturbance
    recovery: Recovery
    expected: Expected

    def __str__(self) -> str:
        of = "" if self.disturbance.media == "reel" else f"{self.disturbance.media}, "
        return f"{of}{self.disturbance.when}: {self.disturbance.what}; then {self.recovery}"


def expected(disturbance: Disturbance, recovery: Recovery) -> Expected:
    """Return what has to come of a disturbance. The rules are the promise, one line each."""
    d = disturbance
    made = {"containers": d.containers, "uploads": d.uploads, "children": d.children}
    if d.left is not None:
        return Expected(1, "OutcomeUnknownError", asks_for_clear=False, **made)
    if d.remedy == "none exists":
        return Expected(0, d.first, asks_for_clear=False, **made)
    if d.remedy in ("clear anyway", "new token") and recovery == "retry":  # no task may try that again by itself
        created, sent = not d.when.startswith("create"), not d.when.startswith(("create", "upload"))
        whole = created and not (d.media == "carousel" and d.when.startswith(("upload", "status")))
        return Expected(
            0,
            d.first,
            asks_for_clear=False,
            containers=int(whole),
            uploads=min(int(sent), d.uploads),
            children=d.children if created else 0,
        )
    if d.remedy == "another file behind the link" and recovery == "retry":  # a person may have replaced it
        return Expected(0, d.first, asks_for_clear=False, containers=0, uploads=0)
    asks_for_clear = d.remedy in ("clear create", "wait for expiry") and recovery not in MAKES_CONTAINERS_AGAIN
    return Expected(1, None, asks_for_clear=asks_for_clear, **made)
