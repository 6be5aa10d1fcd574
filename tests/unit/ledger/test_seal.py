"""Rows that others have written: another team by REST, another version of the provider, a worker with another key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from airflow.sdk import conf

from airflow_provider_instagram.exceptions import LedgerRowError, QuotaExhaustedError, ValidationError
from airflow_provider_instagram.ledger import seal
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.ledger import CommentLedger, Ledger
from airflow_provider_instagram.ledger.seal import SealedStore
from airflow_provider_instagram.operators.base import InstagramRetryPolicy
from airflow_provider_instagram.quota.reservations import QuotaReservations, post_quotas
from tests.integration.account import DictStore
from tests.unit.ledger.test_ledger import STORED, STUDIO

OLD, NEW = "b2xkLWtleS1vZi0zMi1ieXRlcy1mb3ItdGVzdHMhISE=", "bmV3LWtleS1vZi0zMi1ieXRlcy1mb3ItdGVzdHMhISE="
#: How each row that decides is read.
READS: dict[str, Callable[[Any], Any]] = {
    "done:post-1": lambda store: Ledger(store, "studio").post("post-1"),
    "claim:post-1": lambda store: Ledger(store, "studio").claim("post-1"),
    "intent:post-1": lambda store: Ledger(store, "studio").intent("post-1"),
    "container:179": lambda store: Ledger(store, "studio").container("179"),
    "containers:post-1": lambda store: Ledger(store, "studio").containers("post-1"),
    "children:post-1": lambda store: Ledger(store, "studio").children("post-1"),
    "deletion:180": lambda store: Ledger(store, "studio").may_be_deleted("180", "17"),
    "comment:post-1": lambda store: CommentLedger(store, "studio").comment("post-1"),
    "comment-claim:post-1": lambda store: CommentLedger(store, "studio").claim("post-1"),
    "comment-intent:post-1": lambda store: CommentLedger(store, "studio").intent("post-1"),
    "begun:post-1": lambda store: store.get("begun:post-1"),
    "skip:post-1": lambda store: store.get("skip:post-1"),
}


@pytest.fixture(autouse=True)
def fernet_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Return what gives this process another ``[core] fernet_key``, as a restart would."""

    def change(value: str) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", value)
        assert conf.get("core", "fernet_key") == value
        forget()

    def forget() -> None:
        for cached in (seal._configured, seal._keys, seal._encryption):
            cached.cache_clear()

    yield change
    monkeypatch.undo()
    forget()


def studio(rows: dict[str, Any]) -> SealedStore:
    return SealedStore(DictStore(rows), STUDIO)


def changed(key: str, **more: Any) -> dict[str, Any]:
    """Return the rows of an account with one that was changed by REST."""
    return {**STORED[STUDIO], key: {**STORED[STUDIO][key], **more}}


@pytest.mark.parametrize("conn_id", ["studio#b", "studio?b", "b:c@studio", "/"])
def test_no_connection_has_the_address_of_another_one(conn_id: str) -> None:
    """Airflow leaves a fragment, a query and a login out of an asset's address, so its rows would fit elsewhere."""
    with pytest.raises(ValidationError, match="cannot be a part of an asset's address"):
        ledger_asset(conn_id)


@pytest.mark.parametrize("key", READS)
def test_a_row_that_another_team_has_forged_stops_what_needs_it(key: str) -> None:
    forged = {
        "as a task of an earlier version stored it": {**STORED[STUDIO], key: STORED[STUDIO][key]["row"]},
        "with a seal of its own": changed(key, seal="0" * 64),
        "with a seal of letters that no seal has": changed(key, seal="ü" * 64),
        "without a seal": changed(key, seal=None),
        "with the seal of another row": changed(key, seal=STORED[STUDIO]["media:180"]["seal"]),
        "with another content": changed(key, row=STORED[STUDIO]["done:post-1"]["row"] | {"post_key": "other"}),
        "with more beside it": changed(key, more=1),
        "as a text": {**STORED[STUDIO], key: "text"},
        "as a list": {**STORED[STUDIO], key: [1]},
        "as a number": {**STORED[STUDIO], key: 0},
        "empty": {**STORED[STUDIO], key: {}},
        "of another account": {
            **STORED[STUDIO],
            key: seal.sealed(STORED[STUDIO][key]["row"], key, "instagram://b/ledger"),
        },
        "of another post": {**STORED[STUDIO], key: seal.sealed(STORED[STUDIO][key]["row"], f"{key}0", STUDIO)},
    }
    for how, rows in forged.items():
        with pytest.raises(LedgerRowError) as raised:
            READS[key](studio(rows))
        said = str(raised.value)
        assert f"The row '{key}' of connection 'studio'" in said, how
        assert "no task of this version of the provider has written it" in said or (
            "was not written by a task of this provider, or this process has another [core] fernet_key" in said
        ), how
        assert "airflow instagram ledger" in said
        assert "--conn-id studio" in said


def test_a_row_that_is_not_forged_is_read() -> None:
    for read in READS.values():
        assert read(studio(STORED[STUDIO]))


def test_a_task_that_meets_such_a_row_is_not_retried() -> None:
    with pytest.raises(LedgerRowError) as raised:
        READS["done:post-1"](studio(changed("done:post-1", seal="0" * 64)))
    assert InstagramRetryPolicy().evaluate(raised.value, 1, 8).action.value == "fail"
    assert "ledger settle --conn-id studio --live -- post-1" in str(raised.value)
    assert LedgerRowError.from_data(raised.value.as_data()).message == raised.value.message


def test_what_to_do_names_the_post_of_an_intent_and_the_row_of_a_container() -> None:
    for key, command in {
        "intent:spring sale:5fe5f368dbebeb3732b7e274de67e200": "settle --conn-id studio --live -- 'spring sale'",
        "container:179": "forget --conn-id studio -- container:179",
    }.items():
        with pytest.raises(LedgerRowError) as raised:
            studio({key: 1}).get(key)
        assert command in str(raised.value)


@pytest.mark.parametrize("key", READS)
@pytest.mark.parametrize("form", [0, 2, 99, -1, "1", "2", 2.0, True, None])
def test_a_row_of_another_form_accuses_nobody(key: str, form: Any) -> None:
    rows = [changed(key, form=form), {**STORED[STUDIO], key: {"form": form, "post_key": "post-1"}}]
    for each in rows:
        with pytest.raises(LedgerRowError, match="was written by another version of the provider") as raised:
            READS[key](studio(each))
        assert "not written by a task" not in str(raised.value)


@pytest.mark.parametrize(
    "key", [key for key in READS if not key.startswith(("begun", "skip", "containers", "children"))]
)
@pytest.mark.parametrize("content", [{"new": 1}, ["179", 7], "text", 7])
def test_a_sealed_row_with_unknown_fields_is_one_of_another_version(key: str, content: Any) -> None:
    rows = {**STORED[STUDIO], key: seal.sealed(content, key, STUDIO)}
    with pytest.raises(LedgerRowError, match="was written by another version of the provider"):
        READS[key](studio(rows))


def test_forged_reservations_keep_no_post_back() -> None:
    store, quotas = DictStore(), post_quotas(2, 2)
    entry = {"post_key": "x", "nonce": "n", "at": "2999-01-01T00:00:00+00:00", "stand": "holds"}
    for number in range(3):
        store[f"quota-attempt:{number}"] = {"form": 1, "row": {**entry, "number": number}, "seal": "0" * 64}
        store[f"quota-taken:{number}"] = True
        store[f"quota-door:{number}"] = "n"
    store["quota-end"] = 3
    reservations = QuotaReservations(Ledger(SealedStore(store, STUDIO), "studio"), quotas)
    assert reservations.available_at() is None
    reservations.reserve("post-1", "n1")
    assert reservations.used(quotas[0]) == 1


def test_a_forged_row_of_another_post_keeps_no_post_back_and_counts_as_a_post() -> None:
    store, quotas = DictStore(), post_quotas(2, 2)
    ledger = Ledger(SealedStore(store, STUDIO), "studio")
    QuotaReservations(ledger, quotas).reserve("other", "n1")
    store["done:other"] = {"post_key": "other"}
    reservations = QuotaReservations(ledger, quotas)
    reservations.reserve("post-1", "n2")
    assert (reservations.used(quotas[0]), reservations.pending_before("n2")) == (2, 0)
    with pytest.raises(QuotaExhaustedError):
        QuotaReservations(ledger, quotas).reserve("post-2", "n3")


def test_who_posts_nothing_reads_on(caplog: pytest.LogCaptureFixture) -> None:
    rows = changed("done:post-1", seal="0" * 64)
    store = SealedStore(DictStore(rows), STUDIO, is_lenient=True)
    assert Ledger(store, "studio").post("post-1") is None
    assert "The row 'done:post-1' of connection 'studio' was not written" in caplog.text


def test_any_of_several_keys_verifies_and_the_first_one_seals(fernet_key: Callable[[str], None]) -> None:
    store = DictStore()
    fernet_key(OLD)
    SealedStore(store, STUDIO).set("claim:old", {"a": 1})
    for both in (f"{NEW},{OLD}", f"{NEW}, {OLD}", f"{OLD},{NEW}"):
        fernet_key(both)
        assert SealedStore(store, STUDIO).get("claim:old") == {"a": 1}
    fernet_key(f"{NEW},{OLD}")
    SealedStore(store, STUDIO).set("claim:new", {"a": 2})
    fernet_key(NEW)
    assert SealedStore(store, STUDIO).get("claim:new") == {"a": 2}
    with pytest.raises(LedgerRowError, match=r"or this process has another \[core\] fernet_key"):
        SealedStore(store, STUDIO).get("claim:old")
    fernet_key(OLD)
    with pytest.raises(LedgerRowError, match=r"or this process has another \[core\] fernet_key"):
        SealedStore(store, STUDIO).get("claim:new")


@pytest.mark.parametrize("unset", ["", "{FERNET_KEY}", ","])
def test_without_a_key_rows_are_written_and_read(fernet_key: Callable[[str], None], unset: str) -> None:
    fernet_key(unset)
    store = studio({})
    store.set("claim:a", {"a": 1})
    assert store.get("claim:a") == {"a": 1}
    assert (seal.has_key(), seal.fingerprint()) == (False, "none")


def test_the_fingerprint_tells_keys_apart_and_reveals_none(fernet_key: Callable[[str], None]) -> None:
    told = set()
    for key in (OLD, NEW, f"{NEW},{OLD}"):
        fernet_key(key)
        told.add(seal.fingerprint())
        assert not any(seal.fingerprint() in each for each in (OLD, NEW, *(one.hex() for one in seal._keys())))
    assert len(told) == 2
