"""Which certificate the client shows, out of files that hold several keys or several certificates of one key."""

import itertools
from pathlib import Path
from typing import Any

import pytest
from tests.certs import Authority, Issued
from tests.core.pkcs12_files import Entry, pkcs12_file

from iot_northbound.core.key_pairs import choose_pair
from iot_northbound.core.keystores import Source, read_store
from iot_northbound.core.pkcs12 import key_bags
from iot_northbound.errors import TlsError
from iot_northbound.ssl_config import SSLConfig

PASSWORD = "fixture-pass"
pytestmark = pytest.mark.filterwarnings("ignore:PKCS#12 bundle could not be parsed as DER")


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def old(ca: Authority) -> Issued:
    return ca.issue("device gateway", client=True)


@pytest.fixture(scope="module")
def new(ca: Authority, old: Issued) -> Issued:
    """The certificate of `old`, renewed: another one with the same key and the same subject."""
    return ca.issue("device gateway", client=True, key=old.key)


@pytest.fixture(scope="module")
def other(ca: Authority) -> Issued:
    return ca.issue("other", client=True)


def chosen(folder: Path, data: bytes, alias: str | None) -> list[int]:
    """Return the serial numbers of what is shown."""
    path = folder / "client.p12"
    path.write_bytes(data)
    source = Source(path, "self_cert_path", PASSWORD, "self_cert_pwd")
    store = read_store(source)
    key, chain = choose_pair(store.keys, store.certificates, alias, source)
    assert key.public_key() == chain[0].public_key()
    return [each.serial_number for each in chain]


def refused(folder: Path, data: bytes, alias: str | None) -> str:
    with pytest.raises(TlsError) as caught:
        chosen(folder, data, alias)
    assert caught.value.error_code == "1006"
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ber", [False, True], ids=["DER", "BER"])
class TestSeveralKeysOfOneFile:
    def test_a_renewed_certificate_is_chosen_by_its_name_although_the_key_is_the_same(
        self, tmp_path: Path, old: Issued, new: Issued, ber: bool
    ) -> None:
        for entries in itertools.permutations([Entry("old", old), Entry("new", new)]):
            data = pkcs12_file(entries, PASSWORD, ber=ber)
            assert chosen(tmp_path, data, "old") == [old.certificate.serial_number]
            assert chosen(tmp_path, data, "NEW") == [new.certificate.serial_number]
            text = refused(tmp_path, data, None)
            assert "self_cert_alias" in text
            assert "'old'" in text
            assert "'new'" in text

    def test_each_of_two_keys_is_shown_with_its_own_certificate(
        self, tmp_path: Path, old: Issued, other: Issued, ber: bool
    ) -> None:
        data = pkcs12_file([Entry("first", old), Entry("second", other)], PASSWORD, ber=ber)
        assert chosen(tmp_path, data, "first") == [old.certificate.serial_number]
        assert chosen(tmp_path, data, "second") == [other.certificate.serial_number]
        assert "'first' or 'second'" in refused(tmp_path, data, None)
        assert "no private key has the alias 'third'" in refused(tmp_path, data, "third")

    def test_keys_without_names_are_not_chosen_silently(
        self, tmp_path: Path, old: Issued, other: Issued, ber: bool
    ) -> None:
        data = pkcs12_file([Entry(None, old), Entry(None, other)], PASSWORD, ber=ber)
        assert "several private keys" in refused(tmp_path, data, None)

    def test_the_only_key_needs_no_name(self, tmp_path: Path, old: Issued, ber: bool) -> None:
        for alias in (None, "only"):
            data = pkcs12_file([Entry("only", old)], PASSWORD, ber=ber)
            assert chosen(tmp_path, data, alias) == [old.certificate.serial_number]

    def test_the_keys_are_found_with_their_names(self, old: Issued, other: Issued, ber: bool) -> None:
        data = pkcs12_file([Entry("first", old), Entry("zweiter Schlüssel", other)], PASSWORD, ber=ber)
        assert [each.alias for each in key_bags(data)] == ["first", "zweiter Schlüssel"]


@pytest.mark.parametrize("ber", [False, True], ids=["DER", "BER"])
class TestKeysInsideTheEncryptedPart:
    def test_are_refused_with_a_way_out_if_there_may_be_several(
        self, tmp_path: Path, old: Issued, other: Issued, ber: bool
    ) -> None:
        data = pkcs12_file([Entry("first", old), Entry("second", other)], PASSWORD, ber=ber, keys_sealed=True)
        for alias in (None, "third"):
            text = refused(tmp_path, data, alias)
            assert "openssl pkcs12 -in" in text
            assert "'first' or 'second'" in text

    def test_one_that_is_asked_for_by_name_is_that_one_or_none(
        self, tmp_path: Path, old: Issued, other: Issued, ber: bool
    ) -> None:
        data = pkcs12_file([Entry("first", old), Entry("second", other)], PASSWORD, ber=ber, keys_sealed=True)
        shown: list[Any] = []
        for alias, issued in (("first", old), ("second", other)):
            try:
                shown.append(chosen(tmp_path, data, alias))
                assert shown[-1][0] == issued.certificate.serial_number
            except TlsError as error:
                assert "openssl pkcs12 -in" in str(error)  # noqa: PT017  # the library sees one of the two
        assert len(shown) == 1

    def test_without_names_the_subjects_are_told(self, tmp_path: Path, old: Issued, other: Issued, ber: bool) -> None:
        data = pkcs12_file([Entry(None, old), Entry(None, other)], PASSWORD, ber=ber, keys_sealed=True)
        assert "'CN=device gateway' or 'CN=other'" in refused(tmp_path, data, None)

    def test_a_single_one_is_used(self, tmp_path: Path, old: Issued, ber: bool) -> None:
        data = pkcs12_file([Entry("only", old)], PASSWORD, ber=ber, keys_sealed=True)
        for alias in (None, "only"):
            assert chosen(tmp_path, data, alias) == [old.certificate.serial_number]


def test_such_a_file_may_serve_as_trust_store(tmp_path: Path, old: Issued, other: Issued) -> None:
    from iot_northbound.core.tls import build_policy

    path = tmp_path / "trust.p12"
    path.write_bytes(pkcs12_file([Entry("a", old), Entry("b", other)], PASSWORD, keys_sealed=True))
    build_policy(SSLConfig(trust_ca_path=path, trust_ca_pwd=PASSWORD))


@pytest.mark.parametrize(
    "damage", [b"\x30\x80" * 5000, b"\x24\x80" * 5000, b"\x30\x80\xa0\x80\x24\x80\x04\x84\xff\xff\xff\xff"]
)
def test_ber_that_never_ends_gives_no_key_and_no_error(damage: bytes) -> None:
    assert key_bags(damage) == []
    assert key_bags(b"\x30\x80\x02\x01\x03\x30\x80\x06\x01\x00\xa0\x80" + damage) == []
