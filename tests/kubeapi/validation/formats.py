"""The formats names come in, each yielding what is wrong with a text that does not follow it."""

from __future__ import annotations

import re

from tests.kubeapi.validation.problems import Problems, invalid, required, too_long

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_C_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
_NUMBER = r"(0|[1-9]\d*)"
_PART = rf"({_NUMBER}|\d*[A-Za-z-][0-9A-Za-z-]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}(\.{_NUMBER}){{2}}(-{_PART}(\.{_PART})*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)

DRIVER_NAME_MAX = 63
POOL_NAME_MAX = 253
ID_MAX = 32
VALUE_MAX = 64


def dns_label(text: str, field: str) -> Problems:
    if not text:
        yield required(field)
    elif len(text) > 63:
        yield invalid(field, text, "must be no more than 63 bytes")
    elif not _LABEL.fullmatch(text):
        yield invalid(
            field,
            text,
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must"
            " start and end with an alphanumeric character",
        )


def dns_subdomain(text: str, field: str, most: int = 253) -> Problems:
    if not text:
        yield required(field)
    elif len(text) > most:
        yield too_long(field, most)
    elif not _SUBDOMAIN.fullmatch(text):
        yield invalid(
            field,
            text,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
            " and must start and end with an alphanumeric character",
        )


def driver_name(text: str, field: str) -> Problems:
    """Judged in lower case: the real server takes capitals with a warning."""
    yield from dns_subdomain(text.lower(), field, DRIVER_NAME_MAX)


def pool_name(text: str, field: str) -> Problems:
    if not text:
        yield required(field)
    elif len(text) > POOL_NAME_MAX:
        yield too_long(field, POOL_NAME_MAX)
    else:
        for part in text.split("/"):
            if not part:
                yield invalid(field, text, "a pool name is RFC 1123 subdomains joined with '/'")
            else:
                yield from dns_subdomain(part, field)


def qualified_name(text: str, field: str) -> Problems:
    """`id` or `domain/id`, the key of an attribute or capacity."""
    if not text:
        yield required(field, "name required")
        return
    domain, slash, name = text.rpartition("/")
    if slash and not domain:
        yield required(field, "the domain must not be empty")
    elif slash:
        yield from driver_name(domain, field)
    yield from _identifier(name, field)


def fully_qualified_name(text: str, field: str) -> Problems:
    if text and "/" not in text:
        yield invalid(field, text, "must include a domain")
    else:
        yield from qualified_name(text, field)


def _identifier(name: str, field: str) -> Problems:
    if not name:
        yield required(field, "the name must not be empty")
    elif len(name) > ID_MAX:
        yield too_long(field, ID_MAX)
    elif not _C_IDENTIFIER.fullmatch(name):
        yield invalid(field, name, "a valid C identifier must start with alphabetic character or '_'")


def label_key(text: str, field: str) -> Problems:
    if not text:
        yield required(field)
        return
    prefix, slash, name = text.rpartition("/")
    if slash:
        yield from dns_subdomain(prefix, field)
    if len(name) > 63 or not _NAME.fullmatch(name):
        yield invalid(
            field,
            text,
            "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with"
            " an alphanumeric character, and be no more than 63 bytes",
        )


def label_value(text: str, field: str) -> Problems:
    if text and (len(text) > 63 or not _NAME.fullmatch(text)):
        yield invalid(
            field,
            text,
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.'",
        )


def semver(text: str, field: str) -> Problems:
    if len(text) > VALUE_MAX:
        yield too_long(field, VALUE_MAX)
    if not _SEMVER.fullmatch(text):
        yield invalid(field, text, "must be a string compatible with semver.org spec 2.0.0")


def uuid(text: str, field: str) -> Problems:
    if not _UUID.fullmatch(text):
        yield invalid(
            field, text, "uid must be in RFC 4122 normalized form with lowercase hexadecimal characters"
        )
