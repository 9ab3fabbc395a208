"""A dataset before it is written: its texts, and what tells one version of it from another."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from typing import NamedTuple

SPLITS = ("train", "validation", "test")


class Document(NamedTuple):
    """One text of a source. Train and corpus texts go to the corpus, the others do not.

    Labelled ones are also examples, in the file of their split.
    """

    text: str
    split: str  # "corpus", or one of SPLITS
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class Source:
    """A dataset: its documents, and what identifies their version."""

    name: str
    identity: dict[str, str]
    documents: Iterable[Document]
    label_names: tuple[str, ...] = ()  # empty: those seen, sorted
    has_labels: bool = True

    @property
    def fingerprint(self) -> str:
        """A hash of the identity, for a name that no other version has."""
        identity = json.dumps(self.identity, sort_keys=True)
        return hashlib.sha256(identity.encode()).hexdigest()[:16]
