"""The terms in which scenarios are written: a disturbance, what is done then, and what has to come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Side = Literal["before", "after"]
Then = Literal["retry", "clear the task", "clear from create", "clear the run", "new run", "backfill"]
#: What is done then in dag.test(), which knows no backfill.
THENS: Final[tuple[Then, ...]] = ("retry", "clear the task", "clear from create", "clear the run", "new run")
MAKES_CONTAINERS_AGAIN: Final = ("clear from create", "clear the run", "new run", "backfill")

#: Stands for half of the video's bytes, which the harness knows.
HALF: Final = "half"

#: What a person has to do, beside ``then``, before there can be a post.
Cure = Literal[
    "nothing", "clear anyway", "clear create", "new token", "wait for room", "wait for expiry", "none exists"
]


@dataclass(frozen=True, slots=True)
class Answer:
    """The sandbox disturbs calls of an operation.

    :param operation: The sandbox's name of the operation.
    :param fault: As :meth:`SandboxHandle.fail` takes it.
    :param client_timeout: Whether the client is to lose patience with the first of these calls.
    """

    operation: str
    fault: Mapping[str, Any]
    client_timeout: bool = False


@dataclass(frozen=True, slots=True)
class Kill:
    """The try ends on the spot, as with ``kill -9``: nothing of ours is told.

    :param side: Before or after the moment.
    :param call: The API call that is the moment.
    :param row: Or the kind of ledger row whose writing is the moment.
    :param nth: Which of these calls or writes.
    :param process: Which process: the task's own, or its supervisor, which leaves the task an orphan.
    """

    side: Side
    call: str | None = None
    row: str | None = None
    nth: int = 1
    process: Literal["task", "supervisor"] = "task"


@dataclass(frozen=True, slots=True)
class Freeze:
    """A task and its supervisor stand still at a moment until Airflow has given the try up, and wake up later.

    A worker that was declared dead lives.

    :param side: Before or after the moment.
    :param call: The API call that is the moment.
    :param row: Or the kind of ledger row.
    :param nth: Which of these calls or writes.
    :param woken: When they wake up: ``during`` the next try, or ``after`` its end.
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
class MarkedFailed:
    """A person marks a task as failed while it is at a call, or while it waits in the triggerer.

    :param call: The API call; None is the wait.
    """

    call: str | None


@dataclass(frozen=True, slots=True)
class Rival:
    """Another run with the same key starts at the same time."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Airflow's state store does not take a row.

    :param row: The kind of row.
    :param nth: Which writing of such a row.
    """

    row: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Fate:
    """What Instagram makes of the first container, as :meth:`SandboxHandle.process_next` takes it."""

    processing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Revocation:
    """The access token dies just before a call of this operation.

    :param operation: The sandbox's name of the operation.
    :param replaced: Whether another one has been put into the connection meanwhile.
    """

    operation: str
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Hours pass before a task starts."""

    before: Literal["wait", "publish"]
    hours: float


@dataclass(frozen=True, slots=True)
class FullQuota:
    """The account has used up its posts of the day.

    :param room_in_hours: When there is room again; None: not within the container's life.
    """

    room_in_hours: float | None


Plant = Answer | Kill | Refusal | Fate | Revocation | Pause | FullQuota | Freeze | TriggererKill | MarkedFailed | Rival


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that goes wrong, once.

    :param when: At which moment of the main job.
    :param what: What.
    :param plants: How it is brought about.
    :param first: The error that ends the first try of the disturbed task; None when the try copes by itself.
    :param cure: What is needed for a post.
    :param containers: How many containers exist in the end.
    :param uploads: How often the whole video is sent.
    :param permalink: Whether the disturbed try reads the permalink; the next one does in any case.
    :param create_waits: Whether create itself waits for the processing, instead of a sensor.
    :param identified: Whether a try after which there is none can tell which post it made; else it succeeds with nulls.
    """

    when: str
    what: str
    plants: tuple[Plant, ...]
    first: str | None
    cure: Cure = "nothing"
    containers: int = 1
    uploads: int = 1
    permalink: bool = True
    create_waits: bool = False
    identified: bool = True


@dataclass(frozen=True, slots=True)
class Expected:
    """What has to come of a scenario.

    :param posts: How many posts there are.
    :param last: The error that the job ends with; None is success.
    :param told: Whether the error asks for Clear of create and the tasks downstream, which is then done and heals it.
    :param containers: How many containers.
    :param uploads: How often the whole video is sent.
    """

    posts: int
    last: str | None
    told: bool
    containers: int
    uploads: int


@dataclass(frozen=True, slots=True)
class Scenario:
    """A disturbance, and what a person or Airflow does then."""

    disturbance: Disturbance
    then: Then
    expected: Expected

    def __str__(self) -> str:
        return f"{self.disturbance.when}: {self.disturbance.what}; then {self.then}"


def expected(disturbance: Disturbance, then: Then) -> Expected:
    """Say what has to come of a disturbance. The rules are the promise, one line each."""
    d = disturbance
    posted = Expected(1, None, told=False, containers=d.containers, uploads=d.uploads)
    refused = Expected(0, d.first, told=False, containers=1, uploads=1)
    if d.cure == "none exists":
        return refused
    if d.cure in ("clear anyway", "new token") and then == "retry":  # nobody may try that again unasked
        created, sent = not d.when.startswith("create"), not d.when.startswith(("create", "upload"))
        return Expected(0, d.first, told=False, containers=int(created), uploads=int(sent))
    if d.cure in ("clear create", "wait for expiry") and then not in MAKES_CONTAINERS_AGAIN:
        return Expected(1, None, told=True, containers=d.containers, uploads=d.uploads)
    return posted
