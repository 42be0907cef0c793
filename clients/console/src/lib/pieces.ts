/** Text in pieces, as a writer gives it. */

const segmenter = new Intl.Segmenter(undefined, { granularity: "word" });

/** Words with the signs and spaces after them; joined they are the text. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const { segment, isWordLike } of segmenter.segment(text)) {
    const last = words.length - 1;
    if (isWordLike === true || last < 0) words.push(segment);
    else words[last] += segment;
  }
  return words;
}

/** So many words a second. `rate` is asked for each word, so that it can change. */
export async function* paced(text: string, rate: () => number): AsyncGenerator<string, void, undefined> {
  for (const word of wordsOf(text)) {
    yield word;
    await new Promise((resolve) => setTimeout(resolve, 1000 / rate()));
  }
}

/** What of typed text is certain: all up to the last space or sign, and Han characters. The rest may still be changed. */
export function certain(typed: string): number {
  for (let at = typed.length; at > 0; at--) {
    if (/[\s\p{P}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u.test(typed[at - 1] as string)) return at;
  }
  return 0;
}
