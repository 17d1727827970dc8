"""The `langchain-openai` package for Python: a chat model, called plainly, streaming and asynchronously."""

from langchain_openai import ChatOpenAI

from cases import main


def model(case):
    return ChatOpenAI(model="demo", api_key=case.key, base_url=f"{case.url}/v1", **case.options)


def invoke(case):
    return model(case).invoke(case.text).content


def stream(case):
    for part in model(case).stream(case.text):
        case.piece(part.content)
    return "".join(case.pieces)


async def ainvoke(case):
    return (await model(case).ainvoke(case.text)).content


async def astream(case):
    case.extra["stream_chunk_timeout"] = model(case).stream_chunk_timeout
    async for part in model(case).astream(case.text):
        case.piece(part.content)
    return "".join(case.pieces)


main({"invoke": invoke, "stream": stream, "ainvoke": ainvoke, "astream": astream})
