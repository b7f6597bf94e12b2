"""Hostile text stays text: on the page, in a live event, in a terminal."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import product

from bot.adapters.console.render import to_text
from handlers.messages import Button, Reply, Table, Tone, facts

BREAKS = ("", '"', "'", "-->", "</textarea>", "</title>", "</option></select>", "]]>", "{{", "\\")
LOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    " onmouseover=alert(1) x=",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<base href=//evil.example>",
    "<form action=//evil.example><button>x",
    "<style>*{display:none}</style>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "{{7*7}}{% raw %}",
    "`<b onclick=alert(1)>code</b>`",
    'https://x.example/"onclick=alert(1)',
    "http://x.example/<script>alert(1)</script>",
    "\u202egnp.exe<script>alert(1)</script>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
)
HOSTILE = [f"h0stile {before}{load}" for before, load in product(BREAKS, LOADS)]

TAGS = re.compile(
    "html|head|meta|title|link|script|body|a|nav|main|aside|header|article|section|p|h1|h2|h3|h4|ul|ol|li|dl|dt|dd|div|"
    "span|b|code|kbd|time|img|table|thead|tbody|tr|th|td|form|input|label|button|select|option|textarea|fieldset|"
    "legend|details|summary|noscript"
)


class Live(HTMLParser):
    """Everything in a page that is alive: tags, attributes, addresses, and the text of it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def check(page: str) -> Live:
    """Raise AssertionError when a page holds a tag, handler or address that is not ours."""
    live = Live()
    live.feed(page)
    for tag, attributes in live.tags:
        assert TAGS.fullmatch(tag), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name not in ("style", "srcdoc"), (tag, name)
            if name in ("src", "action", "formaction"):
                assert (value or "").startswith(("/static/console/", "/console/")), (tag, name, value)
            if name == "href" and tag != "a":
                assert (value or "").startswith("/static/console/"), (tag, value)
            if name == "href":
                assert (value or "").startswith(("/", "#", "?", "http://", "https://")) or not value, value
            if tag in ("meta", "base"):
                assert name != "http-equiv"
        if tag == "script":
            assert attributes == {"src": "/static/console/console.js", "defer": None}
    return live


def test_there_are_two_hundred_of_them():
    assert len(set(HOSTILE)) == 200


async def test_two_hundred_hostile_texts_come_to_nothing_on_a_page(visitor):
    for text in HOSTILE[::2]:
        assert (await visitor.say("staff", text)).status_code == 303
    for text in HOSTILE[1::2]:
        assert (await visitor.say("agent", f"thing shout {text}")).status_code == 303
    seen, before = "", ""
    while True:
        page = (await visitor.open(f"/console/owner/requests{before}")).text
        live = check(page)
        seen += live.text
        found = page.partition('href="?before=')[2].partition('"')[0]
        if not found:
            break
        before = f"?before={found}"
    normal = "".join(seen.split())
    for text in HOSTILE:
        plain = text.replace("`", "")
        assert "".join(plain.split()) in normal, text


async def test_hostile_text_comes_to_nothing_in_every_part_of_a_reply(visitor):
    await visitor.open("/console/staff/requests")
    for number, load in enumerate(HOSTILE[::7]):
        fields = {"line": f"thing everything {load}", "room": "requests", "key": f"key-part-{number:04}"}
        answer = await visitor.post("/console/staff/-/say", fields, Accept="application/json")
        for event in answer.json()["events"]:
            live = check(event["html"])
            assert "h0stile" in live.text


def test_a_terminal_is_not_steered():
    steering = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\u202e\u2066evil\x00"
    reply = Reply(
        title=steering,
        text=(steering,),
        tone=Tone.BAD,
        facts=facts((steering, steering)),
        table=Table(columns=(steering,), rows=(((steering,),),)),
        buttons=(Button(label=steering, line=steering),),
        file=(steering, steering),
    )
    assert not set(to_text(reply)) & set("\x1b\x07\x9b\r\u202e\u2066\x00")


async def test_control_characters_do_not_reach_the_store(visitor, sqlite):
    await visitor.say("staff", "a\x00b\x1bc\x7fd\re")
    page = (await visitor.open("/console/staff/requests")).text
    assert "abcde" in page
