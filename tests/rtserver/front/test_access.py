"""Who may come in."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiohttp.test_utils import make_mocked_request

from rtserver.front.access import Access, Credentials, Refused
from rtserver.metrics.metrics import Metrics
from rtserver.session.api_key import CLIENT_SCOPES
from rtserver.session.caller import Caller
from rtserver.session.limits import SessionLimits
from tests.rtserver.metrics.scraped import counted
from tests.rtserver.serving import served

KEYS = ("right", "schlüssel")
LIMITS = SessionLimits(contexts=3)


def identified(key: str | None, keys: Sequence[str] = KEYS, metrics: Metrics | None = None) -> Caller:
    """Who comes with this key."""
    access = Access(keys, LIMITS, metrics or Metrics())
    return asyncio.run(access.identify(Credentials(key), "192.0.2.1"))


def allowed(path: str = "/v1/realtime", keys: tuple[str, ...] = KEYS, **headers: str) -> bool:
    """Whether a request comes in; an underscore in a header's name stands for a dash."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = make_mocked_request("GET", path, headers=named)
    try:
        identified(Credentials.of(request.headers, request.query).key, keys)
    except Refused:
        return False
    return True


@pytest.mark.parametrize("key", KEYS)
def test_a_known_key_opens_from_every_place(key: str) -> None:
    """Each key is taken as a bearer token, from X-API-Key, from xi-api-key and from the address."""
    assert allowed(Authorization=f"Bearer {key}")
    assert allowed(X_API_Key=key)
    assert allowed(xi_api_key=key)
    assert allowed(f"/v1/realtime?api_key={key}")


@pytest.mark.parametrize("authorization", ["bearer right", "BEARER right", "Bearer   right", "Bearer right "])
def test_a_bearer_token_is_taken_as_clients_write_it(authorization: str) -> None:
    """The scheme's case and spaces around the token do not matter."""
    assert allowed(Authorization=authorization)


@pytest.mark.parametrize("key", ["", "wrong", "Right", "righ", "rightt", "right,schlüssel", "schl\u0000ssel", "鍵"])
def test_any_other_key_is_turned_away(key: str) -> None:
    """A key that is not one of the list, to the letter, opens nothing from any place."""
    assert not allowed(Authorization=f"Bearer {key}")
    assert not allowed(X_API_Key=key)
    assert not allowed(xi_api_key=key)
    assert not allowed(f"/v1/realtime?api_key={key}")


def test_without_a_key_nobody_comes_in() -> None:
    """No key, an empty header, a token without its scheme, or another scheme, is no key."""
    assert not allowed()
    assert not allowed(Authorization="")
    assert not allowed(Authorization="Bearer")
    assert not allowed(Authorization="right")
    assert not allowed(Authorization="Basic right")
    assert not allowed("/v1/realtime?key=right")


def test_a_bearer_token_goes_before_the_others() -> None:
    """The first place that has a key decides: bearer, X-API-Key, xi-api-key, then the address."""
    assert allowed("/?api_key=wrong", Authorization="Bearer right", X_API_Key="wrong")
    assert not allowed("/?api_key=right", Authorization="Bearer wrong", X_API_Key="right")
    assert allowed("/?api_key=wrong", X_API_Key="right")
    assert not allowed("/?api_key=right", X_API_Key="wrong")
    assert allowed(X_API_Key="right", xi_api_key="wrong")
    assert not allowed("/?api_key=right", xi_api_key="wrong")


def test_another_scheme_leaves_the_other_places() -> None:
    """An Authorization header that is for somebody else, a proxy's say, does not hide the key."""
    assert allowed(Authorization="Basic dXNlcjpwYXNz", X_API_Key="right")
    assert allowed("/?api_key=right", Authorization="Bearer ")


@pytest.mark.parametrize("key", ["", "anything"])
def test_a_server_without_keys_lets_everyone_in(key: str) -> None:
    """Without a list, no key is asked for and any is taken."""
    assert allowed(keys=(), X_API_Key=key) and allowed(f"/?api_key={key}", keys=())


def test_a_key_is_a_tenant_that_does_not_tell_it() -> None:
    """Each key has a name of its own, a client's scopes and the server's limits; the name stays when other keys come,
    and when the key gets scopes of its own."""
    first, second = (identified(key) for key in KEYS)
    assert first.tenant and second.tenant and first.tenant != second.tenant and "right" not in first.tenant
    assert (first.scopes, first.limits, first.reservation) == (CLIENT_SCOPES, LIMITS, "")
    assert identified("right", ("new", *reversed(KEYS))) == first
    granted = identified("right", ("right speak,metrics",))
    assert granted.tenant == first.tenant and granted.scopes == {"speak", "metrics"}


def test_everybody_is_one_tenant_without_keys() -> None:
    """Nobody has a name; what is open to all is speech, figures and traces, within the same limits."""
    found = identified(None, ())
    assert found == identified("anything", ())
    assert (found.tenant, found.scopes, found.limits) == ("", frozenset({"speak", "metrics", "trace"}), LIMITS)


def test_who_is_on_the_servers_machine_sees_who_speaks() -> None:
    """Without keys. A client elsewhere does not."""
    access = Access((), LIMITS, Metrics())
    here, there = (asyncio.run(access.identify(Credentials(), address)) for address in ("127.0.0.1", "203.0.113.7"))
    assert "admin" in here.scopes and "admin" not in there.scopes


def test_a_refusal_says_what_was_expected_and_is_counted() -> None:
    """Each client without a known key counts as `unauthorized`, and none that has one."""
    metrics = Metrics()
    for key in (None, "", "wrong"):
        with pytest.raises(Refused, match="expected a known key") as refused:
            identified(key, metrics=metrics)
        assert refused.value.error.code == "unauthorized" and not refused.value.error.retryable
    identified("right", metrics=metrics)
    identified(None, (), metrics)
    assert counted(metrics).refusals() == {"unauthorized": 3}


def test_a_scope_is_asked_for_by_name() -> None:
    """A caller without it is refused, which counts; one that has it is not."""
    metrics = Metrics()
    access = Access((), LIMITS, metrics)
    access.require(Caller(scopes=frozenset({"speak"})), "speak")
    with pytest.raises(Refused, match="scope admin") as refused:
        access.require(identified(None, ()), "admin")
    assert refused.value.error.code == "unauthorized"
    assert counted(metrics).refusals() == {"unauthorized": 1}


class Waits:
    """A clock that stands still, and what `sleep` was asked for."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept_s: list[float] = []

    def clock(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)


def test_who_guesses_keys_waits_longer_each_time_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With the address and the count, never with the key. A right key from the same address does not wait."""
    waits = Waits()
    access = Access(KEYS, LIMITS, Metrics(), waits.clock, waits.sleep)

    async def scenario() -> None:
        for number in range(20):
            with pytest.raises(Refused):
                await access.identify(Credentials(f"GUESS-{number}"), "192.0.2.1")
            waits.now_s += 1
        slept = list(waits.slept_s)
        await access.identify(Credentials("right"), "192.0.2.1")
        assert waits.slept_s == slept

    asyncio.run(scenario())
    assert waits.slept_s == [0.25, 0.5, 1.0, 2.0] + 11 * [4.0]
    told = [(vars(record)["address"], vars(record)["failures"]) for record in caplog.records]
    assert told == [("192.0.2.1", 1), ("192.0.2.1", 11)]
    assert "GUESS" not in caplog.text


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each login compares all keys, whether one of them fits or none, with hmac.compare_digest."""
    compared: list[bytes] = []

    def compare(given: bytes, key: bytes) -> bool:
        compared.append(key)
        return given == key

    monkeypatch.setattr("hmac.compare_digest", compare)
    for key in ("right", "wrong", "schlüssel"):
        compared.clear()
        allowed(X_API_Key=key)
        assert compared == [known.encode() for known in KEYS]


@pytest.mark.parametrize("header", [b"X-API-Key: schl\xfcssel", b"Authorization: Bearer \xff\xfe"])
def test_bytes_that_are_no_text_are_a_wrong_key(header: bytes) -> None:
    """A header that is not UTF-8 is answered with 401, as any wrong key is."""

    async def scenario() -> bytes:
        async with served(api_keys=["right"]) as server:
            port = int(server.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /v1/other HTTP/1.1\r\nHost: here\r\nConnection: close\r\n" + header + b"\r\n\r\n")
            answer = await asyncio.wait_for(reader.read(), 10)
            writer.close()
            await writer.wait_closed()
            return answer

    status, _, rest = asyncio.run(scenario()).partition(b"\r\n")
    assert status == b"HTTP/1.1 401 Unauthorized" and b"unauthorized" in rest
