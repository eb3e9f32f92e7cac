"""Whatever happens, there is sound: harms a real `latent play` at a real sound server and measures what is heard.

    .venv/bin/python tests/chaos/run.py [--short] [--only NAME] [--json] [--keep FOLDER]

Prints one table; exits with 1 where a bar is missed.
"""

import sys
from pathlib import Path

# A script finds nothing but what lies beside it.
sys.path.insert(0, str(Path(__file__).parents[1]))

from chaos.report import main

if __name__ == "__main__":
    sys.exit(main(__doc__.splitlines()[0]))
