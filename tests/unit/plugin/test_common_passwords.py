"""The list of passwords that everybody uses."""

import subprocess
import sys

import pytest

from stillroom_server.builtin.password import ListedPasswords


@pytest.mark.parametrize(
    "password", ["password1", "PassWord1", "qwertyuiop", "1q2w3e4r", "iloveyou"]
)
def test_what_everybody_uses_is_listed_in_every_case(password):
    assert password in ListedPasswords()


@pytest.mark.parametrize("password", ["kettle-orbit-plum", "dev-password", "", None, 12345678])
def test_what_nobody_uses_is_not(password):
    assert password not in ListedPasswords()


def test_the_rule_can_say_how_many_there_are():
    assert f"{len(ListedPasswords()):,}" == "30,000"


def test_the_list_is_read_only_when_it_is_needed():
    script = (
        "import sys; from stillroom_server.builtin.password import ListedPasswords; "
        "passwords = ListedPasswords(); assert 'zxcvbn' not in sys.modules; "
        "assert 'password1' in passwords; assert 'zxcvbn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
