"""Any server: `--index` is two paths under its URL, of the Simple API and of the upload form.

`simple:legacy` stands for `/simple/` and `/legacy/`, `simple:` for an upload form at the root. The
server is asked for nothing but pages, files and uploads, which is what the standards speak of.
"""

from conformance.adapter import Adapter


class PlainAdapter(Adapter):
    """A server with one index."""

    def simple_path(self, index: str) -> str:
        return _path(index.partition(":")[0])

    def upload_path(self, index: str) -> str:
        return _path(index.partition(":")[2])


def _path(path: str) -> str:
    stripped = path.strip("/")
    return f"/{stripped}/" if stripped else "/"
