"""CPU of a client for one request: gradus beside openai's and aiohttp's, in one run.

    python client_overhead.py [--rounds 3] [--requests 20000] [--connections 64] [--out FILE]

Needs openai and aiohttp in this Python and
`cargo build --release -p gradus-client --example overhead`, which is both the
loopback server (the same for all) and our client. The clients take turns; each
sends the same chat requests, as many under way at once as there are
connections, reads the JSON and writes a row. Compared are CPU seconds of the
client's process (user plus system); a first run of few requests is subtracted,
so that start-up does not count. Prints one JSON line of medians.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from train_speed import HERE, cpu_name

FEW = 200
BODY = dict(model="model", temperature=1.0, top_p=1.0, max_tokens=512, n=1, seed=1)


def messages(problem):
    text = "How many apples are in a basket of two dozen? " * 5
    return [{"role": "user", "content": f"Problem {problem}. {text}"}]


async def openai_client(url, requests, connections, rows):
    import openai

    client = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    limit = asyncio.Semaphore(connections)

    async def one(problem):
        async with limit:
            answer = await client.chat.completions.create(messages=messages(problem), **BODY)
        write(rows, problem, answer.choices[0].message.content)

    await asyncio.gather(*(one(problem) for problem in range(requests)))


async def aiohttp_client(url, requests, connections, rows):
    import aiohttp

    connector = aiohttp.TCPConnector(limit=connections)
    async with aiohttp.ClientSession(connector=connector) as session:
        todo = iter(range(requests))

        async def worker():
            for problem in todo:
                body = dict(BODY, messages=messages(problem))
                async with session.post(f"{url}/chat/completions", json=body) as answer:
                    value = await answer.json()
                write(rows, problem, value["choices"][0]["message"]["content"])

        await asyncio.gather(*(worker() for _ in range(connections)))


def write(rows, problem, text):
    rows.write(json.dumps({"problem": f"p{problem}", "sample": 0, "text": text}) + "\n")


def cpu_seconds(command):
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return usage.ru_utime + usage.ru_stime


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--program", default=HERE.parent / "target/release/examples/overhead")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        name, url, requests, connections, file = args.worker
        client = {"openai": openai_client, "aiohttp": aiohttp_client}[name]
        with open(file, "w") as rows:
            asyncio.run(client(url, int(requests), int(connections), rows))
        return
    program = os.path.abspath(args.program)
    server = subprocess.Popen([program, "serve"], stdout=subprocess.PIPE, text=True)
    url = server.stdout.readline().strip()
    seconds = {"gradus": [], "openai": [], "aiohttp": []}
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/rows.jsonl"
            for _ in range(args.rounds):
                for name, runs in seconds.items():
                    start = [program, "sample"] if name == "gradus" else [
                        sys.executable, __file__, "--worker", name]
                    used = []
                    for requests in [FEW, FEW + args.requests]:
                        used.append(cpu_seconds(
                            start + [url, str(requests), str(args.connections), file]))
                        assert sum(1 for _ in open(file)) == requests
                    runs.append(used[1] - used[0])
    finally:
        server.kill()
    milliseconds = {
        name: 1000 * statistics.median(runs) / args.requests for name, runs in seconds.items()}
    row = {"benchmark": "client overhead", "requests": args.requests,
           "connections": args.connections, "rounds": args.rounds,
           "milliseconds_cpu_a_request": {k: round(v, 4) for k, v in milliseconds.items()},
           "times_less": {name: round(value / milliseconds["gradus"], 1)
                          for name, value in milliseconds.items()},
           "cpu": cpu_name(), "python": platform.python_version(),
           "openai": version("openai"), "aiohttp": version("aiohttp")}
    print(json.dumps(row))
    if args.out:
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
