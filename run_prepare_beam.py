"""Prepares a corpus that would take one machine too long, as an Apache Beam pipeline.

  python run_prepare_beam.py --corpus_dir=my_texts -- --direct_num_workers=0 \\
      --direct_running_mode=multi_processing
  python run_prepare_beam.py --corpus_dir=gs://bucket/texts --work_dir=gs://bucket/tmp -- \\
      --runner=DataflowRunner --project=PROJECT --region=REGION \\
      --temp_location=gs://bucket/tmp --sdk_container_image=IMAGE

Makes the vocabulary and the token store of `run_pretrain.py --prepare_only`, byte for byte,
in the same place in --cache_dir. What follows `--` are Beam's options. Apache
Beam is in .venv-beam (`make beam`); docs/scaling.md shows Flink, Spark and Dataflow.
"""

import contextlib
import functools
import io
import logging
from pathlib import Path

import flags
from bert_core.errors import UserError
from loops import startup
from loops.options import RuntimeOptions

say = functools.partial(print, flush=True)


def main() -> None:
    corpus, options = flags.corpus_options(), flags.store_options()
    place, work, beam_options = flags.beam_options()
    from pipelines.corpus_check import check_outside, check_writable

    written = {"cache_dir": options.cache_dir}
    if "://" not in work:
        written["work_dir"] = Path(work)
    if "://" not in place:
        check_outside(corpus.corpus_dir, written)
    for name, directory in written.items():
        check_writable(directory.expanduser(), f"--{name}={directory}")
    check_options(beam_options)
    from pipelines.beam_files import corpus_files

    files = corpus_files(place, corpus)
    startup.start_tensorflow(RuntimeOptions())
    from pipelines.beam_maker import prepare_with_beam

    prepared = prepare_with_beam(files, corpus, options, work, beam_options, say)
    say("\n".join(prepared.report.details()))


def check_options(arguments: list[str]) -> None:
    """UserError for an option that Beam does not know, or if Beam is not installed."""
    logging.disable(logging.WARNING)  # of parts of Beam that are not needed
    held = io.StringIO()
    try:
        import apache_beam
        from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

        options = PipelineOptions(arguments)
        with contextlib.redirect_stderr(held):
            known = set(options.get_all_options())
            unknown = set(options.get_all_options(retain_unknown_options=True)) - known
        runner = options.view_as(StandardOptions).runner
        apache_beam.runners.create_runner(runner or "DirectRunner")
    except ModuleNotFoundError as error:
        raise UserError(
            f"Apache Beam is not installed ({error}); `make beam` puts it into .venv-beam"
        ) from None
    except ValueError as error:
        raise UserError(f"--runner: {error}") from None
    except SystemExit:  # argparse has printed its usage; the last line says what is wrong
        last = held.getvalue().strip().splitlines()[-1]
        raise UserError(f"Beam's options: {last.partition('error: ')[2]}") from None
    finally:
        logging.disable(logging.NOTSET)
    for name in sorted(unknown):
        raise UserError(f"--{name}: is not an option of Apache Beam")


if __name__ == "__main__":
    flags.launch(
        main,
        flags.corpus_flags,
        flags.store_flags,
        flags.cache_flags,
        flags.beam_flags,
        takes_texts=True,
    )
