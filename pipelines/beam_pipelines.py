"""The three pipelines of preparing a corpus, and how their results come back.

A pipeline is a function of a `beam.Pipeline` returning collections of one JSON value each.
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from bert_core.errors import RunError
from pipelines import beam_steps
from pipelines.beam_files import CorpusFile, opened
from pipelines.corpus import expanded
from pipelines.corpus_summary import DocumentCounts
from pipelines.options import CorpusOptions
from pipelines.split_writer import store_dtype
from pipelines.token_counts import TokenCounts
from pipelines.token_store import SPLITS

Build = Callable[[beam.Pipeline], dict[str, Any]]


def survey(files: list[CorpusFile], corpus: CorpusOptions, work: str) -> Build:
    """Gives "files" (facts of beam_steps.survey), "figures" of all, and "duplicates"."""

    def build(pipeline: beam.Pipeline) -> dict[str, Any]:
        text_bytes = sum(expanded(file.name, file.size) for file in files)
        surveyed = _spread(pipeline, files) | "Survey" >> beam.Map(
            beam_steps.survey, corpus, text_bytes, work
        )
        return {
            "files": surveyed
            | "Facts" >> beam.Map(lambda x: x.facts)
            | "All facts" >> beam.combiners.ToList(),
            "figures": surveyed
            | "Counts" >> beam.Map(lambda x: x.counts)
            | "Add up" >> beam.CombineGlobally(AddUp(DocumentCounts))
            | "Figures" >> beam.Map(lambda counts: counts.figures()),
            "duplicates": surveyed
            | "Hashes" >> beam.FlatMap(beam_steps.buckets)
            | "Buckets" >> beam.GroupByKey()
            | "Repeated" >> beam.Map(beam_steps.repeated)
            | "Duplicates" >> beam.CombineGlobally(sum),
        }

    return build


def tokenise(files: list[CorpusFile], plan: beam_steps.Plan) -> Build:
    """Gives "files" (facts of beam_steps.tokenise) and the counts of each split, as lists."""

    def build(pipeline: beam.Pipeline) -> dict[str, Any]:
        tokenised = _spread(pipeline, files) | "Tokenise" >> beam.Map(beam_steps.tokenise, plan)
        facts = tokenised | "Facts" >> beam.Map(lambda x: x.facts)
        told = {"files": facts | "All facts" >> beam.combiners.ToList()}
        empty = functools.partial(TokenCounts, plan.vocabulary)
        for name in SPLITS:
            told[name] = (
                tokenised
                | f"Counts, {name}" >> beam.Map(lambda x, name: x.counts[name], name)
                | f"Add up, {name}" >> beam.CombineGlobally(AddUp(empty))
                | f"As lists, {name}" >> beam.Map(lambda counts: counts.to_lists())
            )
        return told

    return build


def write_shards(shards: list[beam_steps.Shard], plan: beam_steps.Plan) -> Build:
    """Gives "shards": what beam_steps.write_shard says of each."""

    def build(pipeline: beam.Pipeline) -> dict[str, Any]:
        dtype = store_dtype(plan.vocabulary)
        written = _spread(pipeline, shards) | "Write" >> beam.Map(
            beam_steps.write_shard, dtype, plan.work
        )
        return {"shards": written | "All shards" >> beam.combiners.ToList()}

    return build


def run(what: str, build: Build, beam_options: Sequence[str], work: str) -> dict[str, Any]:
    """Runs a pipeline to its end; its results come back through JSON files in `work`.

    Raises RunError, in one line, if Beam gives up.
    """
    places = {}
    try:
        with beam.Pipeline(options=PipelineOptions(list(beam_options))) as pipeline:
            for key, result in build(pipeline).items():
                places[key] = FileSystems.join(work, f"{what.replace(' ', '-')}-{key}.json")
                result | f"Tell {key}" >> beam.Map(_write_json, places[key])
    except Exception as error:  # each runner has its own types
        last = (str(error).strip().splitlines() or [repr(error)])[-1]
        raise RunError(f"Beam failed while {what}: {last}") from error
    told = {}
    for key, place in places.items():
        with opened(place) as file:
            told[key] = json.load(file)
    return told


class AddUp(beam.CombineFn):
    """Adds up counts that can `include` others, beginning with `empty()`."""

    def __init__(self, empty: Callable[[], Any]) -> None:
        self._empty = empty

    def create_accumulator(self) -> Any:
        return self._empty()

    def add_input(self, accumulator: Any, counts: Any) -> Any:
        accumulator.include(counts)
        return accumulator

    def merge_accumulators(self, accumulators: Any) -> Any:
        return functools.reduce(self.add_input, accumulators, self._empty())

    def extract_output(self, accumulator: Any) -> Any:
        return accumulator


def _spread(pipeline: beam.Pipeline, elements: list[Any]) -> beam.PCollection:
    """The elements, each for whichever worker is free."""
    return pipeline | "Elements" >> beam.Create(elements) | "Spread" >> beam.Reshuffle()


def _write_json(value: Any, path: str) -> None:
    with FileSystems.create(path) as file:
        file.write(json.dumps(value).encode())
