/** How a voice is shown: its own name, and what is known of it in the language of the page. */

import type { Capabilities } from "rtclient";
import { text } from "../i18n";

export type ServerVoice = Capabilities["voices"][number];

/** Language and gender, as far as they are known. */
export function aboutVoice(voice: ServerVoice): string {
  const { languages, genders } = text.value;
  const parts = [languages[voice.language ?? ""], genders[voice.gender ?? ""]].filter((part) => part !== undefined);
  return parts.join(" · ");
}

/** A sentence in a language of the voice. */
export function previewOf(voice: ServerVoice): { text: string; language: string } {
  const language = voice.language === "zh" || /[\u4e00-\u9fff]/.test(voice.language === null ? voice.name : "") ? "zh" : "en";
  return { text: text.value.speak.previewText[language] ?? "", language };
}
