"""`python -m jaxgan`: the command line, also of a checkout that is not installed."""

import sys

from jaxgan.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
