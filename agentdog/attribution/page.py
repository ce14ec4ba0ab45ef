"""An attribution as one self-contained page: what moved the answer most, and a heat map of the steps.

Invariant: whatever the trajectory says is text on the page, invisible characters made visible; the page names no other
file and runs no script.
"""

from __future__ import annotations

from html import escape

from agentdog.attribution.result import Attribution, Cost, SentenceScore, StepScore, shown
from agentdog.client.wording import visible

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2330;--dim:#5b6675;--paper:#fff;--line:#e4e7ec;
--for:213,94,0;--against:0,114,178}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;--paper:#12161d;--line:#2b3340;
--for:230,120,30;--against:60,150,215}}
body{font:15px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.35rem;margin-bottom:.2rem}h2{font-size:1rem;margin:1.3rem 0 .3rem}
p{margin:.4rem 0}.dim{color:var(--dim);font-size:.9rem}a{color:inherit}
ol{margin:.2rem 0;padding-left:1.6rem}li{margin:.25rem 0}li q{color:var(--dim);overflow-wrap:anywhere}
section{border:1px solid var(--line);border-radius:.5rem;padding:.6rem .9rem;margin:.7rem 0;scroll-margin-top:1rem}
section:target{border-color:rgb(var(--for))}
header{display:grid;grid-template-columns:13rem 1fr auto;gap:.8rem;align-items:center;font-weight:600}
header .dim{font-weight:400}
@media(max-width:40rem){header{grid-template-columns:1fr auto}header .bar{grid-row:2;grid-column:1/3}}
.bar{height:.55rem;border-radius:.3rem;background:var(--line);overflow:hidden}
.bar i{display:block;height:100%}
.text{white-space:pre-wrap;overflow-wrap:anywhere;margin:.5rem 0 0}
.text span{border-radius:.2rem;padding:.05rem 0}
.target{border-style:dashed}summary{cursor:pointer}
.key{display:inline-block;width:1.1rem;height:.7rem;border-radius:.2rem;margin:0 .3rem 0 .8rem}
.key:first-child{margin-left:0}
"""
_TOP = 5  # steps that are named above all
_FOLD = 280  # characters of a step whose sentences were not scored that show unasked
_LONGEST = 20_000  # characters of such a step that the page holds
_QUOTED = 160  # characters of a step's strongest sentence, above all


def page(found: Attribution, texts: tuple[str, ...]) -> str:
    """Writes the page.

    Args:
        found: the attribution.
        texts: what each of its steps says, in order; more may follow.
    """
    why = "Why the agent did this" if found.target == "action" else "Why the guard said so"
    asked = f"{why}: step {found.step + 1}"
    most = max((abs(step.score) for step in found.steps if step.candidate), default=0.0) or 1.0
    weights = [_weight(s, step) for step in found.steps for s in step.sentences or () if s.candidate]
    strongest = max(map(abs, weights), default=0.0) or 1.0
    ranks = {place: rank for rank, place in enumerate(found.ranking, 1)}
    parts = [
        f"<h1>{asked}</h1>",
        f'<p class="dim">{_words(" · ".join((found.model, *found.told, *_cost(found.cost))))}</p>',
        _leading(found),
        *(f'<p class="dim">{_words(note)}</p>' for note in found.notes),
        f"<h2>The run</h2>{_key(found)}",
        *(_step(step, at, texts[at], (most, strongest), ranks.get(at)) for at, step in enumerate(found.steps)),
        f'<section class="target" id="explained"><header>step {found.step + 1}, explained</header>'
        f'<div class="text">{_words(found.explained)}</div></section>',
    ]
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{asked}</title>'
        '<meta name="viewport" content="width=device-width">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def _words(text: str) -> str:
    return escape(visible(text))


def _cost(cost: Cost) -> tuple[str, ...]:
    read = (f"{cost.computed:,} tokens read instead of {cost.plain:,}",) if cost.plain else ()
    return (*read, f"{cost.seconds:.1f} s")


def _leading(found: Attribution) -> str:
    """Names the steps that moved the answer most, each with its strongest sentence."""
    told = []
    for place in found.ranking[:_TOP]:
        step = found.steps[place]
        if step.score <= 0:
            break
        best = max((s for s in step.sentences or () if s.candidate), key=lambda s: s.score, default=None)
        quoted = " ".join(best.text.split()) if best is not None and _weight(best, step) > 0 else ""
        quoted = quoted if len(quoted) <= _QUOTED else f"{quoted[:_QUOTED]}…"
        told.append(
            f'<li><a href="#at-{place}">{_place(step)}</a> {shown(step.score)}'
            f"{f' <q>{_words(quoted)}</q>' if quoted else ''}</li>"
        )
    listed = f"<ol>{''.join(told)}</ol>" if told else '<p class="dim">No earlier step did.</p>'
    return f'<h2>What moved <a href="#explained">step {found.step + 1}</a> most</h2>{listed}'


def _key(found: Attribution) -> str:
    """Says what colours mean."""
    more, less = ("made the action likelier", "made it less likely")
    if found.target == "verdict":
        more, less = ("raised P(unsafe)", "lowered it")
    keys = "".join(
        f'<span class="key" style="background:rgba(var(--{name}),.65)"></span>{words}'
        for name, words in (("for", more), ("against", less))
    )
    beside = any(step.nothing for step in found.steps)
    told = " Shades of sentences are beside one that says nothing; numbers are under the pointer." if beside else ""
    return f'<p class="dim">{keys}.{told}</p>'


def _place(step: StepScore) -> str:
    place = "profile" if step.step is None else f"step {step.step + 1}"
    return f"{place} · {escape(step.role)}"


def _step(step: StepScore, at: int, text: str, scale: tuple[float, float], rank: int | None) -> str:
    """Shows a step; `scale` holds the strongest step's score and the strongest sentence's weight."""
    most, strongest = scale
    told = shown(step.score) if step.candidate else "not ranked"
    looked = "" if step.attention is None else f' <span class="dim">attention {step.attention:.0%}</span>'
    order = "" if rank is None or step.score == 0 else f' <span class="dim">#{rank}</span>'
    words = _sentences(text, step, strongest) if step.sentences else _folded(text)
    return (
        f'<section id="at-{at}"><header><span>{_place(step)}{order}</span><span class="bar">'
        f'<i style="width:{min(abs(step.score) / most, 1):.0%};background:rgb({_colour(step.score)})"></i></span>'
        f'<span><span title="{step.score!r}">{told}</span>{looked}</span></header>{words}</section>'
    )


def _folded(text: str) -> str:
    """Shows the beginning of a text, and the rest to whoever asks for it."""
    if len(text) <= _FOLD:
        return f'<div class="text">{_words(text)}</div>'
    more = f" … (of {len(text):,} characters)" if len(text) > _LONGEST else ""
    return f'<details class="text"><summary>{_words(text[:_FOLD])} …</summary>{_words(text[:_LONGEST])}{more}</details>'


def _sentences(text: str, step: StepScore, strongest: float) -> str:
    """Marks the sentences in the text; shades are comparable over the whole page. Calls, say, are no sentences."""
    parts, at = [], 0
    for sentence in step.sentences or ():
        found = text.find(sentence.text, at)
        parts.append(_words(text[at:found]) if found >= 0 else "")
        at = found + len(sentence.text) if found >= 0 else at
        weight = _weight(sentence, step)
        shade = 0.65 * abs(weight) / strongest if sentence.candidate else 0.0
        parts.append(
            f'<span style="background:rgba({_colour(weight)},{shade:.2f})" title="{_told(sentence)}">'
            f"{_words(sentence.text)}</span>"
        )
    return f'<div class="text">{"".join([*parts, _words(text[at:])])}</div>'


def _weight(sentence: SentenceScore, step: StepScore) -> float:
    """What it says beyond a sentence that says nothing."""
    return sentence.score - (step.nothing or 0.0)


def _told(sentence: SentenceScore) -> str:
    if not sentence.candidate:
        return "not scored"
    hold = "" if sentence.hold is None else f", hold {shown(sentence.hold)}"
    looked = "" if sentence.attention is None else f", attention {sentence.attention:.0%}"
    return f"score {shown(sentence.score)}: drop {shown(sentence.drop)}{hold}{looked}"


def _colour(score: float) -> str:
    return "var(--for)" if score >= 0 else "var(--against)"
