"""The `slicewire` command: what people type. Each command is a few lines around the library."""

from __future__ import annotations

from importlib import metadata

import typer

from slicewire.client import (
    backupcommands,
    claimcommands,
    credentialscommand,
    doctor,
    factcommands,
    faultcommand,
    questioncommands,
    taintcommands,
    top,
    tracecommand,
    upcommand,
)
from slicewire.client.command import stop

app = typer.Typer(
    help="GPU allocation as a live stream of facts.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _command in (
    factcommands.inventory,
    claimcommands.claim,
    claimcommands.claims,
    claimcommands.release,
    questioncommands.explain,
    questioncommands.whatif,
    questioncommands.capacity,
    taintcommands.taint,
    taintcommands.untaint,
    factcommands.events,
    backupcommands.backup,
    backupcommands.restore,
    tracecommand.trace,
    doctor.doctor,
    top.top,
):
    app.command()(_command)
app.add_typer(credentialscommand.app, name="credentials")


def _hand_over(context: typer.Context) -> None:
    """Run a command that another distribution brings."""
    name = context.info_name or ""
    for point in metadata.entry_points(group="slicewire.commands", name=name):
        raise typer.Exit(point.load()(context.args))
    stop(f"`slicewire {name}` comes with the allocator: pip install 'slicewire-allocator[offline]'", 1)


_HANDED_OVER = {
    "simulate": "Allocate offline: cases as JSON lines in, answers as JSON lines out.",
    "cel": "Check a CEL selector, and evaluate it for devices, offline.",
}


def main() -> None:
    app.command(name="up")(upcommand.up)
    app.command(name="simulate-fault")(faultcommand.simulate_fault)
    for name, text in _HANDED_OVER.items():
        settings = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
        app.command(name=name, help=text, context_settings=settings)(_hand_over)
    app()


if __name__ == "__main__":
    main()
