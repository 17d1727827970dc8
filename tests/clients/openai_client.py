"""The `openai` package for Python: chat, completions and responses; plain and streaming, synchronous and asynchronous."""

import functools

import openai

from cases import main


@functools.lru_cache
def shared(url):
    return openai.OpenAI(api_key="none", base_url=f"{url}/v1")


def client(case):
    return shared(case.url).with_options(api_key=case.key, **case.options)


def asynchronous(case):
    return openai.AsyncOpenAI(api_key=case.key, base_url=f"{case.url}/v1", **case.options)


def messages(case):
    return {"model": "demo", "messages": [{"role": "user", "content": case.text}]}


def chunk(case, chunk):
    for choice in chunk.choices:
        case.piece(choice.delta.content)


def chat(case):
    answer = client(case).chat.completions.create(**messages(case))
    case.extra["choices"] = None if answer.choices is None else len(answer.choices)
    if not answer.choices:
        return None
    case.extra["finish"] = answer.choices[0].finish_reason
    return answer.choices[0].message.content


def chat_stream(case):
    for part in client(case).chat.completions.create(**messages(case), stream=True):
        chunk(case, part)
    return "".join(case.pieces)


def chat_helper(case):
    """The helper that gathers a whole answer from a stream."""
    with client(case).chat.completions.stream(**messages(case)) as stream:
        for event in stream:
            if event.type == "chunk":
                chunk(case, event.chunk)
        whole = stream.get_final_completion()
    case.extra["answer_id"] = whole.id
    case.extra["role"] = whole.choices[0].message.role
    return whole.choices[0].message.content


def completions(case):
    return client(case).completions.create(model="demo", prompt=case.text).choices[0].text


def completions_stream(case):
    for part in client(case).completions.create(model="demo", prompt=case.text, stream=True):
        case.piece(part.choices[0].text)
    return "".join(case.pieces)


def responses(case):
    return client(case).responses.create(model="demo", input=case.text).output_text


def responses_stream(case):
    """The helper, which checks the order of events."""
    with client(case).responses.stream(model="demo", input=case.text) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                case.piece(event.delta)
        return stream.get_final_response().output_text


async def async_chat(case):
    async with asynchronous(case) as client:
        answer = await client.chat.completions.create(**messages(case))
    return answer.choices[0].message.content


async def async_chat_stream(case):
    async with asynchronous(case) as client:
        async for part in await client.chat.completions.create(**messages(case), stream=True):
            chunk(case, part)
    return "".join(case.pieces)


async def async_responses_stream(case):
    async with asynchronous(case) as client:
        async for event in await client.responses.create(model="demo", input=case.text, stream=True):
            if event.type == "response.output_text.delta":
                case.piece(event.delta)
            if event.type == "error":
                case.extra["error_event"] = event.message
    return "".join(case.pieces)


def conversation(case, ask):
    """Twenty turns, each sent with all before it, as chat programs do; the third is about something that is held. Then the
    same again with a letter of that turn changed."""
    said = [{"role": "user", "content": case.text}]
    for turn in range(1, 21):
        answer = ask(said)
        case.extra["turns"] = turn
        question = "What does the merger say?" if turn == 2 else f"And then, {turn}?"
        said += [{"role": "assistant", "content": answer}, {"role": "user", "content": question}]
    assert said[4]["content"] == "What does the merger say?"
    said[4] = {"role": "user", "content": "What does the merger pay?"}
    try:
        ask(said)
    except openai.APIError as failure:
        case.extra["changed"] = failure.code
    return answer


def whole_conversation(case):
    def ask(said):
        return client(case).chat.completions.create(model="demo", messages=said).choices[0].message.content

    return conversation(case, ask)


def streamed_conversation(case):
    def ask(said):
        parts = client(case).chat.completions.create(model="demo", messages=said, stream=True)
        return "".join(choice.delta.content or "" for part in parts for choice in part.choices)

    return conversation(case, ask)


def leaves(case):
    """Has little time, and does not ask again."""
    return client(case).with_options(timeout=12, max_retries=0).chat.completions.create(**messages(case)).id


def leaves_stream(case):
    """Hangs up when the stream has begun."""
    client(case).chat.completions.create(**messages(case), stream=True).close()


main(
    {
        "leaves": leaves,
        "leaves-stream": leaves_stream,
        "conversation": whole_conversation,
        "conversation-stream": streamed_conversation,
        "chat": chat,
        "chat-stream": chat_stream,
        "chat-helper": chat_helper,
        "completions": completions,
        "completions-stream": completions_stream,
        "responses": responses,
        "responses-stream": responses_stream,
        "async-chat": async_chat,
        "async-chat-stream": async_chat_stream,
        "async-responses-stream": async_responses_stream,
    }
)
