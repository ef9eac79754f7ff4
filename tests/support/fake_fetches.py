"""Fetches of files in memory; see `support.fakes`."""

from collections.abc import Sequence
from datetime import datetime

from stillroom_server.services.ports import Fetch, FetchKey, FetchQuery

from .fake_repositories import Repository


class FakeFetches(Repository):
    def add(self, fetches: Sequence[Fetch]) -> None:
        counts = self._to_write.fetches
        for fetch in fetches:
            counts[fetch.key] = counts.get(fetch.key, 0) + fetch.count

    def find(self, query: FetchQuery, limit: int) -> list[Fetch]:
        found = [Fetch(k, n) for k, n in self._tables.fetches.items() if _matches(k, query)]
        found.sort(key=_rest)
        return sorted(found, key=lambda fetch: fetch.key.minute, reverse=True)[:limit]

    def count_before(self, minute: datetime) -> int:
        return sum(key.minute < minute for key in self._tables.fetches)

    def delete_before(self, minute: datetime, limit: int) -> int:
        counts = self._to_write.fetches
        old = [key for key in counts if key.minute < minute][:limit]
        for key in old:
            del counts[key]
        return len(old)


def _rest(fetch: Fetch) -> tuple[str, ...]:
    key = fetch.key
    who = (key.user, key.token, key.address)
    return (key.project, key.filename, key.asked, *who, key.held, key.sha256)


def _matches(key: FetchKey, query: FetchQuery) -> bool:
    return (
        query.project in {None, key.project}
        and query.version in {None, key.version}
        and query.filename in {None, key.filename}
        and query.index in {None, key.asked, key.held}
        and query.user in {None, key.user}
        and (query.since is None or query.since <= key.minute)
        and (query.until is None or key.minute < query.until)
    )
