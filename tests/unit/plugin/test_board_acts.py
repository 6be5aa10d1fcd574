"""What a user may enter on the page Posts."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import HTTPException

from airflow_provider_instagram.plugin.board.acts import Act


def act(reason: Any) -> Act:
    nothing: Any = None
    return Act("reject", nothing, nothing, nothing, nothing, {"reason": reason})


def test_a_reason_is_text_with_any_character_of_a_keyboard() -> None:
    assert act("Zu dunkel 🌚\nund schief").text("reason", 500) == "Zu dunkel 🌚\nund schief"
    assert act("").text("reason", 500) is None
    assert act(None).text("reason", 500) is None


@pytest.mark.parametrize("reason", ["x" * 501, {"a": 1}, ["a"], 7, "half \ud83d", "none \0"])
def test_a_reason_that_cannot_be_stored_is_refused(reason: Any) -> None:
    with pytest.raises(HTTPException) as refused:
        act(reason).text("reason", 500)
    assert refused.value.status_code == 422
