import tailwindcss from "@tailwindcss/vite";
import vue from "@vitejs/plugin-vue";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Address of the server for `npm run dev`.
const server = process.env["RTSERVER"] ?? "http://127.0.0.1:8790";
const toServer = { target: server, ws: true };

export default defineConfig({
  plugins: [vue(), tailwindcss()],
  // Relative addresses: the page works under any path prefix.
  base: "./",
  resolve: {
    alias: [
      { find: /^rtclient$/, replacement: here("../js/src/index.ts") },
      { find: /^rtclient\/worklet(?=\?|$)/, replacement: here("../js/src/worklet.ts") },
    ],
  },
  build: {
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // they have light-dark()
    outDir: here("../../rtserver/console"),
    emptyOutDir: true,
    assetsDir: "console",
    // As files: the Content-Security-Policy allows no `data:`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  worker: { format: "es" },
  server: { proxy: { "/v1": toServer, "/metrics": toServer, "/docs": toServer, "/openapi.json": toServer } },
});
