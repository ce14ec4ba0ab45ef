"""Where the pages get their data: the API, through one client per address.

Invariant: an API that does not answer becomes a sentence with a remedy on the page, never a stack trace.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import streamlit as st

from agentdog.client import DEFAULT_URL, Client, ClientError, Unauthorized, Unreachable
from agentdog.client.shapes import Taxonomy

URL_VARIABLE = "AGENTDOG_API_URL"
TOKEN_VARIABLE = "AGENTDOG_TOKEN"  # noqa: S105 - a name
_OTLP = "AGENTDOG_OTLP_URL"
_TOKEN = "visitors_token"  # noqa: S105
_ENTERED = "entered"
_NO_TOKEN = 401


@cache
def _client(url: str, token: str | None) -> Client:
    return Client(url, token)


def client() -> Client:
    """Returns the client of the address in ``AGENTDOG_API_URL``, with this visitor's token where there is one."""
    token = os.environ.get(TOKEN_VARIABLE) or st.session_state.get(_TOKEN)
    return _client(os.environ.get(URL_VARIABLE) or DEFAULT_URL, token or None)


def otlp_endpoint() -> str:
    """Returns where agents send to, as far as the dashboard was told; else where a sidecar listens by default."""
    return os.environ.get(_OTLP) or "http://127.0.0.1:4318"


def let_in() -> bool:
    """Asks a visitor for his token where the API asks for one; False while there is none that is good.

    The token stays in this server's memory of the visit: it is in no address, no cookie and no page.
    """
    if st.session_state.get(_ENTERED):
        return True
    try:
        client().taxonomy()
    except Unauthorized as error:
        if error.status != _NO_TOKEN:
            return True
        st.header("This sidecar asks who you are")
        with st.form("token", border=False):
            given = st.text_input("Token", type="password", placeholder="agd_…", autocomplete="off")
            if st.form_submit_button("Enter") and given:
                st.session_state[_TOKEN] = given.strip()
                st.rerun()
        if st.session_state.get(_TOKEN):
            st.error("That token is not known here.", icon=":material/key_off:")
        st.text("`agentdog tokens add NAME --role read` makes one.")
        return False
    except ClientError:
        return True  # the page says what is wrong
    st.session_state[_ENTERED] = True
    return True


@st.cache_data(ttl=300, show_spinner=False)
def _taxonomy(url: str) -> Taxonomy:
    del url  # only part of the cache's key; labels are the same for every visitor
    return client().taxonomy("all")


def taxonomy() -> Taxonomy:
    """Returns every label there is; data of a release, so asked for once in a while only."""
    return _taxonomy(client().base_url)


@contextmanager
def shown_errors() -> Iterator[None]:
    """Shows what went wrong with the API, and what to do, in place of what could not be drawn."""
    try:
        yield
    except ClientError as error:
        if isinstance(error, Unauthorized):
            st.session_state.pop(_ENTERED, None)  # the token ended meanwhile: ask again
        if isinstance(error, Unreachable):
            st.error("The sidecar does not answer.", icon=":material/cloud_off:")
            st.text("Start it with `agentdog up`, or point AGENTDOG_API_URL at where it runs.")
        else:
            st.error("The sidecar could not answer this.", icon=":material/error:")
        st.text(str(error))
