"""Many runs at once: which are chosen, one word for all of them, and all of them in one file.

Invariants: nothing is said without the button of the dialog; what did not work is listed by run with why, and the rest
is done all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from agentdog.client import wording
from agentdog.client.shapes import Summary
from dashboard import many, reviewer, source
from dashboard.components import table
from dashboard.many import Chosen, Done, Failure, Form, Word

#: Runs that can be chosen at a time, and the largest page that the API gives.
MOST, _PAGE = 1000, 200
_CHOSEN, _EPOCH, _ASKED, _MADE = "chosen runs", "chosen epoch", "bulk asked", "bulk made"
_SAYS: dict[Word, str] = {
    "approve": "Approve: nothing is wrong with the whole run",
    "dismiss": "Dismiss every open incident: a false alarm",
    "confirm": "Confirm every open incident: it is real, and its labels are right",
}
_FORMS: dict[Form, str] = {"jsonl": "Rows of ATBench's schema (JSONL)", "json": "All that is known of each run (JSON)"}
WORDS, FORMS = tuple(_SAYS), tuple(_FORMS)


def chosen() -> dict[str, Chosen]:
    """Returns the chosen runs by id, in the order in which they were chosen."""
    found: dict[str, Chosen] = st.session_state.setdefault(_CHOSEN, {})
    return found


def epoch() -> int:
    """Counts how often this page, and not the list, changed what is chosen."""
    return int(st.session_state.setdefault(_EPOCH, 0))


def choose(page: Sequence[Summary], ids: Sequence[str]) -> None:
    """Takes up what the list says is chosen of a page; what is chosen on others stays."""
    known = chosen()
    for run in page:
        if run["id"] not in ids:
            known.pop(run["id"], None)
        elif len(known) < MOST:
            known[run["id"]] = _run(run)


def act(what: str, query: dict[str, str]) -> None:
    """Does what the list asks for: chooses all that match or none, or opens a dialog for those that are chosen."""
    if what == "all":
        _choose_all(query)
    elif what == "none":
        _change({})
    elif chosen():
        _ask(what)


def dialogs() -> None:
    """Draws the dialog that was asked for, with the whole page."""
    asked = st.session_state.pop(_ASKED, None)
    if asked == "export":
        st.dialog("Export the chosen runs", width="medium", on_dismiss="rerun")(_export)()
    elif asked == "review":
        st.dialog("Review the chosen runs", width="medium", on_dismiss="rerun")(_review)()


def _run(run: Summary) -> Chosen:
    return Chosen(wording.visible(run["title"]), run["project"])


def _ask(what: str) -> None:
    st.session_state[_ASKED] = what
    st.session_state.pop(_MADE, None)
    st.rerun()


def _change(runs: dict[str, Chosen]) -> None:
    st.session_state[_CHOSEN] = runs
    st.session_state[_EPOCH] = epoch() + 1
    st.rerun()


def _choose_all(query: dict[str, str]) -> None:
    found: dict[str, Chosen] = {}
    cursor: str | None = None
    with st.spinner("Looking through the list…"), source.shown_errors():
        while len(found) < MOST:
            page = source.client().trajectories(**query, limit=_PAGE, cursor=cursor)  # type: ignore[arg-type]
            found |= {run["id"]: _run(run) for run in page["items"]}
            cursor = page.get("next")
            if cursor is None:
                break
        if cursor is not None:
            st.toast(f"There are more; the first {MOST:,} are chosen.")
        _change(found)


def _review() -> None:
    slot = st.empty()
    if st.session_state.get(_MADE) is None:
        with slot.container():
            _ask_word()
    made = st.session_state.get(_MADE)
    if made is not None:
        with slot.container():
            _reviewed(made)


def _ask_word() -> None:
    runs = chosen()
    st.text(f"{wording.plural(len(runs), 'run')} chosen.")
    word = st.radio("What is to be said of each", WORDS, format_func=_SAYS.__getitem__, key="bulk word")
    note = st.text_area("Why (kept beside it)", max_chars=4000, height=80, key="bulk note")
    name = st.text_input("Your name", value=reviewer.given(), placeholder=reviewer.NOBODY, key="bulk name")
    if st.button(f"Say it of {wording.plural(len(runs), 'run')}", type="primary", key="bulk say"):
        reviewer.keep(name)
        api, author, why = source.client(), reviewer.name(), note.strip() or None
        st.session_state[_MADE] = _each(runs, lambda run, of: many.say(api, run, of, word, author, why))


def _reviewed(done: Done) -> None:
    said = sum(done.found.values())
    if said:
        st.success(f"Said of {wording.plural(said, 'run')}.", icon=":material/task_alt:")
    if said < len(done.found):
        nothing = wording.plural(len(done.found) - said, "run")
        st.info(f"Nothing to say of {nothing} without an open incident.", icon=":material/info:")
    _failures(done.failed)
    if st.button("Done", type="primary", key="bulk done"):
        _change({})


def _export() -> None:
    runs = chosen()
    form = st.radio("As", FORMS, format_func=_FORMS.__getitem__, key="bulk form")
    made = st.session_state.get(_MADE)
    if made is None or made[0] != (form, tuple(runs)):
        api = source.client()
        done = _each(runs, lambda run, of: many.export(api, run, of, form))
        made = (form, tuple(runs)), many.file_of(list(done.found.values()), form), done
        st.session_state[_MADE] = made
    _, content, done = made
    st.text(f"{wording.plural(len(done.found), 'run')}, {_size(len(content))}.")
    if form == "jsonl":
        st.caption("Labels are those of the diagnosis, not gold. `agentdog review export` writes what people said.")
    _failures(done.failed)
    st.download_button(
        "Download",
        content,
        file_name=f"agentdog-runs.{form}",
        mime="application/x-ndjson" if form == "jsonl" else "application/json",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
        disabled=not done.found,
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1_000_000 else f"{-(-count // 1000):,} kB"


def _each(runs: dict[str, Chosen], act: Callable[[str, Chosen], Any]) -> Done:
    """Does something for every run, and shows how far it is."""
    shown = st.progress(0.0)
    done = many.each(runs, act, lambda at: shown.progress(at / len(runs), text=f"{at:,} of {len(runs):,}"))
    shown.empty()
    return done


def _failures(failed: Sequence[Failure]) -> None:
    if failed:
        st.warning(f"It did not work for {wording.plural(len(failed), 'run')}.", icon=":material/error:")
        table(["Run", "Why"], [[each.title, each.why] for each in failed[:100]], key="bulk failed")
