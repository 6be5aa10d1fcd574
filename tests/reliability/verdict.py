"""Compares the end of a scenario with what was expected of it, and with what the sandbox knows to be true."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from tests.reliability.scenario import (
    CAPTIONS,
    ApiFault,
    ContainerOutcome,
    Injection,
    ProcessFreeze,
    QuotaUsedUp,
    Scenario,
    TokenRevocation,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.reliability.machine import MachineError


@dataclass(slots=True)
class Observation:
    """What Airflow says of a scenario that has been played.

    :param scenario: The scenario.
    :param first: The error of the first try that failed; ``Killed`` for one that ended without an error.
    :param last: The error that the job ended with; None for success.
    :param text: What that error says.
    :param asks_for_clear: Whether an error asked for Clear of create.
    :param result: What publish returned.
    :param comment_id: What comment returned.
    :param events: How many asset events of a post there are.
    :param injected: The injections that were seen to take place, other than those of the sandbox.
    """

    scenario: Scenario
    first: str | None = None
    last: str | None = None
    text: str = ""
    asks_for_clear: bool = False
    result: Mapping[str, Any] = field(default_factory=dict)
    comment_id: str | None = None
    events: int = 0
    injected: set[Injection] = field(default_factory=set)


class Verdict(Enum):
    """What is said of a scenario.

    :cvar AS_EXPECTED: It ended as it was expected to end.
    :cvar WRONG: It ended otherwise. It is never played again.
    :cvar MACHINE: The machine kept it from its end, by a named fault. It is played again, once.
    """

    AS_EXPECTED = "as expected"
    WRONG = "WRONG"
    MACHINE = "MACHINE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario.

    :param scenario: The scenario.
    :param verdict: What is said of it.
    :param reasons: Why it is not as expected, in words.
    :param posts: How many posts there really are.
    :param first: The error of the first try that failed.
    :param last: The error that the job ended with.
    :param uploaded_again_bytes: Bytes that were sent a second time.
    :param machine_fault: Why it was played a second time; empty for one that was played once.
    """

    scenario: Scenario
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    posts: int = 0
    first: str | None = None
    last: str | None = None
    uploaded_again_bytes: int = 0
    machine_fault: str = ""

    def __str__(self) -> str:
        again = f"\n    played twice, since the first time: {self.machine_fault}" if self.machine_fault else ""
        return "\n    ".join((f"{self.verdict.value}: {self.scenario}", *self.reasons)) + again


def not_played(scenario: Scenario, fault: MachineError) -> Outcome:
    """Return the outcome of a scenario that the machine kept from its end."""
    return Outcome(scenario, Verdict.MACHINE, (str(fault),))


def again_after_machine_fault(scenario: Scenario, play: Callable[[Scenario], Outcome]) -> Outcome:
    """Play a scenario, and once more when the machine kept it from its end. No other outcome is played again."""
    outcome = play(scenario)
    if outcome.verdict is not Verdict.MACHINE:
        return outcome
    return replace(play(scenario), machine_fault=outcome.reasons[0])


def compare(observed: Observation, sandbox: SandboxHandle, video_bytes: int) -> Outcome:
    """Compare what Airflow says and what the sandbox knows with what was expected."""
    scenario, expected, disturbance = observed.scenario, observed.scenario.expected, observed.scenario.disturbance
    caption = CAPTIONS[disturbance.media]
    posts = [post for post in sandbox.posts if post.caption == caption]
    containers = [container for container in sandbox.containers if container.caption == caption]
    children = [one for one in sandbox.containers if disturbance.media == "carousel" and not one.caption]
    sent_bytes = sum(entry.received_bytes or 0 for entry in sandbox.journal("upload"))
    nulls = not disturbance.identified and scenario.recovery != "retry"  # only a job with that name has tries left
    # Airflow refuses the next request of a try that wakes up, unless its supervisor hears of that first, and kills it.
    woken = any(isinstance(injection, ProcessFreeze) for injection in disturbance.injections)
    first = "Killed" if woken and observed.first == "Killed" else disturbance.first
    stays = int(expected.last is not None and "before the effect" in disturbance.when)  # of a deletion that failed
    compared: list[tuple[str, Any, Any]] = [
        ("posts", stays if disturbance.delete else expected.posts, len(posts)),
        ("first failure", None if nulls else first, observed.first),
        ("end", expected.last, observed.last),
        ("containers", expected.containers, len(containers)),
        ("containers of items", expected.children, len(children)),
        ("bytes uploaded", expected.uploads * video_bytes, sent_bytes),
    ]
    if expected.asks_for_clear:
        compared.append(("asks for Clear of create", True, observed.asks_for_clear or observed.last is None))
    if posts and observed.last is None:
        (post,) = posts[:1]
        read = not nulls and (disturbance.permalink or scenario.recovery != "retry")
        compared.append(("media id reported", None if nulls else post.media_id, observed.result.get("media_id")))
        compared.append(("permalink reported", post.permalink if read else None, observed.result.get("permalink")))
    if disturbance.delete:
        journal = sandbox.journal
        compared.append(("posts made", 1, sum(entry.effect for entry in journal("publish"))))
        compared.append(("deletions", int(not posts), sum(entry.effect for entry in journal("delete"))))
    if disturbance.comment:
        comments = sandbox.comments()
        compared.append(("comments", 1, len(comments)))
        compared.append(("comment reported", [observed.comment_id], [comment.comment_id for comment in comments]))
    if disturbance.act:
        compared += _acts(observed, sandbox)
    compared.append(("events of posts", 1 if disturbance.delete else min(1, expected.posts), observed.events))
    compared += [
        (f"happened: {injection}", True, _happened(injection, observed, sandbox))
        for injection in disturbance.injections
    ]
    deviations = tuple(f"{name}: expected {want}, found {got}" for name, want, got in compared if want != got)
    if deviations and observed.last is not None:
        deviations += (f"last error: {observed.text}",)
    again_bytes = max(0, sent_bytes - video_bytes)
    verdict = Verdict.WRONG if deviations else Verdict.AS_EXPECTED
    return Outcome(scenario, verdict, deviations, len(posts), observed.first, observed.last, again_bytes)


def _acts(observed: Observation, sandbox: SandboxHandle) -> list[tuple[str, Any, Any]]:
    """Return what has to be true of the comment of the stranger, and of what was done to it."""
    disturbance, comments = observed.scenario.disturbance, sandbox.comments()
    if not comments:
        return [("comment of the stranger", 1, 0)]
    asked, *others = comments
    is_reply, is_hide = disturbance.act == "reply", disturbance.act == "hide"
    replies = [one.comment_id for one in others if one.parent_id == asked.comment_id]
    messages = [one.message_id for one in sandbox.messages()]
    hides = sum(entry.effect for entry in sandbox.journal("moderate"))
    sent = 1 if disturbance.left is None else disturbance.left
    done = replies if is_reply else [asked.comment_id] * asked.hidden if is_hide else messages
    return [
        ("replies", int(is_reply), len(replies)),
        ("other comments", 0, len(others) - len(replies)),
        ("hidden", (is_hide, int(is_hide)), (asked.hidden, hides)),
        ("private replies", 0 if is_reply or is_hide else sent, len(messages)),
        ("reported", None if observed.last else done, None if observed.last else [observed.comment_id]),
    ]


def _happened(injection: Injection, observed: Observation, sandbox: SandboxHandle) -> bool:
    """Return whether an injection took place, as the sandbox or the one that brought it about saw it."""
    journal = sandbox.journal
    if isinstance(injection, ApiFault):
        hits = [entry for entry in journal(injection.operation) if entry.fault]
        answers = [one for one in observed.scenario.disturbance.injections if isinstance(one, ApiFault)]
        times = [int(one.fault.get("times", 1)) for one in answers if one.operation == injection.operation]
        return len(hits) == sum(times) if all(times) else bool(hits)  # 0: each call
    if isinstance(injection, TokenRevocation):
        return injection in observed.injected and any("190" in e.outcome or "NotAuth" in e.outcome for e in journal())
    if isinstance(injection, QuotaUsedUp):  # it was seen to be full: nothing was sent, or only after another look
        return len(journal("limit")) > 1 or (len(journal("limit")) == 1 and not journal("publish"))
    if isinstance(injection, ContainerOutcome):
        if journal("create")[0].outcome != "ok":  # a picture is refused where it is created
            return True
        made = sandbox.containers[0]
        if "after_s" in injection.processing:  # it only takes longer
            return journal("publish")[0].at >= made.created_at.timestamp() + float(injection.processing["after_s"])
        return made.status_code not in ("FINISHED", "PUBLISHED")
    return injection in observed.injected
