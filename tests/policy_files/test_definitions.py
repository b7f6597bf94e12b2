"""A stored definition answers by itself, for ever, under the version that names it."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from config.definitions import (
    agreement_from,
    calendar_from,
    calendars_from,
    changes_from,
    definitions,
    escalation_from,
    offering_from,
    plan_definition,
    plan_from,
)
from config.loading import load
from config.policy import Calendar, Policy, fingerprint, plain


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(Path(str(files("config"))) / "policies")


def test_everything_that_a_ticket_lives_by_has_a_definition(policy):
    found = [(each.kind, each.key) for each in definitions(policy)]
    assert found == [
        *(("agreement", key) for key in policy.agreements),
        *(("offering", key) for key in policy.offerings),
        *(("escalation", key) for key in policy.escalations),
        ("changes", "changes"),
    ]


def test_a_definition_comes_back_from_json_as_it_was(policy):
    ways = {
        "agreement": (agreement_from, policy.agreements),
        "offering": (offering_from, policy.offerings),
        "escalation": (escalation_from, policy.escalations),
        "changes": (changes_from, {"changes": policy.changes}),
    }
    for each in definitions(policy):
        body = json.loads(json.dumps(each.body))
        come_back, known = ways[each.kind]
        assert come_back(body) == known[each.key]
        for key, calendar in calendars_from(body).items():
            assert calendar == policy.calendars[key]


def test_a_definition_is_named_by_its_body_before_and_after_json(policy):
    for each in definitions(policy):
        assert fingerprint(json.loads(json.dumps(each.body))) == each.version


def test_an_agreement_brings_the_calendars_it_counts_in_and_no_other(policy):
    found = {
        each.key: set(calendars_from(each.body)) for each in definitions(policy) if each.kind == "agreement"
    }
    assert found == {"standard": {"office"}, "priority": {"24x7", "extended"}, "incident": {"24x7"}}


def versions(policy: Policy) -> dict[tuple[str, str], str]:
    return {(each.kind, each.key): each.version for each in definitions(policy)}


def test_another_holiday_is_another_version_of_what_counts_in_that_calendar_alone(policy):
    office: Calendar = policy.calendars["office"]
    closed = dict(list(office.closed.items())[1:])
    changed = replace(policy, calendars={**policy.calendars, "office": replace(office, closed=closed)})
    moved = {key for key, version in versions(changed).items() if version != versions(policy)[key]}
    assert moved == {
        ("agreement", "standard"),
        ("offering", "laptop"),
        ("offering", "mailbox"),
        ("offering", "software-licence"),
        ("changes", "changes"),
    }


def test_the_same_files_give_the_same_versions(policy):
    assert versions(load(Path(str(files("config"))) / "policies")) == versions(policy)


def test_a_stored_body_may_hold_what_a_later_release_has_dropped(policy):
    body = {**plain(policy.calendars["office"]), "once_known": "and now no more"}
    assert calendar_from(body) == policy.calendars["office"]


def test_a_plan_comes_back_from_what_was_stored_without_when_it_is_tried(policy):
    plan = policy.plans["mail-store-lost"]
    stored = plan_definition(plan, "PLN-1")
    assert plan.drills
    assert plan_from(json.loads(json.dumps(stored.body))) == replace(plan, drills=())
    assert plan_definition(replace(plan, drills=()), "PLN-1") == stored
    assert plan_definition(replace(plan, scenario="another"), "PLN-1").version != stored.version
