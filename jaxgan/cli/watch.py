"""`jaxgan watch`: a run's page in the browser while it trains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxgan.cli.arguments import parse


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    run: Annotated[Path, tyro.conf.Positional]
    """Run directory; runs/latest is the run that began last."""
    port: int = 0
    """Port to serve at; 0: a free one."""
    host: str = "127.0.0.1"
    """Interface to serve on. Others than this machine's own ask for the token in the address that
    is printed; what they send is not encrypted."""


def watch(args: list[str]) -> int:
    """`jaxgan watch RUN`."""
    from jaxgan.runs.report import see
    from jaxgan.runs.watch import address_of, open_server

    options = parse(
        WatchOptions, args, "watch", "Serves a run's page, which updates by itself while it trains."
    )
    if not 0 <= options.port <= 65535:
        raise ValueError(f"--port must be from 0 to 65535, not {options.port}")
    see(options.run)
    with open_server(options.run.resolve(), options.host, options.port) as server:
        print(f"{options.run}: {address_of(server)} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()  # After the terminal's ^C.
    return 0
