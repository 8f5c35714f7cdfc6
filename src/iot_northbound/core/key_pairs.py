"""Which private key of a file the client uses, and the certificates that belong to it."""

from collections.abc import Callable, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256

from iot_northbound.core.keystores import KeyEntry, Source, public_bytes
from iot_northbound.errors import TlsReason


def choose_pair(
    keys: Sequence[KeyEntry], certificates: Sequence[x509.Certificate], alias: str | None, source: Source
) -> tuple[PrivateKeyTypes, list[x509.Certificate]]:
    """Return a private key and its chain, which begins with its own certificate.

    Args:
        keys: the private keys of the file, at least one.
        certificates: the certificates of the file.
        alias: the alias of the key; None if only one key has a certificate.
        source: the keys' file, for messages.

    Raises:
        TlsError: no key has that alias, no key has a certificate, or several have one and no alias is given (1006).
    """
    _refuse_hidden(keys, alias, source)
    leaves = {id(entry): leaf_of(entry, certificates) for entry in keys}
    pairs: dict[bytes, tuple[KeyEntry, x509.Certificate]] = {}
    for entry in keys if alias is None else _called(keys, alias, source):
        leaf = leaves[id(entry)]
        if leaf is not None:
            pairs.setdefault(leaf.fingerprint(SHA256()), (entry, leaf))
    if not pairs:
        raise source.error(
            "the private key does not belong to the certificate: they must be made as a pair", TlsReason.KEY_MISMATCH
        )
    if len(pairs) > 1:
        names = _or([entry.alias or leaf.subject.rfc4514_string() for entry, leaf in pairs.values()])
        if any(entry.alias for entry, _ in pairs.values()):
            what = f"the file contains several private keys: set self_cert_alias to {names}"
        else:
            what = f"the file contains several private keys, for {names}: leave only one in it"
        raise source.error(what, TlsReason.KEY_AMBIGUOUS)
    ((entry, leaf),) = pairs.values()
    # The certificates of other keys do not belong to this key's chain.
    own = {public_bytes(each) for each in leaves.values() if each is not None}
    rest = entry.chain[1:] or [each for each in certificates if public_bytes(each) not in own]
    return entry.open(), [leaf, *rest]


def _refuse_hidden(keys: Sequence[KeyEntry], alias: str | None, source: Source) -> None:
    """Refuse a key that was chosen for us out of several that cannot be seen."""
    for entry in keys:
        if len(entry.beside) > 1 and (alias is None or not any(_is_called(each, alias, str.casefold) for each in keys)):
            raise source.error(
                "its private keys are inside an encrypted part of the file, where only one of them can be read. There "
                f"may be {_or(entry.beside)}. Write them out by `openssl pkcs12 -in FILE -nodes -out keys.pem`, leave "
                "in keys.pem only the key to use and its certificates, and name that file"
            )


def _is_called(entry: KeyEntry, alias: str, same: Callable[[str], str]) -> bool:
    return bool(entry.alias) and same(entry.alias) == same(alias)


def _called(keys: Sequence[KeyEntry], alias: str, source: Source) -> list[KeyEntry]:
    for same in (str, str.casefold):  # Java ignores upper and lower case, OpenSSL does not
        found = [entry for entry in keys if _is_called(entry, alias, same)]
        if found:
            return found
    known = [entry.alias for entry in keys if entry.alias]
    there = f"there is {_or(known)}" if known else "the file has no aliases: leave self_cert_alias out"
    raise source.error(f"no private key has the alias {alias!r}; {there}", TlsReason.KEY_AMBIGUOUS)


def leaf_of(entry: KeyEntry, certificates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return a private key's own certificate; None if it is not there."""
    if entry.chain:
        return entry.chain[0]
    own = public_bytes(entry.open())
    return next((each for each in certificates if public_bytes(each) == own), None)


def _or(names: Sequence[str]) -> str:
    return " or ".join(map(repr, names))
