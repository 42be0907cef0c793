/** What the page says, in the language of the user. */

import { computed, ref, watchEffect } from "vue";
import { keep, stored } from "../state/stored";
import { en } from "./en";
import { zh } from "./zh";

const TEXTS = { en, zh };
export type Language = keyof typeof TEXTS;

const NAME = "rtserver.language";

export const language = ref<Language>(first());

export const text = computed(() => TEXTS[language.value]);

function first(): Language {
  const chosen = stored("local", NAME);
  if (chosen === "en" || chosen === "zh") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

watchEffect(() => {
  document.documentElement.lang = language.value === "zh" ? "zh-CN" : "en";
  document.title = text.value.title;
});

export function choose(chosen: Language): void {
  language.value = chosen;
  keep("local", NAME, chosen);
}
