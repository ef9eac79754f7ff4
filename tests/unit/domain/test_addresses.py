"""Which addresses are refused, in all their disguises, and what the administrator allows: P-18."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillroom_server.domain.addresses import PrivateUpstreams, literals

NOBODY = PrivateUpstreams()


def refusal(address, *allowed, host="index.example", port=443):
    private = PrivateUpstreams.parse(allowed)
    return private.refusal(host, ipaddress.ip_address(address), port)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("0.0.0.0", "unspecified"),
        ("0.1.2.3", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.255", "loopback"),
        ("10.0.0.0", "private"),
        ("10.255.255.255", "private"),
        ("172.16.0.0", "private"),
        ("172.31.255.255", "private"),
        ("192.168.255.255", "private"),
        ("100.64.0.0", "carrier"),
        ("100.127.255.255", "carrier"),
        ("169.254.169.254", "link-local"),
        ("192.0.0.192", "protocols"),
        ("224.0.0.1", "multicast"),
        ("239.255.255.255", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("febf::1", "link-local"),
        ("fec0::1", "site-local"),
        ("fc00::1", "unique local"),
        ("fdff::1", "unique local"),
        ("ff02::1", "multicast"),
        ("64:ff9b:1::8.8.8.8", "translation"),
    ],
)
def test_what_is_not_public_is_refused_with_its_kind(address, kind):
    message = refusal(address)
    assert message is not None
    assert message.startswith(f"{ipaddress.ip_address(address)} is a")
    assert kind in message
    assert message.endswith("; name it in the setting private_upstreams if it may be used")


@pytest.mark.parametrize(
    "disguise",
    [
        "::{}",
        "::ffff:{}",
        "::ffff:0:{}",
        "64:ff9b::{}",
        "2002:{hex}::1",
        "2001:0:{hex}:0:0:f7f7:f7f7",
        "2001:0:808:808:0:0:{inverse}",
    ],
    ids=["compatible", "mapped", "translated", "NAT64", "6to4", "Teredo server", "Teredo client"],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "100.64.0.1"])
def test_an_ipv4_address_inside_an_ipv6_address_counts(disguise, address):
    number = int(ipaddress.ip_address(address))
    inverse = number ^ 0xFFFF_FFFF
    shown = disguise.format(
        address,
        hex=f"{number >> 16:x}:{number & 0xFFFF:x}",
        inverse=f"{inverse >> 16:x}:{inverse & 0xFFFF:x}",
    )
    message = refusal(shown)
    assert message is not None
    assert f", which leads to {address}, is a" in message


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "223.255.255.255",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "2606:4700::1111",
        "2001:db8::1",
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "2001:0:808:808:0:0:f7f7:f7f7",
    ],
)
def test_what_is_public_or_for_documentation_is_not_refused(address):
    assert refusal(address) is None


# Literals in any spelling


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F.0x1", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("10.66051", "10.1.2.3"),
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"),
        ("127\u30020\u30020\u30021", "127.0.0.1"),
        ("\u246027.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[FE80::1%25eth0]", "fe80::1"),
        ("[::ffff:127.0.0.1]", "::ffff:7f00:1"),
    ],
)
def test_a_literal_is_recognised_in_every_spelling(host, address):
    assert literals(host) == (ipaddress.ip_address(address),)
    assert NOBODY.refusal_of_literal(host, 80) is not None


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "localhost.", "a.localhost", "\uff4cocalhost"]
)
def test_localhost_is_loopback(host):
    assert "loopback" in (NOBODY.refusal_of_literal(host, 80) or "")


@pytest.mark.parametrize(
    "host",
    [
        "index.example",
        "localhost.example",
        "notlocalhost",
        "127.0.0.1.example",
        "1.2.3.4.5",
        "256.1.1.1",
        "4294967296",
        "1.2.65536",
        "08",
        "0xg",
        "a",
        "127..1",
        "",
        ".",
    ],
)
def test_a_name_is_not_looked_up(host):
    assert literals(host) == ()
    assert NOBODY.refusal_of_literal(host, 80) is None


@given(
    st.lists(
        st.from_regex(r"0x[0-9a-f]{1,9}|0[0-7]{0,11}|[1-9][0-9]{0,10}", fullmatch=True),
        min_size=1,
        max_size=5,
    )
)
def test_numbers_are_read_as_the_resolver_of_the_system_reads_them(parts):
    host = ".".join(parts)
    try:
        expected = (ipaddress.ip_address(socket.inet_aton(host)),)
    except OSError:
        expected = ()
    assert literals(host) == expected


@given(st.text())
def test_any_text_is_a_literal_or_a_name(host):
    NOBODY.refusal_of_literal(host, 80)


@pytest.mark.parametrize(
    "url", ["http://0x7f.1/", "https://[::1]/", "http://localhost.:8080/x/", "http://2130706433/"]
)
def test_the_host_of_a_url_is_looked_at(url):
    assert "loopback" in (NOBODY.refusal_of_url(url) or "")
    assert NOBODY.refusal_of_url(url.replace("//", "//index.example/")) is None


# What is allowed


@pytest.mark.parametrize(
    ("item", "address", "port", "allowed"),
    [
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "192.168.0.1", 443, False),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3", "10.1.2.4", 443, False),
        ("10.1.2.3:8080", "10.1.2.3", 8080, True),
        ("10.1.2.3:8080", "10.1.2.3", 443, False),
        ("::1", "::1", 443, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 443, False),
        ("fc00::/7", "fd12::1", 443, True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", 443, True),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3", 443, True),
        ("::ffff:0:0/96", "::ffff:10.1.2.3", 443, True),
        ("index.example", "10.1.2.3", 443, True),
        ("Index.Example.", "127.0.0.1", 443, True),
        ("index.example:443", "10.1.2.3", 443, True),
        ("index.example:8443", "10.1.2.3", 443, False),
        ("example", "10.1.2.3", 443, False),
        ("other.example", "10.1.2.3", 443, False),
    ],
)
def test_what_the_administrator_allows(item, address, port, allowed):
    assert (refusal(address, item, port=port) is None) is allowed


def test_a_literal_may_be_used_if_one_of_its_addresses_may():
    for item in ("127.0.0.1", "localhost", "::1"):
        assert PrivateUpstreams.parse([item]).refusal_of_literal("localhost", 80) is None
    assert PrivateUpstreams.parse(["10.0.0.0/8"]).refusal_of_literal("localhost", 80) is not None


def test_the_port_of_a_url_counts():
    private = PrivateUpstreams.parse(["10.1.2.3:443", "10.1.2.3:8080"])
    assert private.refusal_of_url("https://10.1.2.3/") is None
    assert private.refusal_of_url("http://10.1.2.3:8080/") is None
    assert private.refusal_of_url("http://10.1.2.3/") is not None


@pytest.mark.parametrize(
    "item",
    [
        "",
        "a b",
        "10.0.0.1/8",
        "10.0.0.0/99",
        "x:0",
        "x:65536",
        "x:port",
        ":80",
        "[::1",
        "http://x/",
        "é.example",
        "-",
        "x/y",
        "[x]:80",
    ],
)
def test_anything_else_is_refused_by_its_name(item):
    with pytest.raises(ValueError, match="is not a host, an address or a network"):
        PrivateUpstreams.parse([item])
