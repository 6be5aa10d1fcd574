"""The operator that reads the metrics of posts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow_provider_instagram.exceptions import (
    RateLimitError,
    ValidationError,
)
from airflow_provider_instagram.operators.authored import InstagramBaseOperator
from airflow_provider_instagram.utils import arguments
from airflow_provider_instagram.utils.deferral import shortest_deferral
from airflow_provider_instagram.utils.server_clock import CLOCK

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_instagram.graph.client import GraphClient
    from airflow_provider_instagram.graph.insight_reader import InsightReader
    from airflow_provider_instagram.graph.models import Media
    from airflow_provider_instagram.hooks.instagram import InstagramHook
    from airflow_provider_instagram.ledger.ledger import Ledger
    from airflow_provider_instagram.quota.call_budget import InsightsBudget

#: How many posts are read if no media are given.
NEWEST: Final = 25


class InsightsOperator(InstagramBaseOperator):
    """Read the metrics of posts: views, reach, likes and so on.

    * A value that does not exist yet is null, never 0, and ``reason`` says why: ``no_data``,
      ``too_few_viewers``, ``refused`` or ``gone``. None of them is a failure.
    * A metric that Instagram refuses to the account or the kind of medium has the reason
      ``refused``, and is asked for again after a day.
    * Reading uses at most 15 % of the account's calls of an hour. If they are used up, the task is
      deferred until some are free, and keeps what it has read.

    Returns a list of rows, one for each medium and metric: ``conn_id``, ``user_id``, ``media_id``,
    ``post_key``, ``kind``, ``permalink``, ``published_at``, ``read_at``, ``metric``, ``value`` and
    ``reason``.

    :param media_ids: The posts: media ids, or what PublishOperator returns. None reads the newest
        25 posts of the account and its stories.
    :param metrics: The names of the metrics. None reads all that each medium has.
    :param instagram_conn_id: The Airflow connection of the account, as plain text.
    """

    template_fields: Sequence[str] = ("media_ids", "metrics")
    argument_readers: ClassVar[dict[str, Callable[[str, Any], Any]]] = {
        "media_ids": lambda _, value: read_media_ids(value),
        "metrics": lambda _, value: read_metrics(value),
    }
    ui_color = "#e9f3fb"

    def __init__(
        self,
        *,
        media_ids: Sequence[Any] | str | XComArg | None = None,
        metrics: Sequence[str] | str | XComArg | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.media_ids = media_ids
        self.metrics = metrics
        self.check()

    def execute(
        self,
        context: Context,
        event: Any = None,
        pending: list[dict[str, Any]] | None = None,
        rows: list[dict[str, Any]] | None = None,
    ) -> list[dict[str, Any]]:
        """Read the metrics of all posts, as far as the calls of this hour suffice, and wait for further calls."""
        from airflow_provider_instagram.graph.capabilities import INSIGHTS
        from airflow_provider_instagram.graph.insight_reader import InsightReader
        from airflow_provider_instagram.hooks.instagram import InstagramHook
        from airflow_provider_instagram.hooks.scopes import known_scopes
        from airflow_provider_instagram.ledger.insights import StoredRefusals
        from airflow_provider_instagram.ledger.ledger import Ledger
        from airflow_provider_instagram.quota.call_budget import InsightsBudget

        ledger = Ledger.of(context, self.instagram_conn_id, is_lenient=True)
        if pending is None:
            known_scopes(self.instagram_conn_id).require(INSIGHTS)
        hook = InstagramHook(self.instagram_conn_id)
        budget = InsightsBudget(ledger.store, ledger.clock, hook.settings.limits.calls_per_hour)
        with hook.get_conn() as client:
            try:
                budget.charge(client)
                reading = _Reading(self.instagram_conn_id, hook, client, ledger, budget)
                if pending is None:
                    media = reading.media(read_media_ids(self.media_ids))
                else:
                    media = [_Medium(**one) for one in pending]
                reader = InsightReader(client, StoredRefusals(ledger.store, ledger.clock))
                rows = [*(rows or ()), *reading.rows(reader, media, read_metrics(self.metrics))]
            finally:
                budget.save()
        if reading.pending:
            self._wait_for_calls(budget, reading, rows)
        self.log.info("Read %d values of %s", len(rows), self.instagram_conn_id)
        return rows

    def _wait_for_calls(
        self, budget: InsightsBudget, reading: _Reading, rows: list[dict[str, Any]]
    ) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = max(budget.available_at(), CLOCK.now() + shortest_deferral())
        left = [vars(one) for one in reading.pending]
        self.log.info(
            "The calls for insights of this hour are used up. Reading %d media at %s",
            len(left),
            moment,
        )
        self.defer(
            trigger=DateTimeTrigger(moment=moment),
            method_name="execute",
            kwargs={"pending": left, "rows": rows},
        )


def read_metrics(given: Any) -> list[str] | None:
    """Read the names of metrics. None stands for all."""
    names = arguments.sequence("metrics", given)
    if not names:
        return None
    from airflow_provider_instagram.graph.models import MEDIA_METRICS

    known = list(dict.fromkeys(chain(*MEDIA_METRICS.values())))
    for name in names:
        if name not in known:
            similar = get_close_matches(str(name), known, 1)
            question = (
                f"Did you mean {similar[0]!r}?" if similar else f"Use some of {', '.join(known)}."
            )
            raise ValidationError(
                f"Instagram has no metric {arguments.in_quotes(name)} of posts.", hint=question
            )
    return names


def read_media_ids(given: Any) -> list[str] | None:
    """Read media ids, each of them once. None stands for the newest posts."""
    given = arguments.given(given)
    if given is None:
        return None
    listed = [given] if isinstance(given, dict) else arguments.sequence("media_ids", given)
    return list(dict.fromkeys(arguments.media_id("media_id", one) for one in listed))


@dataclass
class _Medium:
    """A medium to read: plain values only, because they outlive a wait."""

    media_id: str
    kind: str
    permalink: str | None = None
    published_at: str | None = None

    @classmethod
    def of(cls, media: Media) -> _Medium:
        published_at = media.timestamp.isoformat() if media.timestamp else None
        return cls(media.id, media.kind.value, media.permalink, published_at)


class _Reading:
    """One pass over the media of a task, as far as its calls suffice."""

    def __init__(
        self,
        conn_id: str,
        hook: InstagramHook,
        client: GraphClient,
        ledger: Ledger,
        budget: InsightsBudget,
    ) -> None:
        self.conn_id, self.client, self.ledger, self.budget = conn_id, client, ledger, budget
        self.user_id, self.login = hook.ig_user_id(client), hook.settings.login
        self.pending: list[_Medium] = []

    def media(self, media_ids: Sequence[str] | None) -> list[_Medium]:
        """Return media by their ids. None stands for the newest posts of the account, and its stories."""
        from airflow_provider_instagram.graph import calls
        from airflow_provider_instagram.graph.listing import LONGEST_PAGE

        if media_ids is None:
            posts = self.client.send(calls.media_list(self.user_id, limit=NEWEST)).items
            stories = self.client.send(calls.stories(self.user_id)).items
            return [_Medium.of(media) for media in (*stories, *posts)]
        newest = {}
        if len(media_ids) > 1:  # the list saves a call for each of them
            page = self.client.send(calls.media_list(self.user_id, limit=LONGEST_PAGE))
            newest = {media.id: media for media in page.items}
        return [
            _Medium.of(newest.get(one) or self.client.send(calls.media(one))) for one in media_ids
        ]

    def rows(
        self, reader: InsightReader, media: Sequence[_Medium], metrics: Sequence[str] | None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of the media. What the calls do not suffice for is pending."""
        for number, medium in enumerate(media):
            if not self.budget.left():
                self.pending = list(media[number:])
                return
            try:
                yield from list(self._rows_of(reader, medium, metrics))
            except RateLimitError as error:
                self.budget.stop(error.retry_after)
                self.pending = list(media[number:])
                return

    def _rows_of(
        self, reader: InsightReader, medium: _Medium, metrics: Sequence[str] | None
    ) -> Iterator[dict[str, Any]]:
        from airflow_provider_instagram.graph.capabilities import MetaLogin
        from airflow_provider_instagram.graph.models import metrics_of
        from airflow_provider_instagram.posts.kinds import PostKind

        of_facebook = self.login is not MetaLogin.INSTAGRAM
        of_kind = metrics_of(PostKind(medium.kind), of_facebook=of_facebook)
        reading = reader.of_media(medium.media_id, medium.kind, metrics or of_kind)
        common: dict[str, Any] = {
            "conn_id": self.conn_id,
            "user_id": self.user_id,
            "post_key": self.ledger.key_of_media(medium.media_id),
            **vars(medium),
            "read_at": self.ledger.now(),
        }
        for metric, value in reading.values.items():
            yield {**common, "metric": metric, "value": value, "reason": reading.reason_of(metric)}
