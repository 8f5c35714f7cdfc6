import hashlib
import os
import ssl
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, pkcs12
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.certs import Authority, Issued

from iot_northbound.core.keystores import Source, Store, public_bytes, read_store
from iot_northbound.core.pkcs12 import key_bags
from iot_northbound.errors import TlsError

FIXTURES = Path(__file__).parent.parent / "data" / "keystores"
PASSWORD = "fixture-pass"
WRONG = "not-the-password"


@pytest.fixture(scope="module")
def ca() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def client(ca: Authority) -> Issued:
    return ca.issue("client", client=True)


def read(path: Path, password: str | None = None) -> Store:
    return read_store(Source(path, "self_cert_path", password, "self_cert_pwd"))


def written(folder: Path, data: bytes, name: str = "store.bin") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def fault(path: Path, password: str | None = None) -> str:
    with pytest.raises(TlsError) as caught:
        read(path, password)
    assert caught.value.error_code == "1006"
    assert "self_cert_path" in str(caught.value)
    assert str(path) in str(caught.value)
    for secret in (PASSWORD, WRONG):
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value)
    return caught.value.error_desc


def is_pair(store: Store, issued: Issued) -> bool:
    assert store.key is not None
    return public_bytes(store.key) == public_bytes(issued.key) and store.certificates[0] == issued.certificate


class TestPem:
    def test_certificate_and_key_in_one_file_in_either_order(self, tmp_path: Path, client: Issued) -> None:
        for data in (client.pem + client.key_pem(), client.key_pem() + client.pem):
            assert is_pair(read(written(tmp_path, data)), client)

    def test_key_in_the_forms_of_openssl_1(self, tmp_path: Path, client: Issued) -> None:
        parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
        traditional = client.key_pem(form=PrivateFormat.TraditionalOpenSSL)
        assert b"BEGIN EC PRIVATE KEY" in traditional
        assert is_pair(read(written(tmp_path, parameters + traditional + client.pem)), client)

    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
    def test_encrypted_key(self, tmp_path: Path, client: Issued, form: PrivateFormat) -> None:
        path = written(tmp_path, client.pem + client.key_pem(PASSWORD, form))
        assert is_pair(read(path, PASSWORD), client)
        assert "password in self_cert_pwd is wrong" in fault(path, WRONG)
        assert "set self_cert_pwd" in fault(path)

    def test_password_for_an_unprotected_key_is_passed_over(self, tmp_path: Path, client: Issued) -> None:
        assert is_pair(read(written(tmp_path, client.pem + client.key_pem()), PASSWORD), client)

    def test_windows_line_ends_notes_and_old_labels(self, tmp_path: Path, ca: Authority, client: Issued) -> None:
        old = ca.pem.replace(b" CERTIFICATE-", b" X509 CERTIFICATE-")
        data = b"\xef\xbb\xbfBag Attributes\r\n  friendlyName: x\r\n" + (client.pem + old).replace(b"\n", b"\r\n")
        assert read(written(tmp_path, data)).certificates == (client.certificate, ca.certificate)

    def test_cut_off(self, tmp_path: Path, client: Issued) -> None:
        assert "cut off" in fault(written(tmp_path, client.pem[:200]))

    def test_damaged_certificate(self, tmp_path: Path, client: Issued) -> None:
        lines = client.pem.splitlines(keepends=True)
        assert "damaged" in fault(written(tmp_path, b"".join(lines[:2] + lines[3:])))

    def test_damaged_key(self, tmp_path: Path, client: Issued) -> None:
        lines = client.key_pem().splitlines(keepends=True)
        assert "damaged" in fault(written(tmp_path, lines[0] + lines[2] + lines[-1]))

    def test_neither_certificate_nor_key(self, tmp_path: Path) -> None:
        text = b"-----BEGIN NONSENSE-----\nAAAA\n-----END NONSENSE-----\n"
        assert "neither a certificate nor a private key" in fault(written(tmp_path, text))


class TestDer:
    def test_certificate(self, tmp_path: Path, ca: Authority) -> None:
        assert read(written(tmp_path, ca.der)).certificates == (ca.certificate,)

    def test_key_plain_and_encrypted(self, tmp_path: Path, client: Issued) -> None:
        for password in (None, PASSWORD):
            store = read(written(tmp_path, client.key_der(password)), password)
            assert store.key is not None
            assert public_bytes(store.key) == public_bytes(client.key)

    def test_wrong_password_of_an_encrypted_key(self, tmp_path: Path, client: Issued) -> None:
        path = written(tmp_path, client.key_der(PASSWORD))
        assert "wrong" in fault(path, WRONG)
        assert "set self_cert_pwd" in fault(path)

    def test_cut_off(self, tmp_path: Path, ca: Authority) -> None:
        assert "damaged" in fault(written(tmp_path, ca.der[:-20]))


AES = PrivateFormat.PKCS12.encryption_builder().key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
TRIPLE_DES = (
    PrivateFormat.PKCS12.encryption_builder()
    .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
    .hmac_hash(hashes.SHA1())
)


class TestPkcs12:
    @pytest.mark.parametrize("builder", [AES, TRIPLE_DES], ids=["aes", "3des"])
    def test_modern_and_old_ciphers(self, tmp_path: Path, ca: Authority, client: Issued, builder: object) -> None:
        data = client.p12(PASSWORD, builder.build(PASSWORD.encode()), [ca.certificate])  # type: ignore[attr-defined]
        path = written(tmp_path, data)
        store = read(path, PASSWORD)
        assert is_pair(store, client)
        assert store.certificates[1] == ca.certificate
        assert "password in self_cert_pwd is wrong" in fault(path, WRONG)
        assert "set self_cert_pwd" in fault(path)

    @pytest.mark.parametrize("name", ["client-rc2.p12", "client-rc2-key.p12", "client-3des.p12"])
    def test_stores_of_the_field(self, name: str) -> None:
        store = read(FIXTURES / name, PASSWORD)
        assert store.key is not None
        assert public_bytes(store.key) == public_bytes(store.certificates[0])
        assert len(store.certificates) == 2
        assert "wrong" in fault(FIXTURES / name, WRONG)

    def test_without_or_with_an_empty_password(self, tmp_path: Path, client: Issued) -> None:
        path = written(tmp_path, client.p12(None))
        assert is_pair(read(path), client)
        assert is_pair(read(path, ""), client)

    def test_password_for_an_unprotected_file_is_passed_over(self, tmp_path: Path, client: Issued) -> None:
        assert is_pair(read(written(tmp_path, client.p12(None)), PASSWORD), client)

    def test_password_beyond_ascii(self, tmp_path: Path, client: Issued) -> None:
        assert is_pair(read(written(tmp_path, client.p12("schlüssel€")), "schlüssel€"), client)

    @pytest.mark.filterwarnings("ignore:PKCS#12 bundle could not be parsed as DER")
    def test_open_ended_lengths_as_older_tools_write_them(self, tmp_path: Path, client: Issued) -> None:
        data = client.p12(PASSWORD)
        assert data[:2] == b"\x30\x82"
        assert is_pair(read(written(tmp_path, b"\x30\x80" + data[4:] + b"\x00\x00"), PASSWORD), client)

    def test_cut_off(self, tmp_path: Path, client: Issued) -> None:
        assert "damaged or cut off" in fault(written(tmp_path, client.p12(PASSWORD)[:-30]), PASSWORD)

    def test_switched_off_rc2_is_not_called_a_wrong_password(self, tmp_path: Path) -> None:
        code = (
            "from pathlib import Path; from iot_northbound.core.keystores import *\n"
            f"read_store(Source(Path({str(FIXTURES / 'client-rc2.p12')!r}), 'self_cert_path', {PASSWORD!r}, 'p'))"
        )
        environ = {**os.environ, "CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1"}
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, timeout=60)
        assert "RC2" in done.stderr
        assert "is wrong" not in done.stderr


class TestJks:
    def test_trust_store_is_read_and_checked(self) -> None:
        (anchor,) = read(FIXTURES / "trust.jks", PASSWORD).certificates
        assert read(FIXTURES / "ca.pem").certificates == (anchor,)

    def test_wrong_password(self) -> None:
        assert "password in self_cert_pwd is wrong" in fault(FIXTURES / "trust.jks", WRONG)

    def test_without_password_nothing_is_checked(self) -> None:
        assert read(FIXTURES / "trust.jks").certificates == read(FIXTURES / "ca.pem").certificates

    @pytest.mark.parametrize("name", ["trust-pkcs12.jks", "trust-pkcs12-java8.jks"])
    def test_pkcs12_inside(self, name: str) -> None:
        store = read(FIXTURES / name, PASSWORD)
        assert store.kind == "PKCS#12"
        assert store.certificates == read(FIXTURES / "ca.pem").certificates
        assert "wrong" in fault(FIXTURES / name, WRONG)
        assert "set self_cert_pwd" in fault(FIXTURES / name)

    def test_of_a_private_key_its_own_certificate_counts_and_not_its_issuers(self) -> None:
        store = read(FIXTURES / "key-and-trust.jks", PASSWORD)
        subjects = {each.subject.rfc4514_string() for each in store.certificates}
        assert subjects == {"CN=fixture ca", "CN=fixture client"}
        (alone,) = read(FIXTURES / "key-only.jks", PASSWORD).certificates
        assert alone.subject.rfc4514_string() == "CN=fixture client"

    @pytest.mark.parametrize("name", ["key-only.jks", "key-and-trust.jks", "two-keys.jks"])
    def test_private_keys_are_read_with_their_names_and_chains(self, name: str) -> None:
        store = read(FIXTURES / name, PASSWORD)
        assert [entry.alias for entry in store.keys] == (["second", "first"] if name == "two-keys.jks" else ["1"])
        for entry in store.keys:
            assert public_bytes(entry.open()) == public_bytes(entry.chain[0])
        assert PASSWORD not in repr(store)

    def test_a_private_key_needs_the_password_and_its_certificate_does_not(self) -> None:
        store = read(FIXTURES / "key-only.jks")
        assert len(store.certificates) == 1
        with pytest.raises(TlsError, match="set self_cert_pwd"):
            store.keys[0].open()

    def test_a_private_key_of_another_cipher_says_how_to_convert_it(self, tmp_path: Path) -> None:
        data = (FIXTURES / "key-only.jks").read_bytes()
        data = data.replace(bytes.fromhex("2a02110101"), bytes.fromhex("2a02110102"))
        mended = data[:-20] + hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + data[:-20]).digest()
        with pytest.raises(TlsError, match="keytool -importkeystore"):
            read(written(tmp_path, mended), PASSWORD).keys[0].open()

    def test_a_key_with_a_password_of_its_own(self, tmp_path: Path) -> None:
        body = (FIXTURES / "key-only.jks").read_bytes()[:-20]
        other = body + hashlib.sha1(WRONG.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
        store = read(written(tmp_path, other), WRONG)
        with pytest.raises(TlsError, match="the password in self_cert_pwd is wrong"):
            store.keys[0].open()

    def test_jceks(self) -> None:
        assert "JCEKS" in fault(FIXTURES / "trust.jceks", PASSWORD)

    @pytest.mark.parametrize("password", [None, PASSWORD])
    def test_cut_off(self, tmp_path: Path, password: str | None) -> None:
        data = (FIXTURES / "trust.jks").read_bytes()
        assert "damaged or cut off" in fault(written(tmp_path, data[:-60]), password)

    def test_one_flipped_byte_with_its_password(self, tmp_path: Path) -> None:
        data = bytearray((FIXTURES / "trust.jks").read_bytes())
        data[-40] ^= 1
        fault(written(tmp_path, bytes(data)), PASSWORD)

    def test_lengths_beyond_the_end(self, tmp_path: Path) -> None:
        head = b"\xfe\xed\xfe\xed" + struct.pack(">IIIH", 2, 1, 2, 1) + b"a" + bytes(8)
        assert "damaged" in fault(written(tmp_path, head + struct.pack(">H", 5) + b"X.509" + b"\xff" * 30))


class TestSeveralKeys:
    def test_pkcs12_gives_all_of_them_with_their_names(self) -> None:
        store = read(FIXTURES / "two-keys.p12", PASSWORD)
        assert [entry.alias for entry in store.keys] == ["first", "second"]
        keys = {public_bytes(entry.open()) for entry in store.keys}
        assert keys == {public_bytes(each) for each in store.certificates}
        assert len(keys) == 2

    def test_pkcs12_with_one_has_its_name_too(self, tmp_path: Path, client: Issued) -> None:
        (entry,) = read(written(tmp_path, client.p12(PASSWORD)), PASSWORD).keys
        assert entry.alias == "client"

    def test_pem_gives_all_of_them(self, tmp_path: Path, ca: Authority, client: Issued) -> None:
        other = ca.issue("other", client=True)
        store = read(written(tmp_path, client.key_pem() + client.pem + other.key_pem() + other.pem))
        assert [entry.alias for entry in store.keys] == ["", ""]


class TestPkcs12Walk:
    @pytest.mark.parametrize("name", ["two-keys.p12", "client-rc2.p12", "trust-pkcs12.jks"])
    def test_a_file_cut_off_anywhere_gives_no_key_and_no_error(self, name: str) -> None:
        data = (FIXTURES / name).read_bytes()
        for end in range(0, len(data), 13):
            key_bags(data[:end])

    @given(st.binary(max_size=200))
    def test_no_bytes_do_harm(self, data: bytes) -> None:
        assert isinstance(key_bags(data), list)
        assert isinstance(key_bags(b"\x30\x81\xc0" + data), list)

    def test_a_file_without_a_safe_has_no_keys(self) -> None:
        assert key_bags(b"\x30\x80\x02\x01\x03\x00\x00") == []


class TestAnyFile:
    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
    def test_pem_with_a_byte_order_mark(self, tmp_path: Path, client: Issued, encoding: str) -> None:
        text = (client.pem + client.key_pem()).decode()
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        assert is_pair(read(written(tmp_path, (mark + text).encode(encoding))), client)

    def test_name_does_not_matter(self, tmp_path: Path, client: Issued) -> None:
        assert is_pair(read(written(tmp_path, client.p12(PASSWORD), "client.pem"), PASSWORD), client)
        assert is_pair(read(written(tmp_path, client.pem + client.key_pem(), "client.p12"), PASSWORD), client)

    def test_missing(self, tmp_path: Path) -> None:
        assert "does not exist" in fault(tmp_path / "nowhere.p12")

    def test_folder(self, tmp_path: Path) -> None:
        assert "folder" in fault(tmp_path)

    def test_empty(self, tmp_path: Path) -> None:
        assert "empty" in fault(written(tmp_path, b"\n"))

    def test_garbage(self, tmp_path: Path) -> None:
        assert "neither PEM, DER, PKCS#12 nor JKS" in fault(written(tmp_path, b"<html>not a certificate</html>"))

    def test_too_large(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"")
        os.truncate(path, 17 * 1024 * 1024)
        assert "more than 16 MiB" in fault(path)

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device")
    def test_a_device_without_an_end(self) -> None:
        assert "it is a device, not a file" in fault(Path("/dev/zero"))

    @pytest.mark.skipif(not Path("/dev/fd").exists(), reason="pipes have no names")
    def test_a_pipe_of_a_shell(self, client: Issued) -> None:
        reader, writer = os.pipe()
        with os.fdopen(writer, "wb") as file:
            file.write(client.pem + client.key_pem())
        try:
            assert is_pair(read(Path(f"/dev/fd/{reader}")), client)
        finally:
            os.close(reader)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
    def test_unreadable(self, tmp_path: Path, client: Issued) -> None:
        path = written(tmp_path, client.pem)
        path.chmod(0)
        assert "cannot be read" in fault(path)

    def test_rsa_keys(self, tmp_path: Path, ca: Authority) -> None:
        issued = ca.issue("rsa", client=True, key=rsa.generate_private_key(65537, 2048))
        assert is_pair(read(written(tmp_path, issued.p12(PASSWORD)), PASSWORD), issued)

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_damage_of_any_kind_is_a_tls_error_or_still_a_store(self, tmp_path: Path, data: st.DataObject) -> None:
        names = ["trust.jks", "trust-pkcs12.jks", "client-rc2.p12", "ca.pem", "key-and-trust.jks"]
        content = bytearray((FIXTURES / data.draw(st.sampled_from(names))).read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        content = content[: data.draw(st.integers(1, len(content)))]
        try:
            store = read(written(tmp_path, bytes(content)), data.draw(st.sampled_from([None, PASSWORD])))
        except TlsError:
            return
        assert isinstance(store, Store)


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_name_no_file_can_have(name: str) -> None:
    with pytest.raises(TlsError, match="a file cannot have such a name") as caught:
        read_store(Source(Path(name), "trust_ca_path"))
    assert caught.value.error_code == "1006"


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_a_ca_that_breaks_a_rule_is_read_without_a_warning(ca: Authority, tmp_path: Path, form: str) -> None:
    number = ca.certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, "big")
    der = ca.der.replace(serial, bytes([serial[0] | 0x80]) + serial[1:], 1)  # negative, as in some bundles of systems
    pem = ssl.DER_cert_to_PEM_cert(der).encode()
    with pytest.warns(CryptographyDeprecationWarning, match="serial"):
        x509.load_der_x509_certificate(der)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = read(written(tmp_path, ca.pem + pem if form == "PEM" else der))
    assert store.certificates[-1].public_bytes(Encoding.DER) == der
