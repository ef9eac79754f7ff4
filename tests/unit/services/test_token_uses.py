"""When tokens were last used."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from stillroom_server.domain.errors import NotAuthenticated, StorageBusy
from stillroom_server.domain.names import UserName
from stillroom_server.services.token_uses import TokenUses
from support.use_cases import DEV, PASSWORD, UseCases

DEV_NAME = UserName("dev")


@pytest.fixture
def secret(cases: UseCases) -> str:
    return cases.login().secret


def used(cases: UseCases) -> datetime | None:
    [token] = cases.tokens.of_user(DEV_NAME)
    return token.used


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def test_a_use_is_known_by_the_minute_once_it_is_written(cases: UseCases, secret: str):
    cases.identify(secret)
    assert used(cases) is None
    assert cases.token_uses.flush() == 1
    assert used(cases) == minute_of(cases.clock())


def test_a_token_that_was_never_used_has_no_use(cases: UseCases, secret: str):
    assert cases.token_uses.flush() == 0
    assert used(cases) is None


def test_uses_within_a_minute_are_written_once(cases: UseCases, secret: str):
    cases.clock.advance(seconds=60 - cases.clock().second)
    for _ in range(3):
        cases.identify(secret)
        cases.clock.advance(seconds=10)
    assert cases.token_uses.flush() == 1
    cases.identify(secret)
    assert cases.token_uses.flush() == 0
    cases.clock.advance(seconds=30)
    cases.identify(secret)
    assert cases.token_uses.flush() == 1
    assert used(cases) == minute_of(cases.clock())


def test_what_another_process_wrote_in_this_minute_is_not_written_again(cases: UseCases):
    token = cases.login().token
    now = cases.clock()
    cases.token_uses.note(replace(token, used=minute_of(now)), now)
    assert cases.token_uses.flush() == 0
    cases.token_uses.note(replace(token, id="older", used=minute_of(now - timedelta(days=1))), now)
    assert cases.token_uses.flush() == 1


def test_noting_takes_no_serial_and_leaves_cached_tokens_alone(cases: UseCases, secret: str):
    before = cases.database.serial()
    cases.identify(secret)
    cases.token_uses.flush()
    cases.identify(secret)
    assert cases.database.serial() == before


def test_a_refused_secret_is_no_use(cases: UseCases, secret: str):
    for user, wrong in (("root", secret), ("dev", secret + "x")):
        with pytest.raises(NotAuthenticated):
            cases.identify(wrong, user)
    cases.identify(PASSWORD, "dev")
    cases.clock.advance(seconds=3600)
    with pytest.raises(NotAuthenticated):
        cases.identify(secret)
    assert cases.token_uses.flush() == 0


def test_a_use_of_a_token_that_is_gone_harms_nobody(cases: UseCases, secret: str):
    identity = cases.identify(secret)
    cases.tokens.revoke_in_use(identity, "dev")
    assert cases.token_uses.flush() == 1
    assert cases.tokens.of_user(DEV_NAME) == []


def test_what_could_not_be_written_waits(cases: UseCases, secret: str, monkeypatch):
    def busy():
        raise StorageBusy("busy")

    cases.identify(secret)
    with monkeypatch.context() as patch:
        patch.setattr(cases.database, "writing", busy)
        with pytest.raises(StorageBusy):
            cases.token_uses.flush()
    assert cases.token_uses.flush() == 1
    assert used(cases) == minute_of(cases.clock())


def test_a_use_that_comes_while_others_are_written_is_not_lost(cases: UseCases, monkeypatch):
    token = cases.login().token
    now = cases.clock()
    later = now + timedelta(minutes=2)
    cases.token_uses.note(token, now)
    writing = cases.database.writing

    def meanwhile():
        cases.token_uses.note(token, later)
        return writing()

    with monkeypatch.context() as patch:
        patch.setattr(cases.database, "writing", meanwhile)
        cases.token_uses.flush()
    assert cases.token_uses.flush() == 1
    assert used(cases) == minute_of(later)


def test_only_so_many_tokens_are_in_memory(cases: UseCases):
    uses = TokenUses(cases.database, limit=3)
    token, now = cases.login().token, cases.clock()
    for number in range(10):
        uses.note(replace(token, id=f"t{number}"), now)
    assert len(uses._known_until) <= 3
    assert uses.flush() == 3


def test_a_token_that_is_made_counts_as_unused(cases: UseCases):
    cases.tokens.create(DEV, DEV_NAME, None, 60, "")
    assert used(cases) is None
