"""The port `Upstream` over real sockets: an upstream that is well, slow, broken or hostile."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from stillroom_server.domain.errors import NotFound, UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.names import project_name
from stillroom_server.domain.upstream import Validators
from stillroom_server.services.ports import NoSuchProject, NotModified, PageFetched
from stillroom_server.upstream.client import HttpUpstream, Limits
from support.distributions import make_sdist, make_wheel
from support.upstream import CERTIFICATE, LocalUpstream

EXAMPLE = project_name("example")
PAGE = "/simple/example/"
WHEEL = make_wheel("example", "1.0", requires_python=">=3.8")
LARGE = make_wheel(
    "example",
    "2.0",
    members={"noise": b"".join(n.to_bytes(4, "big") * 2 for n in range(0, 2**32, 21_474))},
)
UNKNOWN = Validators()
FAST = Limits(connect=0.3, read=0.3, page=0.6, names=0.6, chunk=0.6, page_bytes=1_000_000)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def up():
    with LocalUpstream() as up:
        up.add(WHEEL)
        yield up


@pytest.fixture
def upstream():
    with closing(HttpUpstream(user_agent="stillroom/test", limits=FAST)) as upstream:
        yield upstream


def fetched(upstream, up, known=UNKNOWN):
    answer = upstream.project_page(up.url, EXAMPLE, known)
    assert isinstance(answer, PageFetched)
    return answer


def content_of(upstream, url):
    with upstream.fetch(url) as transfer:
        return b"".join(transfer.chunks())


def page_failure(upstream, up):
    with pytest.raises(UpstreamFailed) as caught:
        upstream.project_page(up.url, EXAMPLE, UNKNOWN)
    return caught.value


# Pages


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_page_is_read_in_both_forms(up, upstream, form):
    up.forms = {form}
    up.add(make_sdist("example", "1.0"), yanked="broken")
    wheel, sdist = fetched(upstream, up).files
    assert (wheel.filename, wheel.url) == (WHEEL.filename, up.file_url(WHEEL))
    assert wheel.hashes == {"sha256": WHEEL.sha256}
    assert wheel.requires_python == ">=3.8"
    assert wheel.core_metadata is not None
    assert (sdist.filename, sdist.yanked) == ("example-1.0.tar.gz", "broken")


def test_the_json_form_tells_more_and_is_what_is_asked_for(up, upstream):
    (file,) = fetched(upstream, up).files
    assert file.size == len(WHEEL.content)
    assert file.uploaded is not None
    (request,) = up.requests
    assert request.headers["accept"] == (
        "application/vnd.pypi.simple.v1+json, "
        "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"
    )
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["user-agent"] == "stillroom/test"


def test_links_are_resolved_against_the_url_after_redirects(up, upstream):
    up.fault(PAGE, status=302, headers={"Location": "/elsewhere/simple/example/"}, times=1)
    page = json.dumps({"files": [{"filename": "example-1.0.zip", "url": "x.zip"}]}).encode()
    headers = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    up.fault("/elsewhere/*", status=200, headers=headers, body=page)
    (file,) = fetched(upstream, up).files
    assert file.url == f"{up.root}/elsewhere/simple/example/x.zip"


def test_an_unchanged_page_is_not_sent_again(up, upstream):
    known = fetched(upstream, up).validators
    assert known.etag is not None
    assert upstream.project_page(up.url, EXAMPLE, known) == NotModified()
    up.add(make_wheel("example", "1.1"))
    assert len(fetched(upstream, up, known).files) == 2


def test_the_date_of_a_page_is_sent_back_as_it_was_received(up, upstream):
    date = "Sat, 03 Jan 2026 00:00:00 GMT"
    up.fault(PAGE, headers={"Last-Modified": date})
    known = fetched(upstream, up).validators
    assert known.last_modified == date
    fetched(upstream, up, Validators(last_modified=date))
    assert up.requests[-1].headers["if-modified-since"] == date


def test_a_validator_that_cannot_be_sent_back_is_not_kept(up, upstream):
    up.fault(PAGE, headers={"ETag": '"é"'})
    assert fetched(upstream, up).validators.etag is None


def test_not_modified_without_a_condition_is_a_failure(up, upstream):
    up.fault(PAGE, status=304)
    assert "304" in page_failure(upstream, up).message


@pytest.mark.parametrize("status", [404, 410])
def test_only_404_and_410_mean_that_there_is_no_such_project(up, upstream, status):
    up.fault(PAGE, status=status)
    assert upstream.project_page(up.url, EXAMPLE, UNKNOWN) == NoSuchProject()


@pytest.mark.parametrize("status", [201, 204, 206, 300, 400, 401, 403, 429, 451, 500, 502, 503])
def test_every_other_status_is_a_failure(up, upstream, status):
    up.fault(PAGE, status=status, body=b"")
    failure = page_failure(upstream, up)
    assert failure.message == f"127.0.0.1:{up.port} answers with status {status}"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("7", 7),
        ("0", 1),
        ("999999", 3600),
        ("Sat, 03 Jan 2026 00:00:00 GMT", 10),
        ("-1", 10),
        ("1.5", 10),
    ],
)
def test_retry_after_is_honoured_within_reason(up, upstream, said, expected):
    up.fault(PAGE, status=503, headers={"Retry-After": said})
    assert page_failure(upstream, up).retry_after == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html>", b'{"files": 1}', b'{"meta": {"api-version": "2.0"}, "files": []}'],
)
def test_a_page_that_cannot_be_read_is_a_failure(up, upstream, body):
    up.fault(PAGE, body=body, headers={"Content-Encoding": "identity"})
    assert "a page that cannot be read" in page_failure(upstream, up).message


def test_a_page_of_another_type_is_a_failure(up, upstream):
    up.fault(PAGE, headers={"Content-Type": "text/plain"})
    assert "text/plain" in page_failure(upstream, up).message


# Size and encoding of pages


def test_a_page_over_the_limit_is_a_failure(up, upstream):
    up.fault(PAGE, body=b" " * (FAST.page_bytes + 1), headers={"Content-Encoding": "identity"})
    assert "larger than 1000000 bytes" in page_failure(upstream, up).message


def test_a_gzip_bomb_is_a_failure(up, upstream):
    up.fault(PAGE, body=gzip.compress(bytes(50_000_000), 1))
    assert "larger than 1000000 bytes" in page_failure(upstream, up).message


def test_a_page_in_several_gzip_members_is_read(up, upstream):
    head, tail = b'{"files": [', b'{"filename": "example-1.0.zip", "url": "/x"}]}'
    up.fault(PAGE, body=gzip.compress(head) + gzip.compress(tail))
    assert len(fetched(upstream, up).files) == 1


@pytest.mark.parametrize(
    "body",
    [b"no gzip", gzip.compress(b'{"files": []}')[:-9], b""],
    ids=["no gzip", "cut off", "empty"],
)
def test_broken_gzip_is_a_failure(up, upstream, body):
    up.fault(PAGE, body=body)
    assert "gzip" in page_failure(upstream, up).message


def test_a_coding_that_was_not_asked_for_is_a_failure(up, upstream):
    up.fault(PAGE, headers={"Content-Encoding": "br"})
    assert "coding" in page_failure(upstream, up).message


# An upstream that is not there, or not what it should be, P-01


def test_a_refused_connection_is_a_failure(up, upstream):
    up.stop()
    failure = page_failure(upstream, up)
    assert failure.message == f"127.0.0.1:{up.port} cannot be reached: connection refused"


@pytest.fixture
def resolve(monkeypatch):
    """Lets a test say which addresses the name `index.example` has."""
    addresses = []
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **options):
        if host != "index.example":
            return real(host, *args, **options)
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [found for address in addresses for found in real(address, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return addresses.extend


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


def timeout_of(ask):
    started = time.monotonic()
    with pytest.raises(UpstreamTimeout, match="did not answer in time"):
        ask()
    return time.monotonic() - started


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
def test_an_upstream_that_does_not_get_on_is_a_timeout_within_the_limit(up, upstream, fault):
    up.fault(PAGE, **fault)
    assert timeout_of(lambda: upstream.project_page(up.url, EXAMPLE, UNKNOWN)) < 2


def test_redirects_do_not_extend_the_time_for_a_page(up, upstream):
    up.fault(PAGE, delay=0.25, status=302, headers={"Location": PAGE})
    assert timeout_of(lambda: upstream.project_page(up.url, EXAMPLE, UNKNOWN)) < 2


def test_a_host_that_takes_connections_and_says_nothing_in_tls_is_a_timeout(upstream):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/simple/"
        assert timeout_of(lambda: upstream.project_page(url, EXAMPLE, UNKNOWN)) < 2


def test_an_upstream_that_stalls_in_tls_does_not_hold_up_another(monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    patient = HttpUpstream(user_agent="stillroom/test", limits=Limits(connect=3.0))
    with (
        closing(patient) as upstream,
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


# Files, P-07


def test_a_file_is_transferred_as_it_is(up, upstream):
    up.add(LARGE)
    with upstream.fetch(up.file_url(LARGE)) as transfer:
        assert transfer.size == len(LARGE.content)
        chunks = list(transfer.chunks())
    assert b"".join(chunks) == LARGE.content
    assert all(64 * 1024 <= len(chunk) <= 256 * 1024 for chunk in chunks[:-1])
    assert len(chunks) > 5
    assert up.requests[-1].headers["accept-encoding"] == "identity"


def test_an_empty_file_has_a_size_and_no_chunks(up, upstream):
    up.fault("/files/*", body=b"")
    with upstream.fetch(up.file_url(WHEEL)) as transfer:
        assert transfer.size == 0
        assert list(transfer.chunks()) == []


def test_a_coded_file_is_handed_on_as_it_was_sent_without_a_size(up, upstream):
    packed = gzip.compress(WHEEL.content)
    up.fault("/files/*", body=packed, headers={"Content-Encoding": "gzip"})
    with upstream.fetch(up.file_url(WHEEL)) as transfer:
        assert transfer.size is None
        assert b"".join(transfer.chunks()) == packed


def test_a_file_in_http_chunks_has_no_size(up, upstream):
    body = b"5\r\nhello\r\n0\r\n\r\n"
    up.fault("/files/*", body=body, headers={"Transfer-Encoding": "chunked"})
    with upstream.fetch(up.file_url(WHEEL)) as transfer:
        assert transfer.size is None
        assert b"".join(transfer.chunks()) == b"hello"


@pytest.mark.parametrize("status", [404, 410])
def test_a_file_that_is_gone_is_not_found(up, upstream, status):
    up.fault("/files/*", status=status)
    with pytest.raises(NotFound), upstream.fetch(up.file_url(WHEEL)):
        pytest.fail("there is nothing to fetch")


@pytest.mark.parametrize("status", [206, 304, 403, 429, 500])
def test_every_other_status_of_a_file_is_a_failure(up, upstream, status):
    up.fault("/files/*", status=status, headers={"Retry-After": "5"})
    with (
        pytest.raises(UpstreamFailed, match=str(status)) as caught,
        upstream.fetch(up.file_url(WHEEL)),
    ):
        pytest.fail("there is nothing to fetch")
    assert caught.value.retry_after == 5


@pytest.mark.parametrize("ending", ["close", "reset"])
@pytest.mark.parametrize("after", [0, 100_000])
def test_a_file_that_breaks_off_is_a_failure(up, upstream, ending, after):
    up.add(LARGE)
    up.fault("/files/*", then=ending, after=after)
    with pytest.raises(UpstreamFailed, match="broke off"):
        content_of(upstream, up.file_url(LARGE))


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_an_upstream_that_hangs_up_without_a_word_is_a_failure(up, upstream, ending):
    up.fault("/files/*", then=ending)
    with pytest.raises(UpstreamFailed, match="broke off"):
        content_of(upstream, up.file_url(WHEEL))


@pytest.mark.parametrize("fault", [{"then": "stall", "after": 100_000}, {"drip": 0.05}])
def test_a_file_that_does_not_get_on_is_a_timeout(up, upstream, fault):
    up.add(LARGE)
    up.fault("/files/*", **fault)
    assert timeout_of(lambda: content_of(upstream, up.file_url(LARGE))) < 3


def test_a_failure_is_told_by_the_chunks_not_only_at_the_end_of_the_block(up, upstream):
    up.fault("/files/*", then="close", after=1)
    with upstream.fetch(up.file_url(WHEEL)) as transfer, pytest.raises(UpstreamFailed):
        list(transfer.chunks())


def test_a_transfer_takes_as_long_as_its_reader_needs(up, upstream):
    up.add(LARGE)
    with upstream.fetch(up.file_url(LARGE)) as transfer:
        chunks = transfer.chunks()
        received = [next(chunks)]
        time.sleep(FAST.page + 0.1)  # longer than any limit
        received += chunks
    assert b"".join(received) == LARGE.content


def test_a_transfer_that_is_given_up_lets_go_of_its_connection(up, upstream):
    up.add(LARGE)
    up.fault("/files/*", then="stall", after=100_000, times=1)
    with upstream.fetch(up.file_url(LARGE)) as transfer:
        next(transfer.chunks())
    assert content_of(upstream, up.file_url(LARGE)) == LARGE.content


def test_what_goes_wrong_with_the_reader_is_not_blamed_on_the_upstream(up, upstream):
    with pytest.raises(KeyError), upstream.fetch(up.file_url(WHEEL)):
        raise KeyError


# An upstream that sends us elsewhere, P-11


def test_redirects_are_followed(up, upstream):
    target = up.file_url(WHEEL)
    for step in range(5):
        following = target if step == 4 else f"{up.root}/step/{step + 1}"
        up.fault(f"/step/{step}", status=302, headers={"Location": following})
    assert content_of(upstream, f"{up.root}/step/0") == WHEEL.content


def test_a_loop_of_redirects_is_a_failure(up, upstream):
    up.fault(PAGE, status=301, headers={"Location": PAGE})
    assert "more than 5 times" in page_failure(upstream, up).message
    assert len(up.requests) == 6


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "//",
        "http://[::1",
        "http://127.0.0.1:1/" + "x" * 120_000,
    ],
)
def test_a_redirect_to_something_else_than_the_web_is_a_failure(up, upstream, location):
    up.fault(PAGE, status=302, headers={"Location": location})
    page_failure(upstream, up)


def test_a_redirect_from_https_to_http_is_a_failure(up, upstream, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    with LocalUpstream(certificate=CERTIFICATE) as safe:
        safe.fault(PAGE, status=302, headers={"Location": up.url + "example/"})
        assert "from https to http" in page_failure(upstream, safe).message
    assert up.requests == []


# Nothing of ours is sent


def test_credentials_in_urls_are_not_sent(up, upstream):
    secret = up.root.replace("//", "//user:secret@")
    up.fault(PAGE, status=302, headers={"Location": f"{secret}/files/x"})
    with pytest.raises(UpstreamFailed) as caught:
        upstream.project_names(f"{secret}/nothing/")
    upstream.project_page(f"{secret}/simple/", EXAMPLE, UNKNOWN)
    assert len(up.requests) == 3
    assert all("authorization" not in request.headers for request in up.requests)
    assert "secret" not in caught.value.message


def test_cookies_are_not_sent_back(up, upstream):
    up.fault(PAGE, headers={"Set-Cookie": "track=me; Path=/"})
    fetched(upstream, up)
    fetched(upstream, up)
    assert all("cookie" not in request.headers for request in up.requests)


# Proxies


def test_the_proxy_of_the_environment_is_used(up, upstream, monkeypatch):
    monkeypatch.setenv("http_proxy", up.root)
    answer = upstream.project_page("http://index.invalid/simple/", EXAMPLE, UNKNOWN)
    assert isinstance(answer, PageFetched)
    assert up.paths == ["http://index.invalid/simple/example/"]


def test_no_proxy_is_honoured(up, upstream, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetched(upstream, up)


def test_a_proxy_that_refuses_is_a_failure(up, upstream, monkeypatch):
    monkeypatch.setenv("https_proxy", up.root)
    with pytest.raises(UpstreamFailed, match="cannot be reached through the proxy"):
        upstream.project_page("https://index.invalid/simple/", EXAMPLE, UNKNOWN)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "nonsense://x"])
def test_a_proxy_of_another_kind_is_a_failure(upstream, monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(UpstreamFailed, match="cannot be reached through the proxy"):
        upstream.project_page("http://index.invalid/simple/", EXAMPLE, UNKNOWN)


# The list of all names


@pytest.mark.parametrize("form", ["json", "html"])
def test_all_names_are_read_in_both_forms(up, upstream, form):
    up.forms = {form}
    up.add(make_wheel("Other.Project"))
    assert upstream.project_names(up.url) == ["example", "other-project"]
    assert up.paths == ["/simple/"]


@pytest.mark.parametrize(
    "fault", [{"status": 404}, {"status": 500}, {"body": b"{"}, {"then": "close", "after": 5}]
)
def test_a_list_of_names_that_does_not_come_is_a_failure(up, upstream, fault):
    up.fault("/simple/", **fault)
    with pytest.raises(UpstreamFailed):
        upstream.project_names(up.url)


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
