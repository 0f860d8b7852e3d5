"""NATS' keys, and the JSON web tokens that they sign. Refuses to touch files and to know what a right is."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import nkeys

from slicewire.common.model import wire


class Kind(IntEnum):
    OPERATOR = nkeys.PREFIX_BYTE_OPERATOR
    ACCOUNT = nkeys.PREFIX_BYTE_ACCOUNT
    USER = nkeys.PREFIX_BYTE_USER


def new_seed(kind: Kind) -> bytes:
    return bytes(nkeys.encode_seed(os.urandom(32), kind))


def public(seed: bytes) -> str:
    """The public key: how NATS names its owner."""
    pair = nkeys.from_seed(bytearray(seed))
    try:
        return str(bytes(pair.public_key).decode())
    finally:
        pair.wipe()


def signed(claims: Mapping[str, Any], seed: bytes) -> str:
    """A token as nats-server reads it: version 2, signed with Ed25519."""
    body = {"iss": public(seed), **claims}
    digest = hashlib.sha256(wire.encode(body)).digest()
    body["jti"] = base64.b32encode(digest).decode().rstrip("=")
    text = f"{_part({'typ': 'JWT', 'alg': 'ed25519-nkey'})}.{_part(body)}"
    pair = nkeys.from_seed(bytearray(seed))
    try:
        signature = base64.urlsafe_b64encode(pair.sign(text.encode())).rstrip(b"=").decode()
    finally:
        pair.wipe()
    return f"{text}.{signature}"


def _part(value: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(wire.encode(value)).rstrip(b"=").decode()


def file(jwt: str, seed: bytes) -> bytes:
    """Both as NATS' clients read them."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        "Whoever has this file is let in as its owner.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed.decode()}\n------END USER NKEY SEED------\n"
    ).encode()
