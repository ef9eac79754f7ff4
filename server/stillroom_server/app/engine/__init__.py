"""waitress as Stillroom runs it: strict about what it reads, patient with nobody for ever.

`head` and `bodies` read requests, `request` puts them together, `channel` is one connection,
`server` all of them, `running` the process.
"""

from .limits import Limits
from .running import Engine, ListenError, listen

__all__ = ["Engine", "Limits", "ListenError", "listen"]
