"""`kvorum`: the command line. Commands are thin; what they start lives beside this file and is imported late."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from kvorum import __version__
from kvorum.cli.errors import OperatorError
from kvorum.cli.topology import ITEM_COLLECTION_VARIABLE, TopologyError

DEFAULT_PORT = 8_000
DEFAULT_DIRECTORY = Path("kvorum-data")
_REGION_HELP = "Comma-separated region names: the first on --port, each further one on the next port."

_data_dir = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT_DIRECTORY,
    show_default=True,
    help="Where everything is kept.",
)
_port = click.option(
    "--port", type=click.IntRange(1, 64_000), default=DEFAULT_PORT, show_default=True, help="First HTTP port."
)
_global = click.option(
    "--global/--local",
    "global_tables",
    default=True,
    show_default=True,
    help="Whether new tables exist in every region from birth.",
)
_item_collection = click.option(
    "--item-collection-bytes",
    type=click.IntRange(min=1),
    envvar=ITEM_COLLECTION_VARIABLE,
    show_envvar=True,
    help="How many bytes the items and entries of one partition key's value may take, in a table with local "
    "secondary indexes. By default the topology's, or 10 GiB.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kvorum")
def command() -> None:
    """A self-hosted, DynamoDB-compatible, active-active store."""


@command.command()
@click.option("--regions", default="ap-northeast-1", show_default=True, help=_REGION_HELP)
@_port
@_data_dir
@click.option("--in-memory", is_flag=True, help="Keep nothing on disk.")
@_global
@_item_collection
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def dev(
    regions: str,
    port: int,
    data_dir: Path,
    in_memory: bool,
    global_tables: bool,
    item_collection_bytes: int | None,
    host: str,
) -> None:
    """Everything in one process, for development: one port a region, like DynamoDB Local."""
    from kvorum.cli.dev import DevOptions, run

    names = tuple(name.strip() for name in regions.split(",") if name.strip())
    directory = None if in_memory else data_dir
    sys.exit(run(DevOptions(names, host, port, directory, global_tables, item_collection_bytes)))


@command.command()
@click.argument("topology", required=False, type=click.Path(path_type=Path))
@_port
@_data_dir
@click.option("--no-restart", is_flag=True, help="Leave a process that ends ended.")
@click.option(
    "--global/--local", "global_tables", default=None, help="Overrides the topology's global_tables."
)
@_item_collection
def up(
    topology: Path | None,
    port: int,
    data_dir: Path,
    no_restart: bool,
    global_tables: bool | None,
    item_collection_bytes: int | None,
) -> None:
    """Every router and node of TOPOLOGY as a process of its own on this machine, supervised.

    Without TOPOLOGY: two regions, each one router and three nodes in zones a, b and c.
    """
    from kvorum.cli.up import UpOptions, run

    sys.exit(run(UpOptions(topology, port, data_dir, not no_restart, global_tables, item_collection_bytes)))


@command.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The complete topology file.")
@click.option("--region", required=True)
@click.option("--name", required=True)
@_data_dir
@_item_collection
@click.option("--supervisor", type=int, hidden=True, help="Stop when this process is no longer the parent.")
def node(
    config: Path,
    region: str,
    name: str,
    data_dir: Path,
    item_collection_bytes: int | None,
    supervisor: int | None,
) -> None:
    """One storage node of a topology."""
    from kvorum.cli.process import run_node

    sys.exit(run_node(config, region, name, data_dir, item_collection_bytes, supervisor))


@command.command()
@click.option("--config", type=click.Path(path_type=Path), required=True, help="The complete topology file.")
@click.option("--region", required=True)
@click.option("--name", required=True)
@click.option("--supervisor", type=int, hidden=True, help="Stop when this process is no longer the parent.")
def router(config: Path, region: str, name: str, supervisor: int | None) -> None:
    """One router of a topology."""
    from kvorum.cli.process import run_router

    sys.exit(run_router(config, region, name, supervisor))


@command.command()
@_data_dir
@click.option("--config", type=click.Path(path_type=Path), help="A topology file instead of --data-dir's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(data_dir: Path, config: Path | None, as_json: bool) -> None:
    """Regions, nodes, partitions, leaders and lag of a running cluster."""
    from kvorum.cli.status import run

    sys.exit(run(config or data_dir / "topology.json", as_json))


def main() -> NoReturn:
    """Exit code 2 and one line for everything that the operator can mend."""
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # or its core tells stderr of every client that leaves
    try:
        command.main(standalone_mode=False)
    except click.ClickException as error:
        message = error.format_message()
        if "\n" in message:  # the help, for one who gave no command
            error.show()
        else:
            print(f"kvorum: {message}", file=sys.stderr)
        sys.exit(2)
    except (OperatorError, TopologyError) as error:
        print(f"kvorum: {error}", file=sys.stderr)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    main()
