"""What a writer that only copies would gain by reading each text; and what the approximate mode makes of it."""

from __future__ import annotations

from collections.abc import Sequence

from agentdog.attribution import likelihood, plan
from agentdog.attribution.likelihood import Likelihood
from agentdog.attribution.messages import Message
from agentdog.attribution.screen import screen
from agentdog.attribution.trie import Span

TEXTS = [
    "Please pay my invoice.",
    "The invoice is over 93 EUR. It is due on Monday. Pay it to account DE89 3704 0044.",
    "I look the account up.",
    "Account DE89 3704 0044 is open, and the weather is fine.",
]
ACTION = 'Action: pay{"account": "DE89 3704 0044", "amount": 93}'


def test_what_is_copied_counts_where_it_came_first() -> None:
    guesses = screen(TEXTS, ACTION)
    assert max(guesses) == guesses[1]
    assert guesses[3] < guesses[1] / 4, "repeated"
    assert min(guesses) >= 0


def test_runs_of_common_words_tell_more_than_the_words() -> None:
    words = "alpha beta gamma delta alpha delta gamma beta".split(" ")  # noqa: SIM905 - a text
    copied = screen(["delta gamma beta alpha", "beta gamma delta alpha", "gamma delta alpha delta"], " ".join(words))
    assert copied[0] > copied[1] > 0


def test_nothing_to_read_and_nothing_to_write_gain_nothing() -> None:
    assert screen([], "a") == []
    assert screen(["", "..."], "") == [0.0, 0.0]


class Counting:
    """A model that likes an action the more, the more of its words were read; counts what it reads."""

    name = "counting"
    apart = True

    def __init__(self) -> None:
        self.computed = self.plain = 0
        self.asked: list[tuple[tuple[str, ...], str]] = []

    def content_span(self, context: Sequence[Message], target: Message) -> Span:
        self.asked.append((tuple(message.content for message in context), target.content))
        return Span((len(self.asked) - 1,), 0, 1)

    reference_span = content_span

    def score(self, spans: Sequence[Span]) -> list[Likelihood]:
        found = []
        for span in spans:
            context, target = self.asked[span.tokens[0]]
            self.computed += sum(map(len, context))
            found.append(Likelihood(float(sum(word in " ".join(context) for word in target.split())), 1))
        return found


def test_the_approximate_mode_reads_the_likeliest_steps_and_sentences_only() -> None:
    idle = [
        Message("user", f"Nothing of use in {n}. Nor here. Nor there. Nor elsewhere.", n, "user") for n in range(30)
    ]
    told = Message("user", "A first one. A second one. Use account DE89 for it. A fourth one. A fifth one.", 12, "user")
    messages = [*idle[:12], told, *idle[13:], Message("assistant", "Pay account DE89 now", 30, "agent")]
    model = Counting()
    found = likelihood.explain(model, model, messages, 30, mode="approximate", top_k=1)
    assert found.ranking[0] == 12
    assert len(found.steps) == 30
    ranked = [place for place, step in enumerate(found.steps) if step.candidate]
    assert sorted(found.ranking) == ranked
    assert {0, 12, 29} <= set(ranked)
    assert len(ranked) <= plan.NAMED + 2
    pieces = found.steps[12].sentences
    assert pieces is not None
    assert "".join(piece.text for piece in pieces) == told.content
    scored = [piece for piece in pieces if piece.candidate]
    assert [piece.text.strip() for piece in scored] == ["Use account DE89 for it."], "the others share nothing"
    exact = Counting()
    likelihood.explain(exact, exact, messages, 30, mode="paper", top_k=1)
    assert exact.computed > 5 * model.computed
