"""The task that makes a post's video comply with Instagram's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from airflow_provider_instagram.calendar.tasks.base import PostStep, used_before
from airflow_provider_instagram.calendar.tasks.covers import cover_file, write_thumbnail
from airflow_provider_instagram.calendar.tasks.outcome import PROGRESS, report, reports_failure
from airflow_provider_instagram.files import scratch, storage
from airflow_provider_instagram.ledger.ledger import Ledger
from airflow_provider_instagram.operators.transcode import TranscodeOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_provider_instagram.calendar.file.model import Post
    from airflow_provider_instagram.media.progress import Progress


class TranscodePost(PostStep, TranscodeOperator):
    """Make the video of a calendar's post comply with Instagram's rules."""

    template_fields: Sequence[str] = ("post",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="", **kwargs)
        self._context: Context | None = None

    @reports_failure
    def execute(self, context: Context) -> str:
        """Transcode the video for the post's placement, unless it is too late for the post anyway."""
        post, _ = self.still_wanted(context)
        done = Ledger.of(context, self.instagram_conn_id).post(post.key)
        if done is not None and used_before(post, done) and self.another_account(done) is None:
            why = f"The id {post.id} was published on {done.published_at}: give this post another id in the calendar."
            self.skip_post(context, "id used before", why)
        self.skip_if_over(context, post)
        self.check_links(post)
        self.source, self.placement, self._context = post.video, post.placement, context
        made = str(super().execute(context))
        self._write_cover(post, made)
        return made

    def _log_progress(self, progress: Progress) -> None:
        super()._log_progress(progress)
        if self._context is not None:
            report(self._context, PROGRESS, {"percent": round(progress.percent)})

    def _write_cover(self, post: Post, made: str) -> None:
        """Store the cover frame for the approval and the page *Posts*, which do without it if that fails."""
        from airflow_provider_instagram.media.preview import write_preview

        if post.options.get("cover_url"):
            return  # it overrides the frame
        at_ms = int(str(post.options.get("video_cover_timestamp_ms") or 0))
        try:
            with storage.as_local_file(made) as video, scratch.scratch_folder() as folder:
                frame = folder / "cover.jpg"
                write_preview(video, frame, at_ms, ffmpeg=conf.get("instagram", "ffmpeg"))
                storage.write(cover_file(post.version), frame.read_bytes())
                write_thumbnail(post.version, frame)
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and a cover is not needed
            self.log.warning("The cover could not be made: %s", error)
