"""`python -m poseur_study` is `poseur`."""

import sys

from poseur_study.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
