import json
import subprocess
import sys

import pytest

# Rows are drawn in place, so that the peak before the measured part is that of the rows themselves.
RUN = """
import json, time
import numpy as np
from shelfwise.statistics.leave_out import LeaveOut
from shelfwise.statistics.penalty import choose_penalty
from shelfwise.statistics.ridge import Spectrum, fit
from shelfwise.statistics.sufficient import SufficientStatistics

n, d, categories = 50_000, 1_280, 1_000
rng = np.random.default_rng(0)
centers = rng.standard_normal((categories, d), dtype=np.float32)
column = rng.integers(0, categories, n)
x = np.empty((n, d), dtype=np.float32)
for start in range(0, n, 1000):
    part = slice(start, start + 1000)
    x[part] = rng.standard_normal((1000, d), dtype=np.float32) + 0.2 * centers[column[part]]
status = lambda: open("/proc/self/status").read()  # ru_maxrss would count what the parent had at the fork
peak = lambda: int(status().partition("VmHWM:")[2].split()[0]) / 2**20
before, start = peak(), time.perf_counter()
statistics = SufficientStatistics(d, categories)
statistics.add(x, column)
spectrum = Spectrum.from_statistics(statistics)
penalty = choose_penalty(left := LeaveOut(spectrum, statistics, x, column)).penalty
head = fit(spectrum, statistics, penalty)
right = 0
for rows, scores in left.scores(penalty):
    right += int((scores.argmax(axis=1) == column[rows]).sum())
print(json.dumps({"seconds": time.perf_counter() - start, "gib": peak() - before, "right": right / n}))
"""


@pytest.mark.slow
def test_50000_rows_of_1280_in_1000_categories_take_less_than_a_minute_and_2_gib() -> None:
    """From rows to the head, its penalty and all left-out scores."""
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    print(measured)
    assert measured["right"] > 0.9
    assert 0.05 < measured["gib"] < 2
    assert measured["seconds"] < 60
