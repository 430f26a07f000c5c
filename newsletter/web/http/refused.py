"""A request that is refused: a status, and words that tell nothing else."""


class Refused(Exception):
    """Ends a request; becomes a short page, or JSON where a program asks.

    Attributes:
        status: of HTTP.
        word: a key of ``words.yml``; the status's own if empty.
    """

    def __init__(self, status: int, word: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.word = word or f"status_{status}"
