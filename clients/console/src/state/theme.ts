/** Light or dark: as the system says, or as the user chose. */

import { ref, watchEffect } from "vue";
import { keep, stored } from "./stored";

export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

const NAME = "rtserver.theme";

export const theme = ref<Theme>(THEMES.find((known) => known === stored("local", NAME)) ?? "system");

watchEffect(() => {
  const chosen = theme.value === "system" ? null : theme.value;
  keep("local", NAME, chosen);
  if (chosen === null) delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
});
