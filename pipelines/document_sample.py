"""Some documents from all over a corpus, whatever its size. No TensorFlow here."""

_MOST = 512  # documents
_CHARACTERS = 2000  # of each, from its middle


class DocumentSample:
    """Every n-th of the documents added, n doubling when there are too many: up to 1 MB."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._every = 1
        self._seen = 0

    def add(self, document: str) -> None:
        if self._seen % self._every == 0:
            self.texts.append(excerpt(document))
            if len(self.texts) > _MOST:
                self.texts = self.texts[::2]
                self._every *= 2
        self._seen += 1


def excerpt(document: str) -> str:
    first = max(0, (len(document) - _CHARACTERS) // 2)
    return document[first : first + _CHARACTERS]


def stride(documents: int) -> int:
    """The n that a sample of that many documents ends with."""
    every = 1
    while documents > _MOST * every:
        every *= 2
    return every
