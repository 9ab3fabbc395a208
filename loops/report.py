"""The sections of a report on a run: each takes what was found and adds it to a page."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from loops import answers, svg
from loops.attention_maps import mean_distances
from loops.inspection import Word
from loops.page import Page, bars, counts_table, facts, folded, grid, text

# The curves to show first, in this order; then come the others.
_FIRST = ("loss", "masked_accuracy", "accuracy", "learning_rate", "gradient_norm")
_NO_CURVES = ("step", "perplexity")
_STEPS = (0.01, 0.1, 0.3, 0.6)  # between the colours c0 to c4
_MOST_CLASSES, _MOST_DOTS = 30, 2000


def summary(page: Page, config: Any, record: Mapping[str, Any], lines: Sequence[Any]) -> None:
    """What the run is, and its last figures."""
    shape = (
        f"{config.num_hidden_layers} layers, hidden size {config.hidden_size}, "
        f"{config.num_attention_heads} heads, {config.max_position_embeddings} positions"
    )
    values: dict[str, object] = {"model": shape, "vocabulary": f"{config.vocab_size:,} pieces"}
    asked = ("program", "task", "init_checkpoint", "num_train_steps", "seed", "tensorflow")
    values |= {name: record[name] for name in asked if record.get(name) is not None}
    for split in ("train", "dev", "test"):
        of_split = [line for line in lines if line["split"] == split]
        if of_split:
            shown = (f"{k.replace('_', ' ')} {x:.4g}" for k, x in numbers(of_split[-1]).items())
            values[f"last {split}"] = ", ".join(shown)
    page.section("The run", "", facts(values))


def curves(page: Page, lines: Sequence[Any], entropy: object) -> None:
    """A chart for each figure that was logged over steps."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for line in lines:
        values = numbers(line)
        for name in values.keys() - set(_NO_CURVES):
            by_split = found.setdefault(name, {})
            by_split.setdefault(line["split"], []).append(
                (values.get("step", 0.0), values[name])
            )
    names = [x for x in _FIRST if x in found] + sorted(found.keys() - set(_FIRST))
    flat = {"unigram entropy": entropy} if isinstance(entropy, float) else {}
    charts = [
        (
            svg.line_chart(name.replace("_", " "), found[name], flat if name == "loss" else {}),
            "",
        )
        for name in names
    ]
    note = "Over steps."
    if flat:
        note += " Loss in nats; the unigram entropy is the loss of word frequencies alone."
    page.section("Curves", note, grid("charts", charts))


def numbers(line: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a line of metrics.jsonl."""
    return {
        name: float(value)
        for name, value in line.items()
        if isinstance(value, int | float) and abs(value) < 1e300  # no NaN, no infinity
    }


def judged(page: Page, file: Path) -> None:
    """The answers of a fine-tuned run against the truth."""
    kind, pairs = answers.read_answers(file)
    if not pairs:
        return
    if kind == "target":
        chart = svg.scatter("predicted over target", answers.points(pairs, _MOST_DOTS))
        note = "One dot per text, 2,000 at most; those on the line are answered exactly."
        page.section("Predictions", note, grid("charts", [(chart, "")]))
        return
    found = answers.confusion(pairs, _MOST_CLASSES)
    note = f"{len(pairs):,} answers: a row for each label, a column for each prediction."
    if found.left_out:
        note += (
            f" The {len(found.names)} most frequent labels only; {found.left_out:,} not shown."
        )
    page.section("Confusion", note, counts_table(found.counts, found.names))


def fillings(page: Page, texts: Iterable[Sequence[Word]]) -> None:
    """Sentences with each word coloured by its odds."""
    bounds = ["under 1%", "to 10%", "to 30%", "to 60%", "over 60%"]
    legend = "".join(f'<span class="c{i}">{bound}</span>' for i, bound in enumerate(bounds))
    rows = [f'<p class="words">{" ".join(map(_coloured, words))}</p>' for words in texts]
    page.section(
        "Masked words",
        "Each word was hidden in turn; its colour is the probability the model gave it, and "
        "above it is what the model found likelier. A [MASK] shows the best guess. Point at a "
        "word to see the other guesses.",
        f'<p class="words">{legend}</p>',
        *rows,
    )


def _coloured(word: Word) -> str:
    if word.odds is None:
        return f"<span>{text(word.token)}</span>"
    colour = f"c{sum(word.odds >= step for step in _STEPS)}"
    listed = ", ".join(f"{token} {share:.3f}" for token, share in word.guesses)
    best = word.guesses[0][0] if word.guesses else word.token
    above = "[MASK]" if word.was_hidden else ("" if best == word.token else best)
    title = f"{word.token} {word.odds:.3f}; guesses: {listed}"
    return (
        f'<ruby class="{colour}" title="{text(title)}">{text(word.token)}'
        f"<rt>{text(above)}</rt></ruby>"
    )


def nearest(page: Page, found: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """Words, each with those whose embeddings are most like its own."""
    values = {
        word: ", ".join(f"{other} {cosine:.2f}" for other, cosine in others)
        for word, others in found.items()
    }
    note = "By the cosine of the word embeddings, before any layer."
    page.section("Nearest neighbours", note, facts(values))


def attention(page: Page, maps: np.ndarray, tokens: Sequence[str]) -> None:
    """[L, N, S, S] maps of one text, one picture per head."""
    distances = mean_distances(maps)
    layers = []
    for layer, heads in enumerate(maps):
        pictures = (
            (
                svg.attention_map(head, tokens),
                f"head {number + 1}: {distances[layer, number]:.1f} tokens away on average",
            )
            for number, head in enumerate(heads)
        )
        layers.append(folded(f"layer {layer + 1}", grid("maps", pictures), layer < 2))
    note = "Rows are the tokens that look, columns those looked at; black is a weight of 1."
    page.section("Attention", note, *layers)


def corpus(page: Page, report: Mapping[str, Any]) -> None:
    """What was pretrained on, from the fields of corpus.json."""
    documents = max(1, report["documents"])
    values = {
        "files": f"{report['files']:,}",
        "documents": f"{report['documents']:,}",
        "characters": f"{report['characters']:,}",
        "tokens": f"{report['tokens']:,}, {report['tokens_a_word']:.3f} a word",
        "exact duplicates": f"{report['duplicates']:,}, {report['duplicates'] / documents:.1%}",
        "near-empty documents": f"{report['near_empty']:,}",
        "median document": (
            f"{report['median_characters']:,} characters, {report['median_tokens']:,} tokens"
        ),
        "longest document": f"{report['longest_characters']:,} characters",
        "unknown tokens": f"{report['unknown_rate']:.3%}",
        "vocabulary": (
            f"{report['pieces_used']:,} of {report['pieces']:,} pieces are used, "
            f"{report['pieces_used'] / max(1, report['pieces']):.1%}"
        ),
    }
    lengths = {
        name if name == "more" else f"up to {int(name):,}": count
        for name, count in report["token_lengths"].items()
    }
    page.section(
        "The corpus",
        "Train and dev together.",
        facts(values),
        "<h3>Tokens per document</h3>",
        bars(lengths),
        "<h3>Characters</h3>",
        bars(report["character_classes"]),
    )
