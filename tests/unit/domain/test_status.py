"""What the status of a project allows (PEP 792)."""

import pytest

from stillroom_server.domain.status import ACTIVE, ProjectStatus, Status


@pytest.mark.parametrize(
    ("status", "takes_uploads", "offers_files"),
    [
        (Status.ACTIVE, True, True),
        (Status.DEPRECATED, True, True),
        (Status.ARCHIVED, False, True),
        (Status.QUARANTINED, False, False),
    ],
)
def test_a_status_decides_about_uploads_and_files(status, takes_uploads, offers_files):
    decided = ProjectStatus(status)
    assert (decided.takes_uploads, decided.offers_files) == (takes_uploads, offers_files)


def test_a_project_is_active_unless_somebody_says_otherwise():
    assert ProjectStatus(Status("active"), None) == ACTIVE
