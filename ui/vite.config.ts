import { cp, readdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
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

/** Compressed once here instead of at each request: the portal serves the file beside the file. */
function compressed(): Plugin {
  const br = promisify(brotliCompress);
  const gz = promisify(gzip);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 9 };
  return {
    name: "compressed",
    apply: "build",
    enforce: "post",
    async closeBundle() {
      for (const entry of await readdir("dist", { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(js|css|html|svg)$/.test(entry.name)) continue;
        const path = `${entry.parentPath}/${entry.name}`;
        const data = await readFile(path);
        if (data.length < 1024) continue;
        await Promise.all([
          br(data, { params }).then((small) => writeFile(`${path}.br`, small)),
          gz(data, { level: 9 }).then((small) => writeFile(`${path}.gz`, small)),
        ]);
      }
    },
  };
}

const portal = process.env.HOMEPORT_URL ?? "https://localhost:8443";

export default defineConfig({
  plugins: [react(), vendor(), compressed()],
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    // A data: URL is refused by the portal's content security policy.
    assetsInlineLimit: 0,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // What every page needs comes in a few pieces instead of fifty.
            { name: "base", test: /node_modules\/(react|react-dom|scheduler|@tanstack)\// },
            { name: "shared", test: /node_modules\/|src\/(api|parts|live)\//, minShareCount: 8 },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": { target: portal, secure: false, ws: true, changeOrigin: true } } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});
