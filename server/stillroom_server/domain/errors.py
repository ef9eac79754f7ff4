"""What can go wrong, in the words of the domain.

    StillroomError
     ├── Refusal                 the client's mistake, or not the client's right
     │    ├── InvalidRequest     something in the request breaks a rule
     │    ├── NotAuthenticated   who asks is not known, or gave credentials that are wrong
     │    ├── TooManyAttempts    too many wrong passwords; passwords are not looked at for a while
     │    ├── Forbidden          who asks is known and may not
     │    │    └── NeedsApproval   not yet: who administers the index may approve it
     │    ├── NotFound           it does not exist
     │    ├── Gone               it existed and was deleted
     │    ├── Conflict           it contradicts what is there
     │    ├── PreconditionFailed  it was meant for another state than there is
     │    ├── NotAcceptable      no form of the answer suits the client
     │    ├── MintRefused        no token is given for an identity token
     │    └── TooLarge           it is over a limit
     └── Trouble                 ours or the upstream's; worth another try later
          ├── UpstreamFailed     the upstream cannot be reached or answers nonsense
          │    ├── UpstreamLeftAlone   it failed again and again, and is not asked for a while
          │    └── UpstreamFileUnusable   what it sends is not the file that it lists
          ├── UpstreamTimeout    the upstream does not answer in time
          ├── Overloaded         too much of this is asked for at the same time
          ├── StorageBusy        the database or the store cannot be used now
          └── StorageFull        no room left

Services raise these; `web/errors.py` has the one table that turns them into HTTP. A message is
one sentence that names the field, the rule and, where it helps, what to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class StillroomError(Exception):
    """The root of all errors that Stillroom raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refusal(StillroomError):
    """The request is refused; asking again unchanged will not help."""


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a request: which field, and which rule it breaks."""

    field: str
    rule: str

    def __str__(self) -> str:
        return f"{self.field}: {self.rule}"


MAX_FAULTS = 100
"""Faults of one request that are told. Who sends more of them does not read them one by one."""


class InvalidRequest(Refusal):
    """Something in the request breaks a rule. Carries the first hundred faults that were found."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        if not faults:
            raise ValueError("an InvalidRequest needs at least one fault")
        self.faults = tuple(faults[:MAX_FAULTS])
        told = [str(fault) for fault in self.faults]
        if len(faults) > MAX_FAULTS:
            told.append(f"and {len(faults) - MAX_FAULTS:,} more")
        super().__init__("; ".join(told))

    @classmethod
    def one(cls, field: str, rule: str) -> "InvalidRequest":
        """A request with a single fault."""
        return cls([Fault(field, rule)])


class NotAuthenticated(Refusal):
    """Nobody is logged in, or the credentials are wrong, expired or revoked."""


class TooManyAttempts(Refusal):
    """Too many wrong passwords came; whether this one is right is not looked at for a while.

    `retry_after` is the number of seconds until it is. Tokens are not affected.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Forbidden(Refusal):
    """Who asks is known, and may not do this."""


class NeedsApproval(Forbidden):
    """They may not bring this project into the index until it is approved."""


class NotFound(Refusal):
    """It does not exist."""


class Gone(Refusal):
    """It existed here and was deleted."""


class Conflict(Refusal):
    """It contradicts what is there already."""


class PreconditionFailed(Refusal):
    """It was meant for what the client has seen, and that has changed since."""


class NotAcceptable(Refusal):
    """None of the forms in which the answer exists is acceptable to the client."""


MintCode = Literal[
    "invalid-payload",
    "invalid-token",
    "invalid-publisher",
    "invalid-reuse-token",
    "not-enabled",
    "try-again",
]
"""Why no token is given, in the words that publishing tools know."""


class MintRefused(Refusal):
    """No token is given for an identity token; `code` is the protocol's word for why."""

    def __init__(self, code: MintCode, message: str) -> None:
        super().__init__(message)
        self.code: MintCode = code


class TooLarge(Refusal):
    """It is over a limit that the administrator sets."""


class Trouble(StillroomError):
    """Not the client's fault; the same request may succeed later.

    `retry_after` is the number of seconds to wait before that. `wait` is as many where somebody
    asked for them, such as an upstream by its Retry-After, and 0 where the number is our own.
    """

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.retry_after = 10 if retry_after is None else retry_after
        self.wait = retry_after or 0


class UpstreamFailed(Trouble):
    """The upstream cannot be reached, answers with an error, or with something unreadable."""


class UpstreamLeftAlone(UpstreamFailed):
    """The upstream failed again and again, and is not asked for a while."""


class UpstreamFileUnusable(UpstreamFailed):
    """What the upstream sends is not the file that it lists, or is more than we take."""


class UpstreamTimeout(Trouble):
    """The upstream did not answer in time."""


class Overloaded(Trouble):
    """Too much of this is asked for at the same time."""


class StorageBusy(Trouble):
    """The database or the blob store cannot be used at the moment."""


class StorageFull(Trouble):
    """There is no room left for what was sent."""
