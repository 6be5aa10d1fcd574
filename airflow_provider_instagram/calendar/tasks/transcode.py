"""The task that makes a post's videos and pictures comply with Instagram's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from airflow_provider_instagram.calendar.tasks.base import PostStep, used_before
from airflow_provider_instagram.calendar.tasks.covers import cover_file, cover_name, write_thumbnail
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
    """Make the video, the picture, or the items of the carousel of a calendar's post comply with Instagram's rules."""

    template_fields: Sequence[str] = ("post",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="", **kwargs)
        self._context: Context | None = None

    @reports_failure
    def execute(self, context: Context) -> str | list[str]:
        """Transcode what the post shows for its placement, unless it is too late for the post anyway."""
        post, _ = self.still_wanted(context)
        done = Ledger.of(context, self.instagram_conn_id).post(post.key)
        if done is not None and used_before(post, done) and self.another_account(done) is None:
            why = f"The id {post.id} was published on {done.published_at}: give this post another id in the calendar."
            self.skip_post(context, "id used before", why)
        self.skip_if_over(context, post)
        self.check_links(post)
        self.source = list(post.media) if post.carousel else post.media[0]
        self.placement = "carousel" if post.carousel else post.placement
        self._context = context
        made = super().execute(context)
        self._write_covers(post, made if isinstance(made, list) else [made])
        return made

    def _log_progress(self, progress: Progress) -> None:
        super()._log_progress(progress)
        if self._context is not None:
            report(self._context, PROGRESS, {"percent": round(progress.percent)})

    def _write_covers(self, post: Post, made: list[str]) -> None:
        """Store a picture of each item for the approval and the page *Posts*."""
        if post.options.get("cover_url"):
            return  # it overrides the frame
        for place, location in enumerate(made, 1):
            self._write_cover(post, cover_name(post.version, place), location)

    def _write_cover(self, post: Post, name: str, made: str) -> None:
        """Store the picture, or a frame of the video, for the approval. If that fails, the form lacks this picture."""
        from airflow_provider_instagram.media.kind import kind_of
        from airflow_provider_instagram.media.preview import write_preview

        at_ms = int(str(post.options.get("video_cover_timestamp_ms") or 0))
        try:
            with storage.as_local_file(made) as file, scratch.scratch_folder() as folder:
                shown = file
                if kind_of(file) == "video":
                    shown = folder / "cover.jpg"
                    write_preview(file, shown, at_ms, ffmpeg=conf.get("instagram", "ffmpeg"))
                storage.write(cover_file(name), shown.read_bytes())
                write_thumbnail(name, shown)
        except Exception as error:  # noqa: BLE001 -- each storage has errors of its own, and a cover is not needed
            self.log.warning("The cover could not be made: %s", error)
