"""Upload of a video to its container: streamed from disk, and resumed after every interruption."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from airflow_provider_instagram.exceptions import (
    AuthenticationError,
    InstagramError,
    RateLimitError,
    TransientError,
    ValidationError,
)
from airflow_provider_instagram.graph import calls
from airflow_provider_instagram.graph.listing import read_after_create
from airflow_provider_instagram.graph.models import ContainerState

if TYPE_CHECKING:
    from airflow_provider_instagram.graph.client import GraphClient

_CHUNK_BYTES: Final = 256 * 1024
#: Interruptions in a row without progress, after which the upload is left to a retry of the task.
_ATTEMPTS_WITHOUT_PROGRESS: Final = 5


@dataclass(frozen=True)
class VideoUpload:
    """The upload of a video to its container.

    The total time is not limited, only the time without progress. A container may finish although
    the upload host refused the request, so after every error the container is read before the
    upload fails.

    :param uri: The upload URI, from :attr:`Container.upload_uri`.
    :param offset: Bytes that Instagram already has, from :attr:`ContainerStatus.bytes_transferred`.
    :param on_progress: Called with the bytes sent and the total bytes, after each chunk of 256 KiB.
    """

    client: GraphClient
    uri: str
    video: Path
    container_id: str
    offset: int = 0
    on_progress: Callable[[int, int], None] | None = None

    def send(self) -> None:
        """Send the video.

        :raises PermissionDeniedError: If the account is not allowed to upload. The hint names the
            alternative.
        :raises MediaRejectedError: If Instagram could not use the video.
        :raises ValidationError: If the file is not the one that the container was created for, or
            the token may not be sent to the upload URI.
        :raises TransientError: If the upload was interrupted repeatedly. It can be resumed later
            with the same container.
        """
        total_bytes = self.video.stat().st_size
        offset = self.offset
        failures = 0
        while offset < total_bytes:
            received = self._send_rest(offset)
            if received == total_bytes:
                return
            failures = 0 if received > offset else failures + 1
            if failures == _ATTEMPTS_WITHOUT_PROGRESS:
                raise TransientError(
                    f"The upload of {self.video.name} to container {self.container_id} is stuck at byte {received:,} "
                    f"of {total_bytes:,}.",
                    hint="Retry the task. It resumes the upload to the same container.",
                )
            offset = received
            self.client.sleep(random.uniform(0, 2**failures))  # noqa: S311

    def _send_rest(self, offset: int) -> int:
        """Send the rest of the video in one request, and return how much of the video Instagram has then."""
        total_bytes = self.video.stat().st_size
        renewals = self.client.renewals
        with self.video.open("rb") as file:
            chunks = self._chunks(file, offset, total_bytes)
            try:
                self.client.send_bytes(
                    self.uri,
                    chunks,
                    offset=offset,
                    total_bytes=total_bytes,
                )
            except (ValidationError, RateLimitError):
                raise
            except InstagramError as error:
                return self._bytes_received(total_bytes, error, renewals)
        return total_bytes

    def _chunks(self, file: BinaryIO, offset: int, total_bytes: int) -> Iterator[bytes]:
        file.seek(offset)
        while offset < total_bytes:
            chunk = file.read(min(_CHUNK_BYTES, total_bytes - offset))
            if not chunk:
                raise ValidationError(
                    f"{file.name} ended at byte {offset:,} of {total_bytes:,}: the file was truncated during the "
                    "upload.",
                    hint="Clear the create task once the file is complete.",
                )
            yield chunk
            offset += len(chunk)
            if self.on_progress:
                self.on_progress(offset, total_bytes)

    def _bytes_received(self, total_bytes: int, error: InstagramError, renewals: int) -> int:
        """Return how much of the video Instagram has: the size of the file if nothing is missing."""
        try:
            status = read_after_create(self.client, calls.container_status(self.container_id))
        except AuthenticationError:
            raise  # the upload host reports an invalid token as a missing permission
        except InstagramError:
            raise error from None
        if failure := status.failure():
            raise failure from error
        received = status.bytes_transferred or 0
        is_finished = status.state in (ContainerState.FINISHED, ContainerState.PUBLISHED)
        if is_finished or status.uploading.status == "complete" or received == total_bytes:
            return total_bytes
        if not error.retryable and self.client.renewals == renewals:  # a new token may help
            raise error
        expected = status.source_file_size_bytes or total_bytes
        if expected != total_bytes or received > total_bytes:
            raise ValidationError(
                f"Container {self.container_id} expects a file of {expected:,} bytes and has received {received:,}, "
                f"but the file has {total_bytes:,} bytes.",
                hint="The file has changed since the upload began. Clear the create task to start over.",
            ) from error
        return received
