"""What can go wrong, at each moment of the main job, and what has to come of it: as data, written before anything runs.

The expectations are the promise itself: one post_key, one post; no post only where posting is impossible, and then with
an error that says so. Source: Meta, Instagram content publishing (container states, error codes, publishing limit).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any, Final

from tests.reliability.comment_table import act_disturbances, comment_disturbances
from tests.reliability.deletion_table import deletion_disturbances
from tests.reliability.format_table import FETCHES, format_disturbances
from tests.reliability.scenario import (
    HALF,
    RECOVERIES,
    ApiFault,
    ContainerOutcome,
    Delay,
    Disturbance,
    Injection,
    ProcessKill,
    QuotaUsedUp,
    RefusedRow,
    Scenario,
    Side,
    TokenRevocation,
    expected,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.reliability.scenario import Recovery


def _answers(
    operation: str, when: str, first: str | None, first_after: str | None, **known: Any
) -> Iterator[Disturbance]:
    """Every way in which one answer goes wrong, with and without the call's effect.

    :param first: How the try ends when the call had no effect.
    :param first_after: How it ends when the call had its effect.
    :param known: What else is known of those with an effect.
    """
    ways: tuple[tuple[str, dict[str, Any], bool], ...] = (
        ("connection dropped", {"drop": True}, False),
        ("timeout", {"drop": True, "delay_s": 1.2}, True),
        ("HTTP 500", {"status": 500}, False),
        ("HTML 502", {"html": True}, False),
        ("code 2, service down", {"code": 2}, False),
    )
    for side in ("before", "after"):
        for name, fault, timeout in ways:
            injected = {**fault, "drop": side} if "drop" in fault else {**fault, "when": side}
            yield Disturbance(
                f"{when}, {side} the effect",
                name,
                (ApiFault(operation, injected, timeout),),
                first if side == "before" else first_after,
                **(known if side == "after" else {}),
            )


def _create() -> Iterator[Disturbance]:
    # A container whose id was never told cannot be found again: a second one is made, and the first never posted.
    yield from _answers("create", "create", "TransientError", "TransientError", containers=2)
    yield Disturbance("create, before the effect", "killed", (ProcessKill("before", call="create"),), "Killed")
    yield Disturbance(
        "create, after the effect", "killed", (ProcessKill("after", call="create"),), "Killed", containers=2
    )
    yield Disturbance(
        "create, before the effect",
        "80002",
        (ApiFault("create", {"code": 80002, "regain_minutes": 0}),),
        "RateLimitError",
    )
    yield Disturbance(
        "create, before the effect",
        "190, token dead",
        (TokenRevocation("create"),),
        "AuthenticationError",
        remedy="new token",
        containers=1,
    )
    written: tuple[tuple[str, Side, int], ...] = (
        ("container", "before", 2),
        ("container", "after", 2),
        ("containers", "before", 2),
        ("containers", "after", 1),
    )
    for row, side, containers in written:
        yield Disturbance(
            f"ledger write of create, {side} it ({row})",
            "killed",
            (ProcessKill(side, row=row),),
            "Killed",
            containers=containers,
        )
    for row in ("container", "containers"):
        yield Disturbance(
            f"ledger write of create ({row})", "refused", (RefusedRow(row),), "RuntimeError", containers=2
        )


def _upload() -> Iterator[Disturbance]:
    # Whatever becomes of an upload, it goes on with the same container where Instagram has it: no byte is sent twice.
    yield from (
        Disturbance("upload at " + ("0 %" if "before" in one.when else "100 %"), one.what, one.injections, one.first)
        for one in _answers("upload", "upload", None, None)
    )
    yield Disturbance("upload at 50 %", "connection dropped", (ApiFault("upload", {"cut_after_bytes": HALF}),), None)
    yield Disturbance(
        "upload at 50 %",
        "connection dropped, host gone",
        (ApiFault("upload", {"cut_after_bytes": HALF}), ApiFault("upload", {"drop": "before", "nth": 2, "times": 5})),
        "TransientError",
    )
    yield Disturbance(
        "upload at 0 %", "host gone", (ApiFault("upload", {"drop": "before", "times": 5}),), "TransientError"
    )
    yield Disturbance("upload at 0 %", "killed", (ProcessKill("before", call="upload"),), "Killed")
    yield Disturbance(
        "upload at 50 %",
        "killed",
        (ApiFault("upload", {"cut_after_bytes": HALF}), ProcessKill("before", call="status")),
        "Killed",
    )
    yield Disturbance("upload at 100 %", "killed", (ProcessKill("after", call="upload"),), "Killed")
    yield Disturbance("upload at 0 %", "80002", (ApiFault("upload", {"code": 80002, "regain_minutes": 0}),), None)
    yield Disturbance(
        "upload at 0 %", "190, token dead", (TokenRevocation("upload"),), "AuthenticationError", remedy="new token"
    )


#: Subcodes of a container in ERROR that a new container can remedy, with the error that a waiting task ends with.
CURABLE: Final = {
    2207001: "MediaRejectedError",
    2207003: "MediaRejectedError",
    2207020: "ContainerExpiredError",
    2207032: "MediaRejectedError",
    2207052: "MediaRejectedError",
    2207053: "MediaRejectedError",
    2207076: "MediaRejectedError",
    2207077: "MediaRejectedError",
    2207082: "MediaRejectedError",
    2207085: "MediaRejectedError",
    1363008: "MediaRejectedError",
}
INCURABLE: Final = {
    2207010: "MediaRejectedError",
    2207026: "MediaRejectedError",
    2207057: "MediaRejectedError",
    2207081: "PermissionDeniedError",
}


def _status() -> Iterator[Disturbance]:
    # Reading is repeated: no single answer that goes wrong ends the wait.
    yield from _answers("status", "status", None, None)
    yield Disturbance("status", "80002", (ApiFault("status", {"code": 80002, "regain_minutes": 0}),), None)
    yield Disturbance("status", "100/33, not visible yet", (ApiFault("status", {"code": 100, "subcode": 33}),), None)
    yield Disturbance(
        "status", "190, token dead", (TokenRevocation("status"),), "AuthenticationError", remedy="new token"
    )
    yield Disturbance("status, before the effect", "killed", (ProcessKill("before", call="status"),), "Killed")
    yield Disturbance("status, after the effect", "killed", (ProcessKill("after", call="status"),), "Killed")


def _fates() -> Iterator[Disturbance]:
    for subcode, error in CURABLE.items():
        injection = ContainerOutcome({"outcome": "error", "subcode": subcode})
        yield _cured_by_a_new_container("container", f"ERROR {subcode}", injection, error)
        first = "MediaNotFetchedError" if subcode in FETCHES else None  # the cover's, perhaps: it has a link, too
        yield _cured_by_a_new_container("container (create waits)", f"ERROR {subcode}", injection, first)
    for subcode, error in INCURABLE.items():
        injection = ContainerOutcome({"outcome": "error", "subcode": subcode})
        for waits in (False, True):
            when = "container (create waits)" if waits else "container"
            yield Disturbance(when, f"ERROR {subcode}", (injection,), error, remedy="none exists", create_waits=waits)
    failed_phase = ContainerOutcome({"outcome": "phase_error", "subcode": 2207076})
    yield _cured_by_a_new_container("container", "stuck phase 2207076", failed_phase, "MediaRejectedError")
    yield _cured_by_a_new_container("container (create waits)", "stuck phase 2207076", failed_phase, None)
    no_cause = ContainerOutcome({"outcome": "download_failed"})
    yield _cured_by_a_new_container("container", "download failed, no status", no_cause, "MediaRejectedError")
    yield _cured_by_a_new_container("container (create waits)", "download failed, no status", no_cause, None)
    hopeless = ContainerOutcome({"outcome": "phase_error", "subcode": 2207026})
    yield Disturbance("container", "stuck phase 2207026", (hopeless,), "MediaRejectedError", remedy="none exists")
    yield Disturbance(
        "container",
        "never ready",
        (ContainerOutcome({"never": True, "outcome": "finished"}),),  # the links of the scenarios lead nowhere
        "AirflowSensorTimeout",  # final, as every sensor's: a person looks, and by the next day it has expired
        remedy="wait for expiry",
        containers=2,
        uploads=2,
    )
    for task in ("wait", "publish"):
        yield Disturbance(
            f"container, before {task}",
            "EXPIRED",
            (Delay(task, 25),),
            "ContainerExpiredError",
            remedy="clear create",
            containers=2,
            uploads=2,
        )


def _cured_by_a_new_container(when: str, what: str, injection: Injection, first: str | None) -> Disturbance:
    waits = "create waits" in when
    return Disturbance(
        when,
        what,
        (injection,),
        first,
        remedy="nothing" if waits else "clear create",  # a create that waits heals it by itself
        containers=2,
        uploads=2,
        create_waits=waits,
    )


def _publish() -> Iterator[Disturbance]:
    # Lost with the post live: the try finds it. Lost without: certain only after a wait, and then a failure to retry.
    yield from _answers("publish", "publish", "TransientError", None)
    for side, first in (("before", "TransientError"), ("after", None)):
        for code, subcode in ((-1, 2207001), (1, None)):
            name = f"{code}/{subcode}" if subcode else f"code {code}"
            fault = {"code": code, "subcode": subcode, "when": side}
            yield Disturbance(f"publish, {side} the effect", name, (ApiFault("publish", fault),), first)
    spam = {"code": 4, "subcode": 2207051}
    yield Disturbance(
        "publish, before the effect",
        "4/2207051, no post",
        (ApiFault("publish", spam),),
        "PermissionDeniedError",
        remedy="clear anyway",
    )
    yield Disturbance(
        "publish, after the effect", "4/2207051, post live", (ApiFault("publish", {**spam, "when": "after"}),), None
    )
    yield Disturbance("publish, before the effect", "killed", (ProcessKill("before", call="publish"),), "Killed")
    yield Disturbance("publish, after the effect", "killed", (ProcessKill("after", call="publish"),), "Killed")
    for code, subcode in ((9007, 2207027), (24, 2207006)):
        for times, first in ((1, None), (5, "NotReadyError")):
            fault = {"code": code, "subcode": subcode, "times": times}
            what = f"{code}/{subcode} after FINISHED, {times} times"
            yield Disturbance("publish, before the effect", what, (ApiFault("publish", fault),), first)
    not_found: dict[str, Any] = {"code": 100, "subcode": 33}  # of a fresh id it says nothing: certain only after a wait
    yield Disturbance("publish, before the effect", "100/33", (ApiFault("publish", not_found),), "NotReadyError")
    untrue: tuple[tuple[str, dict[str, Any]], ...] = (
        ("9007/2207027", {"code": 9007, "subcode": 2207027}),
        ("24/2207006", {"code": 24, "subcode": 2207006}),
        ("100/33", not_found),
        ("HTTP 400, not in Meta's words", {"status": 400, "body": {"success": False}}),
    )
    for what, answer in untrue:
        yield Disturbance("publish, after the effect", what, (ApiFault("publish", {**answer, "when": "after"}),), None)
    yield Disturbance(
        "publish, before the effect",
        "80002",
        (ApiFault("publish", {"code": 80002, "regain_minutes": 0}),),
        "RateLimitError",
    )
    yield Disturbance(
        "publish, before the effect",
        "190, token dead",
        (TokenRevocation("publish"),),
        "AuthenticationError",
        remedy="new token",
    )
    for hours in (1, 20):
        yield Disturbance(
            "publish, before the effect",
            f"quota used up, free again in {hours} h",
            (QuotaUsedUp(hours),),
            None,
            remedy="wait for quota",
        )
    yield Disturbance(
        "publish, before the effect",
        "quota used up beyond the container's life",
        (QuotaUsedUp(None),),
        "ValidationError",
        remedy="none exists",
    )
    yield Disturbance(
        "publish, after the effect",
        "connection dropped, container unreadable meanwhile",
        (
            ApiFault("publish", {"drop": "after"}),
            ApiFault("status", {"status": 500, "times": 4}, begins="before publish"),
        ),
        "TransientError",
    )
    yield Disturbance(
        "publish, after the effect",
        "connection dropped, media list unreadable meanwhile",
        (ApiFault("publish", {"drop": "after"}), ApiFault("media_list", {"status": 500, "times": 4})),
        "TransientError",
        identified=False,
    )


def _ledger_of_publish() -> Iterator[Disturbance]:
    for row, nth in (("claim", 1), ("intent", 1), ("intent", 2), ("done", 1), ("media", 1)):
        name = f"{row} {nth}" if row == "intent" else row
        for side in ("before", "after"):
            yield Disturbance(
                f"ledger write of publish, {side} it ({name})",
                "killed",
                (ProcessKill(side, row=row, nth=nth),),
                "Killed",
            )
        yield Disturbance(
            f"ledger write of publish ({name})",
            "refused",
            (RefusedRow(row, nth),),
            "RuntimeError",
        )


def _permalink() -> Iterator[Disturbance]:
    # The post is live and recorded: nothing that befalls the reading of its permalink is a failure.
    yield from _answers("media", "permalink", None, None)
    for name, fault in (
        ("HTTP 500, for good", {"status": 500, "times": 4}),
        ("80002", {"code": 80002, "regain_minutes": 0}),
    ):
        yield Disturbance("permalink", name, (ApiFault("media", fault),), None, permalink=False)
    yield Disturbance("permalink", "190, token dead", (TokenRevocation("media"),), None, permalink=False)
    for side in ("before", "after"):
        injection = ProcessKill(side, call="media")
        yield Disturbance(f"permalink, {side} the effect", "killed", (injection,), "Killed")


def _replaced_tokens() -> Iterator[Disturbance]:
    # A call that a dead token was refused is sent again with the one that took its place: it had no effect.
    for operation, when in (
        ("create", "create, before the effect"),
        ("upload", "upload at 0 %"),
        ("status", "status, before the effect"),
        ("publish", "publish, before the effect"),
        ("media", "permalink, before the effect"),
    ):
        yield Disturbance(when, "190, another token is there", (TokenRevocation(operation, replaced=True),), None)


#: Instagram shows no container, as in May and June 2026.
NONE_SHOWN: Final = ApiFault("status", {"code": 100, "subcode": 33, "times": 0})


def _none_shown() -> Iterator[Disturbance]:
    # The list of the account tells what the container cannot: nothing is sent twice, nothing is given up.
    of_publish = [one for one in _publish() if one.when.startswith("publish") and _loses_an_answer(one)]
    for one in (*of_publish, *_ledger_of_publish()):
        yield replace(one, what=f"{one.what}, no container is shown", injections=(*one.injections, NONE_SHOWN))


def _loses_an_answer(disturbance: Disturbance) -> bool:
    (first, *others) = disturbance.injections
    return not others and (isinstance(first, ProcessKill) or disturbance in _LOST_ANSWERS)


_LOST_ANSWERS: Final = tuple(_answers("publish", "publish", "TransientError", None))

OF_A_REEL: Final = (
    *_create(),
    *_upload(),
    *_status(),
    *_fates(),
    *_publish(),
    *_ledger_of_publish(),
    *_permalink(),
    *_replaced_tokens(),
)
DISTURBANCES: Final = (*OF_A_REEL, *comment_disturbances(_answers))


def _is_possible(disturbance: Disturbance, recovery: Recovery) -> bool:
    """Return whether a recovery can follow: a task that retries by itself is not there when the container expires."""
    return not (disturbance.remedy == "wait for expiry" and recovery == "retry")


def _taking_turns(disturbances: Iterable[Disturbance]) -> Iterator[Scenario]:
    """Yield each disturbance once, with one recovery after the other."""
    for turn, disturbance in enumerate(disturbances):
        recoveries = islice(cycle(RECOVERIES), turn, None)
        recovery = next(one for one in recoveries if _is_possible(disturbance, one))
        yield Scenario(disturbance, recovery, expected(disturbance, recovery))


#: After the others, create would upload again, because nobody can tell what Instagram has of the upload.
RECOVERIES_WITHOUT_CREATE: Final[tuple[Recovery, ...]] = ("retry", "clear the task")
DELETION_RECOVERIES: Final[tuple[Recovery, ...]] = ("retry", "clear the task")
ACT_RECOVERIES: Final[tuple[Recovery, ...]] = ("retry", "new run")
SCENARIOS: Final = (
    *(
        Scenario(disturbance, recovery, expected(disturbance, recovery))
        for disturbance in DISTURBANCES
        for recovery in RECOVERIES
        if _is_possible(disturbance, recovery)
    ),
    # Other media go the same way as a reel.
    *_taking_turns(format_disturbances(OF_A_REEL)),
    # Once the post is deleted, its key publishes nothing: only the deletion itself is tried again.
    *(
        Scenario(disturbance, recovery, expected(disturbance, recovery))
        for disturbance in deletion_disturbances(_answers)
        for recovery in DELETION_RECOVERIES
    ),
    *(
        Scenario(disturbance, recovery, expected(disturbance, recovery))
        for disturbance in act_disturbances(_answers)
        for recovery in ACT_RECOVERIES
    ),
    *(
        Scenario(disturbance, recovery, expected(disturbance, recovery))
        for disturbance in _none_shown()
        for recovery in RECOVERIES_WITHOUT_CREATE
    ),
)
