"""The WSGI application of one server."""

from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.events import NewResponse

from .admission import Refusals
from .environ import REQUEST_ID
from .errors import API_VERSION
from .gate import PageGate
from .page_cache import PageCache
from .project_list import ProjectListPages
from .proxy import BehindProxies
from .security import DeclaredPermissions
from .services import Services, WebSettings
from .simple import SimplePages

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

NOBODY_MAY = "declared by no route"
"""The permission of a view that declares none; the policy refuses what is no `Permission`."""


def make_application(services: Services, settings: WebSettings) -> "WSGIApplication":
    """Put the routes, the policy, the gate and the proxy middleware together."""
    cache = PageCache(settings.page_cache_bytes)
    pages = SimplePages(services.pages, cache)
    lists = ProjectListPages(services.lists, pages, cache, settings.version)
    config = Configurator(settings={})
    config.registry.stillroom_services = services
    config.registry.stillroom_web = settings
    config.registry.stillroom_pages = pages
    config.registry.stillroom_lists = lists
    config.set_security_policy(DeclaredPermissions(services))
    config.set_default_permission(NOBODY_MAY)
    config.add_subscriber(_mark, NewResponse)
    config.include(".admission")
    config.include(".errors")
    config.include(".routes")
    application: Any = config.make_wsgi_app()
    gate = PageGate(application, services, pages)
    return Refusals(
        BehindProxies(
            gate,
            outside_url=settings.outside_url,
            hosts=settings.hosts,
            trusted_proxies=settings.trusted_proxies,
        )
    )


def _mark(event: NewResponse) -> None:
    """Every answer, errors too, names its request and the API: devpi's clients insist on that."""
    event.response.headers["X-DEVPI-API-VERSION"] = API_VERSION
    event.response.headers["X-Request-ID"] = event.request.environ[REQUEST_ID]
