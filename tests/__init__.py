"""Tests of the sources as they stand, whatever was compiled from them.

They put other functions in the place of the simulator's, which compiled modules do not notice.
What is compiled is held against the same results by ``python -m tests.builds``.
"""

import os

os.environ.setdefault("TEAMSIM_BUILD", "interpreted")
