"""Meta's texts for the documented codes and subcodes. Source: Meta, Instagram Platform, Error Codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Text:
    """Meta's texts for a code and subcode."""

    message: str
    title: str = ""
    user_message: str = ""
    type: str = "OAuthException"
    status: int = 400
    is_transient: bool = False


_EXPIRED = "Error validating access token: Session has expired."
_RETRY = "Please reduce the amount of data you're asking for, then retry your request"

TEXTS: Final[dict[tuple[int, int | None], Text]] = {
    (-2, 2207003): Text("Timeout downloading media", "Timeout", "It takes too long to download the media."),
    (-2, 2207020): Text("Media expired", "Media expired", "The media you are trying to access has expired."),
    (-1, 2207001): Text("Fatal", "Server error", "Instagram server error. Try again.", is_transient=True),
    (-1, 2207032): Text("Fatal", "Create media failed", "Failed to create a media. Try to re-create the media."),
    (-1, 2207053): Text("Fatal", "Upload error", "An unknown upload error occurred.", is_transient=True),
    (1, None): Text("An unknown error occurred", status=500, is_transient=True),
    (1, 2207057): Text(
        "Invalid thumbnail offset", "Invalid thumbnail offset", "The thumb_offset is outside the length of the video."
    ),
    (2, None): Text(
        "An unexpected error has occurred. Please retry your request later.", status=500, is_transient=True
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
        "You reached the maximum number of posts that is allowed to be published by Content Publishing API.",
    ),
    (10, None): Text("(#10) Application does not have permission for this action"),
    (17, None): Text("(#17) User request limit reached", is_transient=True),
    (24, 2207006): Text(
        "The requested resource does not exist", "Media not found", "The media with the given id was not found."
    ),
    (24, 2207008): Text(
        "The requested resource does not exist",
        "Media builder expired",
        "The media builder with this creation id does not exist or has been expired.",
    ),
    (25, 2207050): Text(
        "The user is restricted",
        "Account restricted",
        "The Instagram account is restricted. Open the Instagram app and complete what it asks for.",
    ),
    (32, None): Text("(#32) Page request limit reached", is_transient=True),
    (100, None): Text("(#100) Invalid parameter"),
    (100, 33): Text(
        "Unsupported request. Object does not exist or cannot be loaded due to missing permissions.",
        type="GraphMethodException",
    ),
    (100, 2207023): Text("Invalid parameter", "Unknown media type", "The media type is unknown."),
    (100, 2207028): Text("Invalid parameter", "Carousel invalid", "A carousel needs 2 to 10 valid children."),
    (100, 2207035): Text("Invalid parameter", "Tag invalid", "The tag must not have a position on a video."),
    (100, 2207036): Text("Invalid parameter", "Tag invalid", "The tag needs a position on an image."),
    (100, 2207037): Text("Invalid parameter", "Tag invalid", "The tag or the id in it is not valid."),
    (100, 2207040): Text("Invalid parameter", "Too many tags", "More tags than are allowed on one post."),
    (100, 2207089): Text(
        "Invalid parameter",
        "Media type VIDEO is not supported",
        "The VIDEO value for media_type is no longer supported. Use the REELS media type to publish a video.",
    ),
    (110, 2207018): Text(
        "Invalid user id", "Collaborator not found", "The username of a collaborator does not belong to an account."
    ),
    (102, None): Text("(#102) Session key invalid or no longer valid"),
    (190, None): Text("Invalid OAuth access token - Cannot parse access token"),
    (190, 0): Text(_EXPIRED),
    (190, 458): Text("Error validating access token: The user has not authorized application."),
    (190, 459): Text("Error validating access token: The user is checkpointed and must log in at instagram.com."),
    (190, 460): Text("Error validating access token: The session has been invalidated: the password was changed."),
    (190, 463): Text(_EXPIRED),
    (190, 464): Text("Error validating access token: The user is not confirmed and must log in at instagram.com."),
    (190, 467): Text("Error validating access token: The session is invalid because the user logged out."),
    (190, 492): Text("Error validating access token: The session is invalid: the user has no role for the resource."),
    (200, None): Text("(#200) Requires instagram_business_content_publish permission"),
    (341, None): Text("(#341) Application limit reached", is_transient=True),
    (352, 2207026): Text(
        "The video file you selected is in a format that we don't support.",
        "Unsupported format",
        "The video format is not supported. Please check the specifications for supported video formats.",
    ),
    (368, None): Text("(#368) The action attempted has been deemed abusive or is otherwise disallowed"),
    (506, None): Text("(#506) Duplicate status message"),
    (613, None): Text("(#613) Calls to this api have exceeded the rate limit.", is_transient=True),
    (9004, 2207052): Text(
        "Only photo or video can be accepted as media type.",
        "Media download has failed",
        "The media could not be fetched from this uri: make sure that it is a public, final, direct link.",
    ),
    (9007, 2207027): Text(
        "Media ID is not available",
        "Media is not ready",
        "The media is not ready for publishing, please wait for a moment.",
    ),
    (9007, 2207055): Text("Media ID is not available", "Media is not ready", "Wait and publish again."),
    (36004, 2207010): Text(
        "The submitted caption is not valid",
        "Caption too long",
        "A caption has at most 2,200 characters, 30 hashtags and 20 @ tags.",
    ),
    (80002, None): Text(
        "(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.",
        is_transient=True,
    ),
}
