"""The answer of a person about a post, sealed: users may edit the XCom that carries it to the tasks after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_instagram.exceptions import LedgerRowError
from airflow_provider_instagram.ledger.assets import ledger_asset
from airflow_provider_instagram.ledger.seal import sealed, verified
from airflow_provider_instagram.publishing.use_case import Skipped

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import ScheduledPost

NOBODY = Skipped("not approved", "Nobody has approved the post by its time.")


@dataclass(frozen=True)
class Answer:
    """What a person answered about a version of a post.

    :param person: Their name; None if nobody answered.
    :param caption: The caption as they left it.
    :param sha256: The digest of each file that was shown; None for one that Instagram fetches from the web.
    """

    approved: bool
    person: str | None
    version: str
    caption: str
    reason: str | None = None
    sha256: tuple[str | None, ...] = ()
    first_comment: str | None = None

    @property
    def refusal(self) -> Skipped | None:
        """Why the post is not published, in a word and in a sentence; None if it is."""
        if self.approved:
            return None
        if self.person is None:
            return NOBODY
        reason = self.reason or "no reason given"
        return Skipped(f"rejected: {reason}"[:80], f"Rejected by {self.person}: {reason}")

    def sealed(self, context: Context, post: ScheduledPost) -> dict[str, Any]:
        """Return the answer for an XCom of this run."""
        content = {**asdict(self), "sha256": list(self.sha256)}
        ti = context["ti"]
        return sealed(content, _name(ti.dag_id, ti.run_id, post), ledger_asset(post.account).uri)

    @classmethod
    def unsealed(cls, record: Any, context: Context, post: ScheduledPost) -> Answer | None:
        """Return the answer about this version that a task of this run has sealed, or None."""
        return cls.read(record, context["ti"].dag_id, context["ti"].run_id, post)

    @classmethod
    def read(cls, record: Any, dag_id: str, run_id: str, post: ScheduledPost) -> Answer | None:
        """Return the answer about this version that a task of a run has sealed, or None."""
        try:
            content = verified(record, _name(dag_id, run_id, post), ledger_asset(post.account).uri)
        except LedgerRowError:
            return None
        if not isinstance(content, Mapping) or content.get("version") != post.version:
            return None
        return cls(**{**content, "sha256": tuple(content["sha256"])})


def _name(dag_id: str, run_id: str, post: ScheduledPost) -> str:
    """Return what a seal is for: an answer in one run counts in no other."""
    return f"approval:{dag_id}/{run_id}/{post.key}"
