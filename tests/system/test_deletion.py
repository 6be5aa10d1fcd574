"""What is deleted in Airflow does not take the ledger with it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from demo.stack import wait_until
from demo.ui import connect
from tests.system.conftest import ASSET_CLEANUP_S

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from demo.stack import AirflowStack
    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.system.conftest import Run


def test_a_dag_that_is_deleted_and_comes_back_still_knows_its_posts(
    airflow: AirflowStack,
    sandbox: SandboxHandle,
    start: Callable[..., Run],
    posts_of: Callable[[str], list[str]],
    database: sqlite3.Connection,
) -> None:
    """Deleted by the API and on disk; Airflow cleans up what no DAG refers to; then the same key runs again."""
    connect(airflow, sandbox, "comes_back")
    first = start("comes_back", caption="It comes back")
    first.wait()
    post = first.result("publish")
    assert post["already_published"] is False
    (permalink,) = posts_of("It comes back")
    assert _rows(database, "witness")
    before = _rows(database, "instagram://comes_back/ledger")
    assert any(row.startswith("done:") for row in before)

    file = airflow.home / "dags" / "comes_back.py"
    text = file.read_text()
    file.unlink()
    # A DAG processor that is just noting that the file is gone ends when the DAG is deleted meanwhile (Airflow 3.3.2).
    wait_until(lambda: airflow.call("GET", "/dags/comes_back/details")["is_stale"], "Airflow misses the file", 60)
    airflow.call("DELETE", "/dags/comes_back")
    wait_until(lambda: not _rows(database, "witness"), "Airflow has cleaned up", 90)
    time.sleep(2 * ASSET_CLEANUP_S)
    assert not airflow.has("/dags/comes_back")
    assert _rows(database, "instagram://comes_back/ledger") == before

    file.write_text(text)
    airflow.wait_for_dag("comes_back")
    again = start("comes_back", caption="It comes back")
    again.wait()
    assert posts_of("It comes back") == [permalink]
    assert again.result("publish") == post | {"already_published": True}


def _rows(database: sqlite3.Connection, asset: str) -> set[str]:
    asked = "select s.key from asset_state_store s join asset a on a.id = s.asset_id where a.name = ?"
    return {key for (key,) in database.execute(asked, (asset,))}
