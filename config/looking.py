"""What was read, and a place in it: the means by which one value is judged beside the others.

A name must stand in the file it points to, an id must look as its platform writes it, a zone must be in the IANA
database. What is wrong is told at the line where it stands. A file that could not be read is not held against
those that refer to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files as resources

from config.policy import (
    Access,
    Agreement,
    AlertSource,
    Calendar,
    ChangeRules,
    ContinuityRules,
    Digest,
    Escalation,
    EvidenceRules,
    Freeze,
    IncidentRules,
    Offering,
    Opening,
    Organisation,
    Person,
    Plan,
    Readiness,
    Retention,
    Role,
    Room,
    Rota,
    Service,
    StandardChange,
    Team,
    Webhook,
    Weekday,
    shown,
)
from config.reading import Place, Report, Written

_SNOWFLAKE = r"[0-9]{15,20}"
ROOM_IDS = {"slack": r"[CG][A-Z0-9]{6,20}", "discord": _SNOWFLAKE, "console": r".{1,80}"}
USER_IDS = {"slack": r"[UW][A-Z0-9]{6,20}", "discord": _SNOWFLAKE, "console": r".{1,80}"}
WORKSPACE_IDS = {"slack": r"[TE][A-Z0-9]{6,20}", "discord": _SNOWFLAKE, "console": r".{1,80}"}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_GROUP_IDS = {"slack": r"S[A-Z0-9]{6,20}", "discord": _SNOWFLAKE}
_LOOKS = {
    "slack room": "copy the channel ID from the channel's details, as C0123456789",
    "discord room": "copy the channel's ID in developer mode, 15 to 20 digits",
    "slack account": "copy the member ID from the profile, as U0123456789",
    "discord account": "copy the user's ID in developer mode, 15 to 20 digits",
    "slack workspace": "copy it from the workspace's web address, as T0123456789",
    "discord workspace": "copy the server's ID in developer mode, 15 to 20 digits",
    "slack group": "copy the user group's ID, as S0123456789",
    "discord group": "copy the role's ID in developer mode, 15 to 20 digits",
    "console room": "write up to 80 characters",
    "console account": "write up to 80 characters",
    "console workspace": "write up to 80 characters",
}


@dataclass(frozen=True)
class Draft:
    """What was read: `files` by name, and of each kind the values whose bodies were right."""

    files: Mapping[str, Written]
    organisation: Organisation | None
    access: Access | None
    people: Mapping[str, Person]
    teams: Mapping[str, Team]
    rooms: Mapping[str, Room]
    services: Mapping[str, Service]
    offerings: Mapping[str, Offering]
    calendars: Mapping[str, Calendar]
    agreements: Mapping[str, Agreement]
    rotas: Mapping[str, Rota]
    escalations: Mapping[str, Escalation]
    alerts: Mapping[str, AlertSource]
    incidents: IncidentRules | None
    changes: ChangeRules | None
    standard_changes: Mapping[str, StandardChange]
    freezes: Mapping[str, Freeze]
    continuity: ContinuityRules | None
    plans: Mapping[str, Plan]
    readiness: Mapping[str, Readiness]
    digests: Mapping[str, Digest]
    evidence: EvidenceRules | None
    retention: Retention | None
    webhooks: Mapping[str, Webhook]


class Look:
    """A place in one file, with the means to judge what stands there."""

    def __init__(self, draft: Draft, report: Report, file: str = "organisation", place: Place = ()) -> None:
        self.draft = draft
        self._report = report
        self._file = file
        self._place = place

    def within(self, file: str, *steps: str | int) -> Look:
        return Look(self.draft, self._report, file, steps)

    def at(self, *steps: str | int) -> Look:
        return Look(self.draft, self._report, self._file, (*self._place, *steps))

    def wrong(self, message: str) -> None:
        self._report.add(self.draft.files[self._file], self._place, message)

    def faulty(self, *files: str) -> bool:
        """Whether anything is wrong in one of these files as far as they were judged."""
        return any(problem.file == f"{file}.yaml" for problem in self._report.problems for file in files)

    def near(self, name: str, known: Iterable[str]) -> str | None:
        return self._report.near(name, known)

    def written(self) -> object:
        return self.draft.files[self._file].at(self._place)

    def known(self, file: str, name: str | None) -> bool:
        """Whether a name stands in a file; one that does not is reported, unless the file is unreadable."""
        if name is None or file not in self.draft.files:
            return name is not None
        names = self.draft.files[file].values
        if name in names:
            return True
        near = self.near(name, names)
        advice = f"did you mean {near!r}?" if near else "add it there or correct the name"
        self.wrong(f"{shown(name)} is not in {file}.yaml; {advice}")
        return False

    def one_of(self, name: str, known: Sequence[str]) -> None:
        if name not in known:
            near = self.near(name, known)
            advice = f"did you mean {near!r}?" if near else f"known are {', '.join(known)}"
            self.wrong(f"{shown(name)} is not known here; {advice}")

    def zone(self, name: str | None) -> bool:
        """Whether a zone is in the IANA database, letter for letter; one that is not is reported."""
        if name is None or name in _zones():
            return name is not None
        near = self.near(name, _zones())
        advice = f"did you mean {near}?" if near else "write for example Europe/Berlin"
        self.wrong(f"{shown(name)} is no IANA time zone; {advice}")
        return False

    def address(self, written: str | None) -> None:
        """An e-mail address must look like one."""
        if written is not None and not _ADDRESS.fullmatch(written):
            self.wrong(f"{shown(written)} is no e-mail address; write it as name@example.org")

    def shaped(self, noun: str, platform: str, written: str, shapes: Mapping[str, str]) -> None:
        """An id must have the shape that its platform gives to ids of rooms, accounts and so on."""
        if platform not in shapes:
            self.one_of(platform, tuple(shapes))
        elif not re.fullmatch(shapes[platform], written):
            self.wrong(f"{shown(written)} is no {platform} {noun}; {_LOOKS[f'{platform} {noun}']}")

    def named(self, who: str) -> None:
        """People by key, teams as `@team`, a platform's roles and groups as `discord:ID` and `slack:ID`."""
        if who.startswith("@"):
            self.known("teams", who[1:])
        elif ":" in who:
            platform, _, group = who.partition(":")
            self.shaped("group", platform, group, _GROUP_IDS)
        else:
            self.known("people", who)

    def decides(self, who: str) -> set[str] | None:
        """The people behind a name that decides on changes; None where files alone cannot tell how many they are.

        People and teams as `named`, roles as `role:approver`, and `owner` for the owners of services.
        """
        if who == "owner":
            return None
        if who.startswith("role:"):
            self.one_of(who[5:], [str(role) for role in Role])
            granted = self.draft.access.grants if self.draft.access else {}
            names = [name for role, to in granted.items() if role in (who[5:], Role.ADMIN) for name in to]
            found = [self._people_of(name) for name in names]
            return None if None in found or not names else {key for each in found if each for key in each}
        self.named(who)
        return self._people_of(who)

    def does(self, who: str) -> None:
        """A name that does a step of a plan: as one that decides on changes, or whoever is on call as `rota:KEY`."""
        if who.startswith("rota:"):
            self.known("rotas", who[5:])
        else:
            self.decides(who)

    def _people_of(self, who: str) -> set[str] | None:
        if who.startswith("@"):
            team = self.draft.teams.get(who[1:])
            return set(team.members) if team else None
        return None if ":" in who else {who}

    def unlike(self, names: Iterable[str]) -> None:
        """The items of a list must differ; each repetition is reported where it stands."""
        seen: set[str] = set()
        for index, name in enumerate(names):
            if name in seen:
                self.at(index).wrong(f"{shown(name)} stands here twice; keep one of them")
            seen.add(name)

    def business_time(self, calendar: str | None) -> None:
        """Refuse days and weeks where a calendar has fewer than 24 hours to a day.

        `1d` under office hours would be 24 hours of opening time, three working days, which nobody
        who writes it means.
        """
        text = self.written()
        counted = self.draft.calendars.get(calendar or "")
        if counted is None or counted.always or not isinstance(text, str):
            return
        if "d" in text or "w" in text:
            self.wrong(
                f"{shown(text)} counts 24 opening hours of {shown(counted.key)} to a day; write hours, as 8h"
            )

    def openings(self, hours: Sequence[Opening]) -> None:
        """Opening hours must each end after they begin, name a day once, and not overlap."""
        right = []
        for index, opening in enumerate(hours):
            self.at(index, "days").unlike(opening.days)
            if opening.opens < opening.closes:
                right.append((index, opening))
                continue
            self.at(index).wrong(
                f"closes at {opening.closes}, not after it opens at {opening.opens};"
                " part a night into one opening up to 24:00 and one from 00:00"
            )
        for day in Weekday:
            self._overlaps(day, [(index, each) for index, each in right if day in each.days])

    def _overlaps(self, day: Weekday, openings: Sequence[tuple[int, Opening]]) -> None:
        for number, (index, opening) in enumerate(openings):
            for _, other in openings[:number]:
                if opening.opens < other.closes and other.opens < opening.closes:
                    self.at(index).wrong(
                        f"overlaps {other.opens} to {other.closes} on {day}; part them or make them one"
                    )
                    break


@lru_cache(maxsize=1)
def _zones() -> dict[str, None]:
    # The package's own list, in its order: the machine's may hold other files beside zones.
    return dict.fromkeys((resources("tzdata") / "zones").read_text(encoding="ascii").split())
