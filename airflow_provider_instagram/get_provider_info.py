"""The provider's metadata: its connection form, links and configuration.

Airflow reads it in many processes, so it imports nothing of the provider. A test compares it with
the code.
"""

from __future__ import annotations

from typing import Any, Final


def _field(label: str, description: str, *, type: str = "string", **schema: Any) -> dict[str, Any]:  # noqa: A002
    """Return a field of the connection form. Every field may be empty."""
    return {
        "label": label,
        "description": description,
        "schema": {"type": [type, "null"], **schema},
    }


def _limit(label: str, description: str, default: int) -> dict[str, Any]:
    return _field(label, description, type="integer", minimum=1, maximum=100000, default=default)


def _option(
    description: str, *, example: str | None = None, default: str = "", **more: Any
) -> dict[str, Any]:
    """Return an option of the section ``[instagram]``."""
    known = {"description": description, "version_added": "0.2.0", "type": "string"}
    return {**known, "example": example, "default": default, **more}


CONNECTION: Final[dict[str, Any]] = {
    "connection-type": "instagram",
    "hook-name": "Instagram",
    "hook-class-name": "airflow_provider_instagram.hooks.instagram.InstagramHook",
    "ui-field-behaviour": {
        "hidden-fields": ["schema"],
        "relabeling": {
            "login": "Instagram user id",
            "password": "Access token",
            "host": "Graph host",
        },
        "placeholders": {
            "login": "17841400000000000 (if empty, the account of the token)",
            "password": "Long-lived access token (IGAA…)",
            "host": "https://graph.instagram.com (or, by the login, https://graph.facebook.com)",
            "port": "443",
        },
    },
    "conn-fields": {
        "api_version": _field(
            "Graph API version",
            "The version of Meta's API to use, for example v27.0.",
            default="v27.0",
            pattern=r"^v\d+\.\d+$",
        ),
        "login_type": _field(
            "Login",
            "The login that the access token comes from: instagram, facebook (a Page token) or unified. If empty: "
            "instagram for a token IG…, facebook for a token EA….",
        ),
        "app_id": _field(
            "Meta app id",
            "The app that the access token belongs to. Used to connect the account again, and to read from Meta "
            "what a token of Facebook or Unified Login may do.",
        ),
        "app_secret": _field(
            "Meta app secret",
            "Used like the app id, and to sign the calls of Facebook and Unified Login.",
            format="password",
        ),
        "config_id": _field(
            "Configuration id",
            "The app's configuration of Facebook or Unified Login. Used only to connect the account.",
        ),
        "oauth_host": _field(
            "OAuth host",
            "Replaces both of Meta's login hosts, for example with a sandbox. Must be a trusted host.",
        ),
        "scopes": _field(
            "Scopes",
            "What to ask for when the account is connected, beyond publishing: comments, insights, or Meta's names "
            "of scopes, separated by commas.",
        ),
        "calls_per_hour": _limit(
            "Calls per hour",
            "How many API calls the account may make within an hour. Waiting uses only a share of them.",
            200,
        ),
        "posts_per_day": _limit(
            "Posts per day",
            "How many posts this provider may publish on the account within 24 hours.",
            25,
        ),
        "posts_per_hour": _limit(
            "Posts per hour",
            "How many posts this provider may publish on the account within an hour.",
            10,
        ),
    },
}

SETTINGS: Final[dict[str, Any]] = {
    "description": "Settings of airflow-provider-instagram.",
    "options": {
        "hosts": _option(
            "Hosts, separated by commas, that access tokens and app secrets may be sent to, in addition to Meta's "
            "own hosts and this machine. An entry is a host name or a URL without a path. A name means https; an "
            "entry with http:// also permits plain http. An entry without a port covers every port of the host.",
            example="graph.proxy.example.com,http://sandbox:8077",
        ),
        "calendar_hosts": _option(
            "Hosts, separated by commas, from which calendars may be read as sheets, also after redirects. An entry is "
            "a host name, *.example.com for all hosts below it, or a URL without a path. A name means https; an entry "
            "with http:// also permits plain http.",
            example="docs.google.com, *.googleusercontent.com",
        ),
        "media_roots": _option(
            "Folders and object-storage prefixes, separated by commas. Calendars and run parameters may name files "
            "in them. A calendar may also name files in its own folder or prefix.",
            example="/data/videos, s3://media@clips/public/",
        ),
        "work_prefix": _option(
            "Folder or object-storage prefix for transcoded videos whose source is not a local file and whose "
            "output is not set.",
            example="s3://aws_default@media/instagram/",
            default="{AIRFLOW_HOME}/instagram/",
        ),
        "keep_results_days": _option(
            "How many days after its time a post's covers are kept, and its transcoded files in work_prefix and in the "
            "calendar's own folder. At least 9; 0 keeps them for ever.",
            default="30",
            type="integer",
        ),
        "public_prefix": _option(
            "Object-storage prefix for copies of local pictures, because Instagram takes pictures by link only. "
            "Instagram fetches a copy within seconds; delete the copies by a lifecycle rule, after two days for "
            "example.",
            example="s3://aws_default@media/instagram/public/",
        ),
        "public_url": _option(
            "https address under which the files in public_prefix are public. If empty, Instagram gets presigned "
            "links that work for 24 hours.",
            example="https://media.example.com/instagram/public/",
        ),
        "calendar_snapshots": _option(
            "Folder or object storage where the planners of content calendars keep their plans: the posts of each "
            "calendar, and which runs were started. The covers for approvals are there, too. With several machines, "
            "use a place that the workers, the triggerers and the API servers share.",
            example="/data/airflow/calendars/",
            default="{AIRFLOW_HOME}/instagram/calendars/",
        ),
        "calendar_editing": _option(
            "Whether users who may edit the planner's DAG of a content calendar (the id of its DAG with `_plan`) may "
            "edit its posts on the Posts page. It writes them into the calendar's file, and uploads into its folder, "
            "so the API server needs the right to write there.",
            type="boolean",
            example="True",
            default="False",
        ),
        "insights_target": _option(
            "The connection of the database into which insights_dag() writes, for Results on the Posts page, with a "
            "slash and the schema of the tables if it is not the connection's own. The API servers read from it. If "
            "empty, the page shows no results.",
            example="warehouse/marketing",
        ),
        "private_sources": _option(
            "Whether an https source may have a private, loopback or link-local address. If True, everybody who "
            "can trigger a run can read whatever a worker can reach.",
            default="False",
            type="boolean",
        ),
        "picture_shapes": _option(
            "The narrowest shape of pictures in the feed and in carousels: 4:5, as Meta's page says, or 3:4, which two "
            "clients posted in 2026. Narrower pictures are fitted. The default changes once an account confirms 3:4: "
            "`airflow instagram sandbox record` records what Instagram answers.",
            example="3:4",
            default="4:5",
        ),
        "ffmpeg": _option(
            "Name or full path of the ffmpeg program.",
            example="/usr/local/bin/ffmpeg",
            default="ffmpeg",
        ),
        "ffprobe": _option(
            "Name or full path of the ffprobe program.",
            example="/usr/local/bin/ffprobe",
            default="ffprobe",
        ),
        "token_key": _option(
            "Additional secret for the encryption of refreshed access tokens. It must be the same on every "
            "component. Changing it invalidates the stored tokens.",
            sensitive=True,
        ),
    },
}


def _modules(room: str, *names: str) -> list[dict[str, Any]]:
    """Return the modules of a room, as they are listed by Airflow."""
    modules = [f"airflow_provider_instagram.{room}.{name}" for name in names]
    return [{"integration-name": "Instagram", "python-modules": modules}]


def get_provider_info() -> dict[str, Any]:
    """Return the metadata of this provider (entry point ``apache_airflow_provider``)."""
    return {
        "package-name": "airflow-provider-instagram",
        "name": "Instagram",
        "description": "Publish reels, pictures, carousels and stories on Instagram, on time and exactly once.",
        "integrations": [
            {
                "integration-name": "Instagram",
                "external-doc-url": "https://developers.facebook.com/docs/instagram-platform/",
                "how-to-guide": ["/docs/publish/index.md", "/docs/calendars/index.md"],
                "logo": "/instagram/calendar/static/0/icon.svg",
                "tags": ["service"],
            }
        ],
        "operators": _modules(
            "operators",
            "comment",
            "container",
            "delete",
            "insights",
            "publish",
            "token",
            "transcode",
        ),
        "sensors": _modules("sensors", "container"),
        "triggers": _modules("triggers", "comment", "container"),
        "hooks": _modules("hooks", "instagram"),
        "connection-types": [CONNECTION],
        "extra-links": ["airflow_provider_instagram.operators.base.InstagramPostLink"],
        "cli": ["airflow_provider_instagram.cli.definition.get_instagram_commands"],
        "asset-uris": [
            {
                "schemes": ["instagram"],
                "handler": None,
                "factory": "airflow_provider_instagram.ledger.assets.create_asset",
                "to_openlineage_converter": "airflow_provider_instagram.ledger.assets.to_openlineage",
            }
        ],
        "config": {"instagram": SETTINGS},
    }
