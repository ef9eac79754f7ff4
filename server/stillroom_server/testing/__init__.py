"""A hostile upstream for tests: an index on loopback that misbehaves on demand.

For those who test a plugin, or try how a server stands a failing upstream; Stillroom's own tests
use it too. It needs nothing but the standard library and packaging, and nothing of the server
needs it.
"""

from .distribution import Distribution
from .faults import Fault
from .http_server import CERTIFICATE, HttpServer, basic_authorization, bearer_authorization
from .messages import Reply, Request
from .pages import generated_name
from .upstream import LAST_MODIFIED, UPLOAD_TIME, LocalUpstream

__all__ = [
    "CERTIFICATE",
    "LAST_MODIFIED",
    "UPLOAD_TIME",
    "Distribution",
    "Fault",
    "HttpServer",
    "LocalUpstream",
    "Reply",
    "Request",
    "basic_authorization",
    "bearer_authorization",
    "generated_name",
]
