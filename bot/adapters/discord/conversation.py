"""One exchange on Discord: something is said, the desk answers within three seconds.

The core takes milliseconds, so the first response mostly is the answer. Where it takes longer than two
seconds the answer is promised and follows. Nothing is kept in memory between two exchanges: buttons and
forms carry in their ids what they mean, so they work after a restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import anyio.to_thread
import discord
import structlog

from bot.adapters.discord import forms, inbound, limits
from bot.adapters.discord.forms import Draft
from bot.adapters.discord.render import LINE_AT_MOST, Control, Page, render
from bot.adapters.port import Ear
from handlers.declare import Declared
from handlers.errors import DeskError, HouseFault
from handlers.messages import Command, Form, FormField, Option, Place, Reply, Sender, Style, Tone, facts
from storage.database import StoreUnavailable

_log = structlog.get_logger()

Interaction = discord.Interaction[Any]
NOBODY = discord.AllowedMentions.none()
_KEPT_SHOWN = 200  # characters of a kept answer that the reminder repeats
_NOT_CONNECTED = Reply(
    title="I do not know you here.",
    text=("The desk answers members of the servers it is connected to. Ask the desk's administrator.",),
    tone=Tone.BAD,
)
_AWAY = Reply(
    title="The desk cannot write just now, and nothing was changed.",
    text=("Try again in a minute.",),
    tone=Tone.BAD,
)
_CANNOT_SHOW = Reply(
    title="It was carried out, but the answer cannot be shown here.",
    text=("Tell the desk's administrator when this was.",),
    tone=Tone.BAD,
)
_IN_THE_ROOM = Reply(title="The answer is in the room.")
_GONE = Reply(title="This form is no longer open.", text=("Give the command again.",), tone=Tone.WAITING)
_UNKNOWN = Reply(
    title="This command is not known here any more.",
    text=("Reload Discord to see the present ones.",),
    tone=Tone.BAD,
)
_LET_BE = Reply(title="Nothing was changed.")


@dataclass(frozen=True)
class Shelf:
    """Where drafts lie that are too long for an id: `put(key, text)` and `get(key)` on the store.

    Keys are 40 characters. What has lain there for a day may be thrown away: who comes back to it is told to
    begin anew.
    """

    put: Callable[[str, str], None]
    get: Callable[[str], str | None]


@dataclass(frozen=True)
class Question:
    """A form to be filled in: the reply it came with, and the questions of its next page."""

    form: Form
    draft: Draft
    fields: Sequence[FormField]
    said: Reply


Step = Reply | Question


class Conversation:
    """Hears what people do on Discord and answers.

    `member_of` finds the member behind whoever acts, by user and server; None is nobody the desk is
    connected with. `answer_within` are seconds.
    """

    def __init__(
        self,
        ear: Ear,
        shelf: Shelf,
        member_of: Callable[[discord.User | discord.Member, int | None], Awaitable[discord.Member | None]],
        answer_within: float,
    ) -> None:
        self._ear = ear
        self._shelf = shelf
        self._member_of = member_of
        self._answer_within = answer_within

    # What people do -------------------------------------------------------------------------------

    async def slash(self, interaction: Interaction, declared: Declared, options: Mapping[str, Any]) -> None:
        """A slash command."""
        line, answers = inbound.said(declared, options, interaction.guild_id or 0)
        await self._exchange(interaction, lambda sender: self._say(interaction, sender, Draft(line, answers)))

    async def say(self, interaction: Interaction, draft: Draft) -> None:
        """A line behind a button or in a menu."""
        await self._exchange(interaction, lambda sender: self._say(interaction, sender, draft))

    async def ask_first(self, interaction: Interaction, line: str, question: str) -> None:
        """A button whose line needs a yes."""
        controls = [Control("Yes", f"say:{line}", Style.DANGER), Control("No", "no:")]
        await self._show(interaction, Reply(title=question, tone=Tone.WAITING), controls)

    async def let_be(self, interaction: Interaction) -> None:
        """The no to such a question."""
        await self._show(interaction, _LET_BE)

    async def unknown(self, interaction: Interaction) -> None:
        """A command that cannot be carried out because the desk does not have it."""
        await self._show(interaction, _UNKNOWN)

    async def go_on(self, interaction: Interaction, state: str) -> None:
        """The button that opens a form's next page."""
        await self._exchange(interaction, lambda sender: self._reopen(interaction, sender, state))

    async def send_kept(self, interaction: Interaction, state: str) -> None:
        """The button that sends a form with the answers so far."""

        async def send(sender: Sender) -> Step:
            draft = await self._unpacked(interaction, state)
            return _GONE if draft is None else await self._say(interaction, sender, draft)

        await self._exchange(interaction, send)

    async def submitted(
        self, interaction: Interaction, state: str, parts: Sequence[Mapping[str, Any]]
    ) -> None:
        """A page of a form that was sent."""
        await self._exchange(interaction, lambda sender: self._take_in(interaction, sender, state, parts))

    async def complete(
        self, interaction: Interaction, declared: Declared, parameter: str, typed: str
    ) -> Sequence[Option]:
        """What may complete an option; nothing rather than an error, because nobody would see one."""
        member = await self._member_of(interaction.user, interaction.guild_id)
        if member is None:
            return ()
        try:
            return await self._ear.options(inbound.sender(member), declared.name, parameter, typed)
        except (StoreUnavailable, DeskError):
            _log.warning("completion failed", command=declared.name, parameter=parameter)
            return ()

    async def privately(self, command: Command, user: int) -> list[Page]:
        """What came of a command that was no interaction, as messages for a direct talk with this user."""
        step = await self._hear(command, Draft(command.line, source=command.source, message=command.message))
        return await self._pages(step, user)

    # What becomes of it ---------------------------------------------------------------------------

    async def _exchange(self, interaction: Interaction, work: Callable[[Sender], Awaitable[Step]]) -> None:
        thinking = asyncio.ensure_future(self._think(interaction, work))
        try:
            done, _ = await asyncio.wait({thinking}, timeout=self._answer_within)
            if not done:
                await interaction.response.defer(ephemeral=True, thinking=True)
            await self._show(interaction, await thinking)
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            # What was committed stays so; a repeat by hand is met by the state it left.
            _log.warning("Discord did not take an answer", interaction=interaction.id, error=str(error))
            await asyncio.wait({thinking})

    async def _think(self, interaction: Interaction, work: Callable[[Sender], Awaitable[Step]]) -> Step:
        member = await self._member_of(interaction.user, interaction.guild_id)
        return _NOT_CONNECTED if member is None else await work(inbound.sender(member))

    async def _say(self, interaction: Interaction, sender: Sender, draft: Draft) -> Step:
        return await self._hear(self._command(interaction, sender, draft), draft)

    async def _hear(self, command: Command, draft: Draft) -> Step:
        try:
            reply = await self._ear.hear(command)
        except StoreUnavailable:
            return _AWAY
        if reply.form is None:
            return reply
        draft = replace(draft, line=reply.form.line, ask=forms.first_questions(reply.form, draft.answers))
        return Question(reply.form, draft, forms.next_questions(reply.form, draft), reply)

    async def _draft(self, interaction: Interaction, sender: Sender, draft: Draft) -> Form | None:
        try:
            return await self._ear.draft(self._command(interaction, sender, draft))
        except (StoreUnavailable, DeskError):
            return None

    async def _reopen(self, interaction: Interaction, sender: Sender, state: str) -> Step:
        draft = await self._unpacked(interaction, state)
        form = await self._draft(interaction, sender, draft) if draft else None
        if draft is None or form is None or not form.fields:
            return _GONE
        return Question(form, draft, forms.next_questions(form, draft), Reply(title=form.title))

    async def _take_in(
        self, interaction: Interaction, sender: Sender, state: str, parts: Sequence[Mapping[str, Any]]
    ) -> Step:
        draft = await self._unpacked(interaction, state)
        if draft is None:
            return _GONE
        new = inbound.filled_in(parts, int(sender.workspace))
        draft = replace(draft, answers={**draft.answers, **new}, ask=())
        form = await self._draft(interaction, sender, draft)
        if form is not None and (still := self._still_asked(form, draft)) != draft.answers:
            draft = replace(draft, answers=still)
            form = await self._draft(interaction, sender, draft)
        if form is not None:
            unasked = [each for each in form.fields if each.key not in draft.answers]
            if unasked:
                form = _without_problems(form)  # they are told together, once everything was asked
                left = "one question is" if len(unasked) == 1 else f"{len(unasked)} questions are"
                said = Reply(title=f"Kept so far; {left} left.", tone=Tone.WAITING)
                return Question(form, draft, forms.next_questions(form, draft), said)
        return await self._say(interaction, sender, draft)

    def _still_asked(self, form: Form, draft: Draft) -> dict[str, str]:
        """The answers without those to questions that another answer has made meaningless."""
        declared, _ = self._ear.commands.find(draft.line)
        known = {each.key for each in form.fields} | {each.key for each in declared.parameters}
        return {key: value for key, value in draft.answers.items() if key in known}

    def _command(self, interaction: Interaction, sender: Sender, draft: Draft) -> Command:
        channel = interaction.channel
        return Command(
            line=draft.line,
            sender=sender,
            place=inbound.place(channel) if channel else Place(platform=inbound.PLATFORM),
            key=f"{inbound.PLATFORM}:{interaction.id}",
            answers=draft.answers,
            source=draft.source,
            message=draft.message,
        )

    # How it is shown ------------------------------------------------------------------------------

    async def _show(self, interaction: Interaction, step: Step, controls: Sequence[Control] = ()) -> None:
        a_form_may_open = (
            not interaction.response.is_done()
            and interaction.type is not discord.InteractionType.modal_submit
        )
        if isinstance(step, Question) and a_form_may_open:
            await interaction.response.send_modal(await self._modal(step, interaction.user.id))
            return
        private = not isinstance(step, Reply) or step.private
        try:
            pages = await self._pages(step, interaction.user.id, controls)
        except HouseFault:
            _log.exception("a reply cannot be shown on Discord", interaction=interaction.id)
            pages, private = render(_CANNOT_SHOW), True
        await _send(interaction, pages, private)

    async def _pages(self, step: Step, user: int, controls: Sequence[Control] = ()) -> list[Page]:
        if isinstance(step, Reply):
            fits = tuple(each for each in step.buttons if len(each.line) <= LINE_AT_MOST)
            longer = [each for each in step.buttons if each not in fits]
            kept = [
                Control(each.label, f"send:{await self._packed(Draft(each.line), user)}", each.style)
                for each in longer
            ]
            return render(step.model_copy(update={"buttons": fits}), [*kept, *controls])
        form = step.form
        known = {each.key: each.value for each in form.fields if each.value} | dict(step.draft.answers)
        draft = replace(step.draft, answers=known)
        wrong = [(f"⚠️ {each.label}", each.error) for each in form.fields if each.error]
        so_far = [
            (each.label, limits.shortened(known[each.key], _KEPT_SHOWN))
            for each in form.fields
            if known.get(each.key)
        ]
        reminder = step.said.model_copy(
            update={"text": (form.note,) if form.note else (), "facts": facts(*wrong, *so_far)}
        )
        opens = "Open the form again" if wrong else "Continue"
        buttons = [Control(opens, f"form:{await self._packed(draft, user)}", Style.PRIMARY)]
        if not forms.missing(form, known):
            sends = f"send:{await self._packed(replace(draft, ask=()), user)}"
            buttons.append(Control(form.submit, sends))
        return render(reminder, buttons)

    async def _modal(self, question: Question, user: int) -> discord.ui.Modal:
        kept = forms.carried(question.form, question.draft, question.fields)
        state = await self._packed(replace(question.draft, answers=kept, ask=()), user)
        return forms.modal(question.form, question.fields, f"form:{state}")

    async def _packed(self, draft: Draft, user: int) -> str:
        state, kept = forms.pack(draft, user)
        if kept is not None:
            await anyio.to_thread.run_sync(self._shelf.put, state, kept)
        return state

    async def _unpacked(self, interaction: Interaction, state: str) -> Draft | None:
        kept = None if state.startswith("[") else await anyio.to_thread.run_sync(self._shelf.get, state)
        return forms.unpack(state, kept, interaction.user.id)


def _without_problems(form: Form) -> Form:
    return form.model_copy(
        update={"fields": tuple(each.model_copy(update={"error": ""}) for each in form.fields)}
    )


async def _send(interaction: Interaction, pages: Sequence[Page], private: bool) -> None:
    """Answer with messages: in place of the asker's own private one, as the response, or as promised."""
    first, *others = pages
    hidden = private and interaction.guild_id is not None  # a direct talk is private anyway, and should last
    response = interaction.response
    before = interaction.message
    if response.is_done() and not hidden:
        others = list(pages)  # the promise was private and can never become public
        await interaction.edit_original_response(view=render(_IN_THE_ROOM)[0].view(), allowed_mentions=NOBODY)
    elif response.is_done():
        await interaction.edit_original_response(
            view=first.view(), attachments=await first.files(), allowed_mentions=NOBODY
        )
    elif hidden and before is not None and before.flags.ephemeral:
        await response.edit_message(
            view=first.view(), attachments=await first.files(), allowed_mentions=NOBODY
        )
    else:
        await response.send_message(
            view=first.view(), files=await first.files(), ephemeral=hidden, allowed_mentions=NOBODY
        )
    for page in others:
        await interaction.followup.send(
            view=page.view(), files=await page.files(), ephemeral=hidden, allowed_mentions=NOBODY
        )
