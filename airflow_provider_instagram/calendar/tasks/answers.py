"""What the tasks of a post leave to those after them: what was made of its files, and what a person has answered.

Both are rows of the account's ledger. XComs, which users may edit, decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from airflow_provider_instagram.calendar.planning.begin_runs import DRY_MARK
from airflow_provider_instagram.calendar.planning.post_rows import read_row
from airflow_provider_instagram.ledger.ledger import row_key
from airflow_provider_instagram.ledger.records import AS_WRITTEN
from airflow_provider_instagram.operators.approval import Question, Verdict
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_instagram.ledger.seal import StateStore

#: What the transcode of a file says of it, as the ledger keeps it.
FileReport: TypeAlias = dict[str, Any]

NOBODY = Skipped("not approved", "Nobody has approved the post by its time.")
#: What an approval shows, and what sending a file depends on, of the report of its transcode.
KEPT_OF_REPORTS = ("kind", "tier", "reasons", "warnings", "sha256")


class PreparedPost(BaseModel):
    """What was made of one version of a post.

    :param media: The file of each item.
    :param reports: What the transcode of each item did, and the digest of its file.
    :param container_id: The container that was made of them last.
    :param container_caption: The caption with which that container was approved. None without an
        approval.
    :param container_sha256: The digest of each file of that container, as it was approved. Empty
        without an approval.
    :param ordered_by: The task that makes that container, or has made it.
    """

    model_config = AS_WRITTEN

    media: list[str]
    reports: list[FileReport]
    container_id: str | None = None
    container_caption: str | None = None
    container_sha256: tuple[str | None, ...] = ()
    ordered_by: str = ""

    @property
    def digests(self) -> tuple[str | None, ...]:
        """The digest of each file. Empty if there is none. A file that Instagram fetches from the web has none."""
        digests = tuple(one.get("sha256") for one in self.reports)
        return digests if any(digests) else ()


@dataclass(frozen=True)
class Answer(Verdict):
    """What a person answered about a post.

    :param caption: The caption as they left it.
    """

    caption: str = ""

    @classmethod
    def read(cls, event: Mapping[str, Any], caption: str | None = None) -> Answer:
        """Read an answer in the form in which Airflow hands it to the task that asked. It may leave out fields.

        :param caption: The caption that was shown.
        """
        verdict = Verdict.read(event)
        given = event.get("params_input") or {}
        return cls(
            verdict.approved,
            verdict.person,
            _text(verdict.reason) or None,
            _text(given.get("caption", caption)),
        )

    @property
    def refusal(self) -> Skipped | None:
        """Why the post is not published, in a word and in a sentence; None if it is."""
        if self.approved:
            return None
        if self.person is None:
            return NOBODY
        reason = self.reason or "no reason given"
        return Skipped(f"rejected: {reason}"[:80], f"Rejected by {self.person}: {reason}")


def _text(value: Any) -> str:
    """Return a text of an answer that can be shown. Airflow takes any JSON as one, which the task then refuses."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


class Approval(BaseModel):
    """The last question about a post, and its answer.

    :param post_id: The id of the post.
    :param version: The version of the post that it is about.
    :param sha256: The digest of each file that was shown; None for one that Instagram fetches from
        the web.
    :param caption: The caption that was shown. None if the post cannot have one.
    :param at_once: Whether it was about a publication at once, and not at the post's time.
    :param number: The number of the question.
    :param is_open: Whether Airflow has the question.
    :param answered_at: When it was answered, as ISO 8601.
    """

    model_config = AS_WRITTEN

    question: Question
    post_id: str
    version: str
    sha256: tuple[str | None, ...]
    caption: str | None
    number: int
    at_once: bool = False
    is_open: bool = False
    answer: Answer | None = None
    answered_at: str = ""

    @property
    def is_yes(self) -> bool:
        """Whether a person has approved the post."""
        return self.answer is not None and self.answer.approved

    @property
    def is_no(self) -> bool:
        """Whether the post was rejected, or nobody has answered in time."""
        return self.answer is not None and not self.answer.approved


@dataclass(frozen=True)
class PostRecords:
    """The rows of one post.

    :param key: Its key in the ledger.
    :param is_dry: Whether its run is a dry run. What is made and answered for a dry run has rows of
        its own.
    """

    store: StateStore
    key: str
    is_dry: bool = False

    def prepared(self, version: str) -> PreparedPost | None:
        """Return what was made of a version."""
        return read_row(self.store, PreparedPost, self._of_version(version))

    def record_prepared(self, version: str, prepared: PreparedPost) -> None:
        """Record what was made of a version."""
        self.store.set(self._of_version(version), prepared.model_dump(mode="json"))

    def approval(self) -> Approval | None:
        """Return the last question about the post, and its answer, if that is not void."""
        approval = read_row(self.store, Approval, self._key("approval"))
        if approval is None or approval.is_no or approval.number > self._last_void():
            return approval
        return approval.model_copy(update={"is_open": False, "answer": None})

    def last_number(self) -> int:
        """Return the number of the last question."""
        approval = self.approval()
        return max(self._last_void(), approval.number if approval is not None else 0)

    def record_approval(self, approval: Approval) -> None:
        """Record a question, which makes every earlier answer void, or its answer."""
        self.store.set(self._key("approval"), approval.model_dump(mode="json"))
        if approval.is_no:
            self.withdraw()

    def withdraw(self) -> None:
        """Make all questions and yeses void, and also a yes that is still to be recorded.

        A no does so, too: another run may be about to write an earlier yes.
        """
        self.store.set(self._key("void"), self.last_number())

    def _last_void(self) -> int:
        """Return the number up to which questions and yeses are void."""
        return self.store.get(self._key("void")) or 0

    def _key(self, kind: str) -> str:
        return row_key(f"{kind}-of-dry-run" if self.is_dry else kind, self.key)

    def _of_version(self, version: str) -> str:
        return row_key("prepared", f"{self.key}/{version}{DRY_MARK if self.is_dry else ''}")
