"""What lies beside mirrored files: the upstream's own, or made of the wheel; kept, and checked."""

import hashlib
import json
import threading

import pytest

from stillroom_server.domain.errors import NotFound, StorageFull, UpstreamFailed, UpstreamTimeout
from stillroom_server.domain.names import IndexName, ProjectName
from stillroom_server.domain.upstream import KeptFile, UpstreamFile
from stillroom_server.services import companions
from stillroom_server.services.files import Address
from support.downloads import wait_for_the_end
from support.fake_archives import an_archive
from support.fake_upstream import PATIENCE
from support.rows import sha256_of
from support.use_cases import ROOT, UseCases

DEMO = ProjectName("demo")
PYPI = IndexName.parse("root/pypi")
WHEEL = an_archive(wheel=True)
SDIST = an_archive()
MADE_OF = {"sha256": hashlib.sha256(WHEEL.metadata).hexdigest()}
TEXT = b"the upstream's own metadata"
SAID = {"sha256": sha256_of(TEXT.decode())}
TWIN = "http://twin.test/simple/"


def content(cases: UseCases, suffix: str, archive=WHEEL, *, digest: str | None = None, **options):
    address = Address.of(DEMO, digest or archive.sha256, archive.filename + suffix)
    return cases.files.content(cases.lineage("root/pypi"), address, **options)


def read(cases: UseCases, suffix: str, archive=WHEEL, **options) -> bytes:
    found = content(cases, suffix, archive, **options)
    blob = found.open()
    whole = b"".join(found.follow(0, found.size)) if blob is None else blob.read()
    wait_for_the_end()
    return whole


def metadata(cases: UseCases, **options) -> bytes:
    return read(cases, ".metadata", **options)


def provenance(cases: UseCases, **options) -> bytes:
    return read(cases, ".provenance", **options)


def listed(cases: UseCases) -> UpstreamFile:
    """The wheel as installers see it now."""
    [file] = cases.mirrors.page(cases.lineage("root/pypi").asked, DEMO).files
    return file


def kept(cases: UseCases) -> dict[str, str]:
    """The digests of all that is kept, by name."""
    mirror = cases.lineage("root/pypi").asked
    with cases.reading() as unit:
        return {file.filename: file.sha256 for file in unit.mirror_pages.kept(mirror, DEMO)}


def asked(cases: UseCases) -> list[str]:
    """What was asked beside pages, in short words."""
    questions = [q for q in cases.upstream.asked if not q.startswith(("page", "ranges"))]
    return [f"{q.split()[0]} {q.rsplit('/', 1)[1]}" for q in questions]


def no_parts(_base_url: str, _url: str):
    raise UpstreamFailed("no parts today")


def warnings_in(caplog) -> str:
    return " ".join(r.getMessage() for r in caplog.records if r.levelname == "WARNING")


# The upstream's own metadata


def own(cases: UseCases, said=SAID, text: bytes = TEXT) -> UpstreamFile:
    """List the wheel with metadata of the upstream's own beside it."""
    file = cases.listed(WHEEL, core_metadata=said)
    cases.upstream.put_url(f"{file.url}.metadata", text)
    return file


def test_the_upstreams_own_metadata_is_passed_on_and_kept(cases: UseCases):
    own(cases)
    for _ in range(2):
        assert metadata(cases) == TEXT
    assert asked(cases) == [f"document {WHEEL.filename}.metadata"]
    assert content(cases, ".metadata").is_lasting
    assert kept(cases) == {f"{WHEEL.filename}.metadata": SAID["sha256"]}


def test_its_url_is_beside_the_file_whatever_the_query_says(cases: UseCases):
    cases.listed(WHEEL, core_metadata=SAID, url="http://up.test/f.whl?x=1/y")
    cases.upstream.put_url("http://up.test/f.whl.metadata?x=1/y", TEXT)
    assert metadata(cases) == TEXT


def test_without_a_digest_it_is_taken_as_it_comes_and_does_not_last(cases: UseCases):
    own(cases, said={})
    assert metadata(cases) == TEXT
    assert not content(cases, ".metadata").is_lasting


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_another_digest_than_was_promised_is_refused(cases: UseCases, algorithm):
    own(cases, said={algorithm: "0" * 64})
    with pytest.raises(UpstreamFailed, match=f"has another {algorithm} than the upstream lists"):
        metadata(cases)
    assert kept(cases) == {}


def test_a_new_digest_on_the_page_makes_the_kept_one_worthless(cases: UseCases):
    own(cases)
    metadata(cases)
    newer = b"newer"
    own(cases, {"sha256": sha256_of("newer")}, newer)
    cases.clock.advance(days=1)
    listed(cases)
    assert metadata(cases) == newer


def test_it_comes_from_an_equivalent_where_the_first_one_fails(cases: UseCases):
    cases.indexes.change(ROOT, PYPI, {"mirror_fallback_urls": [TWIN]})
    own(cases)
    cases.filenames("root/pypi")
    cases.upstream.troubles[cases.lineage("root/pypi").asked.upstream_urls[0]] = UpstreamFailed(
        "x"
    )
    assert metadata(cases) == TEXT
    assert cases.upstream.bases[-1] == TWIN


def test_metadata_that_is_promised_and_missing_is_made_of_the_wheel(cases: UseCases, caplog):
    cases.listed(WHEEL, core_metadata=MADE_OF)
    assert metadata(cases) == WHEEL.metadata
    assert "does not have this file" in warnings_in(caplog)


@pytest.mark.parametrize("has_parts", [True, False], ids=["in parts", "of the whole"])
def test_made_metadata_must_be_what_was_promised(cases: UseCases, monkeypatch, has_parts):
    cases.listed(WHEEL, core_metadata={"sha256": "0" * 64})
    if not has_parts:
        monkeypatch.setattr(cases.upstream, "remote_file", no_parts)
    with pytest.raises(UpstreamFailed, match="another sha256"):
        metadata(cases)


def test_an_upstream_in_trouble_is_our_trouble_and_fetches_no_wheel(cases: UseCases):
    own(cases)
    cases.filenames("root/pypi")
    cases.upstream.trouble = UpstreamTimeout("slow")
    with pytest.raises(UpstreamTimeout):
        metadata(cases)
    assert asked(cases) == [f"document {WHEEL.filename}.metadata"]


def test_in_trouble_it_is_made_of_a_wheel_that_is_here(cases: UseCases):
    cases.listed(WHEEL, core_metadata=MADE_OF)
    read(cases, "")
    mirror = cases.lineage("root/pypi").asked
    with cases.database.writing() as unit:
        assert unit.mirror_pages.forget_kept(mirror, DEMO, f"{WHEEL.filename}.metadata")
    cases.upstream.trouble = UpstreamFailed("down")
    assert metadata(cases) == WHEEL.metadata


def test_the_metadata_of_an_sdist_is_the_upstreams_or_none(cases: UseCases):
    file = cases.listed(SDIST, core_metadata=SAID)
    with pytest.raises(NotFound, match="does not have this file"):
        metadata(cases, archive=SDIST)
    cases.upstream.put_url(f"{file.url}.metadata", TEXT)
    assert metadata(cases, archive=SDIST) == TEXT
    cases.listed(SDIST)
    cases.clock.advance(days=1)
    cases.filenames("root/pypi")


# Made of the wheel


def test_when_a_wheel_is_fetched_its_metadata_is_made_kept_and_advertised(cases: UseCases):
    cases.listed(WHEEL)
    assert listed(cases).core_metadata is None
    with cases.recorded() as events:
        read(cases, "")
    assert listed(cases).core_metadata == MADE_OF
    assert events == ["mirror-page-changed"]
    assert kept(cases)[f"{WHEEL.filename}.metadata"] == MADE_OF["sha256"]
    assert metadata(cases) == WHEEL.metadata
    assert content(cases, ".metadata").is_lasting
    assert asked(cases) == [f"file {WHEEL.filename}"]


def test_a_wheel_that_is_here_from_earlier_gives_its_metadata_when_asked(cases: UseCases):
    cases.listed(WHEEL)
    read(cases, "")
    mirror = cases.lineage("root/pypi").asked
    with cases.database.writing() as unit:
        unit.mirror_pages.forget_kept(mirror, DEMO, f"{WHEEL.filename}.metadata")
    assert metadata(cases) == WHEEL.metadata


def test_what_is_not_advertised_is_not_made(cases: UseCases):
    cases.listed(WHEEL)
    with pytest.raises(NotFound, match="has no metadata"):
        metadata(cases)
    assert asked(cases) == []


def test_no_metadata_is_made_of_an_sdist(cases: UseCases):
    cases.listed(SDIST)
    read(cases, "", SDIST)
    assert list(kept(cases)) == [SDIST.filename]
    with pytest.raises(NotFound):
        metadata(cases, archive=SDIST)


def test_a_wheel_without_metadata_is_served_all_the_same(cases: UseCases, caplog):
    odd = an_archive(wheel=True)
    cases.listed(odd, hashes={}, size=None)
    cases.upstream.put(listed(cases), b"no wheel at all")
    assert read(cases, "", odd, digest="-") == b"no wheel at all"
    assert "has no metadata: content: there is no METADATA" in warnings_in(caplog)
    assert list(kept(cases)) == [odd.filename]


# Read in parts


@pytest.fixture
def in_parts(cases: UseCases) -> UseCases:
    """An upstream without metadata whose files can be read in parts."""
    cases.upstream.ranges = True
    cases.listed(WHEEL)
    return cases


def test_metadata_is_read_from_the_upstreams_wheel_in_parts(in_parts: UseCases):
    assert listed(in_parts).core_metadata == {}
    for _ in range(2):
        assert metadata(in_parts) == WHEEL.metadata
    assert asked(in_parts) == [f"part {WHEEL.filename}"]
    # Nobody has verified it: its digest is not advertised, and nobody may keep it for ever.
    assert listed(in_parts).core_metadata == {}
    assert not content(in_parts, ".metadata").is_lasting


@pytest.mark.parametrize("trouble", [UpstreamFailed("no"), UpstreamTimeout("no"), NotFound("no")])
def test_where_that_fails_the_whole_wheel_is_fetched(in_parts: UseCases, monkeypatch, trouble):
    def fail(_base_url: str, _url: str):
        raise trouble

    monkeypatch.setattr(in_parts.upstream, "remote_file", fail)
    assert metadata(in_parts) == WHEEL.metadata
    assert asked(in_parts) == [f"file {WHEEL.filename}"]
    assert listed(in_parts).core_metadata == MADE_OF


def test_the_verified_wheel_has_the_last_word(in_parts: UseCases, caplog):
    file = listed(in_parts)
    in_parts.upstream.put(file, WHEEL.content + b"forged in transit")
    assert metadata(in_parts) != WHEEL.metadata
    in_parts.upstream.put(file, WHEEL.content)
    read(in_parts, "")
    assert metadata(in_parts) == WHEEL.metadata
    assert "read in parts was not that of the wheel" in warnings_in(caplog)


def test_metadata_in_parts_that_was_right_is_no_news(in_parts: UseCases, caplog):
    metadata(in_parts)
    read(in_parts, "")
    assert warnings_in(caplog) == ""
    assert listed(in_parts).core_metadata == MADE_OF


@pytest.mark.parametrize("mode", ["mirror_metadata_only", "mirror_use_external_urls"])
def test_mirrors_that_keep_no_files_make_metadata_all_the_same(in_parts, monkeypatch, mode):
    in_parts.indexes.change(ROOT, PYPI, {mode: True})
    monkeypatch.setattr(in_parts.upstream, "remote_file", no_parts)
    assert metadata(in_parts) == WHEEL.metadata
    assert list(kept(in_parts)) == [f"{WHEEL.filename}.metadata"]


def test_a_question_for_the_headers_fetches_no_wheel(in_parts: UseCases, monkeypatch):
    monkeypatch.setattr(in_parts.upstream, "remote_file", no_parts)
    found = content(in_parts, ".metadata", fetch=False)
    assert (found.size, found.sha256) == (None, None)
    assert asked(in_parts) == []


def test_it_is_not_made_of_a_kept_wheel_of_another_digest(in_parts: UseCases):
    """Such a row may be left of what the mirror held before its project was deleted."""
    mirror = in_parts.lineage("root/pypi").asked
    other = an_archive(wheel=True, note="another")
    now = in_parts.clock()
    row = KeptFile(WHEEL.filename, in_parts.store.put(other.content), 1, fetched=now, used=now)
    with in_parts.database.writing() as unit:
        unit.mirror_pages.keep(mirror, DEMO, row)
    assert metadata(in_parts) == WHEEL.metadata


# Provenance

FIRST = json.dumps({"version": 1, "attestation_bundles": []}).encode()
GROWN = json.dumps({"version": 1, "attestation_bundles": [{}]}).encode()
SOMEWHERE = "http://up.test/integrity/demo/provenance"


@pytest.fixture
def attested(cases: UseCases) -> UseCases:
    """An upstream with attestations of the wheel."""
    cases.listed(WHEEL, provenance=SOMEWHERE, core_metadata=MADE_OF)
    cases.upstream.put_url(SOMEWHERE, FIRST)
    return cases


def test_provenance_is_passed_on_byte_for_byte_and_kept(attested: UseCases):
    for _ in range(2):
        assert provenance(attested) == FIRST
    assert asked(attested) == ["document provenance"]
    assert not content(attested, ".provenance").is_lasting


def test_provenance_is_asked_for_anew_when_its_time_is_over(attested: UseCases):
    provenance(attested)
    attested.upstream.put_url(SOMEWHERE, GROWN)
    attested.clock.advance(seconds=599)
    assert provenance(attested) == FIRST
    attested.clock.advance(seconds=1)
    assert provenance(attested) == GROWN
    attested.clock.advance(seconds=599)
    assert provenance(attested) == GROWN
    assert len(asked(attested)) == 2


def _down(cases: UseCases) -> None:
    cases.upstream.trouble = UpstreamFailed("down")


def _full(cases: UseCases) -> None:
    cases.upstream.trouble = StorageFull("no room left")


def _lost(cases: UseCases) -> None:
    cases.upstream.remove_url(SOMEWHERE)


def _garbled(cases: UseCases) -> None:
    cases.upstream.put_url(SOMEWHERE, b"<html>")


@pytest.mark.parametrize("fail", [_down, _full, _lost, _garbled])
def test_provenance_that_is_kept_is_served_when_the_upstream_fails(attested, caplog, fail):
    provenance(attested)
    attested.clock.advance(days=1)
    fail(attested)
    before = len(asked(attested))
    for _ in range(3):
        assert provenance(attested) == FIRST
    assert len(asked(attested)) == before + 1
    assert "is served as it was" in caplog.text
    attested.clock.advance(seconds=companions.PAUSE_SECONDS)
    provenance(attested)
    assert len(asked(attested)) == before + 2


@pytest.mark.parametrize(
    "nonsense", [b"", b"[]", b"null", b'"x"', b"{", b"\xff{}", b"[" * 100_000], ids=range(7)
)
def test_provenance_that_is_no_json_object_is_never_kept(attested: UseCases, nonsense):
    attested.upstream.put_url(SOMEWHERE, nonsense)
    with pytest.raises(UpstreamFailed, match="is no JSON object"):
        provenance(attested)
    assert kept(attested) == {}


def test_a_file_without_attestations_has_no_provenance(cases: UseCases):
    cases.listed(WHEEL)
    with pytest.raises(NotFound, match="has no attestations"):
        provenance(cases)
    assert asked(cases) == []


def test_provenance_that_is_not_there_is_not_found(attested: UseCases):
    _lost(attested)
    with pytest.raises(NotFound):
        provenance(attested)


# Together


def test_all_that_belongs_to_a_file_is_fetched_with_it(attested: UseCases):
    file = listed(attested)
    attested.upstream.put_url(f"{file.url}.metadata", WHEEL.metadata)
    read(attested, "")
    names = [WHEEL.filename, f"{WHEEL.filename}.metadata", f"{WHEEL.filename}.provenance"]
    assert sorted(kept(attested)) == names
    attested.clock.advance(days=30)
    attested.upstream.trouble = UpstreamFailed("gone for good")
    assert read(attested, "") == WHEEL.content
    assert metadata(attested) == WHEEL.metadata
    assert provenance(attested) == FIRST


def test_what_fails_beside_a_file_does_not_harm_it(attested: UseCases, caplog):
    _lost(attested)
    assert read(attested, "") == WHEEL.content
    assert "no provenance of demo-1.0" in caplog.text
    assert WHEEL.filename in kept(attested)


def test_what_is_deleted_meanwhile_stays_deleted(attested: UseCases, monkeypatch):
    def deleting(_base_url: str, _url: str) -> bytes:
        attested.releases.remove_project(ROOT, PYPI, DEMO, force=True)
        return FIRST

    monkeypatch.setattr(attested.upstream, "document", deleting)
    assert provenance(attested) == FIRST
    assert kept(attested) == {}


def test_readers_do_not_wait_for_what_lies_beside(attested: UseCases, monkeypatch):
    may_answer = threading.Event()

    def slow(_base_url: str, _url: str) -> bytes:
        assert may_answer.wait(PATIENCE)
        return FIRST

    monkeypatch.setattr(attested.upstream, "document", slow)
    found = content(attested, "")
    assert b"".join(found.follow(0, found.size)) == WHEEL.content
    assert content(attested, "").open() is not None
    may_answer.set()
    wait_for_the_end()
    assert provenance(attested) == FIRST
