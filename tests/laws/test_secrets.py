"""Law 12: a secret never prints itself."""

import pytest

from stillroom_server.app.settings import Settings
from stillroom_server.domain.identity import Credentials
from stillroom_server.services.tokens import IssuedToken
from support.rows import a_token, a_user

SECRET = "s3cret"

HOLDERS = {
    "User": a_user(password_hash=SECRET),
    "Token": a_token(digest=SECRET.encode()),
    "Credentials": Credentials("dev", SECRET),
    "IssuedToken": IssuedToken(a_token(digest=SECRET.encode()), SECRET, 60),
    "Settings": Settings(database=f"postgresql://user:{SECRET}@host/name"),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
def test_a_secret_never_prints_itself(holder):
    assert SECRET not in repr(holder)
    assert SECRET not in str(holder)
    assert SECRET not in f"{[holder]} {holder!s}"
