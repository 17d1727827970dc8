"""The `ollama` package for Python: chat and generate; plain and streaming, synchronous and asynchronous."""

import ollama

from cases import main


def settings(case):
    return {"host": case.url, "headers": {"Authorization": f"Bearer {case.key}"}, **case.options}


def asked(case):
    return {"model": "demo", "messages": [{"role": "user", "content": case.text}]}


def chat(case):
    return ollama.Client(**settings(case)).chat(**asked(case)).message.content


def chat_stream(case):
    for part in ollama.Client(**settings(case)).chat(**asked(case), stream=True):
        case.piece(part.message.content)
    return "".join(case.pieces)


def generate(case):
    return ollama.Client(**settings(case)).generate(model="demo", prompt=case.text).response


def generate_stream(case):
    for part in ollama.Client(**settings(case)).generate(model="demo", prompt=case.text, stream=True):
        case.piece(part.response)
    return "".join(case.pieces)


async def async_chat(case):
    return (await ollama.AsyncClient(**settings(case)).chat(**asked(case))).message.content


async def async_chat_stream(case):
    async for part in await ollama.AsyncClient(**settings(case)).chat(**asked(case), stream=True):
        case.piece(part.message.content)
    return "".join(case.pieces)


main(
    {
        "chat": chat,
        "chat-stream": chat_stream,
        "generate": generate,
        "generate-stream": generate_stream,
        "async-chat": async_chat,
        "async-chat-stream": async_chat_stream,
    }
)
