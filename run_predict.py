"""Uses a trained run.

  python run_predict.py --checkpoint=runs/pretrain --fill_mask="a [MASK] of two [MASK]"

Prints the best words for each [MASK] with their probabilities.
"""

import flags


def main() -> None:
    checkpoint, texts = flags.checkpoint(), flags.texts_to_fill()
    runtime, top_k = flags.runtime_options(), flags.top_k()
    from loops import run_directory, startup

    config = run_directory.read_run_config(checkpoint)
    run_directory.check_weights(checkpoint, config)
    from pipelines.vocabulary import read_vocabulary

    lower_case = run_directory.read_lower_case(checkpoint)
    vocabulary = read_vocabulary(checkpoint / "vocab.txt", lower_case, config.vocab_size)
    startup.start_tensorflow(runtime)
    from bert_core.models import MaskedLanguageModel
    from loops.evaluate import top_fillings
    from loops.warm_start import load_run
    from pipelines.masked_text import masked_batch
    from pipelines.tokenizer import Tokenizer

    tokenizer = Tokenizer(vocabulary)
    longest = config.max_position_embeddings
    batches = [masked_batch(text, tokenizer, longest) for text in texts]
    model = MaskedLanguageModel(config)
    load_run(model, checkpoint, required=("encoder/", "head/"))
    for text, batch in zip(texts, batches, strict=True):
        print(text)
        for fillings in top_fillings(model, batch, min(top_k, vocabulary.size)):
            words = (f"{vocabulary.tokens[i]} {share:.3f}" for i, share in fillings)
            print("  [MASK]: " + ", ".join(words))


if __name__ == "__main__":
    flags.launch(main, flags.predict_flags, flags.runtime_flags)
