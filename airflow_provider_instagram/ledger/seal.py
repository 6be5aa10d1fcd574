"""The seals of rows. Who may write Airflow's assets may write any row, and cannot make its seal.

A row is stored as its form, its content and its seal: an HMAC of both, of the asset and of the
row's key. Its key is derived from Airflow's ``[core] fernet_key``. If that is a list, its first key
seals, and each of them verifies.

Rows that hold people's words are encrypted with keys derived from the same: who may read assets
reads all rows.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import shlex
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from airflow.sdk import conf

from airflow_provider_instagram.exceptions import LedgerRowError

if TYPE_CHECKING:
    from airflow.sdk import Asset, Context
    from cryptography.fernet import MultiFernet

#: The form in which rows are stored, which each row names. From 0.2.0 on, two later releases read
#: each form.
FORM: Final = 1
READ_FORMS: Final = frozenset({FORM})
#: Kinds of rows that decide nothing about a post: what is counted, told, read or looked up. One
#: without a good seal counts as none, and is written again. One of any other kind stops what needs
#: it.
REPLACEABLE: Final = frozenset(
    {
        *("quota-door", "quota-taken", "quota-attempt", "quota-end", "late", "plan"),
        *("insights", "insights-refused", "insights-calls", "insights-state"),
        *("first-event", "refused", "media", "comment-id", "problems", "previews", "told"),
    }
)
#: Kinds of rows whose content is encrypted, because it holds texts and files that are not published
#: yet.
ENCRYPTED: Final = frozenset({"planned", "prepared", "approval", "approval-of-dry-run"})
#: Kinds of rows that say whether a post is live.
OUTCOMES: Final = frozenset({"done", "intent", "claim"})
#: What Airflow's settings contain if nobody has set the key.
_UNSET: Final = ("", "{FERNET_KEY}")
_PURPOSE: Final = b"airflow-provider-instagram/ledger rows 1"

log = logging.getLogger(__name__)


class StateStore(Protocol):
    """The part of Airflow's state store that the ledger needs."""

    def get(self, key: str) -> Any:
        """Read a row, or None."""

    def set(self, key: str, value: Any) -> None:
        """Write a row. Airflow refuses the write of a try that is no longer the task's current one: the fence."""


@dataclass(frozen=True)
class SealedStore:
    """The rows of an asset, each with its seal.

    :param uri: The asset.
    :param is_lenient: Whether any row without a good seal counts as none, because the caller posts
        nothing.
    """

    store: StateStore
    uri: str
    is_lenient: bool = False

    @classmethod
    def of(cls, context: Context, asset: Asset, *, is_lenient: bool = False) -> SealedStore:
        """Open the rows of an asset from a running task."""
        return cls(context["asset_state_store"][asset], asset.uri, is_lenient)

    def get(self, key: str) -> Any:
        """Read a row, or None.

        :raises LedgerRowError: If its seal is not good.
        """
        stored = self.store.get(key)
        return (
            None if stored is None else unsealed(stored, key, self.uri, is_lenient=self.is_lenient)
        )

    def set(self, key: str, value: Any) -> None:
        """Write a row."""
        self.store.set(key, sealed(value, key, self.uri))


def sealed(content: Any, key: str, uri: str) -> dict[str, Any]:
    """Return a row as it is stored."""
    if kind_of(key) in ENCRYPTED:
        content = _encryption().encrypt(json.dumps(content).encode()).decode()
    return {"form": FORM, "row": content, "seal": _seal(_keys()[0], FORM, content, key, uri)}


def unsealed(stored: Any, key: str, uri: str, *, is_lenient: bool = False) -> Any:
    """Return the content of a row that is stored. None if it counts as none.

    :param is_lenient: Whether a row without a good seal counts as none, whatever its kind.
    :raises LedgerRowError: If its seal is not good.
    """
    try:
        return verified(stored, key, uri)
    except LedgerRowError as error:
        if not is_lenient and kind_of(key) not in REPLACEABLE:
            raise
        log.warning("%s It counts as none.", error.message)
        return None


def verified(stored: Any, key: str, uri: str) -> Any:
    """Return the content of a row that is stored, of whatever kind.

    :raises LedgerRowError: If its seal is not good.
    """
    row = stored if isinstance(stored, dict) else {}
    form = row.get("form")
    seal = row.get("seal")
    if "form" in row and (type(form) is not int or form not in READ_FORMS):
        raise of_another_version(key, uri)
    if not isinstance(seal, str) or row.keys() != {"form", "row", "seal"}:
        raise _bad_row(
            key, uri, "has no seal: no task of this version of the provider has written it"
        )
    given = seal.encode(errors="replace")
    seals = (_seal(one, form, row["row"], key, uri) for one in _keys())
    if not any(hmac.compare_digest(one.encode(), given) for one in seals):
        why = "was not written by a task of this provider, or this process has another [core] fernet_key than that task"
        raise _bad_row(key, uri, why)
    if kind_of(key) in ENCRYPTED:
        return json.loads(_encryption().decrypt(row["row"]))
    return row["row"]


def of_another_version(key: str, uri: str) -> LedgerRowError:
    """Return the error of a row whose form this version does not know."""
    return _bad_row(
        key,
        uri,
        "was written by another version of the provider, whose form this one does not read",
    )


def fingerprint() -> str:
    """Return a short text that tells the keys of two processes apart, and nothing else of them."""
    return hmac.digest(_keys()[0], b"fingerprint", "sha256").hex()[:8] if has_key() else "none"


def has_key() -> bool:
    """Return whether Airflow has a key of its own. Without one, everybody can make a seal."""
    return bool(_configured()[0])


def _bad_row(key: str, uri: str, why: str) -> LedgerRowError:
    conn_id = uri.removeprefix("instagram://").removesuffix("/ledger")
    kind, _, post_key = key.partition(":")
    # without its owner
    post_key = re.sub(r":[0-9a-f]{32}$", "", post_key) if kind == "intent" else post_key
    command = f"airflow instagram ledger {{}} --conn-id {shlex.quote(conn_id)}"
    if kind in OUTCOMES:
        live = f"{command.format('settle')} --live -- {shlex.quote(post_key)}"
        to_do = (
            f"Look at the account on Instagram. If the post is live, run `{live}`; "
            "if it is not, the same command with --not-live."
        )
    else:
        forget = f"{command.format('forget')} -- {shlex.quote(key)}"
        to_do = f"`{forget}` deletes the row. Look at the account first: what the row recorded may be live."
    hint = (
        f"Nothing was sent to Instagram. The DAG instagram_doctor compares the workers' versions and keys. {to_do} "
        "Then clear this task; if a container's row was deleted, clear create and the tasks downstream of it."
    )
    return LedgerRowError(f"The row {key!r} of connection {conn_id!r} {why}.", hint=hint)


def kind_of(key: str) -> str:
    """Return the kind of a row, with which its key begins."""
    return key.partition(":")[0]


def _seal(derived: bytes, form: Any, content: Any, key: str, uri: str) -> str:
    text = json.dumps([uri, key, form, content], sort_keys=True, separators=(",", ":"))
    return hmac.digest(derived, text.encode(), "sha256").hex()


@cache
def _configured() -> tuple[str, ...]:
    """Return Airflow's keys: one that is empty if none is set. A process reads them once, as Airflow does."""
    keys = str(conf.get("core", "fernet_key", fallback="")).split(",")
    return tuple(key for each in keys if (key := each.strip()) not in _UNSET) or ("",)


@cache
def _keys() -> tuple[bytes, ...]:
    """Return the key of the seals that each of Airflow's keys gives, as the second step of HKDF derives it."""
    return tuple(hmac.digest(key.encode(), _PURPOSE + b"\x01", "sha256") for key in _configured())


@cache
def _encryption() -> MultiFernet:
    """Return what encrypts with the first of Airflow's keys, and decrypts with each of them."""
    from cryptography.fernet import MultiFernet

    from airflow_provider_instagram.utils.encryption import derived_fernet

    return MultiFernet([derived_fernet(key, "ledger rows/1") for key in _configured()])
