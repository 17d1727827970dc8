// The `openai` package for Node: chat, completions and responses; plain and streaming. Reads cases and prints what the SDK's
// caller saw, as `cases.py` says. An attempt's status is seen by a `fetch` around the built-in one. Its argument is the
// `package.json` beside the installed package.

import { createRequire } from "node:module";

const { OpenAI } = createRequire(process.argv[2])("openai");

const say = (id, event, fields) => console.log(JSON.stringify({ id, event, ...fields }));

function client(given) {
  const seen = async (url, init) => {
    const response = await fetch(url, init);
    say(given.id, "head", { status: response.status });
    return response;
  };
  return new OpenAI({ apiKey: given.key, baseURL: `${given.url}/v1`, fetch: seen, ...given.options });
}

const asked = (given) => ({ model: "demo", messages: [{ role: "user", content: given.text }] });

const modes = {
  async chat(given, run) {
    const answer = await client(given).chat.completions.create(asked(given));
    run.extra.choices = answer.choices ? answer.choices.length : null;
    if (!answer.choices) return null;
    run.extra.finish = answer.choices[0].finish_reason;
    return answer.choices[0].message.content;
  },
  // A time-out of this one call.
  async "chat-deadline"(given) {
    return (await client(given).chat.completions.create(asked(given), { timeout: 20_000 })).choices[0].message.content;
  },
  async "chat-stream"(given, run) {
    for await (const part of await client(given).chat.completions.create({ ...asked(given), stream: true }))
      for (const choice of part.choices) run.piece(choice.delta.content);
    return run.pieces.join("");
  },
  // The helper that gathers a whole answer from a stream.
  async "chat-helper"(given, run) {
    const stream = client(given).chat.completions.stream(asked(given));
    stream.on("chunk", (part) => part.choices.forEach((choice) => run.piece(choice.delta.content)));
    const whole = await stream.finalChatCompletion();
    run.extra.answer_id = whole.id;
    run.extra.role = whole.choices[0].message.role;
    return whole.choices[0].message.content;
  },
  async completions(given) {
    return (await client(given).completions.create({ model: "demo", prompt: given.text })).choices[0].text;
  },
  async responses(given) {
    return (await client(given).responses.create({ model: "demo", input: given.text })).output_text;
  },
  async "responses-stream"(given, run) {
    for await (const event of await client(given).responses.create({ model: "demo", input: given.text, stream: true }))
      if (event.type === "response.output_text.delta") run.piece(event.delta);
    return run.pieces.join("");
  },
};

function told(failure) {
  const inner = failure.error && typeof failure.error === "object" ? failure.error : {};
  return {
    type: failure.constructor.name,
    status: failure.status ?? null,
    code: failure.code ?? inner.code ?? null,
    approval: inner.approval_id ?? null,
    message: String(failure.message),
  };
}

const final = (failure) =>
  failure.status === 403 || /denied|in time|cancelled/.test(`${failure.code} ${failure.message}`);

async function runOne(given) {
  const start = performance.now();
  const failures = [];
  const run = { pieces: [], extra: {} };
  run.piece = (text) => {
    if (!text && !run.pieces.some(Boolean)) say(given.id, "kept_alive", {});
    run.pieces.push(text ?? "");
  };
  const report = (answer) => {
    const seconds = (performance.now() - start) / 1000;
    say(given.id, "done", { answer, failures, pieces: run.pieces.length, seconds, ...run.extra });
  };
  for (;;) {
    run.pieces = [];
    try {
      return report(await modes[given.mode](given, run));
    } catch (failure) {
      failures.push({ ...told(failure), partial: run.pieces.join("") });
    }
    if (final(failures.at(-1)) || failures.length > (given.asks_again ?? 0)) return report(null);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

let input = "";
for await (const piece of process.stdin) input += piece;
await Promise.all(JSON.parse(input).map(runOne));
