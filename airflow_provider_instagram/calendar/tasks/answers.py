"""What a person was asked and answered about a post, and the sealed records of both.

A record is an XCom or a row of the ledger. Other users may edit both, so a record counts only with its seal: a
signature that only processes with the account's access token can make. Who has that token can publish without Airflow.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.model import ScheduledPost

    Sign = Callable[[str], str]

NOBODY = Skipped("not approved", "Nobody has answered in time.")
#: What a record contains beside its seal.
CONTENT = ("run", "map_index", "version", "round", "answer")


@dataclass(frozen=True)
class Answer:
    """What a person answered.

    :param person: Their name; None if the answer is the default after the deadline.
    :param sha256: The digest of each file that they were asked about. None for one that Instagram fetches from the web.
    """

    approved: bool
    person: str | None
    caption: str
    reason: str | None = None
    sha256: tuple[str | None, ...] = ()
    first_comment: str | None = None

    @property
    def refusal(self) -> Skipped | None:
        """Why the post is not published, as a mark and a sentence; None if it is."""
        if self.approved:
            return None
        if self.person is None:
            return NOBODY
        reason = self.reason or "no reason given"
        return Skipped(f"rejected: {reason}"[:80], f"Rejected by {self.person}: {reason}")


@dataclass(frozen=True)
class Question:
    """What a run that only prepares a post asks. It ends at once, and a person answers while no run waits.

    :param map_index: Where it had the post.
    :param asked_by: The id of the task instance, under which Airflow keeps the answer. A Clear gives it another id.
    :param sha256: The digest of each file; None for one that Instagram fetches from the web.
    """

    run: str
    map_index: int | None
    asked_by: str
    version: str
    caption: str
    sha256: tuple[str | None, ...]
    first_comment: str | None

    def sealed(self, row: str, sign: Sign) -> dict[str, Any]:
        """Return the record of the question, for its row."""
        content = {**asdict(self), "sha256": list(self.sha256)}
        return {**content, "seal": sign(_text(row, content, "question"))}

    @classmethod
    def unsealed(cls, record: object, row: str, version: str, sign: Sign) -> Question | None:
        """Return the question of a record, or None if it is not one that a task recorded about this version.

        :param row: The key of the row that the record was made for.
        """
        if not isinstance(record, dict) or record.get("version") != version:
            return None
        content: dict[str, Any] = {field.name: record.get(field.name) for field in fields(cls)}
        if not _has_seal(record, _text(row, content, "question"), sign):
            return None
        return cls(**{**content, "sha256": tuple(content["sha256"])})


def answer_row(post: ScheduledPost, *, is_dry_run: bool) -> str:
    """Return the key of the row with the latest question or answer about a post. A dry run has a row of its own."""
    return f"calendar-approval{'-dry' if is_dry_run else ''}:{post.key}"


def sealed(
    answer: Answer, row: str, version: str, run: str, map_index: int | None, round_: int, sign: Sign
) -> dict[str, Any]:
    """Return the record of an answer.

    :param row: The key of its row. The seal covers it, so that a dry run's record is none of a run that publishes.
    :param round_: The number of the question. A Clear of the task begins another one.
    """
    given = {**asdict(answer), "sha256": list(answer.sha256)}  # a row takes no tuple
    content = {"run": run, "map_index": map_index, "version": version, "round": round_, "answer": given}
    return {**content, "seal": sign(_text(row, content))}


def unsealed(record: object, row: str, version: str, run: str, sign: Sign, round_: int | None = None) -> Answer | None:
    """Return the answer of a record, or None if it is not one that a task of this run recorded about this version.

    :param row: The key of the row that the record was made for.
    :param round_: The number of the question, if only an answer to that one counts.
    """
    if not isinstance(record, dict) or (record.get("run"), record.get("version")) != (run, version):
        return None
    content: dict[str, Any] = {name: record.get(name) for name in CONTENT}
    if not _has_seal(record, _text(row, content), sign):
        return None
    answer = content["answer"]
    return Answer(**{**answer, "sha256": tuple(answer["sha256"])}) if round_ in (None, content["round"]) else None


def _has_seal(record: dict[str, Any], text: str, sign: Sign) -> bool:
    return hmac.compare_digest(sign(text).encode(), str(record.get("seal")).encode(errors="replace"))


def _text(row: str, content: dict[str, Any], kind: str = "approval") -> str:
    return f"{kind} {json.dumps([row, content], sort_keys=True)}"
