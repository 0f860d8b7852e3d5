"""Who we are on the bus: a credentials file, read again at every connection, and whom we believe.

A part of the door: nats.py alone imports it. Refuses to make credentials, and to keep a key in memory
for longer than signing takes.
"""

from __future__ import annotations

import base64
import itertools
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import nkeys

from slicewire.common.bus import rights
from slicewire.common.settings import BadSettings

_ROLE = "role:"
_SOON_SECONDS = 14 * 24 * 3600
_ANYBODY = "_INBOX"


class BadCredentials(OSError):
    """The file cannot be read, or is no credentials file. An OSError, so that NATS' client tries again."""


class _Claims(msgspec.Struct, frozen=True):
    """Of the JWT in the file, what concerns its owner."""

    class Rights(msgspec.Struct, frozen=True):
        tags: tuple[str, ...] = ()

    name: str = ""
    exp: int = 0
    nats: Rights = Rights()


class Identity(msgspec.Struct, frozen=True):
    """What a credentials file says of its owner."""

    name: str
    role: str
    expires: int
    """Seconds since 1970; 0: never."""
    jwt: bytes
    seed: bytes

    @property
    def api(self) -> str:
        """How we call JetStream."""
        return rights.api(self.role)

    @property
    def inbox(self) -> str:
        """Where our answers come, and nobody else may listen."""
        return rights.inbox(self.role, self.name) if self.role else _ANYBODY


def read(path: Path) -> Identity:
    """Raises `BadCredentials`."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BadCredentials(f"{path}: {error.strerror or error}") from None
    jwt, seed = _block(text, b"NATS USER JWT", path), _block(text, b"USER NKEY SEED", path)
    try:
        payload = jwt.split(b".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + b"=="), type=_Claims)
        nkeys.from_seed(bytearray(seed)).wipe()
    except (IndexError, ValueError, msgspec.MsgspecError, nkeys.NkeysError) as error:
        raise BadCredentials(f"{path} is no NATS credentials file: {error or type(error).__name__}") from None
    role = next((tag[len(_ROLE) :] for tag in claims.nats.tags if tag.startswith(_ROLE)), "")
    return Identity(claims.name, role, claims.exp, jwt, seed)


def _block(text: bytes, title: bytes, path: Path) -> bytes:
    lines = [line.strip() for line in text.splitlines()]
    for line, following in itertools.pairwise(lines):
        if b"BEGIN " + title in line and following:
            return following
    raise BadCredentials(f"{path} is no NATS credentials file: it has no {title.decode()}")


class Access:
    """How this process shows who it is, and whom it believes. Files that are replaced count at once."""

    def __init__(self, credentials: str, authority: str) -> None:
        self._credentials = Path(credentials) if credentials else None
        self._authority = Path(authority) if authority else None
        self.api = rights.INSIDE_API
        self.makes_streams = True

    def options(self) -> dict[str, Any]:
        """For the client. Raises `BadSettings` for files that cannot be used."""
        with _as_setting("SLICEWIRE_NATS_CA", self._authority):
            if self._authority:
                self.believing()
        with _as_setting("SLICEWIRE_NATS_CREDENTIALS", self._credentials):
            if not self._credentials:
                return {}
            ours = read(self._credentials)
        self.api, self.makes_streams = ours.api, rights.makes_streams(ours.role)
        return {"user_jwt_cb": self._jwt, "signature_cb": self._signed, "inbox_prefix": ours.inbox}

    @property
    def must_encrypt(self) -> bool:
        """Whoever names an authority wants no connection without TLS."""
        return self._authority is not None

    def believing(self) -> ssl.SSLContext:
        """Whom to believe: the authority of the file, else those of this machine. Raises `OSError`."""
        context = ssl.create_default_context(cafile=self._authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _jwt(self) -> bytearray:
        return bytearray(self._identity().jwt)

    def _signed(self, nonce: str) -> bytes:
        pair = nkeys.from_seed(bytearray(self._identity().seed))
        try:
            return base64.b64encode(pair.sign(nonce.encode()))
        finally:
            pair.wipe()

    def _identity(self) -> Identity:
        assert self._credentials is not None, "asked only where there are credentials"
        return read(self._credentials)

    def refusal(self, error: Exception) -> str:
        """Why a connection came to nothing, if a person must do something about it; else ""."""
        text = str(error)
        if isinstance(error, BadCredentials):
            return text
        if isinstance(error, ssl.SSLError):
            whom = f" by {self._authority}" if self._authority else "; SLICEWIRE_NATS_CA names its authority"
            return f"TLS: the server's certificate is not believed{whom}: {error.reason or text}"
        if "auth" in text.lower():
            return self._shown(is_over="expired" in text.lower())
        return text if "TLS" in text else ""

    def _shown(self, *, is_over: bool) -> str:
        if self._credentials is None:
            return "it wants to know who we are, and SLICEWIRE_NATS_CREDENTIALS names no file"
        with suppress(BadCredentials):
            found = self._identity()
            if found.expires and (is_over or found.expires <= time.time()):
                return f"the credentials {self._credentials} of {found.name} expired {_date(found.expires)}"
            return f"the credentials {self._credentials} of {found.name} are revoked, or of another bus"
        return f"the credentials {self._credentials} cannot be read"

    def ends_soon(self) -> str:
        """A warning, while there is time; else ""."""
        with suppress(BadCredentials):
            found = self._identity() if self._credentials else None
            if found and found.expires and found.expires - time.time() < _SOON_SECONDS:
                return f"the credentials {self._credentials} of {found.name} expire {_date(found.expires)}"
        return ""


@contextmanager
def _as_setting(variable: str, path: Path | None) -> Iterator[None]:
    """Makes a file that cannot be used a setting that cannot be used."""
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        raise BadSettings(f"{variable}={str(path)!r}: {error.strerror or error}") from None


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
