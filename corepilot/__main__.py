"""`python -I -m corepilot`: what the installed `corepilot` script runs."""

import sys

from corepilot.cli.main import main

sys.exit(main())
