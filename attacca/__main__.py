"""`python -m attacca` is `attacca`."""

import sys

from attacca.cli import main

if __name__ == "__main__":
    sys.exit(main())
