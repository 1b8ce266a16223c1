"""A run's page as it is served: to whom, what, and nothing else."""

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from jaxgan.data import Spec
from jaxgan.experiment import Experiment
from jaxgan.imaging import save_image
from jaxgan.runs import record
from jaxgan.runs.log import append_metrics
from jaxgan.runs.watch import address_of, open_server


@pytest.fixture
def run(tmp_path):
    """A run that has only begun, beside a file that is nobody's business."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    record.create(tmp_path / "run", Experiment(), [Spec((8, 8, 1), 10)])
    return tmp_path / "run"


@contextmanager
def served(run, host="127.0.0.1"):
    with open_server(run, host, 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ask(server, path, method="GET", **headers):
    """Status, headers and content of what is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    try:
        connection.request(method, path, headers=headers)
        found = connection.getresponse()
        return found.status, found.headers, found.read()
    finally:
        connection.close()


def log(run, step):
    append_metrics(run, {"step": step, "images_seen": 64 * step, "generator_loss": 1.0})
    save_image(run / "samples" / f"step_{step:06d}.png", np.zeros((8, 8, 1), np.uint8))


def test_a_run_without_logs_is_served_and_then_what_is_new(run):
    with served(run) as server:
        status, _, page = ask(server, "/")
        assert (status, b"0 of 3,000 steps" in page) == (200, True)
        first = json.loads(ask(server, "/data")[2])
        assert first["figures"] == []
        assert first["state"].encode() in page
        assert ask(server, f"/data?since={first['state']}")[::2] == (204, b"")
        log(run, 10)
        second = json.loads(ask(server, f"/data?since={first['state']}")[2])
        (figure,) = second["figures"]
        assert figure["curves"] == [{"name": "generator_loss", "x": [10], "y": [1.0]}]
        assert 'src="samples/step_000010.png"' in second["sections"]["samples"]
        assert "10 of 3,000 steps" in second["sections"]["top"]
        assert ask(server, f"/data?since={second['state']}")[0] == 204


def test_the_pictures_of_samples_are_served_and_no_other_file(run):
    log(run, 10)
    (run / "samples" / "step_000020.png").symlink_to(run.parent / "secret.png")
    with served(run) as server:
        status, headers, picture = ask(server, "/samples/step_000010.png")
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert picture == (run / "samples" / "step_000010.png").read_bytes()
        for path in (
            "/experiment.json",
            "/metrics.jsonl",
            "/samples/",
            "/samples/step_000020.png",
            "/samples/../experiment.json",
            "/samples/%2e%2e/experiment.json",
            "/samples/..%2f..%2fsecret.png",
            "//etc/passwd",
            "/samples/step_000010.png/",
            "samples",
        ):
            assert ask(server, path)[::2] == (404, b"there is nothing here"), path
        assert b"step_000020" not in ask(server, "/")[2]


def test_every_answer_says_that_it_is_not_to_be_kept_framed_or_guessed(run):
    with served(run) as server:
        for path in ("/", "/data", "/nothing"):
            headers = ask(server, path)[1]
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Content-Security-Policy"] == "frame-ancestors 'none'"
            assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in headers
            assert "Python" not in headers["Server"]


def test_it_is_packed_for_who_can_unpack_it(run):
    with served(run) as server:
        _, headers, packed = ask(server, "/", **{"Accept-Encoding": "gzip, br"})
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed) == ask(server, "/")[2]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("localhost:8888", 200),  # Through a tunnel.
        ("[::1]:80", 200),
        ("127.1.2.3", 200),
        ("evil.example", 403),  # A name that leads here (DNS rebinding).
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_on_loopback_only_requests_to_loopback_are_answered(run, host, status):
    with served(run) as server:
        found, _, body = ask(server, "/data", Host=host)
        assert found == status
        assert (b"figures" in body) == (status == 200)


def test_on_other_interfaces_a_token_is_asked_for(run):
    log(run, 10)
    with served(run, "0.0.0.0") as server:
        token = server.token
        assert len(token) >= 32
        assert address_of(server).endswith(f":{server.server_address[1]}/{token}/")
        for path in ("", "data", "samples/step_000010.png"):
            assert ask(server, f"/{token}/{path}", Host="any.example")[0] == 200
            for wrong in (
                "",
                f"/{token[:-1]}",
                f"/{token}x",
                "/%ff%00",
            ):
                assert ask(server, f"{wrong}/{path}")[::2] == (
                    *(403, b"the address lacks the token that jaxgan watch printed"),
                )
    with served(run, "0.0.0.0") as server:
        assert server.token != token


def test_a_run_that_is_damaged_meanwhile_is_named_and_served_again(run):
    with served(run) as server:
        log(run, 10)
        whole = (run / "metrics.jsonl").read_text()
        (run / "metrics.jsonl").write_text("nothing\n")
        status, _, body = ask(server, "/data")
        assert (status, body.startswith(b"line 1 of ")) == (500, True)
        (run / "metrics.jsonl").write_text(whole + '{"step": 20, "cut sho')
        assert ask(server, "/data")[0] == 200


def test_nothing_but_reading_is_answered(run):
    with record.lock(run):  # Somebody has trained in it.
        before = {path: path.stat().st_mtime_ns for path in (run, *run.rglob("*"))}
    with served(run) as server:
        assert {ask(server, "/", method)[0] for method in ("POST", "PUT", "DELETE")} == {501}
        ask(server, "/")
        ask(server, "/data")
        with record.lock(run):  # What trains.
            assert ask(server, "/data")[0] == 200
    assert {path: path.stat().st_mtime_ns for path in (run, *run.rglob("*"))} == before


def test_a_reader_who_has_gone_is_no_error(run, capsys):
    with served(run) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
        connection.request("GET", "/")
        connection.close()
        assert ask(server, "/data")[0] == 200
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("no such host", "nothing can be served on 'no such host', port 0: "),
        ("8.8.8.8", "on '8.8.8.8', port 0: Cannot assign requested address"),
        ("x" * 70, "nothing can be served on 'xxx"),
    ],
)
def test_what_is_no_interface_is_named(run, host, said):
    with pytest.raises(ValueError, match=said):
        open_server(run, host, 0)


def test_a_port_in_use_is_named(run):
    with open_server(run, "127.0.0.1", 0) as server:
        port = server.server_address[1]
        with pytest.raises(ValueError, match=f"port {port} of 127.0.0.1 is in use; port 0 takes"):
            open_server(run, "127.0.0.1", port)


def test_the_command_serves_until_it_is_interrupted_and_takes_no_device(run):
    """The run is found by a link too, and what trains has the accelerator for itself."""
    (run.parent / "latest").symlink_to("run")
    # Where the tests run in the background, a shell has them ignore interrupts.
    heeding = (
        "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        'runpy.run_module("jaxgan", run_name="__main__", alter_sys=True)'
    )
    command = [sys.executable, "-c", heeding, "watch", "latest"]
    environment = os.environ | {"JAX_PLATFORMS": "none such", "PYTHONPATH": os.getcwd()}
    with subprocess.Popen(
        *(command, -1),
        cwd=run.parent,
        env=environment,
        stdout=-1,
        stderr=-1,
        text=True,
    ) as process:
        said = process.stdout.readline()
        address = said.removeprefix("latest: ").split()[0]
        with urllib.request.urlopen(f"{address}data") as found:
            assert json.load(found)["figures"] == []
        process.send_signal(signal.SIGINT)
        assert (*process.communicate(timeout=20), process.returncode) == ("\n", "", 0)
    assert said == f"latest: {address} (Ctrl-C ends it)\n"
    assert address.startswith("http://127.0.0.1:")
