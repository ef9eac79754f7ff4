"""The schema's history, inside the wheel, so that an installed server can migrate itself.

Migrations go forward only: first a release adds what is needed, a later one removes what no
running server uses any more. A backup is the way back.
"""

REVISIONS = ("0001", "0002", "0003")
"""All revisions, oldest first. A server that starts compares with them without Alembic."""
