"""Tasks that run alone in this process: their context, and the connection of a Facebook Page."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_instagram.ledger.assets import ledger_asset

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from pytest_mock import MockerFixture

    from instagram_sandbox.testing.handle import SandboxHandle
    from tests.integration.account import DictStore

SCOPES = ("instagram_basic", "instagram_content_publish", "instagram_manage_contents", "pages_read_engagement")


def task_context(store: DictStore) -> Any:
    """Return the context of a task whose ledger is in memory. No other task is at work."""
    told = SimpleNamespace(add=lambda *_, **__: None, limit=lambda number: [None] * number)
    everything = type("Everything", (dict,), {"__missing__": lambda *_: told})()
    tries = {"try_number": 1, "max_tries": 8, "start_date": datetime.now(timezone.utc), "id": uuid4()}
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="t", map_index=-1, **tries)
    ti.xcom_push = lambda **_: None
    ti.get_task_states = lambda *_, **__: {}
    ledgers = {ledger_asset("instagram_default"): store}
    now = datetime.now(timezone.utc)
    run = SimpleNamespace(
        run_after=now, start_date=now, clear_number=0, run_type="manual", triggering_user_name=None, conf=None
    )
    events = {"outlet_events": everything, "inlet_events": everything}
    return {"ti": ti, "dag_run": run, "asset_state_store": ledgers, **events}


def keep_questions(mocker: MockerFixture) -> list[dict[str, Any]]:
    """Keep the questions to persons, instead of Airflow, and return them."""
    kept: list[dict[str, Any]] = []

    def send(question: Any) -> Any:
        kept.append(question.model_dump())
        return question

    mocker.patch("airflow_provider_instagram.operators.approval.send", send)
    return kept


def connect_page(monkeypatch: pytest.MonkeyPatch, sandbox: SandboxHandle, scopes: Sequence[str] = SCOPES) -> str:
    """Make the default connection that of a Page, by Facebook Login, and return its token."""
    sandbox.switch(login="any", fresh_id_unknown_s=0, visible_after_s=0)
    token = sandbox.add_token(sandbox.user_id, kind="page", scopes=list(scopes))
    connection = {**sandbox.connection, "password": token, "login": sandbox.user_id}
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    return token
