"""An upstream that is not there, not what it should be, or slow: P-01 and P-02."""

import socket
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from stillroom_server.domain.errors import UpstreamFailed
from stillroom_server.domain.names import project_name
from stillroom_server.services.ports import PageFetched
from stillroom_server.testing import CERTIFICATE, LocalUpstream
from stillroom_server.upstream.limits import Limits
from support.http_upstream import (
    EXAMPLE,
    PAGE,
    UNKNOWN,
    WHEEL,
    content_of,
    fetched,
    new_upstream,
    page_failure,
    timeout_of,
)


def test_a_refused_connection_is_a_failure(up, upstream):
    up.stop()
    failure = page_failure(upstream, up)
    assert failure.message == f"127.0.0.1:{up.port} cannot be reached: connection refused"


def test_a_name_without_an_address_is_a_failure(upstream, resolve):
    resolve([])
    with pytest.raises(UpstreamFailed, match=r"index\.example cannot be reached: its name has no"):
        upstream.project_page("http://index.example/simple/", EXAMPLE, UNKNOWN)


def test_every_address_of_a_name_is_tried(up, upstream, resolve):
    resolve(["127.0.0.2", "127.0.0.1"])  # nothing listens on the first
    url = f"http://index.example:{up.port}/simple/"
    assert isinstance(upstream.project_page(url, EXAMPLE, UNKNOWN), PageFetched)


@pytest.mark.parametrize(
    "url", ["http://a..b/simple/", f"http://{'a' * 64}.example/", "http://[::1/", "file:///etc/"]
)
def test_a_url_that_is_none_is_a_failure(upstream, url):
    with pytest.raises(UpstreamFailed):
        upstream.project_page(url, EXAMPLE, UNKNOWN)


def test_an_upstream_that_comes_back_is_used_again(up, upstream):
    fetched(upstream, up)
    up.stop()
    page_failure(upstream, up)
    up.start()
    fetched(upstream, up)


def test_a_certificate_that_is_not_trusted_is_a_failure(upstream, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with LocalUpstream(certificate=CERTIFICATE) as up:
        assert "its certificate is not trusted" in page_failure(upstream, up).message
        assert up.requests == []


def test_a_certificate_that_ssl_cert_file_names_is_trusted(upstream, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with LocalUpstream(certificate=CERTIFICATE) as up:
        up.add(WHEEL)
        assert content_of(upstream, fetched(upstream, up).files[0].url) == WHEEL.content


def test_a_certificate_for_another_host_is_a_failure(upstream, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with LocalUpstream(certificate=CERTIFICATE) as up:
        up.add(WHEEL)
        url = up.url.replace("localhost", "127.1")  # the same address under another name
        with pytest.raises(UpstreamFailed, match="certificate"):
            upstream.project_page(url, EXAMPLE, UNKNOWN)


def test_a_server_without_tls_where_tls_is_asked_for_is_a_failure(up, upstream):
    url = up.url.replace("http:", "https:")
    with pytest.raises(UpstreamFailed, match="no secure connection"):
        upstream.project_page(url, EXAMPLE, UNKNOWN)


# An upstream that is slow, P-02


@pytest.mark.parametrize(
    "fault",
    [
        {"then": "stall"},
        {"then": "stall", "after": 0},
        {"then": "stall", "after": 20},
        {"drip": 0.05},
    ],
    ids=["never answers", "stalls after the head", "stalls in the body", "drips"],
)
def test_an_upstream_that_does_not_get_on_is_a_timeout_within_the_limit(up, hasty, fault):
    up.fault(PAGE, **fault)
    assert timeout_of(lambda: hasty.project_page(up.url, EXAMPLE, UNKNOWN)) < 4


def test_redirects_do_not_extend_the_time_for_a_page(up, hasty):
    up.fault(PAGE, delay=0.25, status=302, headers={"Location": PAGE})
    assert timeout_of(lambda: hasty.project_page(up.url, EXAMPLE, UNKNOWN)) < 4


def test_a_host_that_takes_connections_and_says_nothing_in_tls_is_a_timeout(hasty):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/simple/"
        assert timeout_of(lambda: hasty.project_page(url, EXAMPLE, UNKNOWN)) < 4


def test_an_upstream_that_stalls_in_tls_does_not_hold_up_another(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with (
        closing(new_upstream(limits=Limits(connect=3.0))) as upstream,
        socket.create_server(("127.0.0.1", 0)) as silent,
        LocalUpstream(certificate=CERTIFICATE) as up,
    ):
        up.add(WHEEL)
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/simple/"

        def ask_the_silent_one():
            with pytest.raises(UpstreamFailed):
                upstream.project_page(url, EXAMPLE, UNKNOWN)

        stalled = threading.Thread(target=ask_the_silent_one)
        stalled.start()
        with silent.accept()[0]:
            fetched(upstream, up)
            assert stalled.is_alive()
        stalled.join()


def test_a_slow_upstream_is_waited_for_within_the_limit(up, upstream):
    up.fault(PAGE, delay=0.1)
    fetched(upstream, up)


# Connections


def test_a_connection_is_used_again_after_every_kind_of_answer(up, upstream):
    known = fetched(upstream, up).validators
    upstream.project_page(up.url, EXAMPLE, known)
    upstream.project_page(up.url, project_name("absent"), UNKNOWN)
    content_of(upstream, up.file_url(WHEEL))
    up.fault(PAGE, status=503, times=1)
    page_failure(upstream, up)
    fetched(upstream, up)
    assert len(up.requests) == 6
    assert up.connections == 1


def test_it_can_be_used_again_after_closing(up, upstream):
    fetched(upstream, up)
    upstream.close()
    fetched(upstream, up)
    assert up.connections == 2


def test_many_threads_share_it(up, upstream):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(content_of(upstream, up.file_url(WHEEL))))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [WHEEL.content] * 20


def test_the_http_library_is_imported_at_first_use_only():
    program = (
        "import sys, stillroom_server.upstream.client as client; "
        "client.HttpUpstream(user_agent='x'); "
        "sys.exit(any(name in sys.modules for name in ('httpx', 'httpcore', 'truststore')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
