"""What nats-server is told of our identities: operator, accounts, a signing key a role with its rights.

A role's rights are in the account, which servers have: when they change, nobody needs new credentials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from slicewire.client.credentials import keys
from slicewire.common.bus.rights import ANSWER_SECONDS, OUTSIDE, ROLES, Rights, rights
from slicewire.common.bus.zones import Crossing, from_inside, from_outside

_VERSION = 2
_NO_LIMIT: dict[str, Any] = {"subs": -1, "data": -1, "payload": -1}
_ACCOUNT_LIMITS: dict[str, Any] = {
    **_NO_LIMIT,
    "imports": -1,
    "exports": -1,
    "wildcards": True,
    "conn": -1,
    "leaf": -1,
}
_STORAGE = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}
_NANOSECONDS = 1_000_000_000
SYSTEM = "system"
"""The identity for looking at servers; it sees no stream."""


def identities(seeds: Mapping[str, bytes], revoked: Mapping[str, int], now: int) -> bytes:
    """A part of the server's configuration. Nothing in it is secret; all of it is signed."""
    said = {"type": "operator", "version": _VERSION, "system_account": keys.public(seeds[SYSTEM])}
    operator = {"name": "slicewire", "sub": keys.public(seeds["operator"]), "iat": now, "nats": said}
    accounts = _accounts(seeds, revoked, now)
    return "\n".join(
        (
            "# Made by `slicewire credentials`. Servers that run are told of a change by its `push`.",
            f"operator: {keys.signed(operator, seeds['operator'])}",
            f"system_account: {keys.public(seeds[SYSTEM])}",
            "resolver: MEMORY",
            "resolver_preload: {",
            *(f"  {one['sub']}: {keys.signed(one, seeds['operator'])}" for one in accounts),
            "}\n",
        )
    ).encode()


def accounts_in(configuration: bytes) -> dict[str, str]:
    """The accounts' tokens, by their keys, of what `identities` made."""
    _, _, preload = configuration.decode().partition("resolver_preload: {\n")
    lines = (line.strip().partition(": ") for line in preload.splitlines())
    return {account: jwt for account, _, jwt in lines if jwt}


def _accounts(seeds: Mapping[str, bytes], revoked: Mapping[str, int], now: int) -> list[dict[str, Any]]:
    inside, outside = keys.public(seeds["account"]), keys.public(seeds["outside"])
    made = [_account("system", seeds[SYSTEM], {}, now)]
    for name, offered, taken, other in (
        ("account", from_inside(), from_outside(), outside),
        ("outside", from_outside(), from_inside(), inside),
    ):
        one = _account(name, seeds[name], _STORAGE if name == "account" else {}, now)
        one["nats"] |= {
            "exports": [_export(each) for each in offered],
            "imports": [_import(each, other) for each in taken],
            "signing_keys": [_scope(role, seeds[role]) for role in ROLES if account_of(role) == name],
            "revocations": dict(revoked),
        }
        made.append(one)
    return made


def account_of(role: str) -> str:
    """The seed that names the account of a role."""
    return SYSTEM if role == SYSTEM else "outside" if role in OUTSIDE else "account"


def _account(name: str, seed: bytes, storage: Mapping[str, int], now: int) -> dict[str, Any]:
    said = {"limits": {**_ACCOUNT_LIMITS, **storage}, "type": "account", "version": _VERSION}
    return {"name": name, "sub": keys.public(seed), "iat": now, "nats": said}


def _export(one: Crossing) -> dict[str, Any]:
    kind = "stream" if one.is_stream else "service"
    answers = {} if one.is_stream else {"response_type": "Stream" if one.answers_often else "Singleton"}
    return {"name": one.subject, "subject": one.subject, "type": kind, **answers}


def _import(one: Crossing, account: str) -> dict[str, Any]:
    kind = "stream" if one.is_stream else "service"
    local = {"local_subject": one.local} if one.local else {}
    return {"name": one.subject, "subject": one.subject, "account": account, "type": kind, **local}


def _scope(role: str, seed: bytes) -> dict[str, Any]:
    its = rights(role)
    return {"kind": "user_scope", "key": keys.public(seed), "role": role, "template": _template(its)}


def _template(its: Rights) -> dict[str, Any]:
    answers = {"resp": {"max": 1, "ttl": ANSWER_SECONDS * _NANOSECONDS}} if its.answers else {}
    return {
        "pub": {"allow": list(its.publish), "deny": list(its.never)},
        "sub": {"allow": list(its.subscribe)},
        **answers,
        **_NO_LIMIT,
    }


class Owner(msgspec.Struct, frozen=True):
    """Whose a token is."""

    role: str
    name: str


def user(owner: Owner, key: str, seeds: Mapping[str, bytes], times: tuple[int, int]) -> str:
    """A token for one public key, from when until when; its rights are those of its role's signing key."""
    issued, ends = times
    said: dict[str, Any] = {"type": "user", "version": _VERSION, "tags": [f"role:{owner.role}"]}
    if owner.role == SYSTEM:
        said |= {"pub": {"allow": ["$SYS.REQ.>", "$JS.API.>"]}, "sub": {"allow": ["_INBOX.>"]}, **_NO_LIMIT}
    else:
        said["issuer_account"] = keys.public(seeds[account_of(owner.role)])
    claims = {"name": owner.name, "sub": key, "iat": issued, "exp": ends, "nats": said}
    return keys.signed(claims, seeds[owner.role])
