from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_provider_instagram.graph.usage import Usage


def test_the_fullest_counter_of_all_reports_counts() -> None:
    business = {
        "1": [{"type": "instagram", "call_count": 28, "total_cputime": 1, "total_time": 61}],
        "2": [{"call_count": 3, "estimated_time_to_regain_access": 4}],
    }
    headers = {"X-Business-Use-Case-Usage": json.dumps(business), "X-App-Usage": '{"call_count": 75}'}
    assert Usage.read(headers) == Usage(75, timedelta(minutes=4))


def test_an_answer_without_the_headers_tells_nothing() -> None:
    assert Usage.read({}) is None


@pytest.mark.parametrize("header", ["", "no json", "[1]", '{"1": 5}', '{"1": [5]}', "null"])
def test_a_damaged_header_tells_nothing(header: str) -> None:
    assert Usage.read({"X-Business-Use-Case-Usage": header}) is None


@pytest.mark.parametrize("value", ["null", '"9"', "-3", "1e400", "NaN"])
def test_a_counter_that_is_no_number_counts_as_none(value: str) -> None:
    assert Usage.read({"X-App-Usage": f'{{"call_count": {value}, "total_time": 7}}'}) == Usage(7)
