"""Settings: declared once, read from flags, environment, file and defaults."""

from pathlib import Path

import pytest

from stillroom_server.app.settings import Settings, SettingsError, declared, load


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path


def _file(data: Path, text: str, name: str = "stillroom.toml") -> Path:
    path = data / name
    path.write_text(text, encoding="utf-8")
    return path


def _load(data, environment=None, **flags):
    return load({"data": str(data), **flags}, environment or {})


def test_without_anything_the_defaults_hold():
    loaded = load({}, {})
    assert loaded.settings == Settings()
    assert set(loaded.sources.values()) == {"default"}


def test_each_place_wins_over_the_next_and_is_told(data):
    path = _file(data, "port = 1\nthreads = 1\nmax_file_size = 1\n")
    environment = {"STILLROOM_PORT": "2", "STILLROOM_THREADS": "2"}
    loaded = _load(data, environment, port="3")
    settings, sources = loaded.settings, loaded.sources
    assert (settings.port, sources["port"]) == (3, "flag --port")
    assert (settings.threads, sources["threads"]) == (2, "environment STILLROOM_THREADS")
    assert (settings.max_file_size, sources["max_file_size"]) == (1, f"file {path}")
    assert (settings.host, sources["host"]) == ("127.0.0.1", "default")


VALUES = {
    "data": (["/srv/x"], Path("/srv/x")),
    "host": (["::1", " ::1 "], "::1"),
    "port": ([8080, "8080"], 8080),
    "open_signup": ([True, "true", "Yes", "1"], True),
    "user_mirrors": ([False, "false", "No", "0"], False),
    "user_publishers": ([True, "true", "Yes", "1"], True),
    "trusted_proxies": ([["10.0.0.1", "::1"], "10.0.0.1, ::1,"], ("10.0.0.1", "::1")),
    "default_acl_read": ([[":anonymous:"], ":ANONYMOUS:"], (":ANONYMOUS:",)),
    "public_index": (["https://i.test/simple"], "https://i.test/simple/"),
    "private_upstreams": (
        ["localhost, 10.0.0.0/8", ["localhost", "10.0.0.0/8"]],
        ("localhost", "10.0.0.0/8"),
    ),
    "upstream_credentials": (
        ["https://u:p@i.test/, https://:t@j.test/"],
        ("https://u:p@i.test/", "https://:t@j.test/"),
    ),
    "upstream_credentials_file": (["/run/secrets/upstreams"], "/run/secrets/upstreams"),
    "max_mirrored_file_size": ([5, "5"], 5),
    "outside_url": ([""], ""),
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [(name, raw, value) for name, (raws, value) in VALUES.items() for raw in raws],
)
def test_values_are_read_in_every_form(name, raw, value):
    assert getattr(load({name: raw}, {}).settings, name) == value


@pytest.mark.parametrize(
    ("name", "raw", "rule"),
    [
        ("port", "many", "it must be a whole number, not 'many'"),
        ("port", -1, "it must be a whole number"),
        ("port", True, "it must be a whole number"),
        ("port", 1.5, "it must be a whole number"),
        ("port", "٣", "it must be a whole number"),
        ("threads", 0, "it must be at least 1"),
        ("password_hashes_at_once", "0", "it must be at least 1"),
        ("login_seconds", 0, "it must be at least 1"),
        ("upstream_seconds", 0, "it must be at least 1"),
        ("open_signup", "maybe", "it must be true or false"),
        ("open_signup", 1, "it must be true or false"),
        ("host", 5, "it must be text"),
        ("connections", 9, "it must be at least 10"),
        ("head_seconds", 0, "it must be at least 1"),
        ("slow_seconds", 0, "it must be at least 1"),
        ("trusted_proxies", [5], "it must be a list of texts"),
        ("trusted_proxies", ["proxy.test"], "it must be a list of addresses and networks"),
        ("trusted_proxies", ["10.0.0.0/99"], "it must be a list of addresses and networks"),
        ("hosts", ["https://index.test"], "it must be a list of host names and addresses"),
        ("hosts", ["index.test/x"], "it must be a list of host names and addresses"),
        ("default_acl_read", ["a b"], "it must be a list of users, :groups"),
        ("public_index", "index.test", "it must be an http or https URL"),
        ("public_index", "https://u:p@index.test/", "it must be an http or https URL"),
        ("public_index", "gitlab:index.test", "it must be an http or https URL"),
        ("outside_url", "gitlab:index.test/1", "it must be an http or https URL"),
        ("outside_url", "https://bücher.test/", "its host must be in ASCII"),
        (
            "outside_url",
            "https://index.test/%ff/",
            "its host must be in ASCII (xn--…), and its path",
        ),
        ("private_upstreams", "10.0.0.1/8", "'10.0.0.1/8' is not a host, an address or a network"),
        ("outside_url", "tools", "it must be an http or https URL"),
        ("audit_days", "36501", "it must be at most 36500, or 0 for ever"),
        ("fetches_days", "-1", "it must be a whole number"),
    ],
)
def test_a_wrong_value_names_the_setting_the_place_and_the_rule(name, raw, rule):
    flag = "--" + name.replace("_", "-")
    with pytest.raises(SettingsError) as caught:
        load({name: raw}, {})
    assert caught.value.message.startswith(f"{name} (flag {flag}): {rule}")


def test_everything_that_is_wrong_is_named_at_once(data):
    path = _file(data, 'threads = "many"\ncolour = "red"\n[table]\nx = 1\n')
    with pytest.raises(SettingsError) as caught:
        _load(data, {"STILLROOM_OPEN_SIGNUP": "maybe"}, port="x")
    message = caught.value.message
    assert f"{path}: unknown setting colour" in message
    assert f"{path}: unknown setting table" in message
    assert f"threads (file {path}): it must be a whole number" in message
    assert "open_signup (environment STILLROOM_OPEN_SIGNUP): it must be true or false" in message
    assert "port (flag --port): it must be a whole number" in message


def test_the_file_in_the_data_folder_may_be_missing_but_a_named_one_may_not(data):
    assert _load(data).settings.port == 3141
    for environment, flags in (
        ({}, {"config": str(data / "nope.toml")}),
        ({"STILLROOM_CONFIG": str(data / "nope.toml")}, {}),
    ):
        with pytest.raises(SettingsError, match=r"nope\.toml: it cannot be read"):
            _load(data, environment, **flags)


def test_a_named_file_is_read_in_place_of_the_one_in_the_data_folder(data):
    _file(data, "port = 1\n")
    other = _file(data, "port = 2\n", "other.toml")
    assert _load(data, config=str(other)).settings.port == 2
    assert _load(data, {"STILLROOM_CONFIG": str(other)}).settings.port == 2


def test_the_data_folder_of_the_environment_has_the_file(data):
    _file(data, "port = 5\n")
    assert load({}, {"STILLROOM_DATA": str(data)}).settings.port == 5


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2\n"])
def test_a_file_that_is_no_toml_is_refused_with_its_name(data, content):
    (data / "stillroom.toml").write_bytes(content)
    with pytest.raises(SettingsError, match=r"stillroom\.toml: it cannot be read"):
        _load(data)


def test_the_public_index_may_be_a_short_form():
    assert load({"public_index": "devpi:i.test/u/i"}, {}).settings.public_index == (
        "https://i.test/u/i/+simple/"
    )


def test_the_public_index_may_be_private_only_if_that_is_allowed():
    url = "http://0x7f.1:8080/simple/"
    with pytest.raises(SettingsError) as caught:
        load({"public_index": url}, {})
    assert caught.value.message == (
        "public_index (flag --public-index): 127.0.0.1 is a loopback address (RFC 1122); "
        "name it in the setting private_upstreams if it may be used"
    )
    allowed = {"STILLROOM_PRIVATE_UPSTREAMS": "127.0.0.1:8080"}
    assert load({"public_index": url}, allowed).settings.public_index == url


SECRET = "s3cret-of-the-database"
URL = f"postgresql://user:{SECRET}@host/name"


def test_a_secret_is_neither_in_the_settings_nor_in_a_message(data):
    _file(data, f'database = ["{URL}"]\n')
    with pytest.raises(SettingsError, match=r"database .*: it must be text") as caught:
        _load(data)
    assert SECRET not in caught.value.message
    assert SECRET not in repr(_load(data, database=URL))


def test_credentials_for_upstreams_are_neither_in_the_settings_nor_in_a_message(data):
    _file(data, f'upstream_credentials = ["https://u:p@i.test/", "https://{SECRET}@i.test/"]\n')
    with pytest.raises(SettingsError, match=r"upstream_credentials .*: item 2: it must") as caught:
        _load(data)
    assert SECRET not in caught.value.message
    assert SECRET not in repr(load({"upstream_credentials": f"https://u:{SECRET}@i.test/"}, {}))


def test_every_setting_has_a_flag_a_variable_and_a_sentence_of_help():
    for setting in declared():
        assert setting.flag == "--" + setting.name.replace("_", "-")
        assert setting.variable == "STILLROOM_" + setting.name.upper()
        assert setting.help.rstrip().endswith(".")
        assert setting.kind in {"boolean", "number", "text", "path", "list"}
        assert setting.read(setting.default) == setting.default


def test_the_secrets_are_known():
    secrets = [setting.name for setting in declared() if setting.secret]
    assert secrets == ["database", "upstream_credentials"]
