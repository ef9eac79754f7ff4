"""A project with files of all kinds that are listed, for tests that change nothing."""

from collections.abc import Sequence

from packaging.utils import parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from stillroom_server.testing import Distribution
from support.distributions import make_sdist, make_wheel

ODD_PYTHON = """>=3.8, !=3.9.*, ===3.11"&<'>"""
"""A legal Requires-Python (PEP 440, arbitrary equality) that HTML has to escape."""


class Shelf:
    """The project `name`, normalised; its files, and those among them that have a role."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.wheel = make_wheel(name, "1.0", requires_python=">=3.8, <4", summary="A wheel")
        self.sdist = make_sdist(name, "1.0", requires_python=">=3.8, <4", summary="An sdist")
        self.local = make_wheel(name, "1.5+cu121")
        self.odd = make_wheel(name, "1.6", requires_python=ODD_PYTHON)
        self.old_sdist = make_sdist(name, "0.9", pkg_info_version="1.0")
        self.tagged = make_wheel(name, "2.0rc1", tag="cp311-abi3-manylinux_2_17_x86_64")

    @property
    def files(self) -> Sequence[Distribution]:
        """All that is uploaded."""
        return (self.wheel, self.sdist, self.local, self.odd, self.old_sdist, self.tagged)

    @property
    def wheels(self) -> Sequence[Distribution]:
        """The wheels among them."""
        return [file for file in self.files if file.filename.endswith(".whl")]


def version_in(filename: str) -> Version:
    """The version that the name of a wheel or sdist says."""
    if filename.endswith(".whl"):
        return parse_wheel_filename(filename)[1]
    return parse_sdist_filename(filename)[1]
