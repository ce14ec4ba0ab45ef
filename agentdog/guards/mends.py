"""What mends a server that gives no answer, for everything that says how a guard fares."""

from __future__ import annotations

from agentdog.guards.chat_api import ChatFailure
from agentdog.guards.options import KEY_VARIABLE
from agentdog.guards.verdict import Reason

_BY_REASON = {
    Reason.GUARD_UNREACHABLE: "start the server, or correct the address in the guard's URI",
    Reason.GUARD_REFUSED: f"set {KEY_VARIABLE} to a key that the server accepts",
    Reason.TIMED_OUT: "the server is busy or stuck; look at its log, or raise timeout and warm_up in the guard's URI",
    Reason.UNPARSABLE: "is it an OpenAI-compatible API? Its address mostly ends in /v1",
    Reason.TOO_LONG: "serve with a larger context: it must hold the pack's prompt and a trajectory",
    Reason.GUARD_ERROR: "correct model, pack or address in the guard's URI as it says; the server's log may say more",
}
#: What a failed handshake says → what to do.
_TLS = {
    "CERTIFICATE_VERIFY_FAILED": "the server's certificate is not trusted: add ca=FILE with that of its authority, PEM",
    "WRONG_VERSION_NUMBER": "the server speaks no TLS: write http:// in the guard's URI",
    "RemoteProtocolError": "it answers in another protocol: does it want https://?",
}


def mend_of(failure: ChatFailure) -> str | None:
    """Returns what to do about a failure."""
    return next((mend for word, mend in _TLS.items() if word in failure.detail), _BY_REASON.get(failure.reason))
