"""Identities, made, renewed and taken back. What was ever made is written down before it is handed out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from slicewire.client.credentials import certificates, keys, tokens
from slicewire.client.credentials.folder import BadFolder, Folder
from slicewire.client.credentials.tokens import SYSTEM, Owner
from slicewire.common.bus.rights import PARTS, ROLES
from slicewire.common.messages import BadKey
from slicewire.common.messages.channels import token
from slicewire.common.model import wire

IDENTITIES = "server/identities.conf"
_ISSUED = "authority/issued.json"
_DAY = 24 * 3600
_LONGEST_NAME = 243
"""A file's name has at most 255 bytes, and ours begin with a dot and end with `.creds.new`."""
_NAMED = {"node": "nodes", "reader": "readers"}
"""Roles of which there are many, and the folder of their files."""
_SEEDS = {
    "operator": keys.Kind.OPERATOR,
    "account": keys.Kind.ACCOUNT,
    "outside": keys.Kind.ACCOUNT,
    SYSTEM: keys.Kind.ACCOUNT,
    **dict.fromkeys(ROLES, keys.Kind.ACCOUNT),
}


class Unknown(Exception):
    """There is nobody of that name; the reason says who there is."""


class Issued(msgspec.Struct, frozen=True):
    """One key that was made for somebody."""

    role: str
    name: str
    key: str
    issued: int
    expires: int
    revoked: bool = False

    @property
    def who(self) -> str:
        return f"{self.role}/{self.name}" if self.role in _NAMED else self.name


class Issuer:
    """Works in one folder, which the caller holds (`Folder.ours`)."""

    def __init__(self, folder: Folder, now: int | None = None) -> None:
        self._folder = folder
        self._now = int(time.time()) if now is None else now

    def begin(self, servers: Sequence[str], days: int) -> None:
        """Everything that is missing of authority, server and parts; what is there stays as it is."""
        if self._folder.read(certificates.AUTHORITY) is None:
            certificates.make_authority(self._folder, 10 * days)
        certificates.publish_authority(self._folder)
        if self._folder.read(certificates.SERVER) is None:
            certificates.make_server(self._folder, servers, days)
        self._seeds()
        for part in (*PARTS, SYSTEM):
            self.add(part, part, days)
        self.tell_server()

    def add(self, role: str, name: str, days: int) -> bool:
        """False where it has a file already. Raises `BadKey`."""
        if self._folder.read(path_of(role, name)) is not None:
            return False
        self._make(role, name, days)
        return True

    def rotate(self, who: str, days: int) -> None:
        """A new key and a new time; the old one is let in until it expires or is revoked."""
        last = self.find(who)
        self._make(last.role, last.name, days)

    def revoke(self, who: str) -> int:
        """Nobody is let in any more with what was made for `who` until now, once servers know. How many."""
        found = self.find(who)
        issued = self.issued()
        gone = [one for one in issued if one.who == found.who and not one.revoked]
        kept = [msgspec.structs.replace(one, revoked=one.revoked or one in gone) for one in issued]
        self._write_down(kept)
        self._folder.remove(path_of(found.role, found.name))
        self.tell_server()
        return len(gone)

    def find(self, who: str) -> Issued:
        """The last key of `node/NAME`, `reader/NAME` or a part; a name alone where it is one's only."""
        issued = self.issued()
        exact = [one for one in issued if one.who == who]
        found = exact or [one for one in issued if one.name == who]
        if not found or len({one.who for one in found}) > 1:
            many = f"{who!r} is the name of several" if found else f"nobody is called {who!r}"
            there_are = ", ".join(sorted({one.who for one in issued})) or "none: begin with `init`"
            raise Unknown(f"{many}; there are {there_are}")
        return found[-1]

    def issued(self) -> list[Issued]:
        text = self._folder.read(_ISSUED)
        try:
            return [] if text is None else wire.decode(text, list[Issued])
        except wire.Malformed as error:
            raise BadFolder(f"{self._folder.path / _ISSUED}: {error}") from None

    def latest(self) -> list[Issued]:
        """The last key of each, in order of name."""
        last = {one.who: one for one in self.issued()}
        return [last[who] for who in sorted(last)]

    def tell_server(self) -> None:
        revoked = {one.key: self._now for one in self.issued() if one.revoked}
        self._folder.write(IDENTITIES, tokens.identities(self._seeds(), revoked, self._now))

    def _make(self, role: str, name: str, days: int) -> None:
        path, owner = path_of(role, name), Owner(role, token(name))
        seed = keys.new_seed(keys.Kind.USER)
        key, ends = keys.public(seed), self._now + days * _DAY
        jwt = tokens.user(owner, key, self._seeds(), (self._now, ends))
        self._write_down([*self.issued(), Issued(role, name, key, self._now, ends)])
        self._folder.write(path, keys.file(jwt, seed))

    def _write_down(self, issued: Sequence[Issued]) -> None:
        """Keys that have expired need no remembering."""
        alive = [one for one in issued if one.expires > self._now or _is_last(one, issued)]
        self._folder.write(_ISSUED, wire.encode(alive))

    def _seeds(self) -> Mapping[str, bytes]:
        return {
            name: self._folder.kept(f"authority/{name}.seed", partial(keys.new_seed, kind))
            for name, kind in _SEEDS.items()
        }


def _is_last(one: Issued, issued: Sequence[Issued]) -> bool:
    return one == next(each for each in reversed(issued) if each.who == one.who)


def path_of(role: str, name: str) -> str:
    """Where the file of this one is. Raises `BadKey` for what could be a path, or several subjects."""
    token(name)
    if len(name) > _LONGEST_NAME:
        raise BadKey(f"{name[:40]!r}… cannot be a name: it has more than {_LONGEST_NAME} letters")
    if name.startswith("-"):
        raise BadKey(f"{name!r} cannot be a name: it begins with '-'")
    return f"clients/{_NAMED[role]}/{name}.creds" if role in _NAMED else f"clients/{name}.creds"
