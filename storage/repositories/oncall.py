"""Questions about who is on call: overrides, swaps, turns that were announced, test pages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_models

from handlers.rules.rotation import Override
from storage.models.oncall import PageTest, RotaOverride, RotaSwap, RotaTurn


class OnCall:
    """What departs from the rotas' own turns, and what was said of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, *rows: RotaOverride | RotaSwap | RotaTurn | PageTest) -> None:
        """Write new rows."""
        self._session.add_all(rows)
        self._session.flush()

    def save(self) -> None:
        """Write what was changed on rows that were read."""
        self._session.flush()

    def overrides(self, rota: str, start: datetime, end: datetime) -> list[Override]:
        """The overrides of a rota that touch `[start, end)`, as they were made: the later one wins."""
        found = select(
            col(RotaOverride.person),
            col(RotaOverride.starts_at),
            col(RotaOverride.ends_at),
            col(RotaOverride.swap),
        ).where(_touching(rota, start, end))
        return [
            Override(rota, person, starts_at, ends_at, "override" if swap is None else "swap")
            for person, starts_at, ends_at, swap in self._session.execute(
                found.order_by(col(RotaOverride.number))
            )
        ]

    def listed(self, rota: str, start: datetime, end: datetime) -> Sequence[RotaOverride]:
        """The same as rows."""
        found = select_models(RotaOverride).where(_touching(rota, start, end))
        return self._session.exec(found.order_by(col(RotaOverride.number))).all()

    def override(self, number: int, for_change: bool = False) -> RotaOverride | None:
        """One override."""
        return self._session.get(RotaOverride, number, with_for_update=for_change or None)

    def swap(self, number: int, for_change: bool = False) -> RotaSwap | None:
        """One swap; `for_change` keeps others from answering it until this transaction ends."""
        return self._session.get(RotaSwap, number, with_for_update=for_change or None)

    def offers(self, *, to: str | None = None, by: str | None = None) -> Sequence[RotaSwap]:
        """Swaps that nobody has answered yet, the oldest first."""
        query = select_models(RotaSwap).where(col(RotaSwap.state) == "offered")
        if to is not None:
            query = query.where(col(RotaSwap.to) == to)
        if by is not None:
            query = query.where(col(RotaSwap.by) == by)
        return self._session.exec(query.order_by(col(RotaSwap.number))).all()

    def turn(self, rota: str, for_change: bool = False) -> RotaTurn | None:
        """Who was last said to hold a rota."""
        return self._session.get(RotaTurn, rota, with_for_update=for_change or None)

    def turns(self) -> Sequence[RotaTurn]:
        """Who was last said to hold each rota."""
        return self._session.exec(select_models(RotaTurn).order_by(col(RotaTurn.rota))).all()

    def forget(self, rota: str) -> None:
        """Drop what was said of a rota that the policy has no more."""
        self._session.execute(delete(RotaTurn).where(col(RotaTurn.rota) == rota))

    def revised_at(self, rota: str) -> datetime | None:
        """When a rota's schedule was last revised: its definition taken up, an override made or taken back.

        None for a rota that the desk has not looked at yet.
        """
        taken_up = select(col(RotaTurn.revised_at)).where(col(RotaTurn.rota) == rota)
        changed = select(func.max(col(RotaOverride.changed_at))).where(col(RotaOverride.rota) == rota)
        moments = [self._session.scalar(taken_up), self._session.scalar(changed)]
        return max((each for each in moments if each is not None), default=None)

    def page_test(self, number: int, for_change: bool = False) -> PageTest | None:
        """One test page."""
        return self._session.get(PageTest, number, with_for_update=for_change or None)


def _touching(rota: str, start: datetime, end: datetime) -> ColumnElement[bool]:
    """Those that overlap a span, or hold at its only instant, without those taken back before they began."""
    begins, ends = col(RotaOverride.starts_at), col(RotaOverride.ends_at)
    return and_(
        col(RotaOverride.rota) == rota, or_(begins < end, begins == start), ends > start, ends > begins
    )
