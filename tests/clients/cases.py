"""What the client programs have in common: they read cases, run all of them side by side with an unmodified SDK, and say
what its caller saw, one JSON object a line.

An attempt's status is read from the log line that the SDK's HTTP library writes for every response; nothing is patched.
"""

import asyncio
import contextvars
import json
import logging
import sys
import threading
import time

current = contextvars.ContextVar("current", default=None)
printing = threading.Lock()


def say(case, event, **fields):
    line = json.dumps({"id": case.id, "event": event, **fields})
    with printing:
        print(line, flush=True)


class Case:
    """One conversation with a server: which way of calling the SDK, where, as whom, with what text."""

    def __init__(self, given):
        self.id = given["id"]
        self.mode = given["mode"]
        self.url = given["url"]
        self.key = given["key"]
        self.text = given["text"]
        # Settings of the SDK's client that differ from its defaults; empty for most.
        self.options = given.get("options", {})
        # How often the program asks again after a failure that is not final, as programs around SDKs do.
        self.asks_again = given.get("asks_again", 0)
        self.pieces = []
        self.extra = {}

    def piece(self, text):
        """Notes a piece of an answer as the SDK hands it out; an empty one is a keep-alive."""
        if not text and not any(self.pieces):
            say(self, "kept_alive")
        self.pieces.append(text or "")


class Heads(logging.Handler):
    """`HTTP Request: %s %s "%s %d %s"`: method, URL, version, status, reason."""

    def emit(self, record):
        case = current.get()
        if case is not None and str(record.msg).startswith("HTTP Request:"):
            say(case, "head", status=record.args[3])


def told(failure):
    """What a caller can read from an exception."""
    body = getattr(failure, "body", None)
    inner = body.get("error", body) if isinstance(body, dict) else {}
    inner = inner if isinstance(inner, dict) else {}
    status = getattr(failure, "status_code", None)
    return {
        "type": type(failure).__name__,
        "status": status if isinstance(status, int) and status > 0 else None,
        "code": getattr(failure, "code", None) or inner.get("code"),
        "approval": inner.get("approval_id"),
        "message": str(failure),
    }


def final(failure):
    text = f"{failure['code']} {failure['message']}"
    return failure["status"] == 403 or any(word in text for word in ("denied", "in time", "cancelled"))


def report(case, answer, failures, start):
    waited = time.monotonic() - start
    say(case, "done", answer=answer, failures=failures, pieces=len(case.pieces), seconds=waited, **case.extra)


def run_one(case, mode):
    current.set(case)
    start, failures = time.monotonic(), []
    while True:
        case.pieces = []
        try:
            return report(case, mode(case), failures, start)
        except Exception as failure:
            failures.append({**told(failure), "partial": "".join(case.pieces)})
        if final(failures[-1]) or len(failures) > case.asks_again:
            return report(case, None, failures, start)
        time.sleep(1)


async def run_one_async(case, mode):
    current.set(case)
    start, failures = time.monotonic(), []
    while True:
        case.pieces = []
        try:
            return report(case, await mode(case), failures, start)
        except Exception as failure:
            failures.append({**told(failure), "partial": "".join(case.pieces)})
        if final(failures[-1]) or len(failures) > case.asks_again:
            return report(case, None, failures, start)
        await asyncio.sleep(1)


def main(modes):
    """Runs the cases that standard input gives; `modes` are functions, plain or asynchronous, by name."""
    # What libraries warn of is seen by what they do.
    logging.getLogger().addHandler(logging.NullHandler())
    for name in ("httpx", "httpx2"):
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(Heads())
        logging.getLogger(name).propagate = False
    cases = [Case(given) for given in json.load(sys.stdin)]
    plain = [case for case in cases if not asyncio.iscoroutinefunction(modes[case.mode])]
    threads = [threading.Thread(target=run_one, args=(case, modes[case.mode])) for case in plain]
    for thread in threads:
        thread.start()

    async def side_by_side():
        rest = [case for case in cases if case not in plain]
        await asyncio.gather(*(asyncio.create_task(run_one_async(case, modes[case.mode])) for case in rest))

    asyncio.run(side_by_side())
    for thread in threads:
        thread.join()
