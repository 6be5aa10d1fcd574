"""How an argument names a published post."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_instagram.exceptions import ValidationError
from airflow_provider_instagram.utils.arguments import media_id


@pytest.mark.parametrize("given", ["17900000000000001", 17900000000000001, {"media_id": "17900000000000001"}])
def test_a_post_is_named_by_its_id_or_by_what_publish_returns(given: Any) -> None:
    assert media_id("media_id", given) == "17900000000000001"


@pytest.mark.parametrize("given", [None, "", "None", {}, {"media_id": None}])
def test_a_post_without_a_media_id_is_told_from_a_mistake(given: Any) -> None:
    with pytest.raises(ValidationError, match="its post is live but could not be told apart"):
        media_id("media_id", given)


@pytest.mark.parametrize("given", ["1/../me", "{'media_id': '1'}", "١٢٣", "17.9"])
def test_what_is_no_number_is_not_a_media_id(given: str) -> None:
    with pytest.raises(ValidationError, match=r"is not a media id\. Pass the output of the publish task"):
        media_id("media_id", given)
