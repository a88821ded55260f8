import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from qd.dashboard import Server
from qd.dashboard.app import make_app, run_name
from qd.dashboard.gate import is_loopback, new_token
from qd.dashboard.results import Results
from qd.errors import UsageError

TOKEN = "right-token"


@pytest.fixture
def results(finished: Path) -> Results:
    return Results(finished.parent)


@pytest.fixture
def local(results: Results) -> FlaskClient:
    return make_app(results, None).server.test_client()


@pytest.fixture
def foreign(results: Results) -> FlaskClient:
    return make_app(results, TOKEN).server.test_client()


@pytest.mark.parametrize("path", ["/", "/run/finished", "/_dash-layout", "/_dash-dependencies", "/assets/style.css"])
def test_without_the_token_nothing_is_shown(path: str, foreign: FlaskClient) -> None:
    for answer in (foreign.get(path), foreign.get(f"{path}?token=wrong"), foreign.post(path)):
        assert answer.status_code == 401
        assert b"finished" not in answer.data
    foreign.set_cookie("qd_token", "wrong")
    assert foreign.get(path).status_code == 401


def test_the_token_opens_once_for_all(foreign: FlaskClient) -> None:
    answer = foreign.get(f"/run/finished?token={TOKEN}&x=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/run/finished?x=1"), "out of the address bar"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert foreign.get("/run/finished").status_code == 200


def test_programs_may_send_the_token_as_a_header(foreign: FlaskClient) -> None:
    assert foreign.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert foreign.get("/", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_on_loopback_other_names_are_refused(local: FlaskClient) -> None:
    for host in ("127.0.0.1:8050", "localhost:8050", "[::1]:8050"):
        assert local.get("/", headers={"Host": host}).status_code == 200
    for host in ("evil.example", "evil.example:8050", "10.0.0.1", "127.0.0.1.evil.example"):
        assert local.get("/", headers={"Host": host}).status_code == 403, "a name of somebody else's that points here"


def test_nothing_is_loaded_from_elsewhere(local: FlaskClient) -> None:
    answer = local.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert b"//cdn" not in answer.data
    assert b"https://" not in answer.data


@pytest.mark.parametrize(
    "path",
    [
        "/run/nobody",
        "/run/../secret",
        "/run/..%2Fsecret",
        "/run/%2e%2e/secret",
        "/run//etc",
        "/run/finished/../../secret",
        "/run/%2Fetc%2Fpasswd",
        "/run/finished%00",
        "/run/./finished",
        "/run/finished/weights",
    ],
)
def test_addresses_outside_the_results_are_refused(path: str, local: FlaskClient, finished: Path) -> None:
    secret = finished.parent.parent / "secret"
    secret.mkdir(exist_ok=True)
    (secret / "log.sqlite").write_bytes((finished / "log.sqlite").read_bytes())
    assert local.get(path).status_code == 404
    answer = _callback(local, run_name(path) or "")
    assert "There is no run" in answer or answer == ""


def _callback(client: FlaskClient, name: str) -> str:
    """Ask for a page as the browser's script does, with an address of one's own."""
    body = {
        "output": "page.children",
        "outputs": {"id": "page", "property": "children"},
        "inputs": [{"id": "address", "property": "pathname", "value": f"/run/{name}"}],
        "changedPropIds": ["address.pathname"],
    }
    answer = client.post("/_dash-update-component", json=body)
    assert answer.status_code == 200
    return json.dumps(answer.json)


def test_a_link_that_leads_outside_is_no_run(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "link").symlink_to(finished)
    results = Results(tmp_path / "inside")
    assert results.names() == []
    with pytest.raises(UsageError, match="There is no run 'link'"):
        results.open("link")


@pytest.mark.parametrize(("host", "answer"), [("127.0.0.1", True), ("localhost", True), ("::1", True), ("[::1]", True),
                                              ("0.0.0.0", False), ("192.168.1.2", False), ("::", False),
                                              ("example.org", False)])  # fmt: skip
def test_what_is_loopback(host: str, answer: bool) -> None:
    assert is_loopback(host) == answer


def test_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 32


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    started: list[tuple[Server, threading.Thread]] = []

    def start(folder: Path, **options: Any) -> Server:
        server = Server(folder, port=0, **options)
        thread = threading.Thread(target=server.serve)
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.stop()
        thread.join()


def test_an_open_address_asks_for_the_token_that_is_printed(serve: Callable[..., Server], finished: Path) -> None:
    server = serve(finished.parent, host="0.0.0.0")
    assert server.token is not None
    assert server.token in server.link
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for path, status in (("/", 401), (f"/?token={server.token}", 302)):
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_on_loopback_no_token_is_asked(serve: Callable[..., Server], finished: Path) -> None:
    server = serve(finished.parent)
    assert server.token is None
    assert server.link == server.address


def test_a_taken_port_is_told(serve: Callable[..., Server], finished: Path) -> None:
    server = serve(finished.parent)
    port = int(server.address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(UsageError, match=rf"--port {port}: cannot listen there .*choose another --port"):
        Server(finished.parent, port=port)
    with pytest.raises(UsageError, match=r"--host 203\.0\.113\.7 --port 0: cannot listen there"):
        Server(finished.parent, host="203.0.113.7", port=0)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        Server(tmp_path / "nothing", port=0)
