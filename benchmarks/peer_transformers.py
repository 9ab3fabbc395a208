"""transformers' BertForMaskedLM on PyTorch's CPU, not compiled, as a contestant.

Runs in a virtual environment of its own. Labels are -100 where nothing is predicted.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import turns


def prepare(job: dict[str, Any]) -> Any:
    import numpy as np
    import torch

    torch.set_num_threads(job["threads"])
    train_on = trainer(job)
    batch = np.load(job["batch"])
    input_ids = torch.from_numpy(batch["input_ids"]).long()
    positions = torch.from_numpy(batch["masked_lm_positions"]).long()
    masked_ids = torch.from_numpy(batch["masked_lm_ids"]).long()
    labels = torch.full_like(input_ids, -100).scatter_(1, positions, masked_ids)
    run = turns.each_timed(lambda: train_on(input_ids=input_ids, labels=labels))
    run(2)  # warms up
    return run


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

    def train_on(**batch: Any) -> None:
        loss = model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return train_on


if __name__ == "__main__":
    turns.serve(prepare)
