"""The scenarios of a running Airflow: real processes die, freeze and are marked, and a person presses the buttons.

Those whose disturbance is an answer of Instagram come from the same table as those of ``dag.test()``. Those that need
real processes stand here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.reliability.format_table import format_disturbances
from tests.reliability.scenario import (
    ApiFault,
    ConcurrentRun,
    ContainerOutcome,
    Disturbance,
    Expected,
    MarkedAsFailed,
    ProcessFreeze,
    ProcessKill,
    QuotaUsedUp,
    Scenario,
    TriggererKill,
    expected,
)
from tests.reliability.scenario_table import DISTURBANCES, OF_A_REEL

if TYPE_CHECKING:
    from tests.reliability.scenario import Injection, MediaOfPost, Recovery

#: Out of the common table: those that take longest come first, so that the others run meanwhile.
FROM_THE_TABLE: Final[tuple[tuple[str, str, Recovery], ...]] = (
    # A lost answer without a post is certain only 150 s after the request.
    ("publish, before the effect", "timeout", "retry"),
    ("publish, before the effect", "connection dropped", "clear the task"),
    ("publish, before the effect", "HTTP 500", "clear the run"),
    ("publish, before the effect", "HTML 502", "retry"),
    ("publish, before the effect", "4/2207051, no post", "clear the task"),
    ("publish, before the effect", "killed", "clear the task"),
    ("ledger write of publish, after it (intent 2)", "killed", "clear the run"),
    ("publish, before the effect", "24/2207006 after FINISHED, 5 times", "clear the task"),
    ("publish, before the effect", "80002", "retry"),
    ("publish, after the effect", "timeout", "new run"),
    ("ledger write of publish, before it (done)", "killed", "backfill"),
    ("publish, after the effect", "connection dropped", "retry"),
    ("publish, after the effect", "HTTP 500", "clear the run"),
    ("publish, after the effect", "HTML 502", "clear the task"),
    ("publish, after the effect", "4/2207051, post live", "new run"),
    ("publish, after the effect", "killed", "retry"),
    ("publish, before the effect", "9007/2207027 after FINISHED, 1 times", "retry"),
    ("publish, before the effect", "190, token dead", "clear the task"),
    ("publish, before the effect", "190, another token is there", "retry"),
    ("create, before the effect", "connection dropped", "retry"),
    ("create, after the effect", "killed", "clear from create"),
    ("create, before the effect", "80002", "clear the task"),
    ("ledger write of create, after it (container)", "killed", "retry"),
    ("upload at 50 %", "connection dropped, host gone", "clear the task"),
    ("upload at 50 %", "killed", "retry"),
    ("upload at 100 %", "killed", "clear the run"),
    ("upload at 0 %", "190, token dead", "clear from create"),
    ("status, before the effect", "HTTP 500", "retry"),
    ("status, after the effect", "killed", "new run"),
    ("container", "ERROR 2207053", "clear from create"),
    ("container (create waits)", "ERROR 2207076", "retry"),
    ("container", "ERROR 2207026", "clear from create"),
    ("container", "stuck phase 2207076", "clear the task"),
    ("container", "never ready", "clear from create"),
    ("container, before publish", "EXPIRED", "clear from create"),
    ("ledger write of publish, before it (intent 1)", "killed", "retry"),
    ("ledger write of publish, after it (done)", "killed", "retry"),
    ("permalink, before the effect", "killed", "clear the run"),
    ("permalink, before the effect", "HTTP 500", "backfill"),
)

#: Out of the table of the other formats.
OTHER_FORMATS: Final[tuple[tuple[MediaOfPost, str, str, Recovery], ...]] = (
    ("carousel", "create of item 2, after the effect", "killed", "retry"),
    ("carousel", "create of the whole, after the effect", "connection dropped", "clear the task"),
    ("carousel", "ledger write of create of item 3, after it (children)", "killed", "clear the run"),
    ("carousel", "upload at 50 %", "killed", "retry"),
    ("carousel", "publish, after the effect", "connection dropped", "new run"),
    ("story", "publish, after the effect", "connection dropped", "retry"),
    ("picture", "create, after the effect", "killed", "clear from create"),
)

#: How many of them take minutes.
LONG: Final = 10


def _processes() -> tuple[tuple[Disturbance, Recovery], ...]:
    killed = (
        ("create, before the effect", ProcessKill("before", call="create", process="supervisor"), 2),
        ("ledger write of publish, before it (intent 1)", ProcessKill("before", row="intent", process="supervisor"), 1),
        ("publish, before the effect", ProcessKill("before", call="publish", process="supervisor"), 1),
        ("publish, after the effect", ProcessKill("after", call="publish", process="supervisor"), 1),
    )
    frozen = (
        # The process that wakes up makes a container that no row names: it is never posted.
        ("create, before the effect", ProcessFreeze("before", call="create"), 2),
        ("create, after the effect", ProcessFreeze("after", call="create"), 2),
        ("ledger write of publish, after it (intent 2)", ProcessFreeze("after", row="intent", nth=2), 1),
        ("publish, before the effect", ProcessFreeze("before", call="publish", woken="during"), 1),
        ("upload at 0 %", ProcessFreeze("before", call="upload"), 1),
        ("ledger write of publish, before it (claim)", ProcessFreeze("before", row="claim"), 1),
        ("ledger write of publish, before it (intent 1)", ProcessFreeze("before", row="intent"), 1),
        ("publish, after the effect", ProcessFreeze("after", call="publish"), 1),
        ("ledger write of publish, before it (done)", ProcessFreeze("before", row="done"), 1),
        ("permalink, before the effect", ProcessFreeze("before", call="media"), 1),
    )
    return (
        *((_gone(when, "supervisor killed", injection, "Killed", made), "retry") for when, injection, made in killed),
        # Airflow refuses the next request of the process that wakes up.
        *(
            (
                _gone(when, f"frozen, woken {injection.woken} the next try", injection, "AirflowRuntimeError", made),
                "retry",
            )
            for when, injection, made in frozen
        ),
    )


def _gone(when: str, what: str, injection: Injection, first: str, containers: int) -> Disturbance:
    return Disturbance(when, what, (injection,), first, containers=containers)


def _people() -> tuple[tuple[Disturbance, Recovery], ...]:
    # The hour passes for Instagram alone: for Airflow, no quota is free before the container expires.
    full = Disturbance(
        "publish, before the effect", "quota used up", (QuotaUsedUp(1),), "ValidationError", remedy="wait for quota"
    )
    hanging = {"delay_s": 40, "when": "after"}
    return (
        (
            Disturbance(
                "publish, after the effect",
                "marked as failed meanwhile",
                (ApiFault("publish", hanging), MarkedAsFailed("publish")),
                "Killed",
            ),
            "clear the task",
        ),
        (
            # The caller is gone, and its request takes effect later.
            Disturbance(
                "publish, before the effect",
                "marked as failed, and Instagram is slow",
                (ApiFault("publish", {**hanging, "when": "before"}), MarkedAsFailed("publish")),
                "Killed",
            ),
            "clear the task",
        ),
        (
            Disturbance(
                "upload at 0 %",
                "marked as failed meanwhile",
                (ApiFault("upload", {**hanging, "when": "before"}), MarkedAsFailed("upload")),
                "Killed",
            ),
            "clear from create",
        ),
        (
            Disturbance(
                "container",
                "marked as failed while it waits",
                (ContainerOutcome({"after_s": 25, "outcome": "finished"}), MarkedAsFailed(None)),
                "Killed",
            ),
            "clear the task",
        ),
        (
            Disturbance(
                "container",
                "triggerer killed while it waits",
                (ContainerOutcome({"after_s": 25, "outcome": "finished"}), TriggererKill()),
                None,
            ),
            "retry",
        ),
        (full, "clear the task"),
        (Disturbance("whole job", "another run with its key at the same time", (ConcurrentRun(),), None), "retry"),
        (Disturbance("whole job", "nothing", (), None), "clear the task"),
        (Disturbance("whole job", "nothing", (), None), "clear the run"),
        (Disturbance("whole job", "nothing", (), None), "backfill"),
    )


def _from_the_table(when: str, what: str) -> Disturbance:
    (found,) = (one for one in DISTURBANCES if (one.when, one.what) == (when, what))
    return found


def _of_a_format(media: MediaOfPost, when: str, what: str) -> Disturbance:
    (found,) = (one for one in format_disturbances(OF_A_REEL) if (one.media, one.when, one.what) == (media, when, what))
    return found


#: The one place that nothing can fence: between the last look at the ledger and the first byte of the request, for
#: longer than the next try waits. It is measured, not promised: the sandbox is as harsh as can be about a container
#: that is published twice.
THE_GAP: Final = Scenario(
    Disturbance(
        "publish, before the effect",
        "frozen until the next try has posted",
        (ProcessFreeze("before", call="publish"),),
        "AirflowRuntimeError",
    ),
    "retry",
    Expected(2, None, asks_for_clear=False, containers=1, uploads=1),
)

LIVE_SCENARIOS: Final = tuple(
    Scenario(disturbance, recovery, expected(disturbance, recovery))
    for disturbance, recovery in (
        *((_from_the_table(when, what), recovery) for when, what, recovery in FROM_THE_TABLE[:LONG]),
        *_processes(),
        *_people(),
        *((_from_the_table(when, what), recovery) for when, what, recovery in FROM_THE_TABLE[LONG:]),
        *((_of_a_format(media, when, what), recovery) for media, when, what, recovery in OTHER_FORMATS),
    )
)

#: What ``make test`` plays in a running Airflow: each kind of injection, and each recovery, once.
_SAMPLED: Final = frozenset(
    {
        "publish, before the effect: frozen, woken during the next try; then retry",
        "publish, after the effect: frozen, woken after the next try; then retry",
        "publish, after the effect: supervisor killed; then retry",
        "publish, after the effect: connection dropped; then retry",
        "publish, after the effect: marked as failed meanwhile; then clear the task",
        "publish, before the effect: quota used up; then clear the task",
        "publish, before the effect: 190, another token is there; then retry",
        "container: triggerer killed while it waits; then retry",
        "container: ERROR 2207053; then clear from create",
        "container, before publish: EXPIRED; then clear from create",
        "whole job: another run with its key at the same time; then retry",
        "whole job: nothing; then backfill",
        "upload at 100 %: killed; then clear the run",
        "status, after the effect: killed; then new run",
        "carousel, create of item 2, after the effect: killed; then retry",
    }
)
SAMPLE: Final = tuple(one for one in LIVE_SCENARIOS if str(one) in _SAMPLED)
