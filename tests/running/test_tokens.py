"""A token opens what it was made for, is the same in every process, and nobody else can make it."""

from __future__ import annotations

import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.tokens import Tokens, change_secret, forget_secrets, open_tokens

SECRET = "a made-up secret of forty characters ..."
TOKENS = Tokens(SECRET.encode())


def test_a_token_is_made_for_one_purpose_by_one_secret():
    assert TOKENS.of("feed/person/oncall") == Tokens(SECRET.encode()).of("feed/person/oncall")
    # Written down, because addresses that people subscribed to must outlive a release.
    assert TOKENS.of("feed/person/oncall") == "IHbMvWAYwfgc_MhKSE_qPCXMLc_W9CfG"
    assert TOKENS.fits("feed/person/oncall", TOKENS.of("feed/person/oncall"))
    assert not TOKENS.fits("feed/person/oncall", TOKENS.of("feed/rota/oncall"))
    assert not TOKENS.fits("feed/person/oncall", Tokens(SECRET[::-1].encode()).of("feed/person/oncall"))


@given(purpose=st.text(max_size=80), other=st.text(max_size=80))
def test_tokens_are_safe_in_an_address_and_differ(purpose, other):
    token = TOKENS.of(purpose)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", token)
    assert TOKENS.fits(purpose, token)
    assert TOKENS.fits(other, token) == (purpose == other)


@given(said=st.text(max_size=80))
def test_whatever_somebody_says_is_refused_calmly(said):
    assert not TOKENS.fits("feed/person/oncall", said)


def test_the_secret_is_made_once_however_many_ask_for_it_first(tmp_path: Path):
    home = tmp_path / "new" / "home"
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: open_tokens(home, None).of("x"), range(40)))
    assert len(made) == 1
    assert [each.name for each in home.iterdir()] == ["secret.key"], "nothing is left beside it"
    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600
    assert open_tokens(tmp_path / "other", None).of("x") not in made


def test_the_secret_of_the_settings_comes_first(tmp_path: Path):
    assert open_tokens(tmp_path, SecretStr(SECRET)).of("x") == TOKENS.of("x")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_secret_is_not_taken_for_one(tmp_path: Path):
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(ValueError, match="32 bytes"):
        open_tokens(tmp_path, None)


def test_a_new_secret_makes_new_tokens_and_those_before_open_until_they_are_forgotten(tmp_path):
    running = open_tokens(tmp_path, None)
    first = running.of("feed/person/oncall")
    assert change_secret(tmp_path) == 1
    second = open_tokens(tmp_path, None).of("feed/person/oncall")
    assert second != first
    assert running.of("feed/person/oncall") == second  # in a process that runs meanwhile
    assert running.fits("feed/person/oncall", first)
    assert running.fits("feed/person/oncall", second)
    assert forget_secrets(tmp_path) == 1
    assert not running.fits("feed/person/oncall", first)
    assert running.fits("feed/person/oncall", second)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert forget_secrets(tmp_path) == 0
