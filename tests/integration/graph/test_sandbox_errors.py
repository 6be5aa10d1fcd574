"""The sandbox knows every error that the client's table knows, and tells it as Meta does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from airflow_provider_instagram.graph.errors import RULES, error_from_answer, rule_for
from instagram_sandbox.simulator.error_texts import TEXTS, code_of, text_of

if TYPE_CHECKING:
    from instagram_sandbox.testing.handle import SandboxHandle

FIRST_MEDIA_SUBCODE = 1_000_000
WITHOUT_TEXT = 2207001


def test_a_planned_fault_of_any_rule_reads_like_metas(instagram_sandbox: SandboxHandle) -> None:
    headers = {"Authorization": f"Bearer {instagram_sandbox.token}"}
    for rule in RULES:
        code = rule.code if rule.code is not None else code_of(rule.subcode or 0)
        text = text_of(code, rule.subcode)
        assert (code, rule.subcode) in TEXTS or 200 <= code <= 299, rule
        has_text = (rule.subcode or 0) > FIRST_MEDIA_SUBCODE and rule.subcode != WITHOUT_TEXT
        assert bool(text.user_message) is has_text, rule
        instagram_sandbox.fail("account", code, rule.subcode)
        answer = httpx.get(f"{instagram_sandbox.url}/v27.0/me", headers=headers)
        error = error_from_answer("read the account", answer.status_code, answer.headers, answer.content, changes=False)
        assert (type(error), rule_for(error.code, error.subcode)) == (rule.error, rule_for(rule.code, rule.subcode))
        assert text.message in str(error)
        assert "{" not in str(error)
