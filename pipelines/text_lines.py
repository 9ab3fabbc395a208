"""A text file, perhaps gzipped, a line at a time."""

import gzip
import itertools
import zlib
from collections.abc import Iterator
from pathlib import Path

from bert_core.errors import UserError
from pipelines.gzip_limit import GzipLimit

MAX_LINE = 16 * 2**20  # bytes; past this it is an unclosed quote or not text


def lines_of(path: Path) -> Iterator[str]:
    """Decoded lines with their ends. Decoding by line gives errors a line number.

    Raises:
      UserError: naming file and line, for what is not UTF-8 text or not a whole gzip file.
    """
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opener(path, "rb") as stream:
            limit = GzipLimit(path)
            for number in itertools.count(1):
                line = stream.readline(MAX_LINE + 1)
                if not line:
                    return
                limit.count(len(line))
                where = f"{path}, line {number}"
                if len(line) > MAX_LINE:
                    raise UserError(f"{where}: is longer than {MAX_LINE} bytes; is it text?")
                if number == 1 and line.count(b"\r") > 1 and not line.endswith(b"\n"):
                    raise UserError(f"{where}: lines end in CR alone; save the file with LF")
                if b"\0" in line:
                    raise UserError(f"{where}: holds a zero byte; save the file as UTF-8 text")
                try:
                    yield line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError:
                    raise UserError(f"{where}: is not UTF-8; convert the file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: is not a whole gzip file ({error}); fetch it again") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
