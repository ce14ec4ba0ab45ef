"""An attribution as one self-contained page: a heat map of the steps and their sentences.

Invariant: whatever the trajectory says is text on the page, which names no other file and runs no script.
"""

from __future__ import annotations

from html import escape

from agentdog.attribution.result import Attribution, Cost, SentenceScore, StepScore, shown

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--dim:#667085;--paper:#fff;--line:#e4e7ec;
--for:213,94,0;--against:0,114,178}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;--paper:#12161d;--line:#2b3340}}
body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.35rem;margin-bottom:.2rem}p.dim,td.dim,span.dim{color:var(--dim)}
section{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .9rem;margin:.7rem 0}
section header{display:flex;gap:.8rem;align-items:baseline;font-weight:600}
section header .bar{flex:1;height:.55rem;border-radius:.3rem;background:var(--line);overflow:hidden;display:flex}
.bar i{display:block;height:100%}
.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.5rem 0 0}
.text span{border-radius:.2rem;padding:.05rem 0}
.target{border-style:dashed}
"""
_FOLD = 600  # characters of a step whose sentences were not scored


def page(found: Attribution, texts: tuple[str, ...]) -> str:
    """Writes the page.

    Args:
        found: the attribution.
        texts: what each of its steps says, in order; more may follow.
    """
    asked = "Why the agent did this" if found.target == "action" else "Why the guard said so"
    most = max((abs(step.score) for step in found.steps if step.candidate), default=0.0) or 1.0
    strongest = max((abs(s.score) for step in found.steps for s in step.sentences or ()), default=0.0) or 1.0
    ranks = {place: rank for rank, place in enumerate(found.ranking, 1)}
    parts = [
        f"<h1>{asked}: step {found.step + 1}</h1>",
        f'<p class="dim">{escape(" · ".join((found.model, *found.told, *_cost(found.cost))))}</p>',
        *(f'<p class="dim">{escape(note)}</p>' for note in found.notes),
        *(_step(step, texts[at], most, strongest, ranks.get(at)) for at, step in enumerate(found.steps)),
        f'<section class="target"><header>step {found.step + 1}, explained</header>'
        f'<div class="text">{escape(found.explained)}</div></section>',
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{asked}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def _cost(cost: Cost) -> tuple[str, ...]:
    read = (f"{cost.computed:,} tokens read instead of {cost.plain:,}",) if cost.plain else ()
    return (*read, f"{cost.seconds:.1f} s")


def _step(step: StepScore, text: str, most: float, strongest: float, rank: int | None) -> str:
    place = "profile" if step.step is None else f"step {step.step + 1}"
    told = shown(step.score) if step.candidate else "not ranked"
    looked = "" if step.attention is None else f' <span class="dim">attention {step.attention:.0%}</span>'
    order = "" if rank is None else f' <span class="dim">#{rank}</span>'
    if not step.sentences:
        words = escape(text if len(text) <= _FOLD else f"{text[:_FOLD]} … ({len(text):,} characters)")
    else:
        words = _sentences(text, step.sentences, strongest)
    return (
        f"<section><header>{place} · {escape(step.role)}{order}<span class=bar>"
        f'<i style="width:{min(abs(step.score) / most, 1):.0%};background:rgb({_colour(step.score)})"></i></span>'
        f'<span title="{step.score!r}">{told}</span>{looked}</header><div class="text">{words}</div></section>'
    )


def _sentences(text: str, sentences: tuple[SentenceScore, ...], strongest: float) -> str:
    """Marks the sentences in the text; shades are comparable over the whole page. Calls, say, are no sentences."""
    parts, at = [], 0
    for sentence in sentences:
        found = text.find(sentence.text, at)
        parts.append(escape(text[at:found]) if found >= 0 else "")
        at = found + len(sentence.text) if found >= 0 else at
        shade = 0.65 * abs(sentence.score) / strongest
        parts.append(
            f'<span style="background:rgba({_colour(sentence.score)},{shade:.2f})" title="{_told(sentence)}">'
            f"{escape(sentence.text)}</span>"
        )
    return "".join([*parts, escape(text[at:])])


def _told(sentence: SentenceScore) -> str:
    if not sentence.candidate:
        return "not scored"
    hold = "" if sentence.hold is None else f", hold {shown(sentence.hold)}"
    return f"score {shown(sentence.score)}: drop {shown(sentence.drop)}{hold}"


def _colour(score: float) -> str:
    return "var(--for)" if score >= 0 else "var(--against)"
