"""Does the whole desk fit onto Discord: a request from its form to its end, and every button there is?"""

from __future__ import annotations

from bot.adapters.discord.render import render
from handlers.messages import Reply
from storage.models.flow import Counter
from tests.harness.discord import Answer, Person, seen_in
from tests.harness.discord import DiscordDesk as Desk
from tests.harness.house import Talk


async def filled(person: Person, answer: Answer, **answers: str) -> Answer:
    """Fill in a form page by page, with the answers that each page asks for."""
    while answer.result.modal is not None:
        answer = await person.fill(answer, **{key: answers[key] for key in answer.form if key in answers})
        if "Continue" in answer.buttons:
            answer = await person.click(answer, "Continue")
    return answer


async def test_a_request_is_asked_for_approved_taken_and_fulfilled(whole_desk: Desk):
    desk = whole_desk
    staff, manager, agent = desk.employ("staff"), desk.employ("manager"), desk.employ("agent")
    desk.employ("owner")
    desk.open_room("service-desk")
    asked = await filled(
        staff,
        await staff.say("request new laptop"),
        model="Strong 16 inch",
        why_strong="I build things",
        replaces="yes",
        old_laptop="INV-1",
        needed_by="2026-12-24",
    )
    assert "REQ-1 is filed" in asked.text
    await desk.send()
    assert any("REQ-1" in each for each in desk.read(desk.rooms["service-desk"]))
    approval = next(each for each in manager.dms if "Approve" in each.buttons)
    approved = await filled(manager, await manager.click(approval, "Approve"))
    assert "REQ-1" in approved.text
    assert desk.evidence("REQ-1")[-1].actor in ("manager", "desk")
    shown = await agent.say("request show REQ-1")
    assert "Strong 16 inch" in shown.text
    assert shown.private
    await desk.send()
    assert seen_in(desk.rooms["service-desk"])


async def test_a_message_becomes_an_incident_by_its_menu_or_an_emoji(whole_desk: Desk):
    staff = whole_desk.employ("staff")
    message = await staff.write("mail is down everywhere")
    opened = await staff.menu("Make this an incident", message)
    declared = await filled(staff, opened, service="mail", impact="high", urgency="high")
    assert "INC-1 is declared: mail is down everywhere" in declared.text
    assert message.jump_url in (await staff.say("incident show INC-1")).text
    await staff.react(await staff.write("the tunnel is closed"), "🔥")
    [told] = staff.dms
    assert "A few details, please" in told.text


async def test_help_lists_and_figures_are_shown(whole_desk: Desk):
    staff = whole_desk.employ("staff")
    for line in ("desk help", "desk home", "desk whoami", "service list", "sla status", "request list"):
        answer = await staff.say(line)
        assert answer.text, line
        assert "cannot be shown" not in answer.text, line


def test_every_button_of_every_answer_fits_even_after_a_thousand_million_requests(quick_talk: Talk):
    with quick_talk.database.writing() as session:
        session.add(Counter(kind="REQ", last=999_999_000))
    ref = "REQ-999999001"
    seen: list[Reply] = []

    def say(person: str, line: str, **answers: str) -> Reply:
        reply = quick_talk.say(person, line.replace("REQ-7", ref), **answers)
        render(reply)
        seen.append(reply)
        return reply

    say("staff", "request new laptop", model="Light 13 inch", replaces="no", needed_by="2026-12-24")
    for person in ("staff", "manager", "owner", "agent", "oncall"):
        say(person, "request show REQ-7")
        for declared in quick_talk.dispatcher.commands.spoken:
            if declared.name != "privacy erase":
                say(person, declared.example)
        render(quick_talk.dispatcher.look(ref).card)
    assert sum(len(each.buttons) for each in seen) > 20
