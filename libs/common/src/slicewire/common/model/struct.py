"""The one base of every API object: frozen, camelCase on the wire, defaults left out."""

from typing import ClassVar

import msgspec


class Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A value of the Kubernetes API. Lists are tuples; a mapping is never written to."""

    API_VERSION: ClassVar[str] = ""
    KIND: ClassVar[str] = ""
