r"""Untrusted text inside a prompt: it may say anything, and can never pass for the prompt's own structure.

Wherever text looks like structure (a marker of the layout at the start of a line, a ``<BEGIN …>`` tag, a chat
template's special token, a line that reads like a verdict), one backslash is put behind its first character:
``[USER]:`` becomes ``[\USER]:``, ``<|im_start|>`` becomes ``<\|im_start|>``. What already carries backslashes there
gets one more, so removing one gives the text back exactly (as mbox files quote "From " lines). Other text is untouched.

Invariant: ``unescape(escape(text)) == text``, and no match of a marker is left in ``escape(text)``. The expressions
hold no bounded repetition and cannot overlap on their first character, so an inserted backslash never makes or breaks
another match; each reads a character a bounded number of times.
"""

from __future__ import annotations

import re
from functools import cache

import msgspec

from agentdog.base.remembered import remembered

#: After any of these a model sees a new line; Python's ``^`` knows the first only.
_ENDS = r"\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_LINE_START = rf"(?:^|(?<=[{_ENDS}]))"
#: Characters that show nothing (Unicode's default ignorable ones): marks of direction, joiners, fillers.
_INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
#: What may stand before a marker without hiding it: blanks, invisible characters, emphasis, quotation, bullets.
_LEAD = rf"(?:[^\S{_ENDS}]|[{_INVISIBLE}>*_#`~\"'|+•·‣▪●–—-])*+"  # noqa: RUF001


class Marker(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A shape of text that is structure.

    Attributes:
        first: expression for its first character; never a backslash.
        rest: expression for what follows; must not begin with a backslash, must not repeat a bounded number of times.
        line: it counts at the start of a line only.
    """

    first: str
    rest: str
    line: bool = False


#: What a role's name may hold: letters of any script, with the vowel signs that are no letters by themselves (Hindi
#: writes most names with them); no closing bracket, no line end.
_NAME = r"[\w /\-\x86-\u2027\u202a-\u3010\u3012-\uff3c\uff3e-\U0010ffff]"
#: The layout's own markers, in any spelling a reader would take for them.
LAYOUT = (
    Marker(first=r"[\[［【]", rest=rf"[^\W\d_]{_NAME}*[\]］】][*_ ]*[:：]", line=True),  # noqa: RUF001 - lookalikes
    Marker(first="[=＝]", rest=r"[=＝][=＝][^=＝\n]+[=＝][=＝]", line=True),  # noqa: RUF001
    Marker(first="[<＜]", rest=r"/?\s*(?:begin|end)\b[^<>＜＞\n]*[>＞]"),  # noqa: RUF001
    Marker(
        first="[<＜]",  # noqa: RUF001
        rest=r"/?\s*(?:available tools|analysis|judge?ment|output|think|thinking|system|user|assistant)\s*[>＞]",  # noqa: RUF001
    ),
)
#: Special tokens of the chat templates in use: ChatML and Llama 3 (``<|…|>``), DeepSeek, Llama 2, Mistral, Gemma, Qwen.
TOKENS = (
    Marker(first="<", rest=r"[|｜][^|｜<>\s]+[|｜]>"),  # noqa: RUF001
    Marker(first="<", rest=r"/?[a-z]+(?:_[a-z0-9]+)+>"),
    Marker(first="<", rest=r"/?(?:s|unk|pad|bos|eos|cls|sep|mask|filename|reponame|unused\d+)>"),
    Marker(first="<", rest=r"</?sys>>"),
    Marker(
        first=r"\[", rest=r"/?(?:inst|tool_calls|tool_results|available_tools|system_prompt|img|prefix|suffix|middle)\]"
    ),
)
#: Lines that a parser or a model could take for the verdict.
VERDICTS = (
    *(
        Marker(first=word[0], rest=word[1:] + rf"[^\w{_ENDS}]*(?=[{_ENDS}]|\Z)", line=True)
        for word in ("safe", "unsafe")
    ),
    *(
        Marker(first=heading[0], rest=heading[1:] + r"[*_ ]*[:：]", line=True)  # noqa: RUF001
        for heading in (
            "risk source",
            "real[- ]world harm",
            "risk consequence",
            "failure mode",
            "safety",
            "judge?ment",
            "verdict",
        )
    ),
)
DEFAULT = LAYOUT + TOKENS + VERDICTS


@cache
def _expressions(markers: tuple[Marker, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    def pattern(backslashes: str) -> re.Pattern[str]:
        lines = "|".join(f"{m.first}(?:{backslashes})(?={m.rest})" for m in markers if m.line)
        anywhere = "|".join(f"{m.first}(?:{backslashes})(?={m.rest})" for m in markers if not m.line)
        parts = [f"{_LINE_START}{_LEAD}(?:{lines})"] * bool(lines) + [f"(?:{anywhere})"] * bool(anywhere)
        return re.compile("|".join(parts) or r"(?!)", re.IGNORECASE)

    return pattern(r"\\*+"), pattern(r"\\++")


def escape(text: str, markers: tuple[Marker, ...] = DEFAULT) -> str:
    """Puts one backslash into every place of a text that looks like structure."""
    return _escaped(text, markers)


# A run that grows is laid out anew for every verdict: some 16 MB at most save a fifth of what a verdict costs here.
@remembered(2048, longest=2048)
def _escaped(text: str, markers: tuple[Marker, ...]) -> str:
    return _expressions(markers)[0].sub(_add, text)


def unescape(text: str, markers: tuple[Marker, ...] = DEFAULT) -> str:
    """Takes the backslashes of `escape` out again."""
    return _expressions(markers)[1].sub(lambda m: m[0][:-1], text)


def _add(match: re.Match[str]) -> str:
    return match[0] + "\\"
