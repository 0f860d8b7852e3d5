"""`format.dns1123Label().validate(text)` and its kin: what is wrong with a text, or none."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from slicewire.allocator.core.cel.cost.prices import Estimate, Operand, Price
from slicewire.allocator.core.cel.cost.ranges import PER_CHARACTER, PER_PATTERN_CHARACTER, scaled
from slicewire.allocator.core.cel.faults import Failed
from slicewire.allocator.core.cel.functions.times import parsed_timestamp
from slicewire.allocator.core.cel.functions.urls import parsed_url
from slicewire.allocator.core.cel.overload import overload
from slicewire.allocator.core.cel.values import NONE, Optional, register, size_of

Complaints = tuple[str, ...]


class NamedFormat(msgspec.Struct, frozen=True):
    """A format by name; `pattern_size` is what Kubernetes prices its check by."""

    name: str
    pattern_size: int


register(NamedFormat, "kubernetes.NamedFormat")

_LABEL_1123 = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})")
_LONGEST_LABEL, _LONGEST_SUBDOMAIN = 63, 253


def _checker(
    pattern: re.Pattern[str], longest: int, rule: str, *, prefix: bool = False
) -> Callable[[str], Complaints]:
    """`prefix`: the text is the beginning of a generated name, so it may end in a hyphen."""

    def complaints(text: str) -> Complaints:
        if len(text) > longest:
            return (f"must be no more than {longest} characters",)
        checked = f"{text[:-1]}a" if prefix and len(text) > 1 and text.endswith("-") else text
        return () if pattern.fullmatch(checked) else (rule,)

    return complaints


_LABEL_RULE = (
    "must consist of lower case alphanumeric characters or '-', and start and end with an alphanumeric"
)
_SUBDOMAIN_RULE = "must consist of lower case alphanumeric characters, '-' or '.', each part a label"
_1035_RULE = (
    "must consist of lower case alphanumeric characters or '-', start with a letter, end alphanumeric"
)
_NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and start and end with an alphanumeric"
)


def _qualified_name(text: str) -> Complaints:
    prefix, slash, name = text.rpartition("/")
    found = [f"name part {complaint}" for complaint in _name(name)]
    if slash:
        found += [f"prefix part {complaint}" for complaint in _subdomain(prefix)]
    return tuple(found)


def _label_value(text: str) -> Complaints:
    return _name(text) if text else ()


def _uri(text: str) -> Complaints:
    try:
        parsed_url(text)
    except ValueError as error:
        return (str(error),)
    return ()


def _matching(pattern: re.Pattern[str], rule: str) -> Callable[[str], Complaints]:
    return lambda text: () if pattern.fullmatch(text) else (rule,)


def _moment(suffix: str, rule: str) -> Callable[[str], Complaints]:
    def complaints(text: str) -> Complaints:
        try:
            parsed_timestamp(text + suffix)
        except Failed:
            return (rule,)
        return ()

    return complaints


_name = _checker(_NAME, _LONGEST_LABEL, _NAME_RULE)
_subdomain = _checker(_SUBDOMAIN, _LONGEST_SUBDOMAIN, _SUBDOMAIN_RULE)

_CHECKS: dict[str, tuple[int, Callable[[str], Complaints]]] = {
    "dns1123Label": (30, _checker(_LABEL_1123, _LONGEST_LABEL, _LABEL_RULE)),
    "dns1123Subdomain": (60, _subdomain),
    "dns1035Label": (30, _checker(_LABEL_1035, _LONGEST_LABEL, _1035_RULE)),
    "qualifiedName": (60, _qualified_name),
    "dns1123LabelPrefix": (30, _checker(_LABEL_1123, _LONGEST_LABEL, _LABEL_RULE, prefix=True)),
    "dns1123SubdomainPrefix": (60, _checker(_SUBDOMAIN, _LONGEST_SUBDOMAIN, _SUBDOMAIN_RULE, prefix=True)),
    "dns1035LabelPrefix": (30, _checker(_LABEL_1035, _LONGEST_LABEL, _1035_RULE, prefix=True)),
    "labelValue": (40, _label_value),
    "uri": (1103, _uri),
    "uuid": (83, _matching(_UUID, "does not match the UUID format")),
    "byte": (84, _matching(_BASE64, "invalid base64")),
    "date": (116, _moment("T00:00:00Z", "invalid date")),
    "datetime": (116, _moment("", "invalid datetime")),
}
FORMATS = {name: NamedFormat(name, size) for name, (size, _) in _CHECKS.items()}
_LONGEST_PATTERN = 128


def _validate(named: NamedFormat, text: str) -> Optional:
    complaints = _CHECKS[named.name][1](text)
    return Optional((complaints,)) if complaints else NONE


def _named(name: str) -> Optional:
    return Optional((FORMATS[name],)) if name in FORMATS else NONE


def _estimated(operands: tuple[Operand, ...]) -> Estimate:
    text = scaled(operands[1].size.most, PER_CHARACTER)
    return Estimate(scaled(text, _LONGEST_PATTERN * PER_PATTERN_CHARACTER))


_VALIDATION = Price(
    _estimated,
    lambda values, _: (
        scaled(size_of(values[1]) + 1, PER_CHARACTER) * scaled(values[0].pattern_size, PER_PATTERN_CHARACTER)
    ),
)


def _giving(named: NamedFormat) -> Callable[[], NamedFormat]:
    return lambda: named


OVERLOADS = (
    overload("format.named(string) -> optional(Format)", _named),
    overload("Format.validate(string) -> optional(list(string))", _validate, _VALIDATION),
    *(overload(f"format.{name}() -> Format", _giving(named)) for name, named in FORMATS.items()),
)
