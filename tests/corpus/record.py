"""Records what real SDKs send, byte for byte, as accept fixtures.

Each call below runs against a server on loopback that keeps the body and answers nothing useful; the body lands in
`accept/<format>/sdk-<name>.json`. Run it after an SDK upgrade and read the difference:

    pip install openai==3.54.0 anthropic==2.12.0 ollama==0.6.3 huggingface_hub==2.4.0
    python tests/corpus/record.py
"""

import http.server
import pathlib
import threading

import anthropic
import huggingface_hub
import ollama
import openai

ACCEPT = pathlib.Path(__file__).parent / "accept"
seen = []


class Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        length = self.headers.get("content-length")
        if length is not None:
            body = self.rfile.read(int(length))
        else:
            body = b""
            while (size := int(self.rfile.readline(), 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        seen.append((self.path, body))
        self.send_response(400)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keep)
threading.Thread(target=server.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{server.server_port}"


def record(folder, name, call):
    seen.clear()
    try:
        result = call()
        if hasattr(result, "__iter__"):
            list(result)
    except Exception as refused:  # every call is answered 400: only what was sent counts
        if not seen:
            raise SystemExit(f"{folder}/{name}: nothing was sent: {refused}")
    path = ACCEPT / folder / f"sdk-{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(seen[0][1])


WEATHER = {
    "name": "get_weather",
    "description": "Current weather in a town",
    "parameters": {
        "type": "object",
        "properties": {"town": {"type": "string", "description": "Town and country"}, "days": {"type": "integer"}},
        "required": ["town"],
        "additionalProperties": False,
    },
}
CHAT = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Grüße aus Köln \N{SNOWMAN} – what now?"}]
CALLED = [
    {"role": "user", "content": "Weather in Bergen?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"town":"Bergen, Norway","days":2}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"rain_mm": 12.5}'},
]

ai = openai.OpenAI(base_url=URL + "/v1", api_key="none", max_retries=0)
chat = ai.chat.completions.create
record("openai-chat", "plain", lambda: chat(model="demo", messages=CHAT))
record("openai-chat", "stream", lambda: chat(model="demo", messages=CHAT, stream=True, stream_options={"include_usage": True}))
record("openai-chat", "tools", lambda: chat(model="demo", messages=CALLED, tools=[{"type": "function", "function": WEATHER}], tool_choice="auto", parallel_tool_calls=False))
record("openai-chat", "settings", lambda: chat(model="demo", messages=CHAT, temperature=0.2, top_p=0.9, n=2, stop=["\n\n", "END"], seed=7, max_completion_tokens=64, presence_penalty=0.1, frequency_penalty=-0.1, user="u-17", logprobs=True, top_logprobs=3, metadata={"team": "search"}))
record("openai-chat", "schema", lambda: chat(model="demo", messages=CHAT, response_format={"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": WEATHER["parameters"]}}))
record("openai-chat", "parts", lambda: chat(model="demo", messages=[{"role": "user", "content": [{"type": "text", "text": "First"}, {"type": "text", "text": "Second"}]}]))
record("openai-chat", "developer", lambda: chat(model="demo", messages=[{"role": "developer", "content": "Cite sources."}, {"role": "user", "content": "Hi", "name": "ada"}], reasoning_effort="low"))
record("openai-completions", "plain", lambda: ai.completions.create(model="demo", prompt="Once upon a time", max_tokens=16))
record("openai-completions", "list", lambda: ai.completions.create(model="demo", prompt=["One", "Two"], suffix="The end.", echo=False, best_of=2, stream=True))
record("openai-responses", "plain", lambda: ai.responses.create(model="demo", input="Say hi"))
record("openai-responses", "items", lambda: ai.responses.create(model="demo", instructions="Be brief.", input=[{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}], tools=[{"type": "function", **WEATHER, "strict": True}], store=False, stream=True))
record("openai-responses", "outputs", lambda: ai.responses.create(model="demo", input=[{"role": "user", "content": "Weather?"}, {"type": "function_call", "call_id": "c1", "name": "get_weather", "arguments": '{"town":"Oslo"}'}, {"type": "function_call_output", "call_id": "c1", "output": "rain"}], temperature=0, max_output_tokens=99))
record("openai-embeddings", "plain", lambda: ai.embeddings.create(model="demo", input="The quick brown fox"))
record("openai-embeddings", "list", lambda: ai.embeddings.create(model="demo", input=["a", "b"], dimensions=64, encoding_format="float"))
record("openai-moderations", "plain", lambda: ai.moderations.create(input="How do I bake bread?"))

an = anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0)
TOOL = {"name": "get_weather", "description": "Current weather", "input_schema": WEATHER["parameters"]}
record("anthropic-messages", "plain", lambda: an.messages.create(model="demo", max_tokens=64, messages=[{"role": "user", "content": "Hello, Claude"}]))
record("anthropic-messages", "stream", lambda: an.messages.create(model="demo", max_tokens=64, system="Be brief.", stream=True, stop_sequences=["END"], metadata={"user_id": "u-17"}, messages=[{"role": "user", "content": [{"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}]}]))
record("anthropic-messages", "tools", lambda: an.messages.create(model="demo", max_tokens=64, tools=[TOOL], tool_choice={"type": "auto"}, messages=[{"role": "user", "content": "Weather in Bergen?"}, {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"town": "Bergen", "days": 2}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "12 mm of rain"}]}]))
record("anthropic-count-tokens", "plain", lambda: an.messages.count_tokens(model="demo", system=[{"type": "text", "text": "Be brief."}], messages=[{"role": "user", "content": "Hello"}], tools=[TOOL]))

ol = ollama.Client(host=URL)
record("ollama-chat", "plain", lambda: ol.chat(model="demo", messages=[{"role": "user", "content": "Why is the sky blue?"}]))
record("ollama-chat", "stream", lambda: ol.chat(model="demo", messages=CHAT, stream=True, options={"temperature": 0.1, "num_ctx": 4096, "stop": ["END"]}, keep_alive="5m"))
record("ollama-chat", "tools", lambda: ol.chat(model="demo", messages=[{"role": "user", "content": "Weather?"}], tools=[{"type": "function", "function": WEATHER}], format=WEATHER["parameters"], think=False))
record("ollama-generate", "plain", lambda: ol.generate(model="demo", prompt="Why is the sky blue?"))
record("ollama-generate", "settings", lambda: ol.generate(model="demo", prompt="Why?", system="Be brief.", stream=True, options={"seed": 7, "top_k": 20}))
record("ollama-embed", "plain", lambda: ol.embed(model="demo", input=["The sky", "The sea"]))
record("ollama-embed", "old", lambda: ol.embeddings(model="demo", prompt="The sky"))

hf = huggingface_hub.InferenceClient(URL)
record("tgi-generate", "plain", lambda: hf.text_generation("Once upon a time", max_new_tokens=20))
record("tgi-generate", "details", lambda: hf.text_generation("Once", details=True, stream=True, do_sample=True, temperature=0.5, stop=["END"], seed=7, top_n_tokens=2))
