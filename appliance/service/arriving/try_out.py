"""The process in which a model is tried that came from elsewhere.

It is ``python -m appliance.service.arriving.try_out WISH < FILE``. It ties its life to who asked, loads all that it
will need, walls itself in, reads the file, and writes one line: a verdict. Nobody but
`appliance.service.arriving.trial` starts it.
"""

import json
import os
import sys
from io import FileIO

from appliance.service.arriving.sandbox import die_with, enclose


def _main() -> None:
    wish = json.loads(sys.argv[1])
    # Loading takes seconds on a small board, and who asked may be gone by then.
    die_with(wish["parent"])

    import numpy as np

    from appliance.model.verdict import Verdict
    from appliance.service.arriving.judging import judged, memory_ended
    from appliance.service.arriving.trial import TrialLimits

    limits = TrialLimits(**wish["limits"])
    # Whatever a library prints must not be taken for the verdict.
    answer = os.dup(1)
    os.dup2(2, 1)
    # At its first large product OpenBLAS takes memory for good, and ends the process where there is none.
    np.ones((256, 256)) @ np.ones((256, 256))
    enclose(limits.address_mb, limits.time_s)
    try:
        verdict = judged(FileIO(0).readall(), wish["name"], limits)
    except MemoryError:
        verdict = Verdict(accepted=False, reason=memory_ended(wish["name"], limits))
    os.write(answer, verdict.model_dump_json().encode())
    # Nothing is left to be tidied up that the system would not.
    os._exit(0)


if __name__ == "__main__":
    _main()
