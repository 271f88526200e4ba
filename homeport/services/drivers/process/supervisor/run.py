"""Entry of the supervisor: `python -I -S run.py <directory>`, its spec (marshal of a dict) on standard input.

Runs as its own small package, so that none of the portal is loaded with it.
"""

import os
import sys

if __name__ == "__main__":
    process = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.append(process)
    sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(process))), "kit"))
    __package__ = "supervisor"  # what follows is relative to it
    from .main import main

    main(sys.argv[1])
