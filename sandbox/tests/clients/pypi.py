"""Publish with one of the clients of requirements.txt, and print what it says: ``python pypi.py insta_nova``."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import sandbox_redirect  # noqa: F401 -- leads the calls to the sandbox

TOKEN, USER_ID, PICTURE, VIDEO = (os.environ.get(name, "") for name in ("TOKEN", "USER_ID", "PICTURE", "VIDEO"))


def insta_nova() -> Any:
    """Exchange a login's code, and publish a picture with the short-lived token."""
    from insta_nova.client import Client

    Client.set_application_credentials(os.environ["APP_ID"], os.environ["APP_SECRET"])
    login = Client().get_access_token(os.environ["CODE"], os.environ["BACK"])
    client = Client(login["access_token"])
    container = client.create_image_container(USER_ID, PICTURE)
    return {"account": str(login["user_id"]), "ids": [client.publish_image_container(USER_ID, container)]}


def instagram_platform() -> Any:
    """Find the account by its Page, publish a photo and a reel, comment, hide, and read everything back."""
    from instagram_platform.client import InstagramClient

    (page,) = InstagramClient(TOKEN).auth.get_facebook_user_pages().data
    client = InstagramClient(page.access_token, (page.instagram_business_account or {})["id"])
    photo = client.media.publish_photo(PICTURE, "A photo", user_tags=[{"username": "mira.k", "x": 0.5, "y": 0.5}])
    reel = client.media.publish_reel(VIDEO, "A reel", cover_url=PICTURE, share_to_feed=True, thumb_offset=1000)
    client.comments.reply(photo.id, "First!")
    (comment,) = client.comments.get_comments(photo.id).data
    client.comments.set_hidden(comment.id, hide=True)
    client.media.update_comment_status(photo.id, comment_enabled=False)
    return {
        "ids": [photo.id, reel.id],
        "captions": [row.caption for row in client.media.get_user_media().data],
        "comment": comment.text,
        "enabled": client.media.get_media_details(photo.id).is_comment_enabled,
        "metrics": [row.name for row in client.insights.get_account_insights(["reach"]).data],
        "username": client.user.get_profile().username,
    }


def makervox_publish() -> Any:
    """Lengthen a token, read whose it is, and publish a picture and a reel without a version in the path."""
    from makervox_publish.config import Config
    from makervox_publish.platforms.meta.instagram import InstagramPublisher

    with tempfile.TemporaryDirectory() as folder:
        stores = {"meta_tokens": {"impl": "file", "options": {"path": f"{folder}/tokens.json"}}}
        instagram = {"publish": {"poll_interval_s": 0.5}}
        config = Config.load(overrides={"platforms": {"instagram": instagram}, "token_stores": stores})
        publisher = InstagramPublisher(config)
        account = publisher.connect("studio", TOKEN, os.environ["APP_SECRET"])
        user_id, token = publisher.stored_credentials("studio")
        login = {"user_id": user_id, "token": token}
        said = [publisher.post("A photo", PICTURE, login), publisher.post("A reel", VIDEO, login)]
    return {"account": account, "ids": [one.post_id for one in said], "reasons": [one.reason for one in said]}


def creator_publish() -> Any:
    """Publish a reel with a caption, wait for it, and read its permalink."""
    from creator_publish.config import Config
    from creator_publish.publish import instagram

    config = Config({"token": TOKEN, "ig_user": USER_ID})
    said = instagram.publish(Path("reel.mp4"), "A reel", "Of the studio", ["#studio"], config, video_url=VIDEO)
    return {"ids": [said["media_id"]], "permalink": said["url"]}


if __name__ == "__main__":
    json.dump(globals()[sys.argv[1]](), sys.stdout)
