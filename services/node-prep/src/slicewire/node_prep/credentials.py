"""How to be let in to the Kubernetes API: from the pod's service account, or from a kubeconfig.

Certificates and tokens only. A kubeconfig that would run a program is refused: a node's agent starts none.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from slicewire.common.settings import BadSettings

IN_CLUSTER = "in-cluster"
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SETTING = "SLICEWIRE_NODE_PREP_KUBECONFIG"
_HTTPS = 443

N = TypeVar("N", bound="_Named")


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int
    prefix: str = ""
    """What comes before `/apis` in a path, where the API is behind a proxy."""
    authority: str | None = None
    """PEM of who signs the server's certificate; None: whom this machine trusts."""
    certificate: bytes = b""
    """PEM of our own certificate and its key."""
    token: str = ""
    token_file: Path | None = None
    """Read for each question: it is replaced while we run."""

    def bearer(self) -> Mapping[str, str]:
        """Raises `OSError`."""
        token = self.token_file.read_text().strip() if self.token_file else self.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.authority)
        if self.certificate:
            with tempfile.NamedTemporaryFile() as file:  # readable by us alone; OpenSSL takes files only
                file.write(self.certificate)
                file.flush()
                context.load_cert_chain(file.name)
        return context


def credentials(kubeconfig: str) -> Credentials:
    """Raises `BadSettings`."""
    try:
        found = _in_cluster() if kubeconfig == IN_CLUSTER else _from_file(Path(kubeconfig))
        found.tls()
    except BadSettings:
        raise
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise BadSettings(f"{_SETTING}={kubeconfig!r}: {error}") from error
    return found


def _in_cluster() -> Credentials:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
    if not host:
        raise BadSettings(f"{_SETTING}={IN_CLUSTER!r}: KUBERNETES_SERVICE_HOST is not set; this is no pod")
    return Credentials(
        host=host,
        port=int(os.environ.get("KUBERNETES_SERVICE_PORT", _HTTPS)),
        authority=(SERVICE_ACCOUNT / "ca.crt").read_text(),
        token_file=SERVICE_ACCOUNT / "token",
    )


class _Named(msgspec.Struct, frozen=True):
    name: str


class _ClusterFields(msgspec.Struct, frozen=True, rename="kebab"):
    server: str
    certificate_authority: str = ""
    certificate_authority_data: str = ""


class _Cluster(_Named, frozen=True):
    cluster: _ClusterFields


class _UserFields(msgspec.Struct, frozen=True, rename="kebab"):
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    exec: object = None
    auth_provider: object = None


class _User(_Named, frozen=True):
    user: _UserFields


class _ContextFields(msgspec.Struct, frozen=True):
    cluster: str
    user: str


class _Context(_Named, frozen=True):
    context: _ContextFields


class _Kubeconfig(msgspec.Struct, frozen=True, rename="kebab"):
    current_context: str
    contexts: tuple[_Context, ...]
    clusters: tuple[_Cluster, ...]
    users: tuple[_User, ...]


def _from_file(path: Path) -> Credentials:
    """YAML needs PyYAML, the extra `kubernetes` of this distribution; the same as JSON needs nothing."""
    data = path.read_bytes()
    decode = msgspec.json.decode if data.lstrip().startswith(b"{") else msgspec.yaml.decode
    file = decode(data, type=_Kubeconfig)
    context = _named(file.contexts, file.current_context, "context").context
    cluster = _named(file.clusters, context.cluster, "cluster").cluster
    user = _named(file.users, context.user, "user").user
    if user.exec is not None or user.auth_provider is not None:
        raise ValueError(f"user {context.user} runs a program to be let in; give it a certificate or a token")
    where = urlsplit(cluster.server)
    if where.scheme != "https" or not where.hostname:
        raise ValueError(f"server {cluster.server!r} of cluster {context.cluster} is no https:// address")
    authority = _pem(cluster.certificate_authority_data, cluster.certificate_authority, path)
    certificate = _pem(user.client_certificate_data, user.client_certificate, path)
    return Credentials(
        host=where.hostname,
        port=where.port or _HTTPS,
        prefix=where.path.rstrip("/"),
        authority=authority.decode("ascii") if authority else None,
        certificate=certificate and certificate + b"\n" + _pem(user.client_key_data, user.client_key, path),
        token=user.token,
        token_file=path.parent / user.token_file if user.token_file else None,
    )


def _named(those: tuple[N, ...], name: str, kind: str) -> N:
    found = next((one for one in those if one.name == name), None)
    if found is None:
        raise ValueError(f"it has no {kind} {name!r}")
    return found


def _pem(data: str, file: str, config: Path) -> bytes:
    """Paths are relative to the kubeconfig they stand in."""
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise ValueError(f"what should be base64 is not: {error}") from error
    return (config.parent / file).read_bytes() if file else b""
