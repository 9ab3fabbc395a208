"""More of tests/bad_input_cases.py: datasets of TensorFlow Datasets, by their names."""

from tests.bad_input_cases import finetune, prepare


def dataset(name: str, *arguments: str, says: str | tuple[str, ...]):
    """A case of run_prepare.py with a dataset of TensorFlow Datasets."""
    usual = ("--data_dir={here}/d", "--tfds_data_dir={here}/tfds", "--nodownload")
    return prepare(f"dataset: {name}", *usual, *arguments, says=says)


DATASET_CASES = [
    dataset("unknown", "--dataset=imdb", says=("imdb: ", "no such dataset")),
    dataset("unknown config", "--dataset=glue/nope", says=("glue/nope: ", "catalog")),
    dataset("unknown version", "--dataset=glue:9.9.9", says="glue:9.9.9: "),
    dataset("no version", "--dataset=glue:x", says="glue:x: "),
    dataset("not there", "--dataset=imdb_reviews", says=("not found in", "--tfds_data_dir")),
    dataset("text", "--dataset=imdb_reviews", "--text_key=t", "--download", says=(
        "--text_key=t: the dataset has no such field, only label, text")),
    dataset("label", "--dataset=imdb_reviews", "--label_key=l", "--download", says="label"),
    prepare("docstrings have all labels", "--dataset=docstrings", "--data_dir={here}/d",
            "--nounlabelled", says="--unlabelled: is for datasets of TFDS, not docstrings"),
    dataset("output in /proc", "--dataset=imdb_reviews", "--download", "--data_dir=/proc/x/d",
            says="/proc/x/d: cannot be written"),
    finetune("unknown dataset", "--train_file=", "--dataset=imdb", says="no such dataset"),
    finetune("column of a dataset", "--train_file=", "--dataset=glue", "--text_column=sentence",
             says="--dataset and --text_column: give one or the other"),
    finetune("column that is only looked at", "--only_check_flags=512", "--text_column=review",
             says="'review' is missing"),
    finetune(
        "dataset without labels",
        "--train_file=",
        "--dataset=wikipedia/20230601.en",
        "--cache_dir={here}/cache",
        says="has no field label; --label_key",
    ),
]  # fmt: skip
