"""An identity token is used once, whichever process comes first (A-09)."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from stillroom_server.domain.publishing import Issuer
from stillroom_server.storage.database import SqlDatabase
from support.rows import NOW


def test_of_many_processes_that_use_a_token_at_once_one_does(database_url: str) -> None:
    with closing(SqlDatabase(database_url)) as first, closing(SqlDatabase(database_url)) as second:
        with first.writing() as unit:
            issuer = unit.publishers.add_issuer(Issuer(0, "https://issuer.example.com", NOW))
        for number in range(5):
            start = threading.Barrier(6)

            def use(database: SqlDatabase, token: str = f"token-{number}", start=start) -> bool:
                start.wait(10)
                with database.writing() as unit:
                    return unit.publishers.use(issuer, token, NOW)

            with ThreadPoolExecutor(6) as pool:
                used = list(pool.map(use, [first, second] * 3))
            assert sorted(used) == [False] * 5 + [True]
