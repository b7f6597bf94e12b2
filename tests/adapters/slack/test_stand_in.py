"""The stand-in is as strict as Slack: at a limit it takes, one beyond it refuses."""

from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.adapters.slack import limits
from bot.adapters.slack.render import size
from tests.adapters.slack.conftest import ROOM, OnSlack
from tests.harness.slack import BOT_TOKEN


def section(size: int = 1) -> dict[str, Any]:
    """A section of so many characters."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": "x" * size}}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    """A row of elements."""
    return {
        "type": "actions",
        "elements": [{**each, "action_id": f"a{n}"} for n, each in enumerate(elements)],
    }


def button(label: int = 1, value: int = 1) -> dict[str, Any]:
    """A button with a label and a value of so many characters."""
    return {"type": "button", "text": {"type": "plain_text", "text": "x" * label}, "value": "x" * value}


def table(rows: int, columns: int = 1, size: int = 1) -> dict[str, Any]:
    """A table with so many rows besides its header."""
    row = [{"type": "raw_text", "text": "x" * size}] * columns
    return {"type": "data_table", "caption": "t", "rows": [row] * (rows + 1)}


ROOM_LEFT = limits.MESSAGE_BLOCKS_SIZE - 4 * size(section(3000)) - size(section(0))
"""The text that one more section may have after four full ones."""

AT_LIMIT = {
    "blocks": lambda n: [section()] * (limits.MESSAGE_BLOCKS + n),
    "section": lambda n: [section(limits.SECTION + n)],
    "header": lambda n: [
        {"type": "header", "text": {"type": "plain_text", "text": "x" * (limits.HEADER + n)}}
    ],
    "fields": lambda n: [{"type": "section", "fields": [section()["text"]] * (limits.SECTION_FIELDS + n)}],
    "field": lambda n: [{"type": "section", "fields": [section(limits.SECTION_FIELD + n)["text"]]}],
    "context": lambda n: [
        {"type": "context", "elements": [section()["text"]] * (limits.CONTEXT_ELEMENTS + n)}
    ],
    "actions": lambda n: [actions(*[button()] * (limits.ACTIONS + n))],
    "button": lambda n: [actions(button(limits.BUTTON + n))],
    "value": lambda n: [actions(button(1, limits.BUTTON_VALUE + n))],
    "rows": lambda n: [table(limits.TABLE_ROWS + n)],
    "columns": lambda n: [table(1, limits.TABLE_COLUMNS + n)],
    "cells": lambda n: [table(1, 1, limits.TABLE_SIZE // 2 + n)],
    "block_id": lambda n: [{**section(), "block_id": "x" * (limits.IDENTIFIER + n)}],
    "unique ids": lambda n: [{**section(), "block_id": str(k * (1 - n))} for k in range(2)],
    "all blocks": lambda n: [section(3000)] * 4 + [section(ROOM_LEFT + n)],
}


@pytest.fixture
async def client(desk: OnSlack):
    async with aiohttp.ClientSession() as session:
        yield AsyncWebClient(BOT_TOKEN, base_url=desk.fake.api_url, session=session, retry_handlers=[])


@pytest.mark.parametrize("limit", AT_LIMIT)
async def test_a_message_at_the_limit_is_taken_and_one_beyond_is_refused(
    desk: OnSlack, client: AsyncWebClient, limit: str
):
    await client.chat_postMessage(channel=ROOM, text="t", blocks=AT_LIMIT[limit](0))
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=ROOM, text="t", blocks=AT_LIMIT[limit](1))
    assert len(desk.fake.messages(ROOM)) == 1
    desk.fake.refused.clear()


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ({"channel": ROOM, "text": ""}, "no_text"),
        ({"channel": ROOM, "text": "x" * (limits.MESSAGE_TEXT + 1)}, "msg_too_long"),
        ({"channel": "C0NOWHERE", "text": "t"}, "channel_not_found"),
        ({"channel": ROOM, "text": "t", "thread_ts": "1.1"}, "thread_not_found"),
        ({"channel": ROOM, "text": "t", "link_names": True}, "invalid_arguments"),
    ],
)
@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing")
async def test_what_slack_refuses_has_slacks_code(
    desk: OnSlack, client: AsyncWebClient, call: dict[str, Any], code: str
):
    with pytest.raises(SlackApiError) as refused:
        await client.chat_postMessage(**call)
    assert refused.value.response["error"] == code
    desk.fake.refused.clear()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "invalid_name_required"),
        ("x" * (limits.CHANNEL_NAME + 1), "invalid_name_maxlength"),
        ("Incident", "invalid_name_specials"),
        ("a b", "invalid_name_specials"),
        ("--", "invalid_name_punctuation"),
        ("taken", "name_taken"),
    ],
)
async def test_a_channel_that_slack_would_not_open_has_slacks_code(
    desk: OnSlack, client: AsyncWebClient, name: str, code: str
):
    desk.fake.channel("C0TAKEN", name="taken")
    await client.conversations_create(name="x" * limits.CHANNEL_NAME)
    with pytest.raises(SlackApiError) as refused:
        await client.conversations_create(name=name)
    assert refused.value.response["error"] == code
    desk.fake.refused.clear()


async def test_the_topic_and_the_guests_of_a_channel_have_limits(desk: OnSlack, client: AsyncWebClient):
    channel = (await client.conversations_create(name="new"))["channel"]["id"]
    await client.conversations_setTopic(channel=channel, topic="x" * limits.CHANNEL_TOPIC)
    with pytest.raises(SlackApiError, match="too_long"):
        await client.conversations_setTopic(channel=channel, topic="x" * (limits.CHANNEL_TOPIC + 1))
    with pytest.raises(SlackApiError, match="user_not_found"):
        await client.conversations_invite(channel=channel, users="U0GONE,U0STAFF")
    with pytest.raises(SlackApiError, match="too_many_users"):
        await client.conversations_invite(channel=channel, users=["U0STAFF"] * (limits.INVITED_AT_ONCE + 1))
    desk.fake.refused.clear()


def modal(**more: Any) -> dict[str, Any]:
    """A modal with one section."""
    return {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": [section()], **more}


ASKS = {
    "type": "input",
    "label": {"type": "plain_text", "text": "l"},
    "element": {"type": "plain_text_input", "action_id": "a"},
}


@pytest.mark.parametrize(
    "view",
    [
        modal(title={"type": "plain_text", "text": "x" * (limits.VIEW_TITLE + 1)}),
        modal(title={"type": "mrkdwn", "text": "x"}),
        modal(blocks=[]),
        modal(blocks=[section()] * (limits.VIEW_BLOCKS + 1)),
        modal(blocks=[table(1)]),
        modal(blocks=[ASKS]),
        modal(private_metadata="x" * (limits.PRIVATE_METADATA + 1)),
        modal(submit={"type": "plain_text", "text": "x" * (limits.VIEW_BUTTON + 1)}),
        {"type": "home", "blocks": [section()]},
    ],
)
async def test_a_view_that_slack_would_not_show_is_refused(desk: OnSlack, client: AsyncWebClient, view: Any):
    with pytest.raises(SlackApiError):
        await client.views_open(trigger_id=desk.fake.trigger("U0STAFF"), view=view)
    desk.fake.refused.clear()


async def test_a_trigger_opens_one_view_and_a_stale_hash_changes_none(desk: OnSlack, client: AsyncWebClient):
    trigger = desk.fake.trigger("U0STAFF")
    opened = await client.views_open(trigger_id=trigger, view=modal())
    with pytest.raises(SlackApiError, match="exchanged_trigger_id"):
        await client.views_open(trigger_id=trigger, view=modal())
    view = opened["view"]
    await client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    with pytest.raises(SlackApiError, match="not_found"):
        await client.views_update(view_id="V0", view=modal())
    desk.fake.refused.clear()


async def test_metadata_is_read_back_only_when_asked_for(desk: OnSlack, client: AsyncWebClient):
    metadata = {"event_type": "e", "event_payload": {"key": "k"}}
    await client.chat_postMessage(channel=ROOM, text="t", metadata=metadata)
    [bare] = (await client.conversations_history(channel=ROOM))["messages"]
    assert "metadata" not in bare
    [full] = (await client.conversations_history(channel=ROOM, include_all_metadata=True))["messages"]
    assert full["metadata"] == metadata
