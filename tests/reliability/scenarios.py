"""What can go wrong, at each moment of the main job, and what has to come of it: as data, written before anything runs.

The expectations are the promise itself: one post_key, one post; no post only where posting is impossible, and then with
an error that says so. Source: Meta, Instagram content publishing (container states, error codes, publishing limit).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.reliability.terms import (
    HALF,
    THENS,
    Answer,
    Disturbance,
    Fate,
    FullQuota,
    Kill,
    Pause,
    Plant,
    Refusal,
    Revocation,
    Scenario,
    Side,
    expected,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


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
            planted = {**fault, "drop": side} if "drop" in fault else {**fault, "when": side}
            yield Disturbance(
                f"{when}, {side} the effect",
                name,
                (Answer(operation, planted, timeout),),
                first if side == "before" else first_after,
                **(known if side == "after" else {}),
            )


def _create() -> Iterator[Disturbance]:
    # A container whose id was never told cannot be found again: a second one is made, and the first never posted.
    yield from _answers("create", "create", "TransientError", "TransientError", containers=2)
    yield Disturbance("create, before the effect", "killed", (Kill("before", call="create"),), "Killed")
    yield Disturbance("create, after the effect", "killed", (Kill("after", call="create"),), "Killed", containers=2)
    yield Disturbance(
        "create, before the effect",
        "80002",
        (Answer("create", {"code": 80002, "regain_minutes": 0}),),
        "RateLimitError",
    )
    yield Disturbance(
        "create, before the effect",
        "190, token dead",
        (Revocation("create"),),
        "AuthenticationError",
        cure="new token",
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
            (Kill(side, row=row),),
            "Killed",
            containers=containers,
        )
    for row in ("container", "containers"):
        yield Disturbance(f"ledger write of create ({row})", "refused", (Refusal(row),), "RuntimeError", containers=2)


def _upload() -> Iterator[Disturbance]:
    # Whatever becomes of an upload, it goes on with the same container where Instagram has it: no byte is sent twice.
    yield from (
        Disturbance("upload at " + ("0 %" if "before" in one.when else "100 %"), one.what, one.plants, one.first)
        for one in _answers("upload", "upload", None, None)
    )
    yield Disturbance("upload at 50 %", "connection dropped", (Answer("upload", {"cut_after_bytes": HALF}),), None)
    yield Disturbance(
        "upload at 50 %",
        "connection dropped, host gone",
        (Answer("upload", {"cut_after_bytes": HALF}), Answer("upload", {"drop": "before", "nth": 2, "times": 5})),
        "TransientError",
    )
    yield Disturbance(
        "upload at 0 %", "host gone", (Answer("upload", {"drop": "before", "times": 5}),), "TransientError"
    )
    yield Disturbance("upload at 0 %", "killed", (Kill("before", call="upload"),), "Killed")
    yield Disturbance(
        "upload at 50 %",
        "killed",
        (Answer("upload", {"cut_after_bytes": HALF}), Kill("before", call="status")),
        "Killed",
    )
    yield Disturbance("upload at 100 %", "killed", (Kill("after", call="upload"),), "Killed")
    yield Disturbance("upload at 0 %", "80002", (Answer("upload", {"code": 80002, "regain_minutes": 0}),), None)
    yield Disturbance(
        "upload at 0 %", "190, token dead", (Revocation("upload"),), "AuthenticationError", cure="new token"
    )


#: Subcodes of a container in ERROR that a new container can cure, with the error that a waiting task ends with.
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
    yield Disturbance("status", "80002", (Answer("status", {"code": 80002, "regain_minutes": 0}),), None)
    yield Disturbance("status", "100/33, not visible yet", (Answer("status", {"code": 100, "subcode": 33}),), None)
    yield Disturbance("status", "190, token dead", (Revocation("status"),), "AuthenticationError", cure="new token")
    yield Disturbance("status, before the effect", "killed", (Kill("before", call="status"),), "Killed")
    yield Disturbance("status, after the effect", "killed", (Kill("after", call="status"),), "Killed")


def _fates() -> Iterator[Disturbance]:
    for subcode, error in CURABLE.items():
        plant = Fate({"outcome": "error", "subcode": subcode})
        yield _cured_by_a_new_container("container", f"ERROR {subcode}", plant, error)
        yield _cured_by_a_new_container("container (create waits)", f"ERROR {subcode}", plant, None)
    for subcode, error in INCURABLE.items():
        plant = Fate({"outcome": "error", "subcode": subcode})
        for waits in (False, True):
            when = "container (create waits)" if waits else "container"
            yield Disturbance(when, f"ERROR {subcode}", (plant,), error, cure="none exists", create_waits=waits)
    failed_phase = Fate({"outcome": "phase_error", "subcode": 2207076})
    yield _cured_by_a_new_container("container", "stuck phase 2207076", failed_phase, "MediaRejectedError")
    yield _cured_by_a_new_container("container (create waits)", "stuck phase 2207076", failed_phase, None)
    no_cause = Fate({"outcome": "download_failed"})
    yield _cured_by_a_new_container("container", "download failed, no status", no_cause, "MediaRejectedError")
    yield _cured_by_a_new_container("container (create waits)", "download failed, no status", no_cause, None)
    hopeless = Fate({"outcome": "phase_error", "subcode": 2207026})
    yield Disturbance("container", "stuck phase 2207026", (hopeless,), "MediaRejectedError", cure="none exists")
    yield Disturbance(
        "container",
        "never ready",
        (Fate({"never": True}),),
        "AirflowSensorTimeout",  # final, as every sensor's: a person looks, and by the next day it has expired
        cure="wait for expiry",
        containers=2,
        uploads=2,
    )
    for task in ("wait", "publish"):
        yield Disturbance(
            f"container, before {task}",
            "EXPIRED",
            (Pause(task, 25),),
            "ContainerExpiredError",
            cure="clear create",
            containers=2,
            uploads=2,
        )


def _cured_by_a_new_container(when: str, what: str, plant: Plant, first: str | None) -> Disturbance:
    waits = "create waits" in when
    return Disturbance(
        when,
        what,
        (plant,),
        first,
        cure="nothing" if waits else "clear create",  # a create that waits heals it by itself
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
            yield Disturbance(f"publish, {side} the effect", name, (Answer("publish", fault),), first)
    spam = {"code": 4, "subcode": 2207051}
    yield Disturbance(
        "publish, before the effect",
        "4/2207051, no post",
        (Answer("publish", spam),),
        "PermissionDeniedError",
        cure="clear anyway",
    )
    yield Disturbance(
        "publish, after the effect", "4/2207051, post live", (Answer("publish", {**spam, "when": "after"}),), None
    )
    yield Disturbance("publish, before the effect", "killed", (Kill("before", call="publish"),), "Killed")
    yield Disturbance("publish, after the effect", "killed", (Kill("after", call="publish"),), "Killed")
    for code, subcode in ((9007, 2207027), (24, 2207006)):
        for times, first in ((1, None), (5, "NotReadyError")):
            fault = {"code": code, "subcode": subcode, "times": times}
            what = f"{code}/{subcode} after FINISHED, {times} times"
            yield Disturbance("publish, before the effect", what, (Answer("publish", fault),), first)
    not_found: dict[str, Any] = {"code": 100, "subcode": 33}  # of a fresh id it says nothing: certain only after a wait
    yield Disturbance("publish, before the effect", "100/33", (Answer("publish", not_found),), "NotReadyError")
    untrue: tuple[tuple[str, dict[str, Any]], ...] = (
        ("9007/2207027", {"code": 9007, "subcode": 2207027}),
        ("24/2207006", {"code": 24, "subcode": 2207006}),
        ("100/33", not_found),
        ("HTTP 400, not in Meta's words", {"status": 400, "body": {"success": False}}),
    )
    for what, answer in untrue:
        yield Disturbance("publish, after the effect", what, (Answer("publish", {**answer, "when": "after"}),), None)
    yield Disturbance(
        "publish, before the effect",
        "80002",
        (Answer("publish", {"code": 80002, "regain_minutes": 0}),),
        "RateLimitError",
    )
    yield Disturbance(
        "publish, before the effect",
        "190, token dead",
        (Revocation("publish"),),
        "AuthenticationError",
        cure="new token",
    )
    for hours in (1, 20):
        yield Disturbance(
            "publish, before the effect",
            f"quota used up, room in {hours} h",
            (FullQuota(hours),),
            None,
            cure="wait for room",
        )
    yield Disturbance(
        "publish, before the effect",
        "quota used up beyond the container's life",
        (FullQuota(None),),
        "ValidationError",
        cure="none exists",
    )
    yield Disturbance(
        "publish, after the effect",
        "connection dropped, container unreadable meanwhile",
        (Answer("publish", {"drop": "after"}), Answer("status", {"status": 500, "nth": 3, "times": 4})),
        "TransientError",
    )
    yield Disturbance(
        "publish, after the effect",
        "connection dropped, media list unreadable meanwhile",
        (Answer("publish", {"drop": "after"}), Answer("media_list", {"status": 500, "times": 4})),
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
                (Kill(side, row=row, nth=nth),),
                "Killed",
            )
        yield Disturbance(
            f"ledger write of publish ({name})",
            "refused",
            (Refusal(row, nth),),
            "RuntimeError",
        )


def _permalink() -> Iterator[Disturbance]:
    # The post is live and recorded: nothing that befalls the reading of its permalink is a failure.
    yield from _answers("media", "permalink", None, None)
    for name, fault in (
        ("HTTP 500, for good", {"status": 500, "times": 4}),
        ("80002", {"code": 80002, "regain_minutes": 0}),
    ):
        yield Disturbance("permalink", name, (Answer("media", fault),), None, permalink=False)
    yield Disturbance("permalink", "190, token dead", (Revocation("media"),), None, permalink=False)
    for side in ("before", "after"):
        plant = Kill(side, call="media")
        yield Disturbance(f"permalink, {side} the effect", "killed", (plant,), "Killed")


def _replaced_tokens() -> Iterator[Disturbance]:
    # A call that a dead token was refused is sent again with the one that took its place: it had no effect.
    for operation, when in (
        ("create", "create, before the effect"),
        ("upload", "upload at 0 %"),
        ("status", "status, before the effect"),
        ("publish", "publish, before the effect"),
        ("media", "permalink, before the effect"),
    ):
        yield Disturbance(when, "190, another token is there", (Revocation(operation, replaced=True),), None)


DISTURBANCES: Final = (
    *_create(),
    *_upload(),
    *_status(),
    *_fates(),
    *_publish(),
    *_ledger_of_publish(),
    *_permalink(),
    *_replaced_tokens(),
)
SCENARIOS: Final = tuple(
    Scenario(disturbance, then, expected(disturbance, then))
    for disturbance in DISTURBANCES
    for then in THENS
    if not (disturbance.cure == "wait for expiry" and then == "retry")
)
