"""Take Meta's webhooks on AWS Lambda, behind a function URL, and write them to a queue of SQS.

Elsewhere, ``answer`` stays, and only ``handler`` and the queue differ. Set ``APP_SECRET`` to the Meta app secret of the
connection, ``VERIFY_TOKEN`` to a long random text, and ``QUEUE`` to the URL of the queue.
"""

from __future__ import annotations

import base64
import hmac
import json
import os

import boto3

SQS = boto3.client("sqs", region_name="eu-central-1")


def answer(method, query, signature, body):
    """Return the status and the text of the answer to a request of Meta."""
    if method == "GET":
        if hmac.compare_digest(
            query.get("hub.verify_token", "").encode(), os.environ["VERIFY_TOKEN"].encode()
        ):
            return 200, query.get("hub.challenge", "")
        return 403, ""
    right = "sha256=" + hmac.new(os.environ["APP_SECRET"].encode(), body, "sha256").hexdigest()
    if not hmac.compare_digest(signature.encode(), right.encode()):
        return 403, ""
    for entry in json.loads(body)["entry"]:
        for change in entry.get("changes", [entry]):  # with Instagram Login, an entry is a change
            if "field" in change:
                message = {
                    "account": entry["id"],
                    "field": change["field"],
                    "value": change["value"],
                }
                SQS.send_message(QueueUrl=os.environ["QUEUE"], MessageBody=json.dumps(message))
    return 200, ""


def handler(event, context):
    """Answer a request to a function URL of AWS Lambda."""
    body = (event.get("body") or "").encode()
    body = base64.b64decode(body) if event.get("isBase64Encoded") else body
    method, query = (
        event["requestContext"]["http"]["method"],
        event.get("queryStringParameters") or {},
    )
    status, text = answer(method, query, event["headers"].get("x-hub-signature-256", ""), body)
    return {"statusCode": status, "headers": {"content-type": "text/plain"}, "body": text}
