"""Times transformers' text-classification pipeline; benchmarks/predict.py runs it.

  python transformers_predict.py MODEL_DIR TEXTS.jsonl MAX_TOKENS THREADS REPEATS

Prints a JSON object: the seconds of each setting, and the probabilities it found.
Loading and importing are not counted; the tokeniser's threads are not limited.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import pipeline

BATCH_SIZES = (1, 8, 32, 128)


def main() -> None:
    model, texts_file = sys.argv[1:3]
    max_tokens, threads, repeats = map(int, sys.argv[3:])
    torch.set_num_threads(threads)
    lines = Path(texts_file).read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    classify = pipeline("text-classification", model=model, device="cpu", top_k=None)
    longest_first = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
    in_order = list(range(len(texts)))
    seconds: dict[str, float] = {}
    found: list[Any] = []
    for name, order in (("in the file's order", in_order), ("longest first", longest_first)):
        for batch_size in BATCH_SIZES:
            given = [texts[i] for i in order]
            options = {"batch_size": batch_size, "truncation": True, "max_length": max_tokens}
            classify(given[:batch_size], **options)  # warms up
            times = []
            for _ in range(repeats):
                started = time.perf_counter()
                found = classify(given, **options)
                times.append(time.perf_counter() - started)
            seconds[f"{name}, batches of {batch_size}"] = min(times)
    by_label = [{x["label"]: x["score"] for x in row} for row in found]
    rows = [
        by_label[place] for place in sorted(range(len(texts)), key=longest_first.__getitem__)
    ]
    print(json.dumps({"seconds": seconds, "probabilities": rows}))


if __name__ == "__main__":
    main()
