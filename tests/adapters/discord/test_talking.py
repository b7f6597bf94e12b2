"""Does Discord carry what people say, and what the desk answers?"""

from __future__ import annotations

import asyncio
import re

import discord
import pytest

from bot.adapters.port import Delivery
from storage.database import StoreUnavailable
from tests.adapters.discord import capability
from tests.harness.discord import GUILD, Answer, Person, seen_in
from tests.harness.discord import DiscordDesk as Desk


async def test_a_slash_command_is_carried_out_and_answered_at_once(desk: Desk):
    staff = desk.employ("staff")
    answer = await staff.say("bug report what:smoke how_bad:high")
    assert "BUG-1 is filed: smoke (high)" in answer.text
    assert answer.buttons == ["Show", "Note", "Drop"]
    assert [each.actor for each in desk.evidence("BUG-1")] == ["staff"]


async def test_an_answer_is_private_unless_the_room_gains(desk: Desk):
    staff = desk.employ("staff")
    assert (await staff.say("request list")).private
    assert not (await staff.say("bug show BUG-1")).private


async def test_people_numbers_and_choices_are_options_of_their_own(desk: Desk):
    staff, _ = desk.employ("staff"), desk.employ("agent")
    answer = await staff.say("person meet @agent times:3 colour:colour-29 service:mail")
    assert "agent met 3 times, colour-29" in answer.text


async def test_open_answers_go_into_the_details(desk: Desk):
    staff = desk.employ("staff")
    answer = await staff.say('request new laptop size:"13 inch"')
    assert "REQ-1 is filed: laptop, size 13 inch" in answer.text


async def test_an_option_completes_what_is_typed_and_offers_no_more_than_25(desk: Desk):
    staff = desk.employ("staff")
    assert await staff.complete("bug show", "bug", "bug-3") == ["BUG-3", *(f"BUG-{n}" for n in range(30, 40))]
    assert len(await staff.complete("bug show", "bug", "")) == 25
    assert await staff.complete("person meet", "colour", "-29") == ["colour-29"]
    assert await staff.complete("person meet", "service", "zzzz") == []


async def test_a_stranger_is_met_when_they_first_speak(desk: Desk):
    stranger = desk.person("nobody-knows-me")
    assert "is filed" in (await stranger.say("bug report what:smoke")).text
    assert desk.evidence("BUG-1")[0].actor == "person-1"


async def test_who_is_on_no_connected_server_is_not_answered(desk: Desk):
    elsewhere = desk.env.create_guild("elsewhere")
    room = elsewhere.create_text_channel("general")
    outsider = Person(desk, elsewhere.add_member(desk.env.create_user("outsider")))
    await desk.adapter.deliver(Delivery("1", "message", {"channel": str(room.id)}, capability._card("BUG-1")))
    assert "I do not know you here" in (await outsider.click(seen_in(room)[0], "Show")).text


async def test_a_command_that_the_desk_no_longer_knows_is_said_so(desk: Desk):
    staff = desk.employ("staff")
    desk.adapter.client.tree.remove_command("bug", guild=discord.Object(GUILD))
    answer = await staff.say("bug report what:smoke")
    assert "not known here any more" in answer.text
    assert [type(each) for each in desk.env.errors] == [discord.app_commands.CommandNotFound]


async def test_roles_of_the_server_reach_the_access_policy(desk: Desk):
    from bot.adapters.discord import inbound

    staff = desk.employ("staff", "Approvers")
    role = desk.guild.roles["Approvers"]
    heard = []
    hear = desk.ear.hear

    async def listen(command):
        heard.append(command)
        return await hear(command)

    desk.ear.hear = listen  # type: ignore[method-assign]
    await staff.say("request list")
    assert heard[0].sender.groups == (f"discord:{role.id}",)
    assert heard[0].sender.platform == inbound.PLATFORM
    assert heard[0].place.channel == str(desk.rooms["help"].id)


async def test_buttons_say_their_lines_before_and_after_a_restart(desk: Desk):
    staff = desk.employ("staff")
    filed = await staff.say("bug report what:smoke")
    assert "BUG-1: the printer" in (await staff.click(filed, "Show")).text
    await desk.restart()
    assert "BUG-1: the printer" in (await staff.click(filed, "Show")).text


async def test_a_button_that_asks_first_does_nothing_until_the_yes(desk: Desk):
    staff = desk.employ("staff")
    filed = await staff.say("bug report what:smoke")
    asked = await staff.click(filed, "Drop")
    assert "Forget this bug?" in asked.text
    assert asked.private
    assert asked.buttons == ["Yes", "No"]
    assert [each.action for each in desk.evidence("BUG-1")] == ["bug.reported"]
    await staff.click(asked, "No")
    assert "Nothing was changed" in asked.text  # the question's own message tells
    again = await staff.click(filed, "Drop")
    await desk.restart()
    await staff.click(again, "Yes")
    assert "BUG-1 is dropped" in again.text
    assert [each.action for each in desk.evidence("BUG-1")] == ["bug.reported", "bug.dropped"]


async def test_a_line_too_long_for_a_button_is_kept_for_the_one_who_saw_it(desk: Desk):
    staff, agent = desk.employ("staff"), desk.employ("agent")
    answer = await staff.say(f"request list about:{'x' * 200}")
    await desk.restart()
    assert "Requests of everyone" in (await staff.click(answer, "Next")).text
    with pytest.raises(Exception, match="not visible"):
        await agent.click(answer, "Next")


async def test_the_answer_is_promised_when_the_core_takes_too_long(desk: Desk):
    staff = desk.employ("staff")
    hear, promised = desk.ear.hear, asyncio.Event()
    desk.adapter.client.talk._answer_within = 0.01

    async def slowly(command):
        await desk.env.external_wait(promised.wait(), reason="the core takes its time")
        return await hear(command)

    async def after_a_while(line: str) -> Answer:
        promised.clear()
        answer = await staff.say(line)
        assert answer.result.deferred
        promised.set()
        await desk.env.settle()
        return answer

    desk.ear.hear = slowly  # type: ignore[method-assign]
    answer = await after_a_while("request list")
    assert "Requests of everyone" in answer.text
    public = await after_a_while("bug show BUG-1")
    assert [each.private for each in public.messages] == [True, False]
    assert "BUG-1: the printer" in public.messages[1].text
    form = await after_a_while("bug note BUG-1")
    assert form.buttons == ["Continue"]
    desk.ear.hear = hear  # type: ignore[method-assign]
    desk.adapter.client.talk._answer_within = 2
    opened = await staff.click(form, "Continue")
    assert "Noted on BUG-1" in (await staff.fill(opened, text="smoke")).text


async def test_an_answer_that_discord_does_not_take_leaves_what_was_done_done(desk: Desk):
    staff = desk.employ("staff")
    desk.env.inject_error("POST", "/interactions/*/callback", status=404, code=10062)
    lost = await staff.say("bug report what:smoke")
    assert not lost.result.acknowledged
    assert [each.action for each in desk.evidence("BUG-1")] == ["bug.reported"]
    assert "BUG-1: the printer" in (await staff.say("bug show BUG-1")).text


async def test_a_store_that_is_away_is_said_calmly(desk: Desk):
    staff = desk.employ("staff")

    async def away(*_):
        raise StoreUnavailable("gone")

    desk.ear.hear = away  # type: ignore[method-assign]
    answer = await staff.say("bug report what:smoke")
    assert "nothing was changed" in answer.text
    assert answer.private


async def test_what_people_wrote_is_inert(desk: Desk):
    staff = desk.employ("staff")
    hostile = "@everyone <@123> [bank](https://evil.example) **bold** `code` ||spoiler|| # x <t:0:f>"
    answer = await staff.say("bug report", what=hostile)
    shown = answer.messages[0].markdown
    assert "@everyone" not in shown
    assert "<@123>" not in shown.replace("\\<", "")
    assert not re.search(r"(?<!\\)[\[*`|<](?!t:)", shown.partition("\n")[0])
    assert hostile.replace("@", "") in answer.text.replace("@", "").replace("\u200b", "")


async def test_the_menu_of_a_message_makes_it_a_request_that_keeps_the_link(desk: Desk):
    staff = desk.employ("staff")
    message = await staff.write("my laptop died " + "x" * 300)
    opened = await staff.menu("Make this a request", message)
    assert opened.form == {"what": "What do you need?"}
    await desk.restart()
    more = await staff.fill(opened, what="laptop")
    assert more.buttons == ["Continue"]
    size = await staff.click(more, "Continue")
    done = await staff.fill(size, size="13")
    assert "REQ-1 is filed: laptop, size 13" in done.text
    assert message.jump_url in done.text
    assert "my laptop died" in done.text


async def test_the_menu_of_a_person_lists_their_requests(desk: Desk):
    staff, agent = desk.employ("staff"), desk.employ("agent")
    assert "Requests of agent" in (await staff.menu("Their requests", agent)).text


async def test_the_emoji_on_a_message_makes_it_a_request_and_the_answer_is_private(desk: Desk):
    staff, agent = desk.employ("staff"), desk.employ("agent")
    message = await agent.write("the coffee is out")
    await staff.react(message, "🎉")
    assert not staff.dms
    await staff.react(message, "🎫")
    [told] = staff.dms
    assert told.buttons == ["Continue"]
    await desk.restart()
    opened = await staff.click(told, "Continue")
    more = await staff.fill(opened, what="phone")
    done = await staff.fill(await staff.click(more, "Continue"), colour="red")
    assert "REQ-1 is filed: phone, colour red" in done.text
    assert desk.evidence("REQ-1")[0].actor == "staff"
    assert seen_in(desk.rooms["help"])[-1].text != done.text
