"""Alerts over HTTP: signed webhooks, and Slack-compatible messages.

Invariants: redirects are not followed, no proxy of the environment stands between (it would connect to what was not
looked at), the answer's body is not read, and no error tells the address, which may be a secret.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import httpx
import msgspec

from agentdog.outbound import signing, slack
from agentdog.outbound.address import Network, Refused, check_url, resolve
from agentdog.outbound.alerts import Alert
from agentdog.outbound.notifier import Answer

_GONE = 410
_JSON = {"content-type": "application/json", "user-agent": "agentdog"}


class _Hook:
    """One address that takes JSON."""

    name = ""
    setting = ""

    def __init__(self, url: str, allowed: Sequence[Network], timeout_s: float) -> None:
        self._parts = check_url(url, self.setting)
        self._allowed = allowed
        self._http = httpx.AsyncClient(timeout=timeout_s, trust_env=False, follow_redirects=False)

    async def close(self) -> None:
        """Closes connections."""
        await self._http.aclose()

    async def trouble(self) -> str | None:
        """Resolves the host and says why it may not be connected to."""
        try:
            await resolve(self._parts, self._allowed)
        except Refused as error:
            return str(error)
        return None

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            place = await resolve(self._parts, self._allowed)
            request = self._http.build_request(
                "POST",
                place.url,
                content=body,
                headers={**_JSON, **headers, "host": place.host},
                extensions={"sni_hostname": place.name},
            )
            answer = await self._http.send(request, stream=True)
            await answer.aclose()
        except Refused as error:
            return Answer(ok=False, error=f"refused: {error}")
        except httpx.TimeoutException as error:
            return Answer(ok=False, error=f"no answer in time ({type(error).__name__})")
        except httpx.HTTPError as error:
            return Answer(ok=False, error=f"{type(error).__name__}: {error}"[:300])
        return _read(answer)


class Webhook(_Hook):
    """Sends alerts as JSON, signed by Standard Webhooks.

    Args:
        url: of the receiver.
        secret: shared with it.
        allowed: networks that are not public and may be reached all the same.
        timeout_s: for connecting, and for each read.

    Raises:
        UsageError: the address or the secret is none.
    """

    name = "webhook"
    setting = "AGENTDOG_OUTBOUND__WEBHOOK__URL"

    def __init__(self, url: str, secret: str, allowed: Sequence[Network] = (), timeout_s: float = 10.0) -> None:
        super().__init__(url, allowed, timeout_s)
        self._key = signing.secret_key(secret)

    def body(self, alert: Alert) -> bytes:
        """Returns the alert as JSON."""
        return msgspec.json.encode(alert)

    async def send(self, body: bytes, key: str) -> Answer:
        """Sends it, signed anew: the time in the signature is that of the try."""
        return await self._post(body, signing.headers(self._key, key, int(time.time()), body))


class Slack(_Hook):
    """Sends alerts to an incoming webhook of Slack, Mattermost or Rocket.Chat, which know no idempotency key.

    Args:
        url: of the incoming webhook; whoever knows it may post.
        allowed: networks that are not public and may be reached all the same.
        timeout_s: for connecting, and for each read.
    """

    name = "slack"
    setting = "AGENTDOG_OUTBOUND__SLACK__URL"

    def body(self, alert: Alert) -> bytes:
        """Returns the alert in Slack's words."""
        return slack.message(alert)

    async def send(self, body: bytes, key: str) -> Answer:
        """Sends it; the key goes along for those who look."""
        return await self._post(body, {"idempotency-key": key})


def _read(answer: httpx.Response) -> Answer:
    if answer.is_success:
        return Answer(ok=True)
    said = f"HTTP {answer.status_code} {answer.reason_phrase}".rstrip()
    if answer.is_redirect:
        return Answer(ok=False, error=f"{said}: redirects are not followed, give the final address")
    if answer.status_code == _GONE:
        return Answer(ok=False, error=f"{said}: the receiver wants no more", final=True)
    wait = answer.headers.get("retry-after", "")
    return Answer(ok=False, error=said, retry_after_s=float(wait) if wait.isdecimal() else None)
