"""What is there before a page of the documentation begins."""

from collections.abc import Mapping
from dataclasses import dataclass

UPLOADED = "(cd myproject && stillroom upload)\n"
SET_UP = "stillroom-server init --data /srv/stillroom\n"
ROOT_PASSWORD = "ROOT_PASSWORD=$(cat /srv/stillroom/initial-root-password)\n"
BUILT = "uv build myproject\n"
TOKEN = """\
TOKEN=$(curl -s -u dev:PASSWORD http://localhost:3141/dev/+tokens \
    -d '{"allow": ["read"], "indexes": ["dev/sandbox"]}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["result"]["token"])')
"""

ANA = """\
ROOT_PASSWORD=$(cat /srv/stillroom/initial-root-password)
curl -s -u root:$ROOT_PASSWORD -X PUT http://localhost:3141/ana -d '{"password": "PASSWORD"}'
TOKEN_OF_ANA=$(curl -s -u ana:PASSWORD http://localhost:3141/ana/+tokens -d '{}' |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["result"]["token"])')
cd myproject
"""
# Fetches are written down every three seconds.
FETCHED = """\
(cd myproject && stillroom upload --index dev/release)
pip install --no-deps --index-url http://dev:PASSWORD@localhost:3141/dev/release/simple/ myproject
sleep 5
"""


@dataclass(frozen=True)
class Given:
    """What a page takes for granted; the folder `myproject` is always there.

    `user` is logged in, where a server runs and there are the user dev, the stages dev/base,
    dev/sandbox (in use) and dev/release (not volatile); with None nobody and nothing of that is
    there. `commands` are typed first. `data` is
    the server's data folder in /srv.
    """

    server: bool = True
    user: str | None = "dev"
    commands: str = ""
    postgres: bool = False
    data: str = "stillroom"


GIVEN: Mapping[str, Given] = {
    "README.md": Given(user=None),
    "docs/users/getting-started.md": Given(user=None),
    "docs/users/installing.md": Given(commands=UPLOADED + TOKEN),
    "docs/users/publishing.md": Given(),
    "docs/users/indexes.md": Given(),
    "docs/users/releases.md": Given(commands=UPLOADED),
    "docs/users/tokens.md": Given(),
    "docs/users/moving-from-devpi.md": Given(commands=BUILT),
    "docs/admin/installing.md": Given(user=None, data="elsewhere"),
    "docs/admin/settings.md": Given(server=False, user=None),
    "docs/admin/postgres.md": Given(server=False, user=None, postgres=True),
    "docs/admin/reverse-proxy.md": Given(),
    "docs/admin/backup.md": Given(commands=UPLOADED),
    "docs/admin/upgrading.md": Given(server=False, user=None, commands=SET_UP),
    "docs/admin/access.md": Given(user="root", commands=ROOT_PASSWORD),
    "docs/admin/logins.md": Given(user="root", commands=ROOT_PASSWORD),
    "docs/admin/project-owners.md": Given(commands=ANA),
    "docs/admin/declarative.md": Given(user="root"),
    "docs/admin/trusted-publishing.md": Given(user="root"),
    "docs/admin/audit.md": Given(user="root", commands=FETCHED),
    "docs/admin/mirrors.md": Given(user="root"),
    "docs/admin/troubleshooting.md": Given(),
    "docs/plugins/writing-plugins.md": Given(server=False, user=None),
}
"""For each page that has something to type."""
