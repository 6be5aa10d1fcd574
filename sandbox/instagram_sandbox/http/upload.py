"""The upload host: ``POST /ig-api-upload/v27.0/<container id>``. Source: Meta, Resumable Upload Protocol."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from instagram_sandbox.http.pipeline import Call, DroppedError
from instagram_sandbox.simulator.addresses import UPLOAD_HOSTS
from instagram_sandbox.simulator.errors import GraphError, UploadError
from instagram_sandbox.simulator.fetch import FetchError
from instagram_sandbox.simulator.journal import redact
from instagram_sandbox.simulator.state import TOO_SLOW
from instagram_sandbox.simulator.versions import check_version

if TYPE_CHECKING:
    from instagram_sandbox.simulator.state import Container

log = logging.getLogger(__name__)


async def upload(call: Call) -> Response:
    """Receive the bytes of a video from an offset to its end, or as many of them as arrive."""
    call.served_by("Files are uploaded to rupload.facebook.com", UPLOAD_HOSTS)
    container = _enter(call)
    if "file_url" in call.request.headers:
        if container.source_at is not None:
            raise UploadError("ProcessingFailedError", "The upload is already complete")
        call.entry.parameters = redact({"file_url": call.request.headers["file_url"]}, call.secrets)
        await _fetch(call, container, call.request.headers["file_url"])
    else:
        await _receive(call, container)
    container.source_at = call.sandbox.now
    call.world.containers.keep(container)
    call.sandbox.processor.start(container)
    return JSONResponse({"success": True, "message": "Upload successful."})


def _enter(call: Call) -> Container:
    if not call.request.headers.get("authorization", "").startswith("OAuth "):
        raise UploadError(
            "NotAuthorizedError", "The Authorization header must be: OAuth <access token>"
        )
    try:
        check_version(call.world, call.request.path_params["version"])
    except GraphError as error:
        raise UploadError("ProcessingFailedError", str(error)) from None
    try:
        call.token = call.authenticate()  # the upload host serves both logins
    except GraphError as error:
        raise UploadError("NotAuthorizedError", str(error)) from None
    container_id = call.request.path_params["container_id"]
    container = call.find(
        lambda _, node: call.world.container(node, call.account.user_id), container_id
    )
    call.entry.account = call.account.user_id
    call.entry.container_id = container_id
    if container is None or not container.resumable:
        raise UploadError("NotAuthorizedError", "The token has no upload session of that id")
    if not call.account.resumable:
        raise UploadError(
            "NotAuthorizedError", "The application is not allowed to use resumable upload"
        )
    if call.world.status_code(container) == "EXPIRED":
        raise UploadError("ProcessingFailedError", "The upload session has expired")
    return container


async def _receive(call: Call, container: Container) -> None:
    offset, file_size, length = _sizes(call)
    call.entry.parameters = {"offset": offset, "file_size": file_size, "content_length": length}
    processor = call.sandbox.processor
    held = processor.held_bytes(container.id)
    if offset != held:
        raise UploadError(
            "OffsetInvalidError", f"The offset {offset} does not match the {held} bytes received"
        )
    if length > file_size - offset:
        raise UploadError(
            "PartialRequestError",
            f"{length} bytes from offset {offset} exceed file_size {file_size}",
        )
    if container.file_size not in {None, file_size}:
        raise UploadError(
            "PartialRequestError", f"file_size {file_size} differs from {container.file_size}"
        )
    if container.source_at is not None:
        raise UploadError("ProcessingFailedError", "The upload is already complete")
    container.file_size = file_size
    call.world.containers.keep(container)
    call.sandbox.store.commit()
    await _append(call, container, file_size - offset)
    held = processor.held_bytes(container.id)
    if held != file_size:
        raise UploadError(
            "PartialRequestError", f"Received {held} of {file_size} bytes", retriable=True
        )
    processor.partial(container.id).rename(processor.video(container.id))


def _sizes(call: Call) -> tuple[int, int, int]:
    headers = call.request.headers
    if "transfer-encoding" in headers:
        raise UploadError(
            "PartialRequestError", "Chunked transfer encoding is not supported: send Content-Length"
        )
    sizes = {}
    for name in ("offset", "file_size", "content-length"):
        if not headers.get(name, "").isdecimal():
            raise UploadError("PartialRequestError", f"The header {name} must be a number of bytes")
        sizes[name] = int(headers[name])
    offset = sizes["offset"]
    file_size = sizes["file_size"]
    length = sizes["content-length"]
    if not 0 < file_size <= call.world.switches.max_video_bytes:
        raise UploadError(
            "ProcessingFailedError", f"file_size must be 1 to {call.world.switches.max_video_bytes}"
        )
    return offset, file_size, length


async def _append(call: Call, container: Container, wanted: int) -> None:
    """Append the body to the partial file. Bytes count as received once they are written."""
    limit = wanted if call.cut_after_bytes is None else min(wanted, call.cut_after_bytes)
    call.entry.received_bytes = 0
    turn = call.sandbox.processor.take_turn(container.id)
    with call.sandbox.processor.partial(container.id).open("ab", buffering=0) as file:
        try:
            async for block in call.request.stream():
                if not call.sandbox.processor.has_turn(container.id, turn):
                    raise DroppedError  # a newer upload continues from here
                taken = block[: limit - call.entry.received_bytes]
                file.write(taken)
                call.entry.received_bytes += len(taken)
                if (
                    call.cut_after_bytes is not None
                    and call.entry.received_bytes >= call.cut_after_bytes
                ):
                    raise DroppedError
        except ClientDisconnect:
            log.warning(
                "The upload to container %s was interrupted after %d bytes",
                container.id,
                call.entry.received_bytes,
            )
            raise


async def _fetch(call: Call, container: Container, url: str) -> None:
    switches = call.world.switches
    target = call.sandbox.processor.video(container.id)
    arriving = target.with_suffix(".fetched")
    try:
        await call.sandbox.processor.fetches.fetch(
            url, arriving, "video", switches.max_video_bytes, switches
        )
    except FetchError as failed:
        arriving.unlink(missing_ok=True)
        call.warn(f"Your link was refused because {failed.reason}.")
        raise UploadError(
            "ProcessingFailedError", failed.reason, retriable=failed.subcode == TOO_SLOW
        ) from None
    arriving.rename(target)
    container.file_size = target.stat().st_size
