"""The port `Publishers` in memory; see `support.fakes`."""

import itertools
from dataclasses import replace
from datetime import datetime

from stillroom_server.domain.errors import Conflict, NotFound
from stillroom_server.domain.indexes import Index
from stillroom_server.domain.publishing import Issuer, Publisher
from support.fake_repositories import Repository

_ids = itertools.count(1)


class FakePublishers(Repository):
    def issuer(self, url: str) -> Issuer | None:
        return self._tables.issuers.get(url)

    def issuers(self) -> list[Issuer]:
        return sorted(self._tables.issuers.values(), key=lambda issuer: issuer.url)

    def add_issuer(self, issuer: Issuer) -> Issuer:
        if issuer.url in self._to_write.issuers:
            raise Conflict(f"url: the issuer {issuer.url} is there already")
        added = replace(issuer, id=next(_ids))
        self._to_write.issuers[issuer.url] = added
        return added

    def delete_issuer(self, issuer: Issuer) -> None:
        tables = self._to_write
        if self.of_issuer(issuer):
            raise Conflict(f"issuer: {issuer.url} still has trusted publishers")
        tables.issuers.pop(issuer.url, None)
        tables.used = {key: until for key, until in tables.used.items() if key[0] != issuer.id}

    def is_used(self) -> bool:
        return bool(self._publishers)

    def all(self) -> list[Publisher]:
        return self._publishers

    def of_issuer(self, issuer: Issuer) -> list[Publisher]:
        return [each for each in self._publishers if each.issuer == issuer.url]

    def of_index(self, index: Index) -> list[Publisher]:
        return [each for each in self._publishers if each.index == index.name]

    def add(self, publisher: Publisher) -> None:
        tables = self._to_write
        if publisher.issuer not in tables.issuers:
            raise NotFound(f"issuer: there is no issuer {publisher.issuer}")
        if all(index.name != publisher.index for index in tables.indexes.values()):
            raise NotFound(f"index: there is no index {publisher.index}")
        if all(user.name != publisher.user for user in tables.users.values()):
            raise NotFound(f"user: {publisher.user} does not exist")
        tables.publishers[publisher.id] = publisher

    def delete(self, index: Index, publisher_id: str) -> bool:
        tables = self._to_write
        if all(publisher.id != publisher_id for publisher in self.of_index(index)):
            return False
        del tables.publishers[publisher_id]
        return True

    def use(self, issuer: Issuer, token_id: str, expires: datetime) -> bool:
        used = self._to_write.used
        if (issuer.id, token_id) in used:
            return False
        used[issuer.id, token_id] = expires
        return True

    def forget_used(self, before: datetime) -> int:
        used = self._to_write.used
        gone = [key for key, expires in used.items() if expires < before]
        for key in gone:
            del used[key]
        return len(gone)

    @property
    def _publishers(self) -> list[Publisher]:
        """All of them, oldest first."""
        return sorted(self._tables.publishers.values(), key=lambda each: (each.created, each.id))
