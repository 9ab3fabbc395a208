"""transformers' BertForMaskedLM on PyTorch's CPU, not compiled, as a contestant.

Runs in a virtual environment of its own. Labels are -100 where nothing is predicted.
"""

import functools
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import turns


def prepare(job: dict[str, Any]) -> Any:
    import torch

    torch.set_num_threads(job["threads"])
    train_on = trainer(job)
    batches, useful = reviews(job) if "reviews" in job else ready_batch(job)
    timed = turns.each_timed(lambda: train_on(next(batches)))

    def run(n: int) -> turns.Answer:
        return {**timed(n), "useful_tokens": useful * n}

    run(2)  # warms up
    return run


def ready_batch(job: dict[str, Any]) -> tuple[Iterator[Any], float]:
    """The job's batch again and again, and the useful tokens of a batch."""
    import numpy as np
    import torch

    batch = np.load(job["batch"])
    input_ids = torch.from_numpy(batch["input_ids"]).long()
    positions = torch.from_numpy(batch["masked_lm_positions"]).long()
    masked_ids = torch.from_numpy(batch["masked_lm_ids"]).long()
    labels = torch.full_like(input_ids, -100).scatter_(1, positions, masked_ids)
    return itertools.repeat({"input_ids": input_ids, "labels": labels}), input_ids.numel()


def reviews(job: dict[str, Any]) -> tuple[Iterator[Any], float]:
    """The same for real text: padded and masked by transformers' own collator."""
    import numpy as np
    from torch.utils.data import DataLoader
    from transformers import BertTokenizer, DataCollatorForLanguageModeling

    source = np.load(job["reviews"])
    texts = [row[row != source["special"][0]].tolist() for row in source["rows"]]
    rows = [
        {"input_ids": ids, "special_tokens_mask": [1, *[0] * (len(ids) - 2), 1]}
        for ids in texts
    ]
    collator = DataCollatorForLanguageModeling(BertTokenizer(vocab=job["vocab_file"]))
    loader = DataLoader(
        rows, batch_size=job["batch_size"], shuffle=True, drop_last=True, collate_fn=collator
    )
    endless = itertools.chain.from_iterable(itertools.repeat(loader))
    return endless, float(source["useful"]) * job["batch_size"]


def trainer(job: dict[str, Any]) -> Any:
    """A function that takes one step on the arguments of the model's forward pass."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    config = BertConfig(
        **{name: job["config"][name] for name in (*names, "vocab_size")},
        hidden_dropout_prob=job["dropout"],
        attention_probs_dropout_prob=job["dropout"],
        attn_implementation=job["attention"],
    )
    model = BertForMaskedLM(config)
    model.train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(
        groups, 1e-4, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.01, fused=True
    )

    dtype = getattr(torch, job["precision"])
    casts = functools.partial(torch.autocast, "cpu", dtype, enabled=dtype != torch.float32)

    def train_on(batch: dict[str, Any]) -> None:
        with casts():
            loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return train_on


if __name__ == "__main__":
    turns.serve(prepare)
