#!/usr/bin/env python3
"""A delivery client for `fleetmark run`, with nothing but Python's standard library.

It reads requests and writes answers, a line of JSON each. Put your own push and verify here.
"""
import http.client
import json
import signal
import ssl
import sys
import time
import urllib.parse


MOST = 64 << 10  # bytes of an answer; a longer one isn't JSON any more


class Failed(Exception):
    """An operation failed. The class is what failures are counted by."""

    def __init__(self, kind, message, status=0):
        super().__init__(message)
        self.kind, self.status = kind, status


class Client:
    def __init__(self, hello):
        self.headers = {name: ", ".join(values) for name, values in hello.get("headers", {}).items()}
        self.timeout = hello.get("total_timeout_ms", 10_000) / 1000
        self.attempts = hello.get("max_attempts", 4)
        self.good_reads = hello.get("good_reads", 1)
        self.tls = ssl.create_default_context(cafile=hello.get("ca_file"))

    def send(self, method, url, body=None, headers=None):
        """Sends a request over a connection of its own, and returns the answer as JSON."""
        at = urllib.parse.urlsplit(url)
        if at.scheme == "https":
            connection = http.client.HTTPSConnection(at.netloc, timeout=self.timeout, context=self.tls)
        else:
            connection = http.client.HTTPConnection(at.netloc, timeout=self.timeout)
        # A timeout of a socket begins again with each byte; this one is of the whole request.
        signal.setitimer(signal.ITIMER_REAL, self.timeout)
        try:
            connection.request(method, at.path, body, {**self.headers, **(headers or {})})
            answer = connection.getresponse()
            text = answer.read(MOST)
        except TimeoutError:
            raise Failed("timeout", f"{method} {at.path}: no answer within {self.timeout} s")
        except (OSError, http.client.HTTPException) as e:
            raise Failed("connection", f"{method} {at.path}: {e!r}")
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            connection.close()
        if answer.status not in (200, 202):
            kind = "temporary" if answer.status in (409, 429, 503) else "refused"
            raise Failed(kind, f"{method} {at.path}: status {answer.status}", answer.status)
        try:
            return dict(json.loads(text))
        except (TypeError, ValueError):
            raise Failed("nonsense", f"{method} {at.path}: the answer isn't JSON")

    def push(self, request):
        artifact = request["artifact"]
        with open(artifact["path"], "rb") as body:
            answer = self.send("POST", request["device"]["address"] + "/update", body, {
                "Content-Length": str(artifact["size"]),
                "Content-Type": "application/octet-stream",
                "X-Update-Version": request["version"],
                # A device that has applied the update, and whose answer was lost, applies it once.
                "Idempotency-Key": f'"{request["version"]}-{artifact["sha256"][:16]}"',
            })
        if answer.get("success") is not True:
            raise Failed("refused", "the device did not take the update")

    def verify(self, request):
        answer = self.send("GET", request["device"]["address"] + "/version")
        if (answer.get("version"), answer.get("digest")) != (request["version"], request["artifact"]["sha256"]):
            raise Failed("other-version", f"the device runs {answer.get('version')!r}")
        if answer.get("state", "idle") != "idle":
            raise Failed("other-version", f"the device is {answer['state']!r}")
        if answer.get("device_id") != request["device"].get("id", answer.get("device_id")):
            raise Failed("other-device", f"it is device {answer.get('device_id')!r}")

    def deliver(self, request, said):
        """Pushes and verifies, with retries, and counts what it sends in said."""
        deadline = time.monotonic() + request["deadline_ms"] / 1000
        while True:
            try:
                began = time.monotonic_ns()
                said["pushes"] += 1
                try:
                    self.push(request)
                except Failed as e:
                    # After a lost answer the device may have the update: ask before pushing again.
                    if e.kind not in ("timeout", "connection", "nonsense"):
                        raise
                pushed = time.monotonic_ns()
                for _ in range(self.good_reads):  # a device may fall back after it has said that it runs the update
                    said["verifies"] += 1
                    self.verify(request)
                said.update(push_ns=pushed - began, verify_ns=time.monotonic_ns() - pushed)
                return
            except Failed as e:
                wait = 0.05 * 2 ** said["pushes"]
                again = e.kind != "refused" and said["pushes"] < self.attempts
                if not again or time.monotonic() + wait > deadline:
                    raise
                time.sleep(wait)


def too_late(signal_number, frame):
    raise TimeoutError


def main():
    signal.signal(signal.SIGALRM, too_late)
    client = Client(json.loads(sys.stdin.readline()))
    print(json.dumps({"protocol": 1, "version": "1.0"}), flush=True)  # ready
    for line in sys.stdin:  # it ends when Fleetmark does
        request = json.loads(line)
        answer = {"id": request["id"]}
        try:
            if request["operation"] == "deliver":
                answer.update(pushes=0, verifies=0)
                client.deliver(request, answer)
            elif request["operation"] == "push":
                client.push(request)
            else:
                client.verify(request)
            answer["ok"] = True
        except Failed as e:
            answer["error"] = {"class": e.kind, "message": str(e), "status": e.status}
        print(json.dumps(answer), flush=True)


main()
