"""curl, as in a shell script: a plain call, a streaming one (`--no-buffer`), one with `--retry`, one without a credential, and
one that asks now and fetches the answer later. Without `--retry` the script asks again by itself."""

import json
import subprocess
import tempfile

from cases import main, say


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(body)
        self.status_code = status
        try:
            self.body = json.loads(body)
        except ValueError:
            self.body = None


def curl(case, body, *more):
    """Runs curl and gives the answer's lines as they come, after its head."""
    with started(case, json.dumps(body, ensure_ascii=False), "--include", *more) as child:
        status, headers = head(case, child.stdout)
        if not 200 <= status < 300:
            case.extra["approval"] = headers.get("countersign-approval-id")
            raise Refused(status, child.stdout.read() or child.stderr.read())
        yield from child.stdout
        if child.wait() != 0:
            raise Refused(0, child.stderr.read())


def started(case, body, *more, path="/v1/chat/completions"):
    arguments = ["curl", "--silent", "--show-error", "--no-buffer", "--noproxy", "*", f"{case.url}{path}", *more]
    if case.key:
        arguments += ["--header", f"authorization: Bearer {case.key}"]
    if body:
        arguments += ["--header", "content-type: application/json", "--data-binary", "@-"]
    pipe = subprocess.PIPE
    child = subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True, encoding="utf-8")
    child.stdin.write(body)
    child.stdin.close()
    return child


def head(case, lines):
    """Reads an answer's head; status 0 when there is none."""
    status, headers = 0, {}
    for line in lines:
        if line.startswith("HTTP/"):
            status = int(line.split()[1])
            say(case, "head", status=status)
        name, _, value = line.partition(": ")
        headers[name.lower()] = value.strip()
        if not line.strip() and status != 100:
            break
    return status, headers


def asked(case):
    return {"model": "demo", "messages": [{"role": "user", "content": case.text}]}


def named(case):
    """The approval that an earlier answer named."""
    approval = case.extra.get("approval")
    return ["--header", f"countersign-approval-id: {approval}"] if approval else []


def chat(case):
    return json.loads("".join(curl(case, asked(case))))["choices"][0]["message"]["content"]


def chat_retry(case):
    """What curl does by itself when it is told to retry."""
    with tempfile.NamedTemporaryFile() as file:
        more = ["--retry", "9", "--fail-with-body", "--dump-header", "-", "--output", file.name]
        with started(case, json.dumps(asked(case), ensure_ascii=False), *more) as child:
            statuses = list(iter(lambda: head(case, child.stdout)[0], 0))
        body = file.read().decode()
    if not 200 <= statuses[-1] < 300:
        raise Refused(statuses[-1], body)
    return json.loads(body)["choices"][0]["message"]["content"]


def chat_anonymous(case):
    """Without a credential, whoever asks again names the approval."""
    return json.loads("".join(curl(case, asked(case), *named(case))))["choices"][0]["message"]["content"]


def ask_later(case):
    """Asks without waiting, looks at the status until people have decided, and sends the same again."""
    body = json.dumps(asked(case), ensure_ascii=False)
    with started(case, body, "--include", "--header", "prefer: respond-async") as child:
        status, headers = head(case, child.stdout)
        if status != 202:
            raise Refused(status, child.stdout.read())
        case.extra["approval"] = headers["countersign-approval-id"]
    phase = "Pending"
    while phase == "Pending":
        with started(case, "", "--header", "prefer: wait=10", path=headers["location"]) as child:
            phase = json.load(child.stdout)["status"]["phase"]
    case.extra["phase"] = phase
    return json.loads("".join(curl(case, asked(case), *named(case))))["choices"][0]["message"]["content"]


def chat_stream(case):
    for line in curl(case, {**asked(case), "stream": True}):
        if line.startswith(":"):
            case.extra["comments"] = case.extra.get("comments", 0) + 1
        if not line.startswith("data: {"):
            continue
        event = json.loads(line.removeprefix("data: "))
        if "error" in event:
            raise Refused(None, json.dumps(event))
        for choice in event["choices"]:
            case.piece(choice["delta"].get("content"))
    return "".join(case.pieces)


main(
    {
        "chat": chat,
        "chat-retry": chat_retry,
        "chat-stream": chat_stream,
        "chat-anonymous": chat_anonymous,
        "ask-later": ask_later,
    }
)
