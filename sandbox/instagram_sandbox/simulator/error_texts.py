"""Meta's texts for the documented codes and subcodes.

Source: Meta, Instagram Platform, Error Codes, which has the text for users; the messages and titles
are documented for 36000 alone, and captured by authors of clients for 9004, 36001 and 36003.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Text:
    """Meta's texts for a code and subcode. Names in braces in ``user_message`` stand for what the call sent."""

    message: str
    title: str = ""
    user_message: str = ""
    type: str = "OAuthException"
    status: int = 400
    is_transient: bool = False


_EXPIRED = "Error validating access token: Session has expired."

TEXTS: Final[dict[tuple[int, int | None], Text]] = {
    (-2, 2207003): Text(
        "Timeout downloading media", "Timeout", "It takes too long to download the media."
    ),
    (-2, 2207020): Text(
        "Media expired",
        "Media expired",
        "The media you are trying to access has expired. Please try to upload again.",
    ),
    (-1, 2207001): Text("Fatal", is_transient=True),
    (-1, 2207032): Text(
        "Fatal", "Create media failed", "Create media fail, please try to re-create media"
    ),
    (-1, 2207053): Text("Fatal", "Upload error", "unknown upload error", is_transient=True),
    (-1, None): Text("Fatal", is_transient=True),
    **{
        (-1, subcode): Text(
            "Fatal", "Upload failed", "The media could not be processed. Try to upload it again."
        )
        for subcode in (2207076, 2207077, 2207082, 2207085, 1363008)
    },
    (1, None): Text("An unknown error occurred", status=500, is_transient=True),
    (1, 2207057): Text(
        "Invalid thumbnail offset",
        "Invalid thumbnail offset",
        "Thumbnail offset must be greater than or equal to 0 and less than video duration, i.e. {duration}",
    ),
    (2, None): Text(
        "An unexpected error has occurred. Please retry your request later.",
        status=500,
        is_transient=True,
    ),
    (3, None): Text("(#3) Application does not have the capability to make this API call."),
    (4, None): Text("(#4) Application request limit reached", is_transient=True),
    (4, 2207051): Text(
        "Application request limit reached",
        "Action is blocked",
        "We restrict certain activity to protect our community. Tell us if you think we made a mistake.",
    ),
    (9, 2207042): Text(
        "Application request limit reached",
        "Publishing limit reached",
        "You reached maximum number of posts that is allowed to be published by Content Publishing API.",
    ),
    (10, None): Text("(#10) Application does not have permission for this action"),
    (17, None): Text("(#17) User request limit reached", is_transient=True),
    (24, 2207006): Text(
        "The requested resource does not exist",
        "Media not found",
        "The media with {id} cannot be found",
    ),
    (24, 2207008): Text(
        "The requested resource does not exist",
        "Media builder expired",
        "The media builder with creation id = {id} does not exist or has been expired.",
    ),
    (25, 2207050): Text(
        "The user is restricted",
        "Account restricted",
        "The Instagram account is restricted.",
    ),
    (32, None): Text("(#32) Page request limit reached", is_transient=True),
    (100, None): Text("(#100) Invalid parameter"),
    (100, 33): Text(
        "Unsupported request. Object does not exist or cannot be loaded due to missing permissions.",
        type="GraphMethodException",
    ),
    (100, 2207023): Text(
        "Invalid parameter", "Unknown media type", "The media type {type} is unknown."
    ),
    (100, 2207028): Text(
        "Invalid parameter",
        "Carousel invalid",
        "Your post won't work as a carousel. Carousels need at least 2 photos/videos and no more than 10 "
        "photos/videos.",
    ),
    (100, 2207035): Text(
        "Invalid parameter",
        "Tag invalid",
        "Product tag positions should not be specified for video media.",
    ),
    (100, 2207036): Text(
        "Invalid parameter", "Tag invalid", "Product tag positions are required for photo media."
    ),
    (100, 2207037): Text(
        "Invalid parameter",
        "Tag invalid",
        "We couldn't add all of your product tags. The product ID may be incorrect, the product may be deleted, or "
        "you may not have permission to tag the product.",
    ),
    (100, 2207040): Text(
        "Invalid parameter", "Too many tags", "Cannot use more than 20 tags per created media."
    ),
    (100, 2207081): Text(
        "Invalid parameter", "Trial reel", "The account is not eligible to create trial reels."
    ),
    (100, 2207089): Text(
        "Invalid parameter",
        "Media type VIDEO is not supported",
        "The VIDEO value for media_type is no longer supported. Use the REELS media type to publish a video.",
    ),
    (110, 2207013): Text(
        "Invalid user id", "Cannot find User", "The user with this username cannot be found."
    ),
    (110, 2207018): Text(
        "Invalid user id",
        "Collaborator not found",
        "The username of a collaborator does not belong to an account.",
    ),
    (104, None): Text("An access token is required to request this resource."),
    (102, None): Text("(#102) Session key invalid or no longer valid"),
    (20, 1772107): Text(
        "(#20) The call does not support the requested response format",
        "Unsupported Response Format",
        "The call does not support the requested response format.",
    ),
    (100, 36007): Text("Invalid verification code format."),
    (100, 36008): Text(
        "Error validating verification code. Make sure that your redirect_uri is identical."
    ),
    (100, 36009): Text("This authorization code has been used."),
    (190, None): Text("Invalid OAuth access token - Cannot parse access token"),
    (190, 0): Text(_EXPIRED),
    (190, 458): Text("Error validating access token: The user has not authorized application."),
    (190, 459): Text(
        "Error validating access token: The user is checkpointed and must log in at instagram.com."
    ),
    (190, 460): Text(
        "Error validating access token: The session has been invalidated: the password was changed."
    ),
    (190, 463): Text(_EXPIRED),
    (190, 464): Text(
        "Error validating access token: The user is not confirmed and must log in at instagram.com."
    ),
    (190, 467): Text(
        "Error validating access token: The session is invalid because the user logged out."
    ),
    (190, 492): Text(
        "Error validating access token: The session is invalid: the user has no role for the resource."
    ),
    (200, None): Text("(#200) Requires instagram_business_content_publish permission"),
    (341, None): Text("(#341) Application limit reached", is_transient=True),
    (352, 2207026): Text(
        "The video file you selected is in a format that we don't support.",
        "Unsupported format",
        "The video format is not supported. Please check spec for supported video format",
    ),
    (368, None): Text(
        "(#368) The action attempted has been deemed abusive or is otherwise disallowed"
    ),
    (506, None): Text("(#506) Duplicate status message"),
    (613, None): Text("(#613) Calls to this api have exceeded the rate limit.", is_transient=True),
    (9004, 2207052): Text(
        "Only photo or video can be accepted as media type.",
        "Media download has failed",
        "The media could not be fetched from this uri: {uri}",
    ),
    (9007, 2207027): Text(
        "Media ID is not available",
        "Media is not ready",
        "The media is not ready for publishing, please wait for a moment",
    ),
    (9007, 2207055): Text(
        "Media ID is not available", "Media is not ready", "Wait and publish again."
    ),
    (9007, None): Text("Media ID is not available"),
    (36000, 2207004): Text(
        "The image size is too large.",
        "Image size too large",
        "The image is too large to download. It should be less than 8 MiB.",
    ),
    (36001, 2207005): Text(
        "The image format is not supported.",
        "Invalid Image Format",
        "The image format {format} is not supported. Supported formats are: JPEG.",
    ),
    (36003, 2207009): Text(
        "The aspect ratio is not supported.",
        "Invalid aspect ratio",
        "The submitted image with aspect ratio ('{ratio}',) cannot be published. Please submit an image with a valid "
        "aspect ratio.",
    ),
    (36004, 2207010): Text(
        "The submitted caption is not valid",
        "Caption too long",
        "The submitted image's caption was {length} characters long. The maximum number of characters permitted for a "
        "caption is 2200. Please submit media with a shorter caption.",
    ),
    (80002, None): Text(
        "(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.",
        is_transient=True,
    ),
}

_SENT: Final = {
    "duration": "15000",
    "format": "webp",
    "id": "17889455560051444",
    "length": "2201",
    "ratio": "717/209",
    "type": "PHOTO",
    "uri": "https://example.com/media",
}
"""What stands in the text for users if the call does not tell, as in a planned fault."""


def text_of(code: int, subcode: int | None) -> Text:
    """Return Meta's texts for a code and subcode; for an unknown pair, the code's, and for users the subcode's."""
    if 200 <= code <= 299:
        return TEXTS.get((code, None)) or Text(f"(#{code}) Permissions error")
    if (code, subcode) in TEXTS:
        return TEXTS[code, subcode]
    known = TEXTS.get((code, None)) or Text(f"(#{code}) An error occurred")
    if subcode is None or (of_subcode := TEXTS.get((code_of(subcode), subcode))) is None:
        return known
    return replace(known, title=of_subcode.title, user_message=of_subcode.user_message)


def code_of(subcode: int) -> int:
    """Return the code under which Meta names a subcode; -1 for one that is not documented."""
    return next((code for code, known in TEXTS if known == subcode), -1)


def subcodes_of(code: int) -> list[int]:
    """Return the subcodes of a code that never comes without one."""
    known = [subcode for of_code, subcode in TEXTS if of_code == code]
    return [subcode for subcode in known if subcode is not None] if None not in known else []


def for_users(text: Text, told: Mapping[str, object]) -> str:
    """Return the text for users, with what the call sent, by the names in the text."""
    return text.user_message.format_map(_SENT | dict(told))
