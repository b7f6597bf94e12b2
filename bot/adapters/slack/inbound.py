"""From Slack's payloads to commands; pure.

Every payload becomes at most one `Heard`: the command, where its answer goes, and the trigger that may open
a form. People type the same line everywhere: a slash command puts its noun in front, a mention and a direct
message are lines as they stand, a button's value is one.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from handlers.declare import Declared
from handlers.messages import Command, Place, Sender

PLATFORM = "slack"
PATH = "/slack/events"
HOME_LINE = "desk home"

_ABOUT = "about"
_MARKUP = re.compile(r"<([^<>\n]*)>|&(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}


_Given = ParamSpec("_Given")
_Read = TypeVar("_Read")


class Unreadable(Exception):
    """A signed payload that lacks what Slack always sends."""


def _readable(read: Callable[_Given, _Read]) -> Callable[_Given, _Read]:
    @wraps(read)
    def guarded(*args: _Given.args, **kwargs: _Given.kwargs) -> _Read:
        try:
            return read(*args, **kwargs)
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise Unreadable(f"not a payload of Slack's: {type(error).__name__}") from None

    return guarded


@dataclass(frozen=True)
class About:
    """The message that a command was made from, in Slack's own ids."""

    channel: str
    ts: str
    thread: str | None = None


@dataclass(frozen=True)
class Heard:
    """A command, and what Slack gives for answering it.

    `trigger` opens one modal within three seconds; `response_url` takes a message for the asker; `view` is
    the modal or Home tab it came from; `on_ephemeral` says that it came from a message only the asker sees.
    """

    command: Command
    trigger: str | None = None
    response_url: str | None = None
    view: Mapping[str, Any] | None = None
    on_ephemeral: bool = False
    about: About | None = None
    answer_in: str | None = None


def plain(text: str, workspace: str) -> str:
    """Slack's markup as people type it: `<@U1|ann>` becomes `@slack:T:U1`, links and entities become text."""

    def part(match: re.Match[str]) -> str:
        if match[2]:
            return _ENTITIES[match[2]]
        body, _, label = match[1].partition("|")
        if body.startswith("@"):
            return f"@{PLATFORM}:{workspace}:{body[1:]}"
        if body.startswith("#"):
            return f"#{label or body[1:]}"
        if body.startswith("!"):
            return plain(label, workspace) or f"@{body[1:].partition('^')[0]}"
        return plain(_link(body, label), workspace)

    return _MARKUP.sub(part, text).replace("\0", "")


def _link(url: str, label: str) -> str:
    typed = re.sub(r"^(?:https?://|mailto:|tel:)", "", url)
    if not label:
        return typed if url.startswith(("mailto:", "tel:")) else url
    if label in (url, typed, typed.rstrip("/")):
        return label
    # A label that says something else than its address is kept beside it, so that nobody is led astray.
    return f"{label} ({url})"


@_readable
def slash(body: Mapping[str, Any], prefix: str) -> Heard:
    """A slash command: its noun and the text behind it."""
    workspace = _workspace(body)
    noun = str(body["command"]).removeprefix("/").removeprefix(prefix)
    channel = str(body.get("channel_id", ""))
    sender = _sender(workspace, {"id": body.get("user_id"), "name": body.get("user_name")}, channel)
    return Heard(
        Command(
            line=f"{noun} {plain(str(body.get('text', '')), workspace)}".strip(),
            sender=sender,
            place=_place(channel, None),
            key=_key("command", str(body["trigger_id"])),
        ),
        trigger=str(body["trigger_id"]),
        response_url=body.get("response_url"),
    )


@_readable
def click(body: Mapping[str, Any], home: str) -> Heard | None:
    """A button or an entry of a menu; None for an element that says no line."""
    action = body["actions"][0]
    line = action.get("value") or (action.get("selected_option") or {}).get("value")
    if not line:
        return None
    view = body.get("view")
    kept = _kept(view) if view and view.get("type") == "modal" else {}
    container = body.get("container") or {}
    message = body.get("message") or {}
    channel = str(
        (body.get("channel") or {}).get("id") or container.get("channel_id") or kept.get("channel") or ""
    )
    thread = (
        message.get("thread_ts")
        or container.get("thread_ts")
        or container.get("message_ts")
        or kept.get("thread")
    )
    about = _about_block(str(action.get("block_id", "")))
    sender = _sender(_workspace(body), body["user"], channel)
    heard = Heard(
        Command(
            line=str(line),
            sender=sender,
            place=_place(channel, thread),
            key=_key("click", sender.workspace, sender.user, str(action["action_ts"]), str(line)),
        ),
        trigger=body.get("trigger_id"),
        response_url=body.get("response_url"),
        view=view,
        on_ephemeral=bool(container.get("is_ephemeral")),
        about=about,
        answer_in=message.get("thread_ts") or container.get("thread_ts"),
    )
    return _with_source(heard, about, home)


@_readable
def submission(body: Mapping[str, Any], home: str, draft: bool = False) -> Heard:
    """A form that was sent back, or (as a draft) one whose answers so far steer other questions."""
    view = body["view"]
    kept = _kept(view)
    workspace = _workspace(body)
    channel = str(kept.get("channel") or "")
    sender = _sender(workspace, body["user"], channel)
    about = About(*kept["about"]) if kept.get("about") else None
    heard = Heard(
        Command(
            line=str(kept.get("line") or ""),
            sender=sender,
            place=_place(channel, kept.get("thread")),
            key="" if draft else _key("form", str(view["id"]), str(view["hash"])),
            answers=answers(view, workspace),
            draft=draft,
        ),
        trigger=body.get("trigger_id"),
        view=view,
        about=about,
    )
    return _with_source(heard, about, home)


def answers(view: Mapping[str, Any], workspace: str) -> dict[str, str]:
    """What stands in a form's fields, by the field's key."""
    found = {}
    for block in ((view.get("state") or {}).get("values") or {}).values():
        for key, state in block.items():
            found[str(key)] = _answer(state, workspace)
    return found


def _answer(state: Mapping[str, Any], workspace: str) -> str:
    if state.get("selected_option"):
        return str(state["selected_option"]["value"])
    if state.get("selected_user"):
        return f"@{PLATFORM}:{workspace}:{state['selected_user']}"
    return str(state.get("value") or state.get("selected_date") or "").replace("\0", "")


def shortcut_id(declared: Declared) -> str:
    """By what Slack calls the shortcut that makes this command of a message."""
    return f"make-{declared.noun}"


@_readable
def shortcut(body: Mapping[str, Any], line: str, home: str) -> Heard:
    """“Make this a request” on a message: the message is the source, and its text comes along."""
    workspace = _workspace(body)
    channel = str(body["channel"]["id"])
    message = body["message"]
    about = About(channel, str(message.get("ts") or body.get("message_ts")), message.get("thread_ts"))
    sender = _sender(workspace, body["user"], channel)
    heard = Heard(
        Command(
            line=line,
            sender=sender,
            place=_place(channel, None),
            key=_key("shortcut", sender.user, str(body["trigger_id"])),
            message=plain(str(message.get("text", "")), workspace) or None,
        ),
        trigger=body.get("trigger_id"),
        response_url=body.get("response_url"),
        about=about,
    )
    return _with_source(heard, about, home)


@_readable
def mention(body: Mapping[str, Any], bot: str) -> Heard | None:
    """`@desk request list`, in a channel or a thread; None for what bots say and for edited messages."""
    event = body["event"]
    if not _is_said_now(event):
        return None
    spoken = re.sub(rf"<@{re.escape(bot)}(\|[^<>]*)?>", " ", str(event.get("text", "")))
    heard = _said(body, spoken)
    # Answers in a channel go below the mention, so that the room stays readable.
    return replace(heard, answer_in=event.get("thread_ts") or event.get("ts"))


@_readable
def direct_message(body: Mapping[str, Any]) -> Heard | None:
    """A line in the talk between one person and the desk."""
    event = body["event"]
    if event.get("channel_type") != "im" or not _is_said_now(event):
        return None
    return replace(_said(body, str(event.get("text", ""))), answer_in=event.get("thread_ts"))


def _said(body: Mapping[str, Any], text: str) -> Heard:
    event = body["event"]
    workspace = _workspace(body)
    channel = str(event["channel"])
    profile = event.get("user_profile") or {}
    return Heard(
        Command(
            line=plain(text, workspace).strip() or "desk help",
            sender=_sender(workspace, {**profile, "id": event["user"]}, channel),
            place=_place(channel, event.get("thread_ts")),
            key=_key("event", str(body["event_id"])),
        )
    )


def _is_said_now(event: Mapping[str, Any]) -> bool:
    edited = "edited" in event or event.get("subtype") not in (None, "file_share", "thread_broadcast")
    return bool(event.get("user")) and not event.get("bot_id") and not edited


@_readable
def reaction(body: Mapping[str, Any], lines: Mapping[str, str], home: str) -> Heard | None:
    """An emoji that makes something of a message; None for other emojis, and for reactions to other things.

    `lines` holds what each emoji asks for.
    """
    event = body["event"]
    item = event.get("item") or {}
    line = lines.get(str(event.get("reaction", "")).partition("::")[0])
    if line is None or item.get("type") != "message":
        return None
    channel, ts = str(item["channel"]), str(item["ts"])
    sender = _sender(_workspace(body), {"id": event["user"]}, "")
    # Taking the emoji off and putting it on again is the same wish, so the key is not the event's.
    command = Command(
        line=line,
        sender=sender,
        place=_place(channel, None),
        key=_key("reaction", sender.user, channel, ts, line),
    )
    return _with_source(Heard(command, about=About(channel, ts)), About(channel, ts), home)


@_readable
def home_tab(body: Mapping[str, Any]) -> Heard | None:
    """Someone looks at the Home tab."""
    event = body["event"]
    if event.get("tab") != "home":
        return None
    return Heard(
        Command(
            line=HOME_LINE,
            sender=_sender(_workspace(body), {"id": event["user"]}, str(event.get("channel") or "")),
            place=Place(platform=PLATFORM, direct=True),
            key=_key("event", str(body["event_id"])),
        )
    )


def permalink(home: str, about: About) -> str:
    """The address of a message; `home` is the workspace's own, such as `https://acme.slack.com/`."""
    link = f"{home}archives/{about.channel}/p{about.ts.replace('.', '')}"
    return f"{link}?thread_ts={about.thread}&cid={about.channel}" if about.thread else link


def keep(line: str, place: Place, about: About | None) -> str:
    """What a modal carries: the line it completes and ids, and nothing that someone wrote."""
    kept: dict[str, Any] = {"line": line, "channel": place.channel, "thread": place.thread}
    if about:
        kept["about"] = [about.channel, about.ts, about.thread]
    return json.dumps({name: value for name, value in kept.items() if value}, ensure_ascii=False)


def _kept(view: Mapping[str, Any]) -> dict[str, Any]:
    kept = json.loads(view.get("private_metadata") or "{}")
    return kept if isinstance(kept, dict) else {}


def about_block(about: About) -> str:
    """The block id of a button that opens a form about a message."""
    return "/".join((_ABOUT, about.channel, about.ts, about.thread or ""))


def _about_block(block_id: str) -> About | None:
    parts = block_id.split("/")
    if len(parts) != 4 or parts[0] != _ABOUT:
        return None
    return About(parts[1], parts[2], parts[3] or None)


def _with_source(heard: Heard, about: About | None, home: str) -> Heard:
    if about is None:
        return heard
    return replace(heard, command=heard.command.model_copy(update={"source": permalink(home, about)}))


def _workspace(body: Mapping[str, Any]) -> str:
    """The sender's own workspace, which for someone from a connected organisation is not the desk's."""
    event = body.get("event") or {}
    user = body.get("user")
    team = body.get("team") or {}
    return str(
        (user.get("team_id") if isinstance(user, dict) else None)
        or event.get("user_team")
        or event.get("source_team")
        or (team.get("id") if isinstance(team, dict) else team)
        or body.get("team_id")
        or event.get("team")
        or ""
    )


def _sender(workspace: str, user: Mapping[str, Any], channel: str) -> Sender:
    """Guests are told from what the payload says of them: asking Slack would cost a call on every command."""
    return Sender(
        platform=PLATFORM,
        workspace=workspace,
        user=str(user["id"]),
        name=str(user.get("real_name") or user.get("name") or user.get("username") or ""),
        guest=any(user.get(mark) for mark in ("is_restricted", "is_ultra_restricted", "is_stranger")),
        direct=channel if channel.startswith("D") else None,
    )


def _place(channel: str, thread: str | None) -> Place:
    return Place(platform=PLATFORM, channel=channel, thread=thread, direct=channel.startswith("D"))


def _key(*parts: str) -> str:
    digest = hashlib.sha256("\x1f".join(parts[1:]).encode()).hexdigest()[:40]
    return f"{PLATFORM}/{parts[0]}/{digest}"
