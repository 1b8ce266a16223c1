"""How long a user waits: for `import jaxgan`, and for the first step of `jaxgan train`.

    python -m benchmarks.start_up [EXPERIMENT.py ...] [--repetitions 5] [--json FILE]

Processes are started afresh and timed from outside: to their end, or until `jaxgan train` prints
its first step's losses, after importing, opening the data and compiling. Ours is with a warm cache
of compiled programs, the peer with an empty one; for the import, the peer is `import jax`.
Repetitions alternate; medians are printed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

EXPERIMENTS = Path(__file__).parent.parent / "experiments"
DEFAULT = [EXPERIMENTS / "digits.py", EXPERIMENTS / "ring.py"]
PROGRAM = "import sys; from jaxgan.cli.main import main; sys.exit(main())"
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"}


def seconds(arguments: Sequence[str], until: str | None = None) -> float:
    """Until a Python process prints a line that begins so, or until its end."""
    start, end = time.perf_counter(), None
    command = [sys.executable, "-u", "-c", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if until is not None and line.startswith(until):
                end = end or time.perf_counter()
    if process.returncode or (until is not None and end is None):
        raise RuntimeError(f"{' '.join(arguments)} ended with code {process.returncode}")
    return (end or time.perf_counter()) - start


def first_step(experiment: Path, folder: Path) -> float:
    """Seconds to the first step of a run in a new directory beside others in the folder."""
    run = tempfile.mkdtemp(dir=folder)
    options = ["--steps", "1", "--log-every", "1", "--out", run]
    return seconds([PROGRAM, "train", str(experiment), *options], until="step 1/1 ")


def row(case: str, ours: Sequence[float], peer: Sequence[float]) -> dict[str, object]:
    """Medians of both, in milliseconds."""
    ours_ms, peer_ms = 1e3 * statistics.median(ours), 1e3 * statistics.median(peer)
    print(f"{case:<20} ours {ours_ms:7.0f} ms  peer {peer_ms:7.0f} ms  {ours_ms / peer_ms:.2f}")
    return {"case": case, "ours_ms": ours_ms, "peer_ms": peer_ms, "ratio": ours_ms / peer_ms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", type=Path, default=DEFAULT)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args()
    pairs = [
        (seconds(["import jaxgan"]), seconds(["import jax"])) for _ in range(options.repetitions)
    ]
    rows = [row("import", *zip(*pairs, strict=True))]
    for experiment in options.experiments:
        with tempfile.TemporaryDirectory() as warm:
            first_step(experiment, Path(warm))
            pairs = []
            for _ in range(options.repetitions):
                with tempfile.TemporaryDirectory() as cold:
                    pairs.append(
                        (first_step(experiment, Path(warm)), first_step(experiment, Path(cold)))
                    )
        rows.append(row(f"first step, {experiment.stem}", *zip(*pairs, strict=True)))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
