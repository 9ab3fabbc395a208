"""Makes a token store from a corpus with Apache Beam, on one machine or on a cluster.

Three pipelines, since each needs the results of the one before:

    survey    each file: its hash, its documents, which of them the vocabulary is learned from
    tokenise  each file to ids, one file per split; documents have their numbers by then
    shards    each shard from the pieces of files of ids that fall into it

The store is pipelines.local_maker's, byte for byte, in whatever order the workers finish:
the stream follows the order of the files, so a shard's place in it, and what it is made of,
follow from how many tokens each file has.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bert_core.errors import UserError
from pipelines import beam_pipelines
from pipelines.beam_files import CorpusFile, fetch, local, opened, work_directory
from pipelines.beam_steps import Plan, Shard, cut
from pipelines.cached_store import PreparedCorpus, Say, prepare_with
from pipelines.corpus import read_file
from pipelines.corpus_fingerprint import fingerprint_of
from pipelines.corpus_report import make_report
from pipelines.corpus_summary import summarise
from pipelines.document_sample import stride
from pipelines.options import CorpusOptions, StoreOptions
from pipelines.reading_notes import ReadingNotes
from pipelines.split_writer import check_tokens, disk_errors, shard_name, split_statistics
from pipelines.token_counts import TokenCounts
from pipelines.token_store import SPLITS
from pipelines.token_store_builder import SHARD_TOKENS, dev_limit, new_store, write_manifest
from pipelines.unknown_words import check_sample
from pipelines.vocabulary import Vocabulary


def prepare_with_beam(
    files: list[CorpusFile],
    corpus: CorpusOptions,
    options: StoreOptions,
    work: str,
    beam_options: Sequence[str],
    say: Say,
    shard_tokens: int = SHARD_TOKENS,
) -> PreparedCorpus:
    """Like pipelines.cached_store.prepare; `work` is a directory that all workers can reach.

    Raises UserError as that does, and RunError where a pipeline fails.
    """
    with work_directory(work) as directory:
        maker = BeamMaker(files, corpus, options, directory, beam_options, say, shard_tokens)
        return prepare_with(maker, maker.fingerprint, options, say)


class BeamMaker:
    """A pipelines.cached_store.Maker. Constructing it surveys the corpus."""

    def __init__(
        self,
        files: list[CorpusFile],
        corpus: CorpusOptions,
        options: StoreOptions,
        work: str,
        beam_options: Sequence[str],
        say: Say,
        shard_tokens: int,
    ) -> None:
        self._files, self._corpus, self._options = files, corpus, options
        self._work, self._beam_options, self._say = work, beam_options, say
        self._shard_tokens = shard_tokens
        told = self._run("surveying", beam_pipelines.survey(files, corpus, work))
        self._facts: list[dict[str, Any]] = _in_order(told["files"])
        for facts in self._facts:
            if facts["error"]:
                raise UserError(facts["error"])
        self._figures, self._duplicates = told["figures"], told["duplicates"]
        hashes = [(facts["size"], facts["sha256"]) for facts in self._facts]
        self._names = [file.name for file in files]
        self.fingerprint = fingerprint_of(corpus, zip(self._names, hashes, strict=True))

    def sample(self) -> Iterable[str]:
        for facts in self._facts:
            with opened(facts["sample"]) as file:
                for line in file:
                    yield line.decode().removesuffix("\n")

    def build(self, vocabulary: Vocabulary, directory: Path) -> None:
        plan = self._plan(vocabulary)
        told = self._run("tokenising", beam_pipelines.tokenise(self._files, plan))
        files = _in_order(told["files"])
        texts = [text for facts in files for text in facts["sample"]]
        unknown = check_sample(texts, vocabulary, self._options)
        counts, both = {}, TokenCounts(vocabulary)
        for name in SPLITS:
            counts[name] = TokenCounts.from_lists(vocabulary, *told[name])
            check_tokens(name, int(counts[name].pieces.sum()))
            both.include(counts[name])
        report = make_report(self._summary(), both, vocabulary, unknown)
        shards = beam_pipelines.write_shards(self._shards(files), plan)
        written = self._run("writing shards", shards)["shards"]
        with new_store(directory) as partial:
            splits = {}
            for name in SPLITS:
                documents = sum(facts["documents"][name] for facts in files)
                statistics = split_statistics(documents, counts[name], vocabulary)
                brought = _bring(written, name, partial)
                splits[name] = {"statistics": statistics, "shards": brought}
            write_manifest(
                partial,
                vocabulary,
                corpus_fingerprint=self.fingerprint,
                dev_fraction=self._options.dev_fraction,
                corpus=dataclasses.asdict(report),
                splits=splits,
            )

    def _plan(self, vocabulary: Vocabulary) -> Plan:
        """What is known once the corpus has been surveyed and there is a vocabulary."""
        first_documents, total = [], 0
        for facts in self._facts:
            first_documents.append(total)
            total += facts["documents"]
        limit, _ = dev_limit(self._documents(), self._options.dev_fraction)
        return Plan(self._corpus, vocabulary, limit, first_documents, stride(total), self._work)

    def _documents(self) -> Iterator[str]:
        """The corpus, read on this machine; only its beginning is drawn."""
        for file in self._files:
            with local(file.path) as path:
                yield from read_file(path, self._corpus, ReadingNotes())

    def _shards(self, files: list[dict[str, Any]]) -> list[Shard]:
        shards = []
        for name in SPLITS:
            sizes = [(facts["ids"][name], facts["tokens"][name]) for facts in files]
            for number, pieces in enumerate(cut(sizes, self._shard_tokens)):
                shards.append(Shard(shard_name(name, number), name, pieces))
        return shards

    def _summary(self) -> dict[str, Any]:
        """What reading the corpus showed, as a single reader would report it."""
        notes = ReadingNotes(
            blank_lines=sum(facts["blank_lines"] for facts in self._facts),
            skipped=sum(facts["skipped"] for facts in self._facts),
            replaced=sum(facts["replaced"] for facts in self._facts),
            first_bad=next((x["first_bad"] for x in self._facts if x["first_bad"]), ""),
        )
        return summarise(self._names, self._corpus, notes, self._figures, self._duplicates)

    def _run(self, what: str, build: beam_pipelines.Build) -> dict[str, Any]:
        self._say(f"Beam: {what}, {len(self._files):,} files")
        return beam_pipelines.run(what, build, self._beam_options, self._work)


def _in_order(facts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(facts, key=lambda x: x["number"])


def _bring(written: list[dict[str, Any]], split: str, directory: Path) -> list[dict[str, Any]]:
    """Copies a split's shards from where the workers left them; returns manifest entries."""
    shards = sorted((x for x in written if x["split"] == split), key=lambda x: x["file"])
    for shard in shards:
        path = directory / shard["file"]
        with disk_errors(path), path.open("wb") as file:
            fetch(shard["path"], file)
            file.flush()
            os.fsync(file.fileno())
    return [{key: shard[key] for key in ("file", "tokens", "sha256")} for shard in shards]
