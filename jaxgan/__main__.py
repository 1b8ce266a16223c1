"""`python -m jaxgan`: the command line, also of a checkout that is not installed."""

import sys

from jaxgan import needs_extra


def main() -> int:
    """The command `jaxgan`; exit code 2 where what it needs is not installed."""
    try:
        from jaxgan.cli.main import main as run
    except ModuleNotFoundError as error:
        if not (sentence := needs_extra("the command line", error)):
            raise
        print(f"jaxgan: {sentence}", file=sys.stderr)
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
