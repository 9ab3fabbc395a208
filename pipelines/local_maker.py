"""Makes a token store from a folder of text, here and in one process."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pipelines.corpus import list_files, read_documents, text_bytes
from pipelines.corpus_check import CheckedCorpus, read_through
from pipelines.corpus_report import make_report
from pipelines.corpus_summary import DocumentCounts, SeenDocuments, summarise
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.progress import Progress
from pipelines.reading_notes import ReadingNotes
from pipelines.token_counts import TokenCounts
from pipelines.token_store_builder import build_store
from pipelines.tokenizer import Tokenizer
from pipelines.unknown_words import check_sample
from pipelines.vocabulary import Vocabulary
from pipelines.vocabulary_learner import sample

Say = Callable[[str], None]


class LocalMaker:
    """A pipelines.cached_store.Maker; `say` shows how far it is."""

    def __init__(
        self, corpus: CorpusOptions, checked: CheckedCorpus, options: StoreOptions, say: Say
    ) -> None:
        self._corpus, self._checked = corpus, checked
        self._options, self._say = options, say

    def sample(self) -> Iterable[str]:
        notes = ReadingNotes()
        documents = read_documents(self._corpus, notes)
        watched = _watched(documents, "counting words", notes, self._say)
        return sample(watched, text_bytes(self._corpus))

    def build(self, vocabulary: Vocabulary, directory: Path) -> None:
        texts = (self._checked.sample or read_through(self._corpus, self._say)).texts
        unknown = check_sample(texts, vocabulary, self._options)
        counts, seen, notes = DocumentCounts(), SeenDocuments(), ReadingNotes()

        def counted() -> Iterator[str]:
            for document in read_documents(self._corpus, notes):
                counts.add(document)
                seen.add(document)
                yield document

        def report(tokens: TokenCounts) -> dict[str, Any]:
            names = [path.name for path in list_files(self._corpus)]
            figures = counts.figures()
            summary = summarise(names, self._corpus, notes, figures, seen.duplicates)
            return dataclasses.asdict(make_report(summary, tokens, vocabulary, unknown))

        build_store(
            _watched(counted(), "tokenising", notes, self._say),
            Tokenizer(vocabulary),
            directory,
            corpus_fingerprint=self._checked.fingerprint,
            dev_fraction=self._options.dev_fraction,
            report=report,
        )


def _watched(
    documents: Iterator[str], what: str, notes: ReadingNotes, say: Say
) -> Iterator[str]:
    """The documents, with a line of progress now and then."""
    progress = Progress(lambda: notes.share, say)
    for count, document in enumerate(documents, 1):
        progress(lambda count=count: f"{what}: {count:,} documents")  # type: ignore[misc]
        yield document
    progress.close()
