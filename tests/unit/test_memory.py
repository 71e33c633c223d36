import subprocess
import sys

import numpy as np

from seedbed.memory import peak_memory_mib

PROGRAM = "from seedbed.memory import peak_memory_mib; print(peak_memory_mib())"


def test_the_peak_is_this_programs_own_and_not_that_of_the_one_that_started_it():
    held = np.ones(2**26)  # 512 MiB
    assert peak_memory_mib() > held.nbytes / 2**20
    started = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert 5 < float(started.stdout) < 200
