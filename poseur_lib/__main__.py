"""`python -m poseur_lib` is `poseur`."""

import sys

from poseur_lib.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
