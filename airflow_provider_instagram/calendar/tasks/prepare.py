"""The task that makes a post's videos and pictures comply with Instagram's rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import Context, conf
from airflow.sdk.exceptions import AirflowRescheduleException

from airflow_provider_instagram.calendar.file.entries import public_name
from airflow_provider_instagram.calendar.tasks.answers import (
    KEPT_OF_REPORTS,
    FileReport,
    PreparedPost,
)
from airflow_provider_instagram.calendar.tasks.base import PostTask, is_sent_as_link, used_before
from airflow_provider_instagram.calendar.tasks.covers import cover_name, profile_of, write_cover
from airflow_provider_instagram.calendar.tasks.outcome import report_state, reports_failure
from airflow_provider_instagram.files import scratch, storage
from airflow_provider_instagram.hooks.instagram import InstagramHook
from airflow_provider_instagram.media.spec import Options
from airflow_provider_instagram.operators.base import TRANSCODE
from airflow_provider_instagram.operators.transcode import transcode
from airflow_provider_instagram.posts.kinds import ItemKind
from airflow_provider_instagram.utils.clock import CLOCK
from airflow_provider_instagram.utils.local_files import file_digest
from airflow_provider_instagram.utils.urls import is_web

if TYPE_CHECKING:
    from airflow_provider_instagram.calendar.file.columns import ScheduledPost
    from airflow_provider_instagram.files.access import FileCheck
    from airflow_provider_instagram.media.report import Report


#: How long a preparation waits before it looks again for a file that does not exist yet.
LOOK_AGAIN_AFTER: Final = timedelta(hours=1)


class PreparePost(PostTask):
    """Make the video, the picture, or the items of the carousel of a post comply with Instagram's rules.

    Records the results and their reports in the ledger, and returns them with the version of the
    post. After a Clear, what is done is found.
    """

    ui_color = "#fdf1f6"
    weight = TRANSCODE
    emits = True
    needs_prepared = False

    @reports_failure
    def execute(self, context: Context) -> dict[str, Any]:
        """Transcode what the post shows for its placement, unless it is too late for the post anyway."""
        post = self.wanted_post(context)
        done = self.live(context, post)
        if done is not None:
            hook = InstagramHook(post.account)
            if used_before(post, done) and hook.another_user_id(done.ig_user_id) is None:
                why = f"The id {post.id} was published on {done.published_at}: give this post another id."
                self.skip_post(context, "id used before", why)
            return self._recorded(context, post, [], [])
        self.skip_if_over(context, post)
        self.check_links(post)
        for location in post.media:
            if not is_web(location) and not storage.exists(location):
                self._wait_for_file(context, post, location)
        results = transcode(
            self,
            post.media,
            profile_of(post),
            Options(post.fit, post.background, post.trim),
            file_check=self.file_check,
        )
        reports = [
            {**result.report.as_data(), **self._about_result(post, place, *result)}
            for place, result in enumerate(results)
        ]
        if not self.is_answered_in_renamed_dag(
            context, post, self.records(context, post).approval()
        ):
            self.tell_that_it_waits(context, post)
        return self._recorded(context, post, [one.location for one in results], reports)

    def _recorded(
        self, context: Context, post: ScheduledPost, media: list[str], reports: list[FileReport]
    ) -> dict[str, Any]:
        """Record what was made, and return it for people to look at. For a post that is live, nothing is made."""
        records = self.records(context, post)
        before = records.prepared(post.version)
        if media or before is None:
            kept = [{name: one[name] for name in KEPT_OF_REPORTS if name in one} for one in reports]
            prepared = before or PreparedPost(media=[], reports=[])
            records.record_prepared(
                post.version, prepared.model_copy(update={"media": media, "reports": kept})
            )
        return {"version": post.version, "media": media, "reports": reports}

    def _wait_for_file(self, context: Context, post: ScheduledPost, missing: str) -> None:
        """Look again later for a file that does not exist yet, unless the post is due soon: then it fails by that."""
        at = CLOCK.now() + LOOK_AGAIN_AFTER
        if at >= post.publish_at - self.settings.lead_time:
            return
        reason = (
            f"{public_name(missing)} does not exist yet. It is looked for again at {at:%H:%M %Z}."
        )
        report_state(context, "later", "waits for its file", reason)
        self.log.warning("%s", reason)
        raise AirflowRescheduleException(at)

    def _about_result(
        self, post: ScheduledPost, place: int, location: str, report: Report
    ) -> dict[str, Any]:
        """Store a picture of a result for the approval and the Posts page, and return what an approval is about.

        Both are of the same content: the digest of a result that a person is asked about is that of
        a copy, of which the picture is made. Without an approval, the picture is all, and nothing
        fails if there is none.
        """
        name = cover_name(post.version, place + 1)
        check = self.file_check(location)
        is_link = is_sent_as_link(post.media[place], post.upload, report.as_data())
        if is_link or not self.needs_approval(post):
            self._write_cover(post, [name], location, check)
            return {}
        with storage.as_local_file(location, check=check) as copy:
            sha256 = file_digest(copy)
            self._write_cover(post, [name, cover_name(post.version, place + 1, sha256)], str(copy))
            return {"sha256": sha256}

    def _write_cover(
        self, post: ScheduledPost, names: Sequence[str], made: str, check: FileCheck | None = None
    ) -> None:
        """Store the picture, or a frame of the video. If that fails, the form lacks this picture."""
        if post.cover_url:
            return  # it overrides the frame
        from airflow_provider_instagram.media.kind import kind_of
        from airflow_provider_instagram.media.video import write_preview

        at_ms = post.video_cover_timestamp_ms or 0
        try:
            with (
                storage.as_local_file(made, check=check) as file,
                scratch.scratch_folder() as folder,
            ):
                shown = file
                if kind_of(file) is ItemKind.VIDEO:
                    shown = folder / "cover.jpg"
                    write_preview(file, shown, at_ms, ffmpeg=conf.get("instagram", "ffmpeg"))
                for name in names:
                    write_cover(name, shown)
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and a cover is not needed
            self.log.warning("The cover could not be made: %s", error)
