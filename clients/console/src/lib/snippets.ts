/**
 * The same request for several programs. Each snippet is a whole program that speaks it into `speech.wav`.
 * `tests/clients_real/test_snippets.py` runs them all. This file imports nothing.
 */

/** What is asked for. */
export interface SnippetRequest {
  /** Address of the server, without a slash at its end. */
  url: string;
  /** Whether the server wants a key. A snippet takes it from the environment variable RTSERVER_KEY. */
  hasKey: boolean;
  text: string;
  /** Fields of the native wire. */
  fields: Readonly<Record<string, string | number | boolean>>;
  /** Files beside the program that hold recordings, by field: `prompt_audio`, `source_audio`. */
  files: Readonly<Record<string, string>>;
}

export interface Snippet {
  name: "curl" | "python" | "javascript" | "openai" | "pipecat" | "livekit";
  label: string;
  /** What must be installed, if anything. */
  install: string;
  /** How the file of the program ends. */
  suffix: "sh" | "py" | "mjs";
  /** Fields that it cannot carry. */
  lacks(request: SnippetRequest): string[];
  program(request: SnippetRequest): string;
}

const FILES = ["prompt_audio", "source_audio"];
// Recordings that lie on the server: only HTTP takes them.
const PATHS = ["prompt_wav_path", "source_wav_path"];
// What our plugins for agents take.
const AGENT_FIELDS = ["voice", "language", "mode", "speed", "seed", "instruct_text"];

export const SNIPPETS: readonly Snippet[] = [
  { name: "curl", label: "curl", install: "", suffix: "sh", lacks: () => [], program: curl },
  {
    name: "python",
    label: "Python",
    install: "pip install ./clients",
    suffix: "py",
    lacks: allBut("voice", "language", "mode", "speed", "seed", "instruct_text", "prompt_text", "markup", ...FILES),
    program: python,
  },
  {
    name: "javascript",
    label: "JavaScript",
    install: "npm install ws ./rtclient-0.1.0.tgz",
    suffix: "mjs",
    lacks: ({ fields }) => Object.keys(fields).filter((name) => PATHS.includes(name)),
    program: javascript,
  },
  {
    name: "openai",
    label: "OpenAI SDK",
    install: "pip install openai",
    suffix: "py",
    lacks: allBut("voice", "language", "speed", "seed", "instruct_text", "sample_rate"),
    program: openai,
  },
  {
    name: "pipecat",
    label: "pipecat",
    install: "pip install ./clients ./clients/pipecat-rtserver",
    suffix: "py",
    lacks: allBut(...AGENT_FIELDS, "prompt_text", "prompt_audio"),
    program: pipecat,
  },
  {
    name: "livekit",
    label: "LiveKit",
    install: "pip install ./clients ./clients/livekit-plugins-rtserver",
    suffix: "py",
    lacks: allBut(...AGENT_FIELDS, "prompt_text", "prompt_audio"),
    program: livekit,
  },
];

function allBut(...known: string[]): (request: SnippetRequest) => string[] {
  return ({ fields, files }) => [...Object.keys(fields), ...Object.keys(files)].filter((name) => !known.includes(name));
}

function curl({ url, hasKey, text, fields, files }: SnippetRequest): string {
  const { voice, ...others } = fields;
  const body = { text, ...(voice === undefined ? {} : { speaker: voice }), ...others, format: "wav" };
  const lines = [`curl -sS --fail-with-body ${shell(`${url}/v1/tts/stream`)} -o speech.wav`];
  if (hasKey) lines.push('-H "Authorization: Bearer $RTSERVER_KEY"');
  if (Object.keys(files).length === 0) {
    lines.push("-H 'Content-Type: application/json'", `-d ${shell(JSON.stringify(body))}`);
  } else {
    for (const [name, value] of Object.entries(body)) lines.push(`--form-string ${shell(`${name}=${String(value)}`)}`);
    for (const [name, file] of Object.entries(files)) lines.push(`-F ${shell(`${name}=@${file}`)}`);
  }
  return `${lines.join(" \\\n  ")}\n`;
}

function python({ url, hasKey, text, fields, files }: SnippetRequest): string {
  const spoken = isConversion(fields) ? [] : [JSON.stringify(text)];
  const known = ["voice", "language", "mode", "speed", "seed", "instruct_text", "prompt_text", "markup"];
  const options = keywords(fields, known);
  for (const [name, file] of Object.entries(files)) options.push(`${name}=Path(${JSON.stringify(file)}).read_bytes()`);
  return `import asyncio
${hasKey ? "import os\n" : ""}import wave
${Object.keys(files).length > 0 ? "from pathlib import Path\n" : ""}
from rtclient import connect


async def main() -> None:
    async with connect(${JSON.stringify(url)}${hasKey ? ', api_key=os.environ["RTSERVER_KEY"]' : ""}) as session:
        speech = session.speak(${[...spoken, ...options].join(", ")})
        with wave.open("speech.wav", "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(session.info.sample_rate)
            async for audio in speech:
                file.writeframes(audio.pcm)


asyncio.run(main())
`;
}

function javascript({ url, hasKey, text, fields, files }: SnippetRequest): string {
  const spoken = isConversion(fields) ? "undefined" : JSON.stringify(text);
  const start = Object.entries({ ...fields, format: "wav" })
    .filter(([name]) => !PATHS.includes(name))
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  for (const [name, file] of Object.entries(files)) start.push(`${name}: await readFile(${JSON.stringify(file)})`);
  const needed = Object.keys(files).length > 0 ? "readFile, writeFile" : "writeFile";
  return `import { ${needed} } from "node:fs/promises";
import { connect } from "rtclient";
import WebSocket from "ws"; // browsers, and Node from 22 on, have their own

const session = await connect(${JSON.stringify(url)}, { WebSocket${hasKey ? ", apiKey: process.env.RTSERVER_KEY" : ""} });
const speech = session.speak(${spoken}, { ${start.join(", ")} });
const pieces = [];
for await (const audio of speech) pieces.push(audio.data);
await writeFile("speech.wav", Buffer.concat(pieces));
session.close();
`;
}

function openai({ url, hasKey, text, fields }: SnippetRequest): string {
  const { voice = "default", instruct_text } = fields;
  const options = [`model="tts-1"`, `voice=${JSON.stringify(voice)}`, `input=${JSON.stringify(text)}`, `response_format="wav"`];
  options.push(...keywords(fields, ["speed"]));
  if (instruct_text !== undefined) options.push(`instructions=${JSON.stringify(instruct_text)}`);
  const extra = ["language", "seed", "sample_rate"].filter((name) => fields[name] !== undefined);
  if (extra.length > 0) options.push(`extra_body={${extra.map((name) => `"${name}": ${literal(fields[name])}`).join(", ")}}`);
  return `${hasKey ? "import os\n\n" : ""}from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(`${url}/v1`)}, api_key=${key(hasKey)})
speech = client.audio.speech.with_streaming_response
with speech.create(
    ${options.join(",\n    ")},
) as answer:
    answer.stream_to_file("speech.wav")
`;
}

function pipecat({ url, hasKey, text, fields, files }: SnippetRequest): string {
  const settings = keywords(fields, AGENT_FIELDS);
  const options = [`url=${JSON.stringify(url)}`, ...(hasKey ? [`api_key=${key(hasKey)}`] : []), ...prompt(fields, files)];
  if (settings.length > 0) options.push(`settings=RTServerTTSService.Settings(${settings.join(", ")})`);
  return `import asyncio
${hasKey ? "import os\n" : ""}import wave
${files["prompt_audio"] === undefined ? "" : "from pathlib import Path\n"}
from pipecat.frames.frames import EndFrame, Frame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.workers.runner import WorkerRunner
from pipecat_rtserver import RTServerTTSService


class Recorder(FrameProcessor):
    """Stands where an agent has its transport."""

    sound = b""

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.sound += frame.audio
        await self.push_frame(frame, direction)


async def main() -> None:
    tts = RTServerTTSService(
        ${options.join(",\n        ")},
    )
    recorder = Recorder()
    worker = PipelineWorker(Pipeline([tts, recorder]))
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await worker.queue_frames([TTSSpeakFrame(${JSON.stringify(text)}), EndFrame()])
    await runner.run()
    with wave.open("speech.wav", "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        file.writeframes(recorder.sound)


asyncio.run(main())
`;
}

function livekit({ url, hasKey, text, fields, files }: SnippetRequest): string {
  const options = [`url=${JSON.stringify(url)}`, ...(hasKey ? [`api_key=${key(hasKey)}`] : [])];
  options.push(...keywords(fields, AGENT_FIELDS), ...prompt(fields, files));
  return `import asyncio
${hasKey ? "import os\n" : ""}${files["prompt_audio"] === undefined ? "" : "from pathlib import Path\n"}
from livekit import rtc
from livekit.plugins import rtserver


async def main() -> None:
    tts = rtserver.TTS(
        ${options.join(",\n        ")},
    )
    async with tts.stream() as stream:
        stream.push_text(${JSON.stringify(text)})  # or the words of an LLM, as they come
        stream.end_input()
        frames = [event.frame async for event in stream]
    await tts.aclose()
    with open("speech.wav", "wb") as file:
        file.write(rtc.combine_audio_frames(frames).to_wav_bytes())


asyncio.run(main())
`;
}

/** The recording of the voice, as arguments of a Python call. */
function prompt(fields: SnippetRequest["fields"], files: SnippetRequest["files"]): string[] {
  const file = files["prompt_audio"];
  if (file === undefined) return [];
  return [`prompt_audio=Path(${JSON.stringify(file)}).read_bytes()`, ...keywords(fields, ["prompt_text"])];
}

/** Whether a recording is said again, without text. */
function isConversion(fields: SnippetRequest["fields"]): boolean {
  return fields["mode"] === "vc";
}

/** The key as a Python expression. A client that insists on one gets any text. */
function key(hasKey: boolean): string {
  return hasKey ? 'os.environ["RTSERVER_KEY"]' : '"any"';
}

/** Arguments of a Python call. */
function keywords(fields: SnippetRequest["fields"], names: string[]): string[] {
  return names.filter((name) => fields[name] !== undefined).map((name) => `${name}=${literal(fields[name])}`);
}

/** A value as Python writes it. Strings are as in JSON. */
function literal(value: string | number | boolean | undefined): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  return JSON.stringify(value);
}

/** One argument of a shell command. */
function shell(argument: string): string {
  return /^[\w./:@=-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`;
}
