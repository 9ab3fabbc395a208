"""Looks inside a trained run: one self-contained page for a browser.

  python run_inspect.py --checkpoint=runs/pretrain --output=report.html
  python run_inspect.py --checkpoint=runs/pretrain --output=report.html \\
      --text="a film of great beauty" --text="a [MASK] film"

Curves, masked words coloured by how sure the model is, nearest neighbours, attention
maps, what the corpus was; for a fine-tuned run, its answers against the truth. Without
--text, the model is shown on a few texts of the dev split, which the run has kept.
"""

from typing import Any

import flags
from bert_core.errors import UserError

MOST_TOKENS = 64  # of a text
MOST_LOOKING = 24  # of the text whose attention is drawn
NUM_GUESSES, NUM_WORDS, NUM_NEIGHBOURS = 5, 16, 8


def main() -> None:
    options, checkpoint = flags.inspect_options(), flags.checkpoint()
    runtime = flags.runtime_options()
    from loops import startup
    from loops.metrics_log import read_metrics
    from loops.run_directory import read_record
    from loops.trained_run import read_trained_run

    run = read_trained_run(checkpoint)
    record, lines = read_record(run.path), read_metrics(run.path / "metrics.jsonl")
    from pipelines.corpus_report import read_corpus_json
    from pipelines.sample_texts import kept_texts
    from pipelines.vocabulary import read_vocabulary

    vocabulary = read_vocabulary(run.path / "vocab.txt", run.lower_case, run.config.vocab_size)
    told = run.path / "corpus.json"
    corpus = vars(read_corpus_json(told)) if told.exists() else None
    texts = options.texts or kept_texts(run.path)
    startup.start_tensorflow(runtime)
    from loops import report
    from loops.files import whole_file
    from loops.page import Page

    page = Page(f"{run.path.absolute().name}: a look inside")
    report.summary(page, run.config, record, lines)
    if lines:
        report.curves(page, lines, record.get("unigram_entropy"))
    if (run.path / "predictions.tsv").exists():
        report.judged(page, run.path / "predictions.tsv")
    show_model(page, run, vocabulary, texts)
    if corpus is not None:
        report.corpus(page, corpus)
    with whole_file(options.output) as file:
        file.write(page.to_html().encode())
    print(f"wrote {options.output}; open it in a browser")


def show_model(page: Any, run: Any, vocabulary: Any, texts: tuple[str, ...]) -> None:
    """What the model makes of the texts and of their words."""
    from bert_core.models import MaskedLanguageModel, SentenceEncoder
    from loops import report
    from loops.attention_maps import attention_maps
    from loops.warm_start import loaded
    from pipelines.masked_text import marked_ids
    from pipelines.tokenizer import Tokenizer

    tokenizer = Tokenizer(vocabulary)
    longest = min(MOST_TOKENS, run.max_seq_length)
    ids = [cut(marked_ids(text, tokenizer), longest) for text in texts]
    for text, of_text in zip(texts, ids, strict=True):
        if len(of_text) == 2:
            raise UserError(f"{text!r}: has no word in it; give another --text")
    if run.fills_masks:
        model: Any = loaded(MaskedLanguageModel(run.config), run.path)
        report.fillings(page, [words_with_odds(model, of_text, vocabulary) for of_text in ids])
    else:
        model = loaded(SentenceEncoder(run.config), run.path)
    report.nearest(page, neighbours_of(model.encoder, ids, vocabulary))
    # Attention is shown within a window, if the run reads in windows.
    longest = min(MOST_LOOKING, run.config.attention_window or MOST_LOOKING)
    looked_at = cut(ids[0], longest)
    shown = [vocabulary.tokens[i] for i in looked_at]
    report.attention(page, attention_maps(model.encoder, looked_at), shown)


def cut(ids: Any, longest: int) -> Any:
    """`[CLS] text [SEP]` cut to at most `longest` tokens, [S] int32."""
    import numpy as np

    return ids if len(ids) <= longest else np.append(ids[: longest - 1], ids[-1])


def words_with_odds(model: Any, ids: Any, vocabulary: Any) -> Any:
    """A text's own gaps filled in; if it has none, each word hidden in turn."""
    from loops.inspection import fill_in, read_in_turn
    from pipelines.masked_text import masked_in_turn, with_gaps

    if vocabulary.mask_id in ids:
        return fill_in(
            model, with_gaps(ids, vocabulary.mask_id), vocabulary.tokens, NUM_GUESSES
        )
    batch = masked_in_turn(ids, vocabulary.mask_id)
    return read_in_turn(model, batch, vocabulary.tokens, NUM_GUESSES)


def neighbours_of(encoder: Any, ids: Any, vocabulary: Any) -> dict[str, Any]:
    """{word: its neighbours} for the longest words of the texts."""
    import numpy as np

    from loops.inspection import neighbours

    tokens, ordinary = vocabulary.tokens, vocabulary.ordinary_ids
    whole = ordinary[~vocabulary.is_continuation[ordinary]]
    found = [i for i in np.intersect1d(np.concatenate(ids), whole) if tokens[i].isalpha()]
    words = sorted(found, key=lambda i: -len(tokens[i]))[:NUM_WORDS]
    table = encoder.embeddings.word.numpy()
    near = neighbours(table, words, whole, NUM_NEIGHBOURS)
    return {
        tokens[word]: [(tokens[i], cosine) for i, cosine in others]
        for word, others in zip(words, near, strict=True)
    }


if __name__ == "__main__":
    flags.launch(main, flags.inspect_flags, flags.runtime_flags)
