"""`slicewire credentials`: who may speak on the bus. Works in one folder, offline."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slicewire.client import console, library
from slicewire.client.command import As, Url, run, stop
from slicewire.client.credentials import certificates, manifests
from slicewire.client.credentials.certificates import NoCertificate
from slicewire.client.credentials.folder import BadFolder, Folder
from slicewire.client.credentials.issuing import IDENTITIES, Issued, Issuer, Unknown, path_of
from slicewire.client.credentials.tokens import SYSTEM, accounts_in
from slicewire.common.bus.accounts import renew
from slicewire.common.bus.identity import Access
from slicewire.common.messages import BadKey

app = typer.Typer(
    no_args_is_help=True,
    help="Who may speak on the bus: keys, certificates, a credentials file for each part and node."
    " Works in one folder, offline.",
)
_SOON_DAYS = 30
_DAY = 24 * 3600
Dir = Annotated[Path, typer.Option("--dir", "-d", help="The folder that `init` made.", envvar=None)]
Days = Annotated[int, typer.Option(min=1, max=3650, help="How long what is made now is valid.")]
Who = Annotated[
    str,
    typer.Argument(metavar="WHO", help="A part (allocator), node/NAME or reader/NAME, as `list` shows it."),
]
_HERE = Path("slicewire-bus")


class Row(msgspec.Struct, frozen=True):
    """A line of `list`."""

    who: str
    state: str
    expires: str
    file: str


@contextmanager
def _issuing(path: Path, *, is_new: bool = False) -> Iterator[tuple[Folder, Issuer]]:
    folder = Folder(path)
    if not is_new and folder.read(IDENTITIES) is None:
        stop(f"{path} has no credentials: make them with `slicewire credentials init {path}`", 1)
    try:
        with folder.ours():
            yield folder, Issuer(folder)
    except (BadKey, BadFolder, NoCertificate, Unknown) as error:
        stop(str(error), 1)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="Made where it is missing.")] = _HERE,
    server: Annotated[
        list[str] | None,
        typer.Option(
            help="A name or address by which servers are reached; may be given again. Those in Kubernetes"
            " and on this machine are always in it.",
        ),
    ] = None,
    days: Days = 365,
) -> None:
    """Make what is missing: the authority, the servers' certificate, the parts' identities.

    Run again, it changes nothing that is there but the servers' list of rights: it is this version's.
    """
    with _issuing(path, is_new=True) as (_, issuer):
        names = (*certificates.LOCAL, *certificates.IN_KUBERNETES, *(server or ()))
        for name in names:
            certificates.alternative(name)
        issuer.begin(names, days)
    console.complain(f"{path}: keep authority/ to yourself; servers get server/, parts a file of clients/")


@app.command()
def node(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="As Kubernetes calls the node.")],
    path: Dir = _HERE,
    days: Days = 365,
) -> None:
    """Make a credentials file for the agents of each node."""
    _add("node", names, path, days)


@app.command()
def reader(
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="Who is to read.")],
    path: Dir = _HERE,
    days: Days = 365,
) -> None:
    """Make a credentials file for somebody who hears everything, asks why, and changes nothing."""
    _add("reader", names, path, days)


def _add(role: str, names: list[str], path: Path, days: int) -> None:
    with _issuing(path) as (_, issuer):
        for name in names:
            path_of(role, name)  # all or none
        made = [issuer.add(role, name, days) for name in names]
    for name, is_new in zip(names, made, strict=True):
        console.complain(f"{path / path_of(role, name)}{'' if is_new else ' is there already'}")


@app.command()
def rotate(
    who: Annotated[
        str,
        typer.Argument(metavar="WHO", help="As `list` shows it; `server` and `authority` are certificates."),
    ],
    path: Dir = _HERE,
    days: Days = 365,
) -> None:
    """Make a new file; the old one is valid until it expires. Whoever is connected takes it at the next
    connection.

    A new authority signs only when `rotate server` follows: give clients its ca.crt before.
    """
    with _issuing(path) as (folder, issuer):
        match who:
            case "server":
                certificates.make_server(folder, certificates.names_of(folder), days)
            case "authority":
                certificates.make_authority(folder, 10 * days)
            case _:
                issuer.rotate(who, days)


@app.command()
def revoke(who: Who, path: Dir = _HERE) -> None:
    """Let nobody in any more with what was made for WHO until now.

    Servers that run are told by `push`; server/identities.conf is for their next start.
    """
    with _issuing(path) as (_, issuer):
        count = issuer.revoke(who)
    keys = "1 key" if count == 1 else f"{count} keys"
    console.complain(f"{keys} of {who} revoked; now `push`, and give servers {path / IDENTITIES}")


@app.command()
def push(path: Dir = _HERE, url: Url = "") -> None:
    """Tell the servers that run who is revoked, and what rights there are now."""
    folder = Folder(path)
    tokens = accounts_in(folder.read(IDENTITIES) or b"")
    if not tokens:
        stop(f"{path} has no credentials: make them with `slicewire credentials init {path}`", 1)
    access = Access(str(path / path_of(SYSTEM, SYSTEM)), str(path / certificates.AUTHORITY_PUBLIC))
    run(renew(url or library.default_url(), access, tokens))


@app.command(name="list")
def list_(path: Dir = _HERE, output: As = None) -> None:
    """Who there is, and until when."""
    with _issuing(path) as (folder, issuer):
        found = [_row(one) for one in issuer.latest()]
        for who, name in (("authority", certificates.AUTHORITY), ("server", certificates.SERVER)):
            ends = certificates.expires(folder.read(name) or b"")
            found.append(Row(who, _state(ends, is_revoked=False), _date(ends), name))
    console.rows(found, output or "", "There is nobody.")


@app.command()
def kubernetes(path: Dir = _HERE) -> None:
    """Print the Secrets of the overlay `prod` as YAML for `kubectl apply -f -`, without nodes' files."""
    with _issuing(path) as (folder, _):
        sys.stdout.write(manifests.documents(folder))


def _row(one: Issued) -> Row:
    state = _state(one.expires, is_revoked=one.revoked)
    file = "" if one.revoked else path_of(one.role, one.name)
    return Row(one.who, state, _date(one.expires), file)


def _state(ends: int, *, is_revoked: bool) -> str:
    left = ends - time.time()
    if is_revoked:
        return "revoked"
    if left <= 0:
        return "expired"
    return "expires soon" if left < _SOON_DAYS * _DAY else "valid"


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
