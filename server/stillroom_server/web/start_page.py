"""`GET /` in a browser: what this is, which indexes one may see, and the lines to try."""

from collections.abc import Sequence
from html import escape

from pyramid.request import Request
from pyramid.response import Response

from stillroom_server.domain.identity import Identity
from stillroom_server.domain.names import IndexName

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem;
       color: #1d2329; background: #fff; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.1rem; margin-top: 2rem; }
p.lead { color: #57606a; margin-top: .2rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; background: #f3f4f6; border-radius: 4px; }
code { padding: .1rem .3rem; }
pre { padding: .7rem 1rem; overflow-x: auto; }
a { color: #0b5394; }
@media (prefers-color-scheme: dark) {
  body { color: #d7dce1; background: #15181c; } code, pre { background: #22272e; }
  a { color: #7db7f0; } p.lead { color: #9aa4ae; }
}
"""


def start_page(request: Request, identity: Identity, indexes: Sequence[IndexName]) -> Response:
    """The page, naming the indexes given, which are those that the identity may read."""
    root = request.application_url
    shown = indexes[0] if indexes else "USER/INDEX"
    who = f"Logged in as {identity.user}." if identity.user else "Not logged in."
    listed = "\n".join(
        f'<li><a href="{escape(root)}/{escape(str(name))}/simple/">{escape(str(name))}</a></li>'
        for name in indexes
    )
    body = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stillroom</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Stillroom</h1>
<p class="lead">A private Python package index. {escape(who)}</p>
<h2>Indexes</h2>
<ul>
{listed or "<li>None that you may see; log in first.</li>"}
</ul>
<h2>Install</h2>
<pre>pip install --index-url {escape(root)}/{escape(str(shown))}/simple/ PROJECT
uv pip install --index-url {escape(root)}/{escape(str(shown))}/simple/ PROJECT</pre>
<h2>Work with it</h2>
<pre>pip install stillroom
stillroom use {escape(root)}
stillroom login USER</pre>
</body>
</html>
"""
    response = Response(body=body.encode(), content_type="text/html", charset="utf-8")
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Vary"] = "Accept, Authorization"
    return response
