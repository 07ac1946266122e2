"""`python -I -m corepilot`: what the installed `corepilot` script is without a shell."""

import sys

from corepilot.cli.main import main

sys.exit(main())
