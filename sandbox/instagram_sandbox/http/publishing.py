"""Create a container, publish it, and read how many posts an account may still publish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from instagram_sandbox.http.fields import Node, constant, fields_of
from instagram_sandbox.http.listing import moment
from instagram_sandbox.http.pipeline import Call, graph_json
from instagram_sandbox.simulator import parameters
from instagram_sandbox.simulator.accounts import DAY_S
from instagram_sandbox.simulator.errors import GraphError, invalid

if TYPE_CHECKING:
    from starlette.responses import Response

    from instagram_sandbox.simulator.state import Account, Container

SLACK_S: Final = 60.0


async def create(call: Call, account: Account) -> Response:
    """Create a container. Source: Meta, IG User Media."""
    switches = call.world.switches
    ignore = switches.unknown_parameters == "ignore"
    of_facebook = call.host == "facebook"
    rules = parameters.Rules(ignore, switches.carousel_max, of_facebook)
    checked = parameters.check(call.params, rules)
    call.warn(*checked.warnings)
    if checked.media.resumable and not account.resumable:
        raise GraphError(3)
    container = call.world.create(account.user_id, checked.media)
    call.entry.container_id = container.id
    answer = {"id": container.id}
    if container.resumable:
        answer["uri"] = f"{call.base_url}/ig-api-upload/{call.version}/{container.id}"
    elif container.video_url:
        call.sandbox.processor.start(container)
    else:
        await _take_pictures(call, container)
    return graph_json(answer)


async def _take_pictures(call: Call, container: Container) -> None:
    """Fetch and check a picture before its creation is answered, as Meta does. A carousel's are here already.

    :raises GraphError: The picture is refused; the container then does not exist.
    """
    await asyncio.wait([call.sandbox.processor.start(container)])
    if container.facts is None:
        raise GraphError(2)  # the sandbox was reset meanwhile
    failure = call.world.failure(container)
    if failure is not None and failure.subcode is not None and not container.children:
        call.world.containers.forget(container)
        call.entry.container_id = None
        raise GraphError.of_medium(failure.subcode, **failure.told)


async def publish(call: Call, account: Account) -> Response:
    """Publish a container. Source: Meta, IG User Media Publish."""
    creation_id = str(call.params.get("creation_id", ""))
    if not creation_id.isdecimal():
        said = "must be the id of a container" if creation_id else "is required"
        raise invalid(f"Param creation_id {said}")
    ignore = call.world.switches.unknown_parameters == "ignore"
    call.warn(*parameters.known_only(call.params, frozenset({"creation_id"}), ignore=ignore))
    call.entry.container_id = creation_id
    post = call.world.publish(account.user_id, creation_id)
    call.entry.media_id = post.id
    return graph_json({"id": post.id})


async def limit(call: Call, account: Account) -> Response:
    """Return how much of its publishing quota an account has used. Source: Meta, Content Publishing Limit."""
    since = moment(call.params, "since")
    if since is not None and since < call.sandbox.now - DAY_S - SLACK_S:
        raise invalid("Param since must not be older than 24 hours")
    settings = {"quota_total": call.world.switches.quota_total, "quota_duration": DAY_S}
    values = {
        "quota_usage": constant(call.world.quota_usage(account.user_id, since)),
        "config": constant(settings),
        "rate_limit_settings": constant(settings),
    }
    node = Node("ContentPublishingLimitResponse", values, default=("quota_usage",))
    return graph_json({"data": [node.read(fields_of(call))]})
