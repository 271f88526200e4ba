import { cp, readFile, writeFile } from "node:fs/promises";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/** The API's documentation pages are served by the portal itself, so their scripts ship with the UI. */
function vendor(): Plugin {
  const files = {
    "node_modules/swagger-ui-dist/swagger-ui.css": "swagger-ui/swagger-ui.css",
    "node_modules/swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui/swagger-ui-bundle.js",
    "node_modules/redoc/bundles/redoc.standalone.js": "redoc/redoc.standalone.js",
  };
  return {
    name: "vendor",
    apply: "build",
    async writeBundle(options) {
      for (const [from, to] of Object.entries(files)) await cp(from, `${options.dir}/vendor/${to}`);
      // Redoc asks its maker's server for a small picture and hides it when there is none: nothing leaves the portal.
      const redoc = `${options.dir}/vendor/redoc/redoc.standalone.js`;
      const script = await readFile(redoc, "utf8");
      await writeFile(redoc, script.replaceAll("https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,"));
    },
  };
}

const portal = process.env.HOMEPORT_URL ?? "https://localhost:8443";

export default defineConfig({
  plugins: [react(), vendor()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // A data: URL is refused by the portal's content security policy.
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: { proxy: { "/api": { target: portal, secure: false, ws: true, changeOrigin: true } } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
