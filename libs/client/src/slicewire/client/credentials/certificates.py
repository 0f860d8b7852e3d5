"""The authority of the bus and the certificate of its servers, made by `openssl`.

Each is one file, key and certificates together, so that no key stands beside another's certificate.
"""

from __future__ import annotations

import ipaddress
import re
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from slicewire.client.credentials.folder import Folder

AUTHORITY, AUTHORITY_PUBLIC = "authority/ca.pem", "clients/ca.crt"
SERVER = "server/tls.pem"
LOCAL = ("localhost", "127.0.0.1")
IN_KUBERNETES = (
    "slicewire-nats.slicewire-system.svc",
    "slicewire-nats.slicewire-system",
    "slicewire-nats",
    "*.slicewire-nats-servers.slicewire-system.svc",
)
_HOST = re.compile(
    r"(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)
_LONGEST_HOST = 253


class NoCertificate(Exception):
    """It could not be made; the reason says what to do."""


def alternative(name: str) -> str:
    """A server's name as its certificate has it. Raises `NoCertificate`."""
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        if len(name) > _LONGEST_HOST or not _HOST.fullmatch(name):
            raise NoCertificate(f"--server={name!r} is neither a host's name nor an address") from None
        return f"DNS:{name}"


def make_authority(folder: Folder, days: int) -> None:
    """A new one. Those before it stay believed for as long as they are valid, so nobody is cut off."""
    with tempfile.TemporaryDirectory() as place:
        key, certificate = Path(place, "key"), Path(place, "crt")
        _openssl(
            *("req", "-x509", *_KEY, "-days", str(days), "-subj", "/CN=slicewire-bus"),
            *("-addext", "keyUsage=critical,keyCertSign", "-keyout", str(key), "-out", str(certificate)),
        )
        before = _CERTIFICATE.findall(folder.read(AUTHORITY) or b"")
        still = [one for one in before if _is_valid(one)]
        folder.write(AUTHORITY, b"".join((key.read_bytes(), certificate.read_bytes(), *still)))
    publish_authority(folder)


def publish_authority(folder: Folder) -> None:
    public = b"".join(_CERTIFICATE.findall(folder.read(AUTHORITY) or b""))
    for name in (AUTHORITY_PUBLIC, "server/ca.crt"):
        if folder.read(name) != public:
            folder.write(name, public)


def make_server(folder: Folder, names: Sequence[str], days: int) -> None:
    """A certificate for servers of these names, who also know each other by it. Raises `NoCertificate`."""
    alternatives = ",".join(alternative(name) for name in names)
    with tempfile.TemporaryDirectory() as place:
        key, request, made = Path(place, "key"), Path(place, "csr"), Path(place, "crt")
        authority, said = Path(place, "ca"), Path(place, "said")
        authority.touch(mode=0o600)
        authority.write_bytes(folder.read(AUTHORITY) or b"")
        said.write_text(f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={alternatives}\n")
        _openssl("req", *_KEY, "-subj", "/CN=slicewire-nats", "-keyout", str(key), "-out", str(request))
        _openssl(
            *("x509", "-req", "-in", str(request), "-CA", str(authority), "-CAkey", str(authority)),
            *("-days", str(days), "-extfile", str(said), "-CAcreateserial", "-out", str(made)),
        )
        folder.write(SERVER, made.read_bytes() + key.read_bytes())


def names_of(folder: Folder) -> tuple[str, ...]:
    """Whom the certificate is for, to make the next one like it."""
    text = _openssl("x509", "-noout", "-ext", "subjectAltName", given=folder.read(SERVER) or b"")
    return tuple(re.findall(r"(?:DNS|IP Address):([^,\s]+)", text))


def expires(pem: bytes) -> int:
    """Seconds since 1970, of the first certificate."""
    text = _openssl("x509", "-noout", "-enddate", given=pem)
    return int(ssl.cert_time_to_seconds(text.strip().partition("=")[2]))


def _is_valid(certificate: bytes) -> bool:
    text = _openssl("x509", "-noout", "-checkend", "0", given=certificate, may_fail=True)
    return "will not expire" in text


def _openssl(*arguments: str, given: bytes = b"", may_fail: bool = False) -> str:
    program = shutil.which("openssl")
    if program is None:
        raise NoCertificate("openssl is not installed: certificates are made with it")
    done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False)
    if done.returncode and not may_fail:
        raise NoCertificate(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")
