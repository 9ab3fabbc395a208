"""Feeds nearly right bytes to everything that reads files, for FUZZ_SECONDS (60).

  make fuzz
  FUZZ_SECONDS=600 FUZZ_SEED=7 make fuzz

What is neither a result nor a UserError ends it, with the bytes kept in a file.
"""

import faulthandler
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.fuzz_targets import TARGETS, feed
from tests.mutations import edited

SLOW = 5.0  # seconds an input of some hundred bytes may take


def main() -> None:
    budget = float(os.environ.get("FUZZ_SECONDS", "60"))
    first_seed = int(os.environ.get("FUZZ_SEED", random.randrange(10**9)))
    faulthandler.enable()
    kept = Path(tempfile.gettempdir()) / "fuzz-input"
    fed: Counter[str] = Counter()
    taken: Counter[str] = Counter()
    corpora = {name: [data] for name, (_, data) in TARGETS.items()}
    ends, seed = time.monotonic() + budget, first_seed
    while time.monotonic() < ends:
        seed += 1
        for name, inputs in corpora.items():
            data = edited(random.Random(seed).choice(inputs), seed)
            kept.write_bytes(data)  # before, so that a crash of the process leaves it too
            started = time.monotonic()
            try:
                good = feed(name, data)
                assert time.monotonic() - started < SLOW, "slow"
            except BaseException as error:
                print(f"{name}: {error!r:.300} for the bytes in {kept}, FUZZ_SEED={seed - 1}")
                raise
            fed[name] += 1
            taken[name] += good
            # What is still taken is worth editing further.
            if good and len(data) < 5000 and data not in inputs:
                inputs[1 + seed % 50 : 2 + seed % 50] = [data]
    kept.unlink(missing_ok=True)
    for name in TARGETS:
        print(f"{name:44} {fed[name]:8,} inputs, {taken[name]:8,} of them taken")
    print(f"fuzzed {sum(fed.values()):,} inputs in {budget:.0f} s, seed {first_seed}: all well")


if __name__ == "__main__":
    main()
