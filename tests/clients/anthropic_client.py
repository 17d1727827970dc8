"""The `anthropic` package for Python: messages, plain and streaming, synchronous and asynchronous."""

import functools

import anthropic

from cases import main


@functools.lru_cache
def shared(url):
    return anthropic.Anthropic(api_key="none", base_url=url)


def client(case):
    return shared(case.url).with_options(api_key=case.key, **case.options)


def asynchronous(case):
    return anthropic.AsyncAnthropic(api_key=case.key, base_url=case.url, **case.options)


def asked(case):
    return {"model": "demo", "max_tokens": 64, "messages": [{"role": "user", "content": case.text}]}


def messages(case):
    return client(case).messages.create(**asked(case)).content[0].text


def messages_stream(case):
    for event in client(case).messages.create(**asked(case), stream=True):
        if event.type == "content_block_delta":
            case.piece(event.delta.text)
    return "".join(case.pieces)


def messages_helper(case):
    """The helper that gathers a whole answer from a stream."""
    with client(case).messages.stream(**asked(case)) as stream:
        for text in stream.text_stream:
            case.piece(text)
        return stream.get_final_message().content[0].text


async def async_messages(case):
    async with asynchronous(case) as client:
        return (await client.messages.create(**asked(case))).content[0].text


async def async_messages_stream(case):
    async with asynchronous(case) as client, client.messages.stream(**asked(case)) as stream:
        async for text in stream.text_stream:
            case.piece(text)
        return (await stream.get_final_message()).content[0].text


main(
    {
        "messages": messages,
        "messages-stream": messages_stream,
        "messages-helper": messages_helper,
        "async-messages": async_messages,
        "async-messages-stream": async_messages_stream,
    }
)
