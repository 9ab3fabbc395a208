"""Imports BERT weights, and exports them.

  python run_convert.py --from=huggingface --to=run \\
      --input=bert-base-uncased --output=runs/bert
  python run_convert.py --from=google --to=run \\
      --input=uncased_L-12_H-768_A-12 --output=runs/bert
  python run_convert.py --from=run --to=huggingface --input=runs/classify --output=exported

google: bert_config.json, vocab.txt, bert_model.ckpt.*; huggingface: config.json,
vocab.txt or tokenizer.json, model.safetensors; run: a run directory of this project, for
run_finetune.py --init_checkpoint and run_predict.py --checkpoint. The output is written
whole or not at all, weights bit for bit; optimiser state is left behind.
"""

import flags


def main() -> None:
    options = flags.convert_options()
    from loops import startup
    from loops.convert_check import check_input
    from loops.new_directory import check_new
    from loops.options import RuntimeOptions
    from pipelines.vocabulary import Vocabulary, check_tokens

    check_new(options.output, "--output")
    check_tokens(check_input(options), f"{options.input}: its vocabulary")
    startup.start_tensorflow(RuntimeOptions())
    from loops import convert

    model = convert.read(options)
    vocabulary = Vocabulary(model.tokens, model.lower_case)
    print("\n".join(convert.write(options, model, vocabulary.sha256)))
    print(f"{options.output}: {options.target}, from {options.source}")


if __name__ == "__main__":
    flags.launch(main, flags.convert_flags)
