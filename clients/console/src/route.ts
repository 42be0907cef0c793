/** Which view is shown: the part of the address after `#`. It needs nothing of the server, so it works under any path. */

import { readonly, ref } from "vue";

export const VIEWS = ["speak", "live", "read", "voices", "code", "status"] as const;
export type View = (typeof VIEWS)[number];

const shown = ref<View>(fromHash());

export const view = readonly(shown);

function fromHash(): View {
  const name = location.hash.replace(/^#\/?/, "").split("?")[0];
  return VIEWS.find((known) => known === name) ?? "speak";
}

addEventListener("hashchange", () => (shown.value = fromHash()));
