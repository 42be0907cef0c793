/** What needs no browser: texts in pieces, figures, samples, files. Run by `npm test`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { certain, wordsOf } from "../src/lib/pieces";
import { Snapshot, figuresOf, growth, quantile } from "../src/lib/prometheus";
import { Samples } from "../src/lib/samples";
import { wavOf } from "../src/lib/wav";

test("the words of a text are the text, in English and Chinese", () => {
  for (const text of ["Two trains, at 9:30 (or so).", " 有两班车，八点。", "…", ""]) assert.equal(wordsOf(text).join(""), text);
  assert.deepEqual(wordsOf("Two trains, at once."), ["Two ", "trains, ", "at ", "once."]);
});

test("typed text is certain up to its last space or sign, and Han characters are at once", () => {
  assert.equal(certain("one two"), 4);
  assert.equal(certain("one"), 0);
  assert.equal(certain("done."), 5);
  assert.equal(certain("你好ab"), 2);
});

test("figures are read with their labels, and comments are not", () => {
  const text = '# HELP a b\na_total{class="real\\"time",le="+Inf"} 3.0\nb 0.5\nc{x="1"} +Inf\n';
  assert.deepEqual(figuresOf(text), [
    { name: "a_total", labels: { class: 'real\\"time', le: "+Inf" }, value: 3 },
    { name: "b", labels: {}, value: 0.5 },
    { name: "c", labels: { x: "1" }, value: Infinity },
  ]);
});

const snapshot = (text: string) => new Snapshot(0, figuresOf(text));

test("a counter that began again at 0 has grown by what it is now", () => {
  assert.equal(growth(snapshot("n 5"), snapshot("n 7"), "n"), 2);
  assert.equal(growth(snapshot("n 5"), snapshot("n 2"), "n"), 2);
  assert.equal(growth(snapshot(""), snapshot("n 2"), "n"), 2);
});

test("a quantile lies within the bucket of the values that were counted between two moments", () => {
  const buckets = (one: number, two: number, all: number) =>
    snapshot(`h_bucket{le="1"} ${one}\nh_bucket{le="2"} ${two}\nh_bucket{le="+Inf"} ${all}\n`);
  assert.equal(quantile(buckets(0, 0, 0), buckets(0, 0, 0), "h", {}, 0.5), null);
  assert.equal(quantile(buckets(5, 5, 5), buckets(5, 9, 9), "h", {}, 0.5), 1.5);
  assert.equal(quantile(buckets(0, 0, 0), buckets(0, 0, 4), "h", {}, 0.5), 2);
});

test("samples that are cut anywhere are whole again, and their peaks are those of 20 ms", () => {
  const sent = Int16Array.from({ length: 1000 }, (_, number) => (number < 500 ? 16384 : -8192));
  const bytes = new Uint8Array(sent.buffer);
  const samples = new Samples(25_000);
  for (let at = 0; at < bytes.length; at += 333) samples.push(bytes.slice(at, at + 333));
  assert.deepEqual(samples.all(), sent);
  assert.deepEqual(samples.peaks, [0.5, 0.25]);
  assert.equal(samples.lengthS, 0.04);
});

test("a WAV file tells its rate and its length", async () => {
  const header = new DataView(await wavOf(Int16Array.of(1, 2, 3), 8000).arrayBuffer());
  assert.equal(header.byteLength, 50);
  assert.equal(header.getUint32(24, true), 8000);
  assert.equal(header.getUint32(40, true), 6);
});
